"""Gradients of the motion stage against finite differences, in float64: each energy, then all through the decoder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from crowdstream.kernels.priors.motion_prior import MotionPrior, MotionPriorConfig
from crowdstream.kernels.solve.energies.connect import connect
from crowdstream.kernels.solve.energies.environment import contact_height, contact_velocity
from crowdstream.kernels.solve.energies.evidence import Evidence
from crowdstream.kernels.solve.energies.motion_objective import MotionObjective, SeamTensors
from crowdstream.kernels.solve.energies.objective import Bodies, Objective
from crowdstream.kernels.solve.energies.projection import CameraTensors
from crowdstream.kernels.solve.energies.vae import vae
from crowdstream.kernels.solve.latent import start_segments
from crowdstream.kernels.solve.weights import EnergyWeights
from crowdstream.stream.body_files import load_body
from crowdstream.stream.prior_files import load_pose_prior

N, T = 2, 6
GEN = torch.Generator().manual_seed(7)
TINY = MotionPriorConfig(
    width=16,
    heads=2,
    feed_forward=1,
    encoder_layers=1,
    decoder_layers=1,
    global_width=16,
    patch=16,
    frequencies=4,
)


def rand(*size: int, spread: float = 1.0) -> Tensor:
    return spread * torch.randn(*size, generator=GEN, dtype=torch.float64)


def present() -> Tensor:
    mask = torch.ones(N, T, dtype=torch.bool)
    mask[1, 0] = False
    return mask


def ground() -> tuple[Tensor, Tensor]:
    normal = torch.tensor([0.1, -0.05, 1.0], dtype=torch.float64)
    return (normal / normal.norm()).expand(N, T, 3), torch.full((N, T), 0.3, dtype=torch.float64)


def tiny_prior() -> MotionPrior:
    """A network whose every part has a say, on the shipped body's skeleton."""
    torch.manual_seed(5)
    network = MotionPrior(TINY)
    network.rest_joints_m.copy_(torch.tensor(load_body().joint_template_m[:22]))
    with torch.no_grad():
        for layer in (network.head, network.local_out, network.global_out):
            layer.weight.normal_(0, 0.05, generator=GEN)
        upright = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(22)
        network.out_mean.copy_(torch.cat([upright, torch.tensor([0.0, 0, 0.9])]))
    return network.eval().requires_grad_(False).double()


def test_vae() -> None:
    valid = torch.tensor([[True, False], [True, True]])
    assert gradcheck(lambda z: vae(z, valid), rand(2, 2, 9).requires_grad_())


@pytest.mark.parametrize("band", [False, True])
def test_contact_height(band: bool) -> None:
    joints, c = rand(N, T, 8, 3, spread=0.3).requires_grad_(), torch.rand(N, T, 8, dtype=torch.float64)
    normal, offset = ground()
    assert gradcheck(
        lambda x, c: contact_height(x, c, normal, offset, present(), 0.08, band), (joints, c.requires_grad_())
    )


def test_contact_velocity() -> None:
    joints, c = rand(N, T, 8, 3).requires_grad_(), torch.rand(N, T, 8, dtype=torch.float64).requires_grad_()
    assert gradcheck(lambda x, c: contact_velocity(x, c, present()), (joints, c))


@pytest.mark.parametrize("order", [1, 2])
def test_connect(order: int) -> None:
    before, after = rand(N, 2, 5, 3).requires_grad_(), rand(N, 2, 5, 3).requires_grad_()
    here, there = torch.tensor([[True, True], [False, True]]), torch.ones(N, 2, dtype=torch.bool)
    assert gradcheck(lambda a, b: connect(a, b, here, there, order), (before, after))


@pytest.mark.parametrize("mended", [False, True])
def test_the_whole_motion_objective_through_the_decoder(mended: bool) -> None:
    """Along random directions of latents and shapes: decoder, size, pose prior's encoder and every energy take part."""
    weights = EnergyWeights.mended() if mended else EnergyWeights()
    weights = weights.model_copy(update={"contact_probability": "free"})
    normal, offset = ground()
    level = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)
    K = torch.tensor([[20.0, 0, 32], [0, 22, 24], [0, 0, 1]], dtype=torch.float64)
    t = torch.tensor([0.1, 0.2, 12.0], dtype=torch.float64)
    evidence = Evidence(
        cameras=CameraTensors(K[None], level[None], t[None]),
        keypoints_px=32 + rand(1, N, T, 17, 2, spread=4.0),
        sigma=rand(1, N, T, 17).abs(),
        delta=rand(1, N, T).abs(),
        hvip_px=32 + rand(1, N, T, 2, spread=4.0),
        hvip_sigma_px=1 + rand(1, N, T).abs(),
        normal=normal,
        offset_m=offset,
        present=present(),
    )
    objective = Objective.of(evidence, weights, load_body())
    seam = SeamTensors(torch.tensor([2, 0]), rand(N, 2, 24, 3), torch.tensor([[True, True], [False, False]]))
    motion = MotionObjective(objective, 64, seam)
    bodies = Bodies(rand(N, T, 24, 3, spread=0.3), rand(N, T, 10), rand(N, T, 3))
    prior = load_pose_prior().to("cpu", torch.float64)
    seen = present()[..., None].expand(N, T, 22)
    segments, z, betas = start_segments(
        bodies, rand(N, 10), seen, rand(N, T, spread=0.1), objective.body, tiny_prior(), prior
    )
    ways = [torch.randn(x.shape, generator=GEN, dtype=x.dtype) for x in (z, betas)]

    def along(step: Tensor) -> Tensor:
        told = segments.decode(z + step * ways[0], betas + step * ways[1])
        return motion.terms(told).total.sum()

    assert gradcheck(along, torch.zeros((), dtype=torch.float64, requires_grad=True), rtol=1e-4)
