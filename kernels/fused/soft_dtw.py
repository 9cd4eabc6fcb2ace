"""Soft-DTW of many pairs of sequences: value and alignment, one pass each way (Cuturi and Blondel 2017).

    R_ij = D_ij + softmin(R_i-1,j-1, R_i-1,j, R_i,j-1),   softmin(a) = - g log sum exp(-a / g),   R_00 = 0
    value = R_nm;    alignment E = d value / d D:   E_nm = 1,   E_ij = sum over successors k of E_k w_k(ij)

w_k(ij) is the softmin weight that cell k gave its predecessor ij on the way forward. It is stored, so the way back is
multiplications and additions only: no exponential, and no difference of large sums, where other codes lose digits.

Layout: the 16 pairs of a block lie innermost (`lanes`), and cells go by anti-diagonals, whose cells do not wait for
one another. Costs are in units of g / log2 e, so that softmin is made of 2^x and log2 x. R is kept relative to the
least R of the diagonal before: sums over long paths keep the digits of single costs, and only the value itself,
in float64, has seen the whole. O(B n m); 256 bytes a cell and thread.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import log
from typing import Any

import numpy as np
from numba import types

from ..errors import SolveError
from .arrays import Array, compiled
from .lanes import LANES, LaneArray, Lanes, built_in, transposed

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
    pairs, n, m = cost.shape
    ends = np.stack([_lengths(lengths_x, pairs, n), _lengths(lengths_y, pairs, m)], axis=1)
    unit = gamma * log(2.0)
    table = _counted(cost, ends, band, unit)
    value, alignment = np.empty(pairs), np.empty(table.shape, np.float32)
    work = partial(
        _blocks, table.ravel(), np.float32(1 / unit), ends, value, alignment.ravel(), n, table.shape[2]
    )
    blocks = -(-pairs // LANES)
    parts = [(first, min(first + BLOCKS_A_PART, blocks)) for first in range(0, blocks, BLOCKS_A_PART)]
    if pool is None:
        work(0, blocks)
    else:
        list(pool.map(lambda part: work(*part), parts))
    return value * unit, alignment[:, :, :m]


def _lengths(given: Array | None, pairs: int, most: int) -> Array:
    if given is None:
        return np.full(pairs, most, np.int64)
    lengths = np.asarray(given)
    if lengths.shape != (pairs,) or (pairs and not (1 <= lengths.min() and lengths.max() <= most)):
        raise SolveError(
            f"soft-DTW: got lengths {lengths.tolist()} of {pairs} pairs; expected one of 1..{most} for each"
        )
    return lengths.astype(np.int64)


def _counted(cost: Array, ends: Array, band: int | None, unit: float) -> Array:
    """The costs as the kernel wants them: rows of at least 16, checked, 0 past the ends, far outside of the band."""
    if band is not None and band < 1:
        raise SolveError(f"soft-DTW: got a band of {band} steps, expected at least 1")
    pairs, n, m = cost.shape
    rows, columns = ends[:, 0, None, None], ends[:, 1, None, None]
    i, j = np.arange(n)[:, None], np.arange(m)
    if pairs and (ends != (n, m)).any():
        cost = np.where((i < rows) & (j < columns), cost, F0)
    if pairs and not max(cost.max(), -cost.min()) <= LARGEST * unit:
        b, y, x = np.argwhere(~(np.abs(cost) <= LARGEST * unit))[0]
        raise SolveError(
            f"soft-DTW: cost[{b}, {y}, {x}] is {cost[b, y, x]}, expected a finite number below {LARGEST * unit:.3g}; "
            "leave poses that are not known out before motions are compared"
        )
    if band is not None:
        aside = np.abs(j * (rows - 1) - i * (columns - 1))
        outside = (aside > band * (np.maximum(rows, columns) - 1)) & (i < rows) & (j < columns)
        cost = np.where(outside, np.float32(FAR * unit), cost)
    missing = max(0, LANES - m)
    return np.pad(cost, ((0, 0), (0, 0), (0, missing))) if missing else np.ascontiguousarray(cost)


@built_in
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


@built_in
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


@built_in
def spread(
    typing: Any,
    cost: Any,
    table: Any,
    element: Any,
    scale: Any,
    cells: Any,
    start: Any,
    diagonal: Any,
    row: Any,
) -> Any:
    """A tile of a block's costs, 16 columns of one row, into the cells, times `scale`.

    Args:
        cost: all costs, flat.
        table: where the table of each lane begins there.
        element: of a table, where the tile begins.
        cells, start: the cells, and where row 0 of each diagonal begins.
        diagonal, row: of the first column, and the row in floats.
    """
    signature = types.void(cost, table, types.int64, types.float32, cells, start, types.int64, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile = _Tile(context, builder, signature.args[1], args[1], signature.args[5], args[5])
        found = [
            LaneArray.at(context, builder, signature.args[0], args[0], x)[0] for x in tile.of_pairs(args[2])
        ]
        factor = Lanes.all_of(builder, args[3])
        for x, column in zip(tile.of_cells(args[6], args[7]), transposed(found), strict=True):
            LaneArray.at(context, builder, signature.args[4], args[4], x)[0] = column * factor
        return context.get_dummy_value()

    return signature, codegen


@built_in
def collect(
    typing: Any, alignment: Any, table: Any, element: Any, cells: Any, start: Any, diagonal: Any, row: Any
) -> Any:
    """The opposite of `spread`. Lanes without a pair of their own name the last pair, which is written last."""
    signature = types.void(alignment, table, types.int64, cells, start, types.int64, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile = _Tile(context, builder, signature.args[1], args[1], signature.args[4], args[4])
        found = [
            LaneArray.at(context, builder, signature.args[3], args[3], x)[0]
            for x in tile.of_cells(args[5], args[6])
        ]
        places = zip(tile.of_pairs(args[2]), transposed(found), strict=True)
        for x, pair in reversed(list(places)):
            LaneArray.at(context, builder, signature.args[0], args[0], x)[0] = pair
        return context.get_dummy_value()

    return signature, codegen


@dataclass(frozen=True)
class _Tile:
    """Where 16 x 16 numbers are: a row in each of 16 tables, a column in each of 16 cells."""

    context: Any
    builder: Any
    table_type: Any
    table: Any
    start_type: Any
    start: Any

    def of_pairs(self, element: Any) -> list[Any]:
        tables = self.context.make_array(self.table_type)(self.context, self.builder, self.table).data
        return [self.builder.add(self._number(tables, lane, None), element) for lane in range(LANES)]

    def of_cells(self, diagonal: Any, row: Any) -> list[Any]:
        starts = self.context.make_array(self.start_type)(self.context, self.builder, self.start).data
        return [self.builder.add(self._number(starts, step, diagonal), row) for step in range(LANES)]

    def _number(self, data: Any, index: int, after: Any) -> Any:
        place = self.context.get_constant(types.int64, index)
        if after is not None:
            place = self.builder.add(place, after)
        return self.builder.load(self.builder.gep(data, [place]))


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
def _blocks(
    cost: Array,
    scale: np.float32,
    ends: Array,
    value: Array,
    alignment: Array,
    n: int,
    m: int,
    begin: int,
    end: int,
) -> None:
    """Blocks `begin` to `end` of 16 pairs each; costs and alignments flat, rows of at least 16."""
    start = _first_cells(n, m)
    cells = np.empty((n * m + 2 * (n + m + 1)) * CELL, np.float32)
    for k in range(2, n + m + 3):
        low, high = max(1, k - m), min(n, k - 1)
        for x in range(CELL):
            cells[start[k] + (low - 1) * CELL + x] = F0
            cells[start[k] + (max(low - 1, high) + 1) * CELL + x] = F0
    rows = np.empty((3, (n + 2) * LANES), np.float32)
    table = np.empty(LANES, np.int64)
    for block in range(begin, end):
        first = block * LANES
        for x in range(LANES):
            table[x] = min(first + x, len(ends) - 1) * n * m
        for i in range(n):
            for j in range(0, m, LANES):
                j = min(j, m - LANES)  # the last tile may overlap the one before
                spread(cost, table, i * m + j, scale, cells, start, i + j + 2, (i + 1) * CELL)
        _forward(first, ends, start, cells, rows, value, n, m)
        _back(first, ends, start, cells, n, m)
        for i in range(n):
            for j in range(0, m, LANES):
                j = min(j, m - LANES)
                collect(alignment, table, i * m + j, cells, start, i + j + 2, (i + 1) * CELL)


@compiled
def _forward(
    first: int, ends: Array, start: Array, cells: Array, rows: Array, value: Array, n: int, m: int
) -> None:
    """R and weights of a block, diagonal by diagonal; values in units of g / log2 e."""
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
            if b < len(ends) and ends[b, 0] + ends[b, 1] == k:
                value[b] = base[x] + now[ends[b, 0] * LANES + x]
            # the base of the next diagonal is the least R of this one
            least = lane[2 * LANES + x]
            lane[x] = lane[LANES + x]
            lane[LANES + x] = -least
            base[x] += least
        before2, before1, now = before1, now, before2


@compiled
def _back(first: int, ends: Array, start: Array, cells: Array, n: int, m: int) -> None:
    """E of a block into the places of its costs, from the ends of its pairs on."""
    for x in range(min(LANES, len(ends) - first)):
        rows, columns = ends[first + x, 0], ends[first + x, 1]
        cells[start[rows + columns] + rows * CELL + x] = F1
    for k in range(n + m, 1, -1):
        next1, next2 = start[k + 1], start[k + 2]
        for i in range(max(1, k - m), min(n, k - 1) + 1):
            below = (i + 1) * CELL
            retreat(cells, start[k] + i * CELL, next2 + below, next1 + below, next1 + i * CELL)
