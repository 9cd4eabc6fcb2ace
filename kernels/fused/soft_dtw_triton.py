"""Soft-DTW on a GPU: one program a pair, one thread a row, an anti-diagonal a step.

The recursion and the way back are those of `soft_dtw`. The cells of two diagonals stay in registers; what a row needs
of the one above comes by `gather`, within the program, so no step waits for memory that another thread has written. The
softmin weights go through global memory, 12 bytes a cell, each read by the thread that wrote it. R is kept relative to
the least of its diagonal, as there. O(n + m) steps a pair; up to 1024 rows.

So far it has been run by Triton's interpreter only (TRITON_INTERPRET=1), and compiled for compute capability 8.0 and
9.0; no GPU has timed it.
"""

from __future__ import annotations

from math import log

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..errors import SolveError

MOST_ROWS = 1024
FAR = tl.constexpr(1e30)
"""R outside of the table, in units of g / log2 e."""


def soft_dtw_triton(
    cost: Tensor, gamma: float, lengths_x: Tensor, lengths_y: Tensor
) -> tuple[Tensor, Tensor]:
    """Value and alignment of every pair.

    Args:
        cost: (B, n, m) float32, finite within the lengths.
        gamma: softness, > 0.
        lengths_x, lengths_y: (B,) whole numbers, steps that count.

    Returns:
        value (B,) float32, alignment (B, n, m) float32.

    Raises:
        SolveError: more rows than threads of a program.
    """
    pairs, n, m = cost.shape
    if n > MOST_ROWS:
        raise SolveError(f"soft-DTW: got sequences of {n} steps, expected at most {MOST_ROWS}; cut them")
    rows = triton.next_power_of_2(max(n, 2))
    value, alignment = cost.new_zeros(pairs), torch.zeros_like(cost, memory_format=torch.contiguous_format)
    weights = cost.new_empty(pairs, n + m - 1, 3, rows)
    ends = torch.stack([lengths_x, lengths_y], 1).to(cost.device, torch.int32)
    if pairs:
        unit = gamma * log(2.0)
        warps = max(1, min(8, rows // 32))
        _soft_dtw_kernel[(pairs,)](
            cost.contiguous(), ends, weights, value, alignment, n, m, 1.0 / unit, unit, rows, num_warps=warps
        )
    return value, alignment


@triton.jit
def _soft_dtw_kernel(  # type: ignore[no-untyped-def]
    cost, ends, weights, value, alignment, n, m, scale, unit, ROWS: tl.constexpr
):  # fmt: skip
    """One pair; `scale` turns costs into units of g / log2 e, `unit` values back."""
    pair = tl.program_id(0).to(tl.int64)
    row = tl.arange(0, ROWS)
    above_row = tl.maximum(row - 1, 0)
    below_row = tl.minimum(row + 1, ROWS - 1)
    length_x = tl.load(ends + 2 * pair)
    length_y = tl.load(ends + 2 * pair + 1)
    table = pair * n * m
    store = weights + pair * (n + m - 1) * 3 * ROWS
    last = length_x + length_y - 2

    # relative to the base of the diagonal before: R_00 = 0 is the cell before the first one
    before1 = tl.full((ROWS,), FAR, tl.float32)
    before2 = tl.full((ROWS,), FAR, tl.float32)
    shift1 = tl.zeros((), tl.float32)
    shift2 = tl.zeros((), tl.float32)
    base = tl.zeros((), tl.float64)
    for k in range(0, last + 1):
        column = k - row
        inside = (row < length_x) & (column >= 0) & (column < length_y)
        d = tl.load(cost + table + row * m + column, mask=inside, other=0.0) * scale
        corner = tl.where(k == 0, 0.0, FAR)
        diagonal = tl.where(row == 0, corner, tl.gather(before2, above_row, 0) - shift2)
        above = tl.where(row == 0, FAR, tl.gather(before1, above_row, 0))
        least = tl.minimum(tl.minimum(diagonal, above), before1)
        # nothing beside 1, and no denormal number when multiplied (`lanes.LOWEST_POWER`)
        w_diagonal = tl.exp2(tl.maximum(least - diagonal, -60.0))
        w_above = tl.exp2(tl.maximum(least - above, -60.0))
        w_left = tl.exp2(tl.maximum(least - before1, -60.0))
        total = w_diagonal + w_above + w_left
        r = tl.where(inside, d - shift1 + least - tl.log2(total), FAR)
        at = store + k * 3 * ROWS + row
        tl.store(at, w_diagonal / total)
        tl.store(at + ROWS, w_above / total)
        tl.store(at + 2 * ROWS, w_left / total)
        before2 = before1
        before1 = r
        if k < last:
            shift2 = shift1
            shift1 = tl.min(r, 0)
            base += shift1.to(tl.float64)
    answer = tl.sum(tl.where(row == length_x - 1, before1, 0.0), 0)
    tl.store(value + pair, ((base + answer.to(tl.float64)) * unit).to(tl.float32))

    tl.debug_barrier()  # the weights are read by the threads that wrote them; this costs nothing and keeps it so
    passed1_above = tl.zeros((ROWS,), tl.float32)
    passed1_left = tl.zeros((ROWS,), tl.float32)
    passed1_diagonal = tl.zeros((ROWS,), tl.float32)
    passed2_diagonal = tl.zeros((ROWS,), tl.float32)
    for back in range(0, last + 1):
        k = last - back
        column = k - row
        inside = (row < length_x) & (column >= 0) & (column < length_y)
        from_below = tl.gather(passed1_above + passed2_diagonal, below_row, 0)
        e = passed1_left + tl.where(row == ROWS - 1, 0.0, from_below)
        e = tl.where((back == 0) & (row == length_x - 1), 1.0, e)
        e = tl.where(inside & (e >= 1e-18), e, 0.0)
        tl.store(alignment + table + row * m + column, e, mask=inside)
        at = store + k * 3 * ROWS + row
        passed2_diagonal = passed1_diagonal
        passed1_diagonal = e * tl.load(at)
        passed1_above = e * tl.load(at + ROWS)
        passed1_left = e * tl.load(at + 2 * ROWS)
