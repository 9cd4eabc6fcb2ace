"""The way somebody went, made comparable: from its own start, at equal times, and turned to a common heading if wished.

DyCrowd groups segments by "similar relative motion trajectories" and leaves open what they are relative to. Here: the
start is subtracted, and with `turned` the way to its farthest point is laid along +x, so that a gait counts as the same
in whichever direction people walk (a body's pose does not know north). The points are means over equal shares of the
time, not of the length: noise of single slots averages out instead of lengthening the path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ..errors import ShapeError
from ..solve.problem import MODEL_RATE_HZ

Array = np.ndarray


@dataclass(frozen=True)
class RelativePath:
    """One way on the ground, beginning at the origin."""

    points_m: Float[Array, "P 2"]
    seconds: float
    """From the first point to the last."""

    @property
    def length_m(self) -> float:
        """Along the points."""
        return float(np.linalg.norm(np.diff(self.points_m, axis=0), axis=1).sum())

    @property
    def reach_m(self) -> float:
        """Distance of the farthest point from the start."""
        return float(np.linalg.norm(self.points_m, axis=1).max())

    @property
    def speed_mps(self) -> float:
        """Mean along the way; 0 for a way of no duration."""
        return self.length_m / self.seconds if self.seconds > 0 else 0.0


def relative_path(
    ground_m: Float[Array, "T 2"], present: Bool[Array, "T"], points: int, turned: bool
) -> RelativePath:
    """What is compared of a way.

    Args:
        ground_m: position in each slot of the model's timeline, metres; meaningless where not present.
        present: slots with a position; gaps between them are bridged by straight lines.
        points: P, at least 2.
        turned: lay the way to the farthest point along +x.

    Raises:
        ShapeError: fewer than two slots with a finite position, or fewer than two points wanted.
    """
    slots = np.flatnonzero(present & np.isfinite(ground_m).all(axis=1))
    if len(slots) < 2 or points < 2:
        raise ShapeError(
            f"a path needs at least 2 slots with a finite position and 2 points; got {len(slots)} slots and "
            f"{points} points"
        )
    way_m = ground_m[slots[0] : slots[-1] + 1]
    if len(slots) < len(way_m):
        way_m = _at(np.arange(slots[0], slots[-1] + 1), slots, ground_m[slots])
    if len(way_m) < points:  # a glimpse: points between the slots
        times = np.linspace(0.0, len(way_m) - 1, points)
        laid = _at(times, np.arange(len(way_m)), way_m)
    else:
        first = np.arange(points) * len(way_m) // points
        last = np.append(first[1:], len(way_m))
        times = 0.5 * (first + last - 1)
        laid = np.add.reduceat(way_m, first, axis=0) / (last - first)[:, None]
    laid = laid - laid[0]
    return RelativePath(turn_along_x(laid) if turned else laid, float(times[-1] - times[0]) / MODEL_RATE_HZ)


def _at(
    wanted: Float[Array, "W"] | Int[Array, "W"], known: Int[Array, "K"], values: Float[Array, "K 2"]
) -> Float[Array, "W 2"]:
    """Values between known places, linearly."""
    return np.stack([np.interp(wanted, known, values[:, axis]) for axis in range(2)], axis=1)


def turn_along_x(points_m: Float[Array, "P 2"]) -> Float[Array, "P 2"]:
    """The path turned about the origin so that its farthest point (of several the first) lies on +x."""
    far = points_m[np.linalg.norm(points_m, axis=1).argmax()]
    reach = float(np.linalg.norm(far))
    if reach < 1e-9:
        return points_m
    c, s = far / reach
    return np.asarray(points_m @ np.array([[c, -s], [s, c]]))


def heading_agreement(paths_m: Float[Array, "A P 2"], others_m: Float[Array, "B P 2"]) -> Float[Array, "A B"]:
    """Whether ways are gone in the same direction: mean cosine between their steps, -1 to 1, weighted by length.

    SSPD cannot tell: a way gone backwards has distance 0. Ways of no length agree with everything.
    """
    steps, theirs = np.diff(paths_m, axis=1), np.diff(others_m, axis=1)
    # einsum, not BLAS: sums in one order whatever the number of rows
    along = np.einsum("apc,bpc->ab", steps, theirs)
    length = np.einsum("ap,bp->ab", np.linalg.norm(steps, axis=2), np.linalg.norm(theirs, axis=2))
    return np.asarray(np.where(length > 1e-12, along / np.maximum(length, 1e-12), 1.0))
