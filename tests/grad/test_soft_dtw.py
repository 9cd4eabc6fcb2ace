"""Gradients of soft-DTW and of E_AMC against finite differences, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from crowdstream.kernels.errors import SolveError
from crowdstream.kernels.fused.soft_dtw import soft_dtw
from crowdstream.kernels.grouping.soft_dtw import soft_dtw_divergence, soft_dtw_loss
from crowdstream.kernels.rotation import rotvec_to_rotmat
from crowdstream.kernels.solve.energies.amc import Guides, amc

GEN = torch.Generator().manual_seed(4)
WEIGHT = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)


def rand(*size: int, spread: float = 1.0) -> Tensor:
    return spread * torch.randn(*size, generator=GEN, dtype=torch.float64)


@pytest.mark.parametrize("gamma", [0.3, 2.0])
def test_loss_by_x(gamma: float) -> None:
    y, lengths = rand(2, 6, 3), (torch.tensor([5, 3]), torch.tensor([4, 6]))
    assert gradcheck(
        lambda x: soft_dtw_loss(x, y, WEIGHT, gamma, *lengths), (rand(2, 5, 3).requires_grad_(),)
    )


def test_alignment_is_the_derivative_by_the_costs() -> None:
    """Of the compiled kernel: finite differences of its float64 values, one cell after the other."""
    cost = np.random.default_rng(1).random((1, 4, 5)).astype(np.float32)
    _, alignment = soft_dtw(cost, 0.3)
    step = 2.0**-6  # a power of two: costs stay exact
    for i in range(4):
        for j in range(5):
            moved = np.repeat(cost, 2, 0)
            moved[:, i, j] += [step, -step]
            up, down = soft_dtw(moved, 0.3)[0]
            assert alignment[0, i, j] == pytest.approx((up - down) / (2 * step), abs=2e-4)


def test_float32_has_the_gradient_of_float64() -> None:
    """The compiled kernel under autograd against the diagonals."""
    x, y = rand(3, 9, 3).requires_grad_(), rand(3, 7, 3)
    rough = x.detach().float().requires_grad_()
    factor = torch.tensor([1.0, -2.0, 0.5])
    (soft_dtw_loss(x, y, WEIGHT, 0.2) * factor).sum().backward()
    (soft_dtw_loss(rough, y.float(), WEIGHT.float(), 0.2) * factor).sum().backward()
    assert x.grad is not None and rough.grad is not None
    torch.testing.assert_close(rough.grad.double(), x.grad, rtol=1e-5, atol=1e-5)


def test_the_guide_gets_no_gradient() -> None:
    x, y = rand(1, 4, 3).requires_grad_(), rand(1, 5, 3).requires_grad_()
    soft_dtw_loss(x, y, WEIGHT, 0.2).sum().backward()
    assert y.grad is None and x.grad is not None and x.grad.abs().max() > 0


def test_a_second_derivative_is_refused() -> None:
    x = rand(1, 4, 3).requires_grad_()
    squared = soft_dtw_loss(x, rand(1, 4, 3), WEIGHT, 0.2).square().sum()
    (grad,) = torch.autograd.grad(squared, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_divergence_is_zero_for_the_same_and_positive_for_others() -> None:
    x, y = rand(6, 8, 3), rand(6, 11, 3)
    assert soft_dtw_loss(x, x, WEIGHT, 1.0).max() < 0  # all the ways beside the diagonal
    torch.testing.assert_close(soft_dtw_divergence(x, x, WEIGHT, 1.0), torch.zeros(6, dtype=x.dtype))
    for other in (y, x + 0.05 * rand(6, 8, 3)):
        there, back = (soft_dtw_divergence(*pair, WEIGHT, 1.0) for pair in ((x, other), (other, x)))
        assert (there > 0).all()
        torch.testing.assert_close(there, back)


@pytest.mark.parametrize("gamma", [0.0, -1.0, float("nan")])
def test_loss_needs_softness(gamma: float) -> None:
    with pytest.raises(SolveError, match="gamma"):
        soft_dtw_loss(rand(1, 2, 3), rand(1, 2, 3), WEIGHT, gamma)


def test_amc_through_rotations() -> None:
    """Two of three people have guides; slots without a body lie between, before and after."""
    valid = torch.tensor([[1, 1, 0, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 0, 0]], dtype=torch.bool)
    guides = Guides(
        torch.tensor([2, 0]),
        rotvec_to_rotmat(rand(2, 4, 22, 3, spread=0.4)),
        torch.tensor([[1, 1, 1, 1], [0, 1, 1, 1]], dtype=torch.bool),
    )
    way, pose = rand(3, 5, 24, 3, spread=0.5), rand(3, 5, 24, 3, spread=0.4)

    def along(step: Tensor) -> Tensor:
        return amc(rotvec_to_rotmat(pose + step * way), valid, guides, 0.2)

    assert gradcheck(along, torch.zeros((), dtype=torch.float64, requires_grad=True))
