"""Where a crowd moves: ground, obstacles, gates. World: metres, z up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ...kernels.ground import Ground, GroundPlane

Array = np.ndarray


@dataclass(frozen=True)
class Obstacle:
    """An upright prism that people walk around and that hides them: kiosk, pillar, low wall."""

    name: str
    kind: str
    """kiosk | pillar | wall | planter | bench: what the renderer makes of it."""
    outline_m: Float[Array, "P 2"]
    """World x, y corners, convex, counter-clockwise."""
    base_m: float
    """World z of its foot."""
    height_m: float
    """Top above the foot."""


@dataclass(frozen=True)
class Gate:
    """A line where people come in and go out."""

    name: str
    ends_m: Float[Array, "2 2"]
    """World x, y of both ends."""


@dataclass(frozen=True)
class Scene:
    """One place. Everything in it follows from its name, the seed and the settings."""

    name: str
    outline_m: Float[Array, "P 2"]
    """Corners of where people may walk, convex, counter-clockwise."""
    ground: Ground
    """Planes: flat, sloped, or several levels joined by ramps (the last plane that contains a point wins)."""
    obstacles: tuple[Obstacle, ...]
    gates: tuple[Gate, ...]

    @property
    def area_m2(self) -> float:
        """Of the outline."""
        x, y = self.outline_m[:, 0], self.outline_m[:, 1]
        return float(0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def surface_height_m(ground: Ground, xy_m: Float[Array, "*batch 2"]) -> Float[Array, "*batch"]:
    """World z of the ground under places (not distances above a plane: `GroundPlane.height_m` is that)."""
    flat = np.asarray(xy_m, np.float64).reshape(-1, 2)
    z = _plane_z(ground.planes[0], flat)
    for plane in ground.planes[1:]:
        z = np.where(plane.contains(flat), _plane_z(plane, flat), z)
    return np.asarray(z.reshape(xy_m.shape[:-1]))


def _plane_z(plane: GroundPlane, xy_m: Float[Array, "M 2"]) -> Float[Array, "M"]:
    return np.asarray((plane.offset_m - xy_m @ plane.normal[:2]) / plane.normal[2])
