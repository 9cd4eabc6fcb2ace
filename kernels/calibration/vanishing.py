"""The vanishing point of the vertical from upright rods (algorithms 2.1).

Each rod's line is  l_i = bottom_i x top_i,  and the vertical vanishing point v (homogeneous) has l_i . v = 0.
What people's lean makes noisy is an *angle*, the same for near and far people:

    sin(angle_i) = l_i . v / |v_xy - v_w m_i|        with l_i scaled to a unit image normal, m_i the rod's middle

so the rows are normalised to that (raw rows would let near, tall people decide alone), and v is the smallest
eigenvector of the weighted 3x3 moment matrix. A quarter of the rods is trimmed, twice. O(N).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from .uprights import Uprights

Array = np.ndarray

_TRIM = 0.25
_ROUNDS = 3
_REWEIGHTINGS = 4  # the angular weights depend on v itself; they settle to 1e-4 in three


def vertical_vanishing_point(
    rods: Uprights, centre_px: Float[Array, "2"], scale_px: float, weights: Float[Array, "N"] | None = None
) -> Float[Array, "3"]:
    """Unit homogeneous vanishing point in coordinates (px - centre) / scale; v_w near 0 is a level camera."""
    top, bottom = (rods.top_px - centre_px) / scale_px, (rods.bottom_px - centre_px) / scale_px
    middle = 0.5 * (top + bottom)
    ends = [np.concatenate([p, np.ones((len(p), 1))], axis=1) for p in (bottom, top)]
    lines = np.cross(ends[0], ends[1])
    lines /= np.linalg.norm(lines[:, :2], axis=1, keepdims=True)
    base = np.ones(len(rods)) if weights is None else weights
    keep = np.ones(len(rods), bool)
    v = np.array([0.0, 1.0, 0.0])
    for _ in range(_ROUNDS):
        for _ in range(_REWEIGHTINGS):
            w = base * keep / np.maximum(_reach(v, middle), 1e-6) ** 2
            _, vectors = np.linalg.eigh(np.einsum("n,ni,nj->ij", w, lines, lines))
            v = vectors[:, 0]
        residual = np.abs(lines @ v) / np.maximum(_reach(v, middle), 1e-6)
        keep = residual <= np.quantile(residual[keep], 1.0 - _TRIM)
    return np.asarray(v)


def _reach(v: Float[Array, "3"], middle: Float[Array, "N 2"]) -> Float[Array, "N"]:
    return np.asarray(np.linalg.norm(v[:2] - v[2] * middle, axis=1))


def up_normal(v: Float[Array, "3"], focal: float) -> Float[Array, "3"]:
    """Unit up direction in camera axes for a focal length in units of `scale_px` (N_y < 0: image up)."""
    n = np.array([v[0] / focal, v[1] / focal, v[2]])
    n /= np.linalg.norm(n)
    return -n if n[1] > 0.0 else n
