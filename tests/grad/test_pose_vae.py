"""Gradients of the learned pose priors against finite differences, float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from crowdstream.kernels.priors.pose_prior import PosePrior, settled
from crowdstream.kernels.priors.pose_vae import PoseVAE, PoseVAEConfig
from crowdstream.kernels.priors.vposer import VPoser
from crowdstream.kernels.rotation import rotmat_to_6d
from crowdstream.stream.prior_files import load_pose_vae


def small() -> PosePrior:
    torch.manual_seed(5)
    network = PoseVAE(PoseVAEConfig(width=16, layers=2))
    with torch.no_grad():
        network.mean.copy_(rotmat_to_6d(torch.eye(3)).repeat(21))
        for weight in network.parameters():
            weight.copy_(0.15 * torch.randn(weight.shape))
    return settled(network, "cpu", torch.float64)


def rand(*shape: int, size: float = 0.4) -> Tensor:
    return (size * torch.randn(*shape, dtype=torch.float64)).requires_grad_()


def test_decode() -> None:
    prior = small()
    assert gradcheck(prior.decode, (rand(1, 32), rand(1, 3)))


def test_encode() -> None:
    assert gradcheck(small().encode, (rand(1, 24, 3),))


@pytest.mark.parametrize("make", [load_pose_vae, VPoser])
def test_slopes_along_a_line_through_the_latent(make: type[VPoser]) -> None:
    """Whole networks: one directional derivative instead of a full Jacobian."""
    prior = settled(make(), "cpu", torch.float64)
    z, root, way = rand(4, 32, size=1.0), rand(4, 3), torch.randn(4, 32, dtype=torch.float64)
    probe = torch.randn(4, 24, 3, dtype=torch.float64)
    (slope,) = torch.autograd.grad((probe * prior.decode(z, root)).sum(), z)
    step = 1e-6
    with torch.no_grad():
        ahead, behind = (prior.decode(z + sign * step * way, root) for sign in (1, -1))
    expected = (probe * (ahead - behind)).sum() / (2 * step)
    torch.testing.assert_close((slope * way).sum(), expected, rtol=1e-5, atol=1e-7)


def test_gradients_stay_finite_far_from_every_pose() -> None:
    prior = settled(load_pose_vae(), "cpu", torch.float32)
    z = (30.0 * torch.randn(64, 32)).requires_grad_()
    prior.decode(z, torch.zeros(64, 3)).square().sum().backward()
    assert z.grad is not None and torch.isfinite(z.grad).all()
