"""How unlike two motions are when time may stretch: soft-DTW as a loss (Cuturi and Blondel 2017), for eq. 17.

    D_ij = sum_d w_d (x_id - y_jd)^2           one batched matrix product
    loss = softDTW(D)                          `fused.soft_dtw` on CPUs, Triton on GPUs, plain torch otherwise
    d loss / d x_i = 2 w (x_i sum_j E_ij - sum_j E_ij y_j)          E: the alignment; another matrix product

The guide y gets no gradient: a well seen motion must not be drawn towards a badly seen one. The gradient is closed
form, so autograd does not run through the recursion, and a second derivative does not exist.
softDTW(x, x) is not 0 and may be negative (all the paths beside the diagonal count): for how far apart
two motions are, take `soft_dtw_divergence`.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..errors import SolveError
from ..fused.soft_dtw import soft_dtw
from .soft_dtw_diagonals import soft_dtw_diagonals


def soft_dtw_loss(
    x: Float[Tensor, "B n D"],
    guide: Float[Tensor, "B m D"],
    weight: Float[Tensor, "D"],
    gamma: float,
    lengths_x: Int[Tensor, "B"] | None = None,
    lengths_guide: Int[Tensor, "B"] | None = None,
) -> Float[Tensor, "B"]:
    """Soft-DTW of each pair, in weighted squared units. Differentiable once, in x.

    Args:
        x: motions that follow.
        guide: motions that lead; no gradient flows to them.
        weight: of each number of a pose, >= 0.
        gamma: softness, > 0, in the units of the loss.
        lengths_x, lengths_guide: steps that count of each; None: all.

    Raises:
        SolveError: gamma not positive; numbers that are not finite.
    """
    if not gamma > 0:
        raise SolveError(f"soft-DTW: got gamma {gamma}, expected a positive number")
    root = weight.sqrt()
    ends = [_ends(x, lengths_x), _ends(guide, lengths_guide)]
    value: Tensor = SoftDTW.apply(x * root, guide.detach() * root, gamma, *ends)  # type: ignore[no-untyped-call]
    return value


def soft_dtw_divergence(
    x: Float[Tensor, "B n D"], y: Float[Tensor, "B m D"], weight: Float[Tensor, "D"], gamma: float
) -> Float[Tensor, "B"]:
    """How far apart two motions are, 0 for the same: softDTW(x, y) - (softDTW(x, x) + softDTW(y, y)) / 2.

    For looking at; without gradients. (Blondel, Mensch and Vert 2021.)
    """
    with torch.no_grad():
        own = soft_dtw_loss(x, x, weight, gamma) + soft_dtw_loss(y, y, weight, gamma)
        return soft_dtw_loss(x, y, weight, gamma) - 0.5 * own


def aligned(
    x: Float[Tensor, "B n D"], y: Float[Tensor, "B m D"], gamma: float
) -> tuple[Float[Tensor, "B"], Float[Tensor, "B n m"]]:
    """Value of every pair and the alignment E = d value / d D, without gradients."""
    with torch.no_grad():
        return _solved(squared_distances(x, y), gamma, _ends(x, None), _ends(y, None))


def squared_distances(x: Float[Tensor, "B n D"], y: Float[Tensor, "B m D"]) -> Float[Tensor, "B n m"]:
    """|x_i - y_j|^2 of all pairs of steps."""
    # about the mean, so that the squares that are taken off one another are small
    middle = y.mean(1, keepdim=True)
    x, y = x - middle, y - middle
    x2, y2 = (torch.linalg.vector_norm(each, dim=-1).square() for each in (x, y))
    products = torch.bmm(-2.0 * x, y.transpose(1, 2))
    return products.add_(x2[:, :, None]).add_(y2[:, None]).clamp_min_(0.0)


class SoftDTW(torch.autograd.Function):
    """Soft-DTW of sequences under squared distances; gradient to the first of them only."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "B n D"],
        y: Float[Tensor, "B m D"],
        gamma: float,
        lengths_x: Int[Tensor, "B"],
        lengths_y: Int[Tensor, "B"],
    ) -> Float[Tensor, "B"]:
        value, alignment = _solved(squared_distances(x, y), gamma, lengths_x, lengths_y)
        ctx.save_for_backward(x, y, alignment)
        return value

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Float[Tensor, "B"]) -> tuple[Tensor | None, None, None, None, None]:
        x, y, alignment = ctx.saved_tensors
        follow = torch.bmm(alignment, y).neg_().addcmul_(alignment.sum(-1, keepdim=True), x)
        return follow.mul_(2.0 * grad[:, None, None]), None, None, None, None


def _ends(x: Float[Tensor, "B n D"], lengths: Int[Tensor, "B"] | None) -> Int[Tensor, "B"]:
    return torch.full((len(x),), x.shape[1], device=x.device) if lengths is None else lengths.to(x.device)


def _solved(
    cost: Float[Tensor, "B n m"], gamma: float, lengths_x: Int[Tensor, "B"], lengths_y: Int[Tensor, "B"]
) -> tuple[Float[Tensor, "B"], Float[Tensor, "B n m"]]:
    """Value and alignment where the costs are."""
    if cost.dtype == torch.float32 and cost.device.type == "cpu":
        value, alignment = soft_dtw(cost.numpy(), gamma, lengths_x.numpy(), lengths_y.numpy())
        return torch.from_numpy(value).to(cost.dtype), torch.from_numpy(alignment)
    if cost.dtype == torch.float32 and cost.device.type == "cuda":
        kernel = triton_kernel()
        if kernel is not None:
            found: tuple[Tensor, Tensor] = kernel.soft_dtw_triton(cost, gamma, lengths_x, lengths_y)
            return found
    return soft_dtw_diagonals(cost, gamma, lengths_x, lengths_y)


def triton_kernel() -> Any | None:
    """`fused.soft_dtw_triton`, or None where Triton is not installed (torch for CPUs, Windows)."""
    try:
        return importlib.import_module("..fused.soft_dtw_triton", __package__)
    except ModuleNotFoundError as missing:
        if missing.name != "triton":
            raise
        return None
