"""A Gaussian on the parameters themselves: what somebody else already says about this body.

    E = sum_t,i  w_i,t (x_i,t - m_i,t)^2

with x the 69 rows of `arrays`: value, force and curvature are diagonal, so it costs next to nothing. Weight 0 where
nothing is said.
"""

from __future__ import annotations

import numpy as np

from .arrays import NUM_ROT, Array, FusedViews, compiled

F0 = np.float32(0.0)


@compiled
def target_energy(
    n: int, views: FusedViews, origin: Array, rows: Array, start: int, force: Array
) -> np.float32:
    """E at rows (69, L) of person n, whose first slot is `start`; adds half its gradient to force (69, L).

    Positions in rows are relative to `origin` (3,), targets are in the world.
    """
    energy = F0
    for i in range(rows.shape[0]):
        shift = origin[i - NUM_ROT] if i >= NUM_ROT else F0
        mean, weight = views.target[n, i, start:], views.target_weight[n, i, start:]
        x, o = rows[i], force[i]
        for t in range(x.shape[0]):
            e = x[t] - (mean[t] - shift)
            energy += weight[t] * e * e
            o[t] += weight[t] * e
    return energy


@compiled
def add_target_product(n: int, views: FusedViews, start: int, v: Array, out: Array) -> None:
    """out += W v, (69, L)."""
    for i in range(v.shape[0]):
        weight, x, o = views.target_weight[n, i, start:], v[i], out[i]
        for t in range(x.shape[0]):
            o[t] += weight[t] * x[t]


@compiled
def add_target_block(n: int, views: FusedViews, block: int, start: int, stop: int, B: Array) -> None:
    """B (3, 3) += the mean weight of a joint's three rows (block 22: transl) over slots [start, stop)."""
    first = views.slots[n, 0]
    for c in range(3):
        s = F0
        for t in range(first + start, first + stop):
            s += views.target_weight[n, 3 * block + c, t]
        B[c, c] += s / np.float32(stop - start)
