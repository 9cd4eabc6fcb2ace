"""Soft-DTW in plain torch, an anti-diagonal at a time: every precision, every device.

The recursion is that of `fused.soft_dtw`. Cells of one diagonal do not wait for one another, so a table of n x m takes
n + m - 1 steps, each over all pairs. The softmin weights are stored, and the way back passes E on by them. O(B n m),
some 20 tensor operations a diagonal; for float64 (gradient checks), and for GPUs where Triton is missing.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def soft_dtw_diagonals(
    cost: Float[Tensor, "B n m"],
    gamma: float,
    lengths_x: Int[Tensor, "B"],
    lengths_y: Int[Tensor, "B"],
) -> tuple[Float[Tensor, "B"], Float[Tensor, "B n m"]]:
    """Value of every pair and alignment E = d value / d cost. Not differentiable itself.

    Args:
        cost: what each step of one sequence costs at each of the other; read within the lengths only.
        gamma: softness, > 0, in units of the cost.
        lengths_x, lengths_y: steps that count, 1..n and 1..m.
    """
    with torch.no_grad():
        b, n, m = cost.shape
        i, j = torch.meshgrid(*(torch.arange(size, device=cost.device) for size in (n, m)), indexing="ij")
        counts = (i < lengths_x[:, None, None]) & (j < lengths_y[:, None, None])
        skewed = cost.new_full((n + m - 1, b, n), torch.inf)
        skewed[i + j, :, i] = torch.where(counts, cost, torch.inf).permute(1, 2, 0)
        r, weights = _forward(skewed, gamma)
        pair, last = torch.arange(b, device=cost.device), lengths_x + lengths_y - 2
        value = r[last, pair, lengths_x - 1]
        seed = torch.zeros_like(r)
        seed[last, pair, lengths_x - 1] = 1.0
        return value, _back(seed, weights)[i + j, :, i].permute(2, 0, 1)


def _forward(
    cost: Float[Tensor, "K B n"], gamma: float
) -> tuple[Float[Tensor, "K B n"], Float[Tensor, "K 3 B n"]]:
    """R by diagonals, and of every cell the weights of the cells i-1,j-1; i-1,j; i,j-1. No cell: R infinite."""
    outside = torch.full_like(cost[0, :, :1], torch.inf)
    r, weights = torch.empty_like(cost), torch.zeros_like(cost)[:, None].repeat(1, 3, 1, 1)
    r[0] = cost[0]
    before2, before1 = torch.full_like(cost[0], torch.inf), r[0]
    for k in range(1, len(cost)):
        diagonal, above = (torch.cat([outside, before[:, :-1]], 1) for before in (before2, before1))
        choice = torch.stack([diagonal, above, before1])
        least = choice.amin(0)
        reached = least.isfinite()
        share = torch.exp((least - choice) / gamma).nan_to_num(0.0)  # inf - inf where nothing leads to
        total = share.sum(0)
        r[k] = torch.where(reached, cost[k] + least - gamma * torch.log(total), torch.inf)
        weights[k] = torch.where(reached & cost[k].isfinite(), share / total, 0.0)
        before2, before1 = before1, r[k]
    return r, weights


def _back(seed: Float[Tensor, "K B n"], weights: Float[Tensor, "K 3 B n"]) -> Float[Tensor, "K B n"]:
    """E by diagonals: a cell's is its seed, and what its successors pass back."""
    e = seed.clone()
    for k in range(len(e) - 1, 0, -1):
        passed = weights[k] * e[k]
        if k > 1:
            e[k - 2, :, :-1] += passed[0, :, 1:]
        e[k - 1, :, :-1] += passed[1, :, 1:]
        e[k - 1] += passed[2]
    return e
