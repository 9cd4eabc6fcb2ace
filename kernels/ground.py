"""The ground: one or several planes with extents, and points on them.

A plane is  n . x = d  with unit normal n (up, n_z > 0) in the world; a person's ground point is where
the vertical through the torso meets the surface under them (HVIP, DyCrowd sec. III-A).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from .errors import CalibrationError

Array = np.ndarray


@dataclass(frozen=True)
class GroundPlane:
    """One flat piece of ground."""

    normal: Float[Array, "3"] = field(default_factory=lambda: np.array([0.0, 0.0, 1.0]))
    """Unit normal in the world, pointing up."""
    offset_m: float = 0.0
    """d in n . x = d, metres."""
    outline_m: Float[Array, "P 2"] | None = None
    """World x, y corners of the piece (convex, either turn), metres; None: without end."""
    covariance: Float[Array, "3 3"] = field(default_factory=lambda: np.zeros((3, 3)))
    """Of (slope_x [rad], slope_y [rad], offset [m])."""

    def __post_init__(self) -> None:
        if self.normal[2] <= 0.1:
            raise CalibrationError(
                f"ground normal {self.normal.round(3).tolist()} does not point up; expected n_z > 0.1"
            )

    def height_m(self, points_world_m: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
        """Signed distance of points above the plane, metres."""
        return np.asarray(points_world_m @ self.normal - self.offset_m)

    def contains(self, xy_m: Float[Array, "N 2"]) -> Bool[Array, "N"]:
        """Which places lie on this piece; all of them where it has no outline."""
        if self.outline_m is None:
            return np.ones(len(xy_m), bool)
        edges = np.roll(self.outline_m, -1, axis=0) - self.outline_m
        to_point = xy_m[:, None] - self.outline_m
        cross = edges[:, 0] * to_point[..., 1] - edges[:, 1] * to_point[..., 0]
        return np.asarray(np.all(cross >= 0, axis=1) | np.all(cross <= 0, axis=1))


@dataclass(frozen=True)
class Ground:
    """The surface people stand on."""

    planes: tuple[GroundPlane, ...] = (GroundPlane(),)
    """The last plane that contains a point wins; the first without an outline is the rest of the world."""

    def plane_at(self, xy_m: Float[Array, "2"]) -> GroundPlane:
        """The piece of ground under a place."""
        best = self.planes[0]
        for plane in self.planes:
            if plane.outline_m is None or _inside_convex(plane.outline_m, xy_m):
                best = plane
        return best


def _inside_convex(outline_m: Float[Array, "P 2"], xy_m: Float[Array, "2"]) -> bool:
    edges = np.roll(outline_m, -1, axis=0) - outline_m
    to_point = xy_m - outline_m
    cross = edges[:, 0] * to_point[:, 1] - edges[:, 1] * to_point[:, 0]
    return bool(np.all(cross >= 0) or np.all(cross <= 0))
