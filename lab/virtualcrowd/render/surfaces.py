"""The unmoving place as flat polygons: ground, steps, obstacles and the house fronts around.

Obstacles are drawn exactly as the prisms of the scene, so that what they hide in the picture is what the truth says
they hide; their shape is in the texture. House fronts stand outside the outline, face inwards and are left out
where they would stand between camera and people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ....kernels.ground import GroundPlane
from ..scene import Obstacle, Scene, surface_height_m

Array = np.ndarray

FAR_M = 250.0
"""Half the side of the ground that has no end."""
_STEP_M = 0.02
"""Edges of the ground lower than this are no step."""


@dataclass(frozen=True)
class Surface:
    """A convex flat polygon with a texture."""

    corners_m: Float[Array, "P 3"]
    """World; in order."""
    material: str
    seed: int
    """Which variant of the material."""
    normal: Float[Array, "3"]
    """Unit, towards the visible side."""
    casts: bool
    """Stands above the ground: throws a shadow and hides people."""

    def along(self, points_m: Float[Array, "M 3"]) -> tuple[Float[Array, "M"], Float[Array, "M"]]:
        """Texture coordinates, metres: x, y on floors; along the wall and up from its foot on walls."""
        if abs(self.normal[2]) > 0.3:
            return points_m[:, 0], points_m[:, 1]
        way = np.array([-self.normal[1], self.normal[0], 0.0])
        return (points_m - self.corners_m[0]) @ way, points_m[:, 2] - self.corners_m[:, 2].min()

    @property
    def extent_m(self) -> tuple[float, float]:
        """Length and height of a wall."""
        u, v = self.along(self.corners_m)
        return float(np.ptp(u)), float(np.ptp(v))


def triangles(surfaces: list[Surface]) -> tuple[Float[Array, "V 3"], Int[Array, "F 3"], Int[Array, "F"]]:
    """(vertices, faces, surface of each face)."""
    vertices, faces, owner, start = [], [], [], 0
    for number, surface in enumerate(surfaces):
        count = len(surface.corners_m)
        fan = np.arange(1, count - 1)
        faces.append(np.stack([np.zeros_like(fan), fan, fan + 1], axis=1) + start)
        owner.append(np.full(count - 2, number))
        vertices.append(surface.corners_m)
        start += count
    return np.concatenate(vertices), np.concatenate(faces), np.concatenate(owner)


def scene_surfaces(scene: Scene, seed: int, eye_m: Float[Array, "3"]) -> list[Surface]:
    """Everything that stands still, as seen from a place."""
    rng = np.random.default_rng([seed, 0x5C])
    floors = ("paving", "cobbles", "asphalt", "slabs")
    first = int(rng.integers(len(floors)))
    surfaces: list[Surface] = []
    for index, plane in enumerate(scene.ground.planes):
        surfaces += _floor(scene, index, plane, floors[(first + index) % len(floors)], seed + index)
        if plane.outline_m is not None:
            surfaces += _steps(scene, plane, seed + index)
    for index, obstacle in enumerate(scene.obstacles):
        surfaces += _prism(obstacle, seed + 101 * (index + 1))
    return surfaces + _fronts(scene, rng, seed, eye_m)


def _floor(scene: Scene, index: int, plane: GroundPlane, material: str, seed: int) -> list[Surface]:
    """A plane without the places that later planes take."""
    square = FAR_M * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    outline = scene.outline_m.mean(axis=0) + square if plane.outline_m is None else _turned(plane.outline_m)
    pieces = [outline]
    for later in scene.ground.planes[index + 1 :]:
        if later.outline_m is not None:
            hole = _turned(later.outline_m)
            pieces = [rest for piece in pieces for rest in _without(piece, hole)]
    split: list[tuple[Array, str]] = []
    for piece in pieces:
        if plane.outline_m is None:
            split += [(rest, "surround") for rest in _without(piece, _turned(scene.outline_m))]
            inside = _clip_all(piece, _turned(scene.outline_m))
            split += [(inside, material)] if len(inside) >= 3 else []
        else:
            split.append((piece, material))
    return [Surface(_lift(xy, plane), kind, seed, plane.normal, False) for xy, kind in split]


def _steps(scene: Scene, plane: GroundPlane, seed: int) -> list[Surface]:
    """Upright faces where a plane ends above or below its surroundings."""
    assert plane.outline_m is not None
    outline = _turned(plane.outline_m)
    out = []
    for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        way = (b - a) / max(float(np.linalg.norm(b - a)), 1e-9)
        outward = np.array([way[1], -way[0]])
        ends = np.stack([a, b])
        beside = ends + 1e-3 * outward + 1e-3 * np.array([way, -way])
        here, there = _lift(ends, plane)[:, 2], surface_height_m(scene.ground, beside)
        if np.abs(here - there).max() < _STEP_M:
            continue
        normal = np.append(outward, 0.0) * (1.0 if (here - there).sum() > 0 else -1.0)
        corners = [
            np.append(a, there[0]),
            np.append(b, there[1]),
            np.append(b, here[1]),
            np.append(a, here[0]),
        ]
        out.append(Surface(np.stack(corners), "step", seed, normal, True))
    return out


def _prism(obstacle: Obstacle, seed: int) -> list[Surface]:
    outline = _turned(obstacle.outline_m)
    low, high = obstacle.base_m, obstacle.base_m + obstacle.height_m
    top = np.column_stack([outline, np.full(len(outline), high)])
    out = [Surface(top, f"{obstacle.kind}_top", seed, np.array([0.0, 0.0, 1.0]), True)]
    for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        way = (b - a) / max(float(np.linalg.norm(b - a)), 1e-9)
        corners = np.array([[*a, low], [*b, low], [*b, high], [*a, high]])
        out.append(Surface(corners, obstacle.kind, seed, np.array([way[1], -way[0], 0.0]), True))
    return out


def _fronts(scene: Scene, rng: np.random.Generator, seed: int, eye_m: Float[Array, "3"]) -> list[Surface]:
    """House fronts around the outline, some metres out."""
    outline = _turned(scene.outline_m)
    centre = outline.mean(axis=0)
    radius = np.linalg.norm(outline - centre, axis=1, keepdims=True)
    ring = centre + (outline - centre) * (1.0 + rng.uniform(8.0, 14.0) / radius)
    out = []
    for index, (a, b) in enumerate(zip(ring, np.roll(ring, -1, axis=0), strict=True)):
        length = float(np.linalg.norm(b - a))
        way = (b - a) / max(length, 1e-9)
        inward = np.array([-way[1], way[0], 0.0])
        houses = max(1, round(length / rng.uniform(14.0, 24.0)))
        heights = rng.uniform(9.0, 19.0, houses)
        if (eye_m - np.append(a, 0.0)) @ inward < 1.5:  # the camera looks over this one's roof from behind
            continue
        cuts = np.linspace(0.0, length, houses + 1)
        for house in range(houses):
            p, q = (a + way * cut for cut in (cuts[house], cuts[house + 1]))
            low = float(surface_height_m(scene.ground, np.stack([p, q])).min()) - 0.05
            high = low + float(heights[house])
            corners = np.array([[*q, low], [*p, low], [*p, high], [*q, high]])
            out.append(Surface(corners, "front", seed + 977 * index + 31 * house, inward, False))
    return out


def _lift(xy_m: Float[Array, "P 2"], plane: GroundPlane) -> Float[Array, "P 3"]:
    z = (plane.offset_m - xy_m @ plane.normal[:2]) / plane.normal[2]
    return np.column_stack([xy_m, z])


def _turned(outline_m: Float[Array, "P 2"]) -> Float[Array, "P 2"]:
    """Counter-clockwise."""
    x, y = outline_m[:, 0], outline_m[:, 1]
    area = np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))
    return outline_m if area > 0 else outline_m[::-1]


def _without(piece: Float[Array, "P 2"], hole: Float[Array, "Q 2"]) -> list[Array]:
    """A convex polygon less a convex one, as convex polygons."""
    rest, out = piece, []
    for a, b in zip(hole, np.roll(hole, -1, axis=0), strict=True):
        outside = _clip(rest, b, a)
        if len(outside) >= 3:
            out.append(outside)
        rest = _clip(rest, a, b)
        if len(rest) < 3:
            break
    return out


def _clip_all(piece: Float[Array, "P 2"], frame: Float[Array, "Q 2"]) -> Float[Array, "R 2"]:
    for a, b in zip(frame, np.roll(frame, -1, axis=0), strict=True):
        piece = _clip(piece, a, b)
    return piece


def _clip(piece: Float[Array, "P 2"], a: Float[Array, "2"], b: Float[Array, "2"]) -> Float[Array, "R 2"]:
    """The part left of the line a -> b (Sutherland & Hodgman)."""
    if len(piece) == 0:
        return piece
    way = b - a
    side = way[0] * (piece[:, 1] - a[1]) - way[1] * (piece[:, 0] - a[0])
    side[np.abs(side) < 1e-9] = 0.0
    out = []
    for i, j in zip(range(len(piece)), np.roll(np.arange(len(piece)), -1), strict=True):
        if side[i] >= 0:
            out.append(piece[i])
        if side[i] * side[j] < 0:
            out.append(piece[i] + (piece[j] - piece[i]) * side[i] / (side[i] - side[j]))
    return np.array(out) if len(out) >= 3 else np.zeros((0, 2))
