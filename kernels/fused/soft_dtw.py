"""Soft-DTW of many pairs of sequences: value and alignment, one pass each way (Cuturi and Blondel 2017).

    R_ij = D_ij + softmin(R_i-1,j-1, R_i-1,j, R_i,j-1),   softmin(a) = - g log sum exp(-a / g),   R_00 = 0
    value = R_nm;    alignment E = d value / d D:   E_nm = 1,   E_ij = sum over successors k of E_k w_k(ij)

w_k(ij) is the softmin weight that cell k gave its predecessor ij on the way forward. It is stored, so the way back is
multiplications and additions only: no exponential, and no difference of large sums, where other codes lose digits.

Layout: the 16 pairs of a block lie innermost (`lanes`), and cells go by anti-diagonals, whose cells do not wait for
one another. Costs are in units of g / log2 e, so that softmin is made of 2^x and log2 x. R is kept relative to the least
R of the diagonal before: sums over long paths keep the digits of single costs, and only the value itself,
in float64, has seen the whole. O(B n m); 256 bytes a cell and thread.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import log
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from ..errors import SolveError
from .arrays import Array, compiled
from .lanes import LANES, LaneArray

F0, F1 = np.float32(0.0), np.float32(1.0)
FAR = np.float32(1e30)
"""R outside of the table, in units of g / log2 e: the sum along any path of them is still a float."""
LARGEST = 1e25
"""Larger costs, in the same units, could not be told from FAR."""
FAINTEST = 1e-18
"""Alignments below are set to 0: products of many of them would be denormal numbers, a hundred times slower."""
CELL = 4 * LANES
"""Floats of a cell: the cost (on the way back: E), then the weights of its predecessors i-1,j-1; i-1,j; i,j-1."""
BLOCKS_A_PART = 4
"""Blocks that a thread takes at once."""


def soft_dtw(
    cost: Array,
    gamma: float,
    lengths_x: Array | None = None,
    lengths_y: Array | None = None,
    band: int | None = None,
    pool: ThreadPoolExecutor | None = None,
) -> tuple[Array, Array]:
    """Soft-DTW value of every pair, and how much each cell of its table has part in it.

    Args:
        cost: (B, n, m) float32, D: finite costs of putting step i of one sequence to step j of the other.
        gamma: softness, > 0, in units of the cost; towards 0 it becomes DTW.
        lengths_x, lengths_y: (B,) whole numbers: steps that count of each pair's rows and columns; None: all.
        band: steps (of the shorter sequence) that a path may leave the straight line from corner to corner.
        pool: threads to use; the answer does not depend on it.

    Returns:
        value (B,) float64, and alignment (B, n, m) float32: E = d value / d cost, >= 0, 0 outside of lengths and band.

    Raises:
        SolveError: shapes that do not fit, costs that are not finite, gamma or band out of range.
    """
    cost = np.asarray(cost, np.float32)
    if cost.ndim != 3 or 0 in cost.shape[1:]:
        raise SolveError(f"soft-DTW: got costs of shape {cost.shape}, expected (pairs, steps, steps)")
    if not (np.isfinite(gamma) and gamma > 0):
        raise SolveError(f"soft-DTW: got gamma {gamma}, expected a positive number in units of the cost")
    if band is not None and band < 1:
        raise SolveError(f"soft-DTW: got a band of {band} steps, expected at least 1")
    pairs, n, m = cost.shape
    ends = np.stack([_lengths(lengths_x, pairs, n), _lengths(lengths_y, pairs, m)], axis=1)
    value, alignment = np.empty(pairs), np.empty(cost.shape, np.float32)
    unit = gamma * log(2.0)
    work = partial(_blocks, cost, np.float32(1 / unit), ends, -1 if band is None else band, value, alignment)
    blocks = -(-pairs // LANES)
    parts = [(first, min(first + BLOCKS_A_PART, blocks)) for first in range(0, blocks, BLOCKS_A_PART)]
    if pool is None:
        parts = [(0, blocks)]
    if not all((map if pool is None else pool.map)(lambda part: work(*part), parts)):
        raise SolveError(_what_is_wrong(cost, unit, ends))
    return value * unit, alignment


def _lengths(given: Array | None, pairs: int, most: int) -> Array:
    if given is None:
        return np.full(pairs, most, np.int64)
    lengths = np.asarray(given)
    if lengths.shape != (pairs,) or (pairs and not (1 <= lengths.min() and lengths.max() <= most)):
        raise SolveError(
            f"soft-DTW: got lengths {lengths.tolist()} of {pairs} pairs; expected one of 1..{most} for each"
        )
    return lengths.astype(np.int64)


def _what_is_wrong(cost: Array, unit: float, ends: Array) -> str:
    """The first cost that counts and cannot be."""
    rows, columns = np.arange(cost.shape[1]), np.arange(cost.shape[2])
    counts = (rows < ends[:, :1])[:, :, None] & (columns < ends[:, 1:])[:, None]
    b, i, j = np.argwhere(counts & ~(np.abs(cost) <= LARGEST * unit))[0]
    return (
        f"soft-DTW: cost[{b}, {i}, {j}] is {cost[b, i, j]}, expected a finite number below {LARGEST * unit:.3g}; "
        "mask poses that are not known before they are compared"
    )


@intrinsic
def advance(
    typing: Any, cells: Any, before2: Any, before1: Any, now: Any, lane: Any, cell: Any, row: Any
) -> Any:
    """One cell forward: its R into `now`, its weights into itself; the cost leaves room for E.

    Args:
        cells: the table.
        before2, before1, now: R of the cells of three diagonals by row, 16 lanes each, each relative to its own base.
        lane: three vectors: base of `before2` minus that of `before1`; base of `before1` minus that of `now`; least R
            of `now` so far.
        cell, row: first floats of the cell in `cells` and of its row in the others.
    """
    signature = types.void(cells, before2, before1, now, lane, types.int64, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def at(argument: int, element: Any) -> LaneArray:
            return LaneArray.at(context, builder, signature.args[argument], args[argument], element)

        own, shift = at(0, args[5]), at(4, context.get_constant(types.int64, 0))
        back2, back1, out = (at(argument, args[6]) for argument in (1, 2, 3))
        diagonal, above, left = back2[-1] + shift[0], back1[-1], back1[0]
        near, far = diagonal.least(above), diagonal.most(above)
        first, second = near.least(left), near.most(left)
        e_second, e_far = (first - second).exp2(), (first - far).exp2()
        inverse, log2_sum = (e_second + e_far + 1.0).inverse_and_log2()
        r = own[0] + shift[1] + first - log2_sum
        out[0] = r
        shift[2] = shift[2].least(r)
        # which of the three the least was; its weight has no 2^x to wait for
        w_second, w_far = e_second * inverse, e_far * inverse
        w_left = r.choose(left.below(near), inverse, w_second)
        w_near = r.choose(left.below(near), w_second, inverse)
        own[0] = 0.0
        own[1] = r.choose(diagonal.below(above), w_near, w_far)
        own[2] = r.choose(diagonal.below(above), w_far, w_near)
        own[3] = w_left
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def retreat(typing: Any, cells: Any, cell: Any, diagonal: Any, below: Any, right: Any) -> Any:
    """One cell back: E = what its successors pass to it; its weights become what it passes on itself."""
    signature = types.void(cells, types.int64, types.int64, types.int64, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        own, ij, i, j = (
            LaneArray.at(context, builder, signature.args[0], args[0], element) for element in args[1:]
        )
        e = own[0] + ij[1] + i[2] + j[3]
        e = e.choose(e.below(FAINTEST), 0.0, e)
        own[0] = e
        for predecessor in (1, 2, 3):
            own[predecessor] = own[predecessor] * e
        return context.get_dummy_value()

    return signature, codegen


@compiled
def _first_cells(n: int, m: int) -> Array:
    """Of each diagonal k = i + j, 2..n+m: where row 0 would begin; every diagonal has an empty cell at each end."""
    start = np.zeros(n + m + 3, np.int64)
    cells = 0
    for k in range(2, n + m + 3):
        low, high = max(1, k - m), min(n, k - 1)
        start[k] = cells + 1 - low
        cells += max(0, high - low + 1) + 2
    return start * CELL


@compiled
def _load(
    cost: Array, first: int, scale: np.float32, ends: Array, band: int, start: Array, cells: Array
) -> bool:
    """Costs of a block into its cells, in units of g / log2 e; what does not count is 0. False: a cost that cannot be."""
    pairs, n, m = cost.shape
    fine = True
    for i in range(n):
        for lane in range(LANES):
            b = first + lane if first + lane < pairs else pairs - 1
            rows, columns = ends[b, 0], ends[b, 1]
            counted = columns if i < rows else 0
            cell = start[i + 2 :]
            for j in range(counted):
                d = cost[b, i, j] * scale
                fine &= abs(d) <= LARGEST
                cells[cell[j] + (i + 1) * CELL + lane] = d
            for j in range(counted, m):
                cells[cell[j] + (i + 1) * CELL + lane] = F0
            if band >= 0:
                for j in range(counted):
                    if abs(j * (rows - 1) - i * (columns - 1)) > band * (max(rows, columns) - 1):
                        cells[cell[j] + (i + 1) * CELL + lane] = FAR
    return fine


@compiled
def _blocks(
    cost: Array,
    scale: np.float32,
    ends: Array,
    band: int,
    value: Array,
    alignment: Array,
    begin: int,
    end: int,
) -> bool:
    """Blocks `begin` to `end` of 16 pairs each. False: a cost that cannot be."""
    pairs, n, m = cost.shape
    start = _first_cells(n, m)
    cells = np.empty((n * m + 2 * (n + m + 1)) * CELL, np.float32)
    for k in range(2, n + m + 3):
        low, high = max(1, k - m), min(n, k - 1)
        for x in range(CELL):
            cells[start[k] + (low - 1) * CELL + x] = F0
            cells[start[k] + (max(low - 1, high) + 1) * CELL + x] = F0
    rows = np.empty((3, (n + 2) * LANES), np.float32)
    for block in range(begin, end):
        first = block * LANES
        if not _load(cost, first, scale, ends, band, start, cells):
            return False
        _forward(first, ends, start, cells, rows, value, n, m)
        _back(first, ends, start, cells, pairs, n, m)
        for i in range(n):
            for j in range(m):
                cell = start[i + j + 2] + (i + 1) * CELL
                for lane in range(min(LANES, pairs - first)):
                    alignment[first + lane, i, j] = cells[cell + lane]
    return True


@compiled
def _forward(
    first: int, ends: Array, start: Array, cells: Array, rows: Array, value: Array, n: int, m: int
) -> None:
    """R and weights of a block, diagonal by diagonal; values in units of g / log2 e."""
    pairs = len(ends)
    before2, before1, now = rows[0], rows[1], rows[2]
    before2[:] = FAR
    before1[:] = FAR
    now[:] = FAR
    before2[:LANES] = F0
    base = np.zeros(LANES, np.float64)
    lane = np.zeros(3 * LANES, np.float32)
    for k in range(2, n + m + 1):
        low, high = max(1, k - m), min(n, k - 1)
        lane[2 * LANES :] = FAR
        for i in range(low, high + 1):
            advance(cells, before2, before1, now, lane, start[k] + i * CELL, i * LANES)
        for x in range(LANES):
            now[(low - 1) * LANES + x] = FAR
            now[(high + 1) * LANES + x] = FAR
            b = first + x
            if b < pairs and ends[b, 0] + ends[b, 1] == k:
                value[b] = base[x] + now[ends[b, 0] * LANES + x]
            # the base of the next diagonal is the least R of this one
            least = lane[2 * LANES + x]
            lane[x] = lane[LANES + x]
            lane[LANES + x] = -least
            base[x] += least
        before2, before1, now = before1, now, before2


@compiled
def _back(first: int, ends: Array, start: Array, cells: Array, pairs: int, n: int, m: int) -> None:
    """E of a block into the places of its costs, from the ends of its pairs on."""
    for x in range(min(LANES, pairs - first)):
        rows, columns = ends[first + x, 0], ends[first + x, 1]
        cells[start[rows + columns] + rows * CELL + x] = F1
    for k in range(n + m, 1, -1):
        next1, next2 = start[k + 1], start[k + 2]
        for i in range(max(1, k - m), min(n, k - 1) + 1):
            below = (i + 1) * CELL
            retreat(cells, start[k] + i * CELL, next2 + below, next1 + below, next1 + i * CELL)
