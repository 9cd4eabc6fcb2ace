"""Which vertices of a body can touch the ground."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from ..errors import ShapeError
from ..skeleton import SMPL_JOINTS

SIDES = ("left", "right")
SOLES_PER_FOOT = 16
SOLE_DEPTHS_M = (0.001, 0.012)
"""A vertex of the foot this close above its lowest one belongs to the sole: flat soles, arched soles."""


def choose_sole_vertices(
    v_template: Float[np.ndarray, "V 3"], weights: Float[np.ndarray, "V 24"]
) -> Int[np.ndarray, "S"]:
    """Well-spread vertices of both soles (left first), for bodies that do not name their own.

    Per foot: all vertices that hang on ankle or foot and lie near its lowest point, thinned by
    farthest-point sampling from the heel, so that heel, ball, toes and both edges are among them.
    """
    chosen = []
    for side in SIDES:
        part = [SMPL_JOINTS.index(f"{side}_{name}") for name in ("ankle", "foot")]
        own = np.flatnonzero(weights[:, part].sum(1) > 0.9)
        if len(own) < SOLES_PER_FOOT:
            raise ShapeError(
                f"the {side} foot has {len(own)} vertices, expected at least {SOLES_PER_FOOT}; "
                "are the skinning weights those of an SMPL body?"
            )
        low = own[np.argsort(v_template[own, 1], kind="stable")]
        above = v_template[low, 1] - v_template[low[0], 1]
        depth = next((d for d in SOLE_DEPTHS_M if (above < d).sum() >= 3 * SOLES_PER_FOOT), SOLE_DEPTHS_M[-1])
        low = low[: max(int((above < depth).sum()), SOLES_PER_FOOT)]
        chosen.append(low[_farthest_points(v_template[low][:, [0, 2]].astype(np.float64), SOLES_PER_FOOT)])
    return np.concatenate(chosen).astype(np.int64)


def _farthest_points(points: Float[np.ndarray, "P 2"], count: int) -> Int[np.ndarray, "S"]:
    """Indices of `count` points, each the farthest from all before it; the first is the rearmost."""
    picks = [int(points[:, 1].argmin())]
    distance = np.linalg.norm(points - points[picks[0]], axis=1)
    while len(picks) < count:
        picks.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[picks[-1]], axis=1))
    return np.array(picks, dtype=np.int64)
