"""The places virtual crowds live in: a plaza, a station hall, a hillside, a terrace of two levels, and a colonnade.

World: metres, z up, origin near the middle. By convention a scene is looked at from its front, the -y side:
cameras stand there, kiosks turn their backs (+y) away from it, and what goes on behind them is hidden.
The name and the seed decide everything; the seed moves obstacles, gates and slopes about.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ...kernels.errors import CrowdstreamError
from ...kernels.ground import Ground, GroundPlane
from .scene import Gate, Obstacle, Scene, surface_height_m

Array = np.ndarray

KIOSK_HEIGHT_M = 2.6
WALL_HEIGHT_M = 1.1
PILLAR_HEIGHT_M = 4.0
SCREEN_HEIGHT_M = 3.2
"""Of a colonnade: hides who walks within some three metres behind it from a camera 16 m up."""
BENCH_HEIGHT_M = 0.45
FAR_M = 200.0
"""How far pieces of ground reach beyond what people walk on."""
_LANE_M = 2.2
"""Free width kept between obstacles, so that two people can pass."""


class SceneError(CrowdstreamError, ValueError):
    """A scene that does not exist, or cannot be laid out."""


def build_scene(name: str, seed: int) -> Scene:
    """The scene of that name; the same seed gives the same scene to the last bit.

    Raises:
        SceneError: no scene of that name.
    """
    if name not in SCENES:
        raise SceneError(f"unknown scene {name!r}; expected one of {', '.join(SCENES)}")
    return SCENES[name](np.random.default_rng([seed, list(SCENES).index(name)]))


class _Layout:
    """Obstacles as they are set, each clear of the others, of the outline and of the gates."""

    def __init__(
        self, outline: Float[Array, "P 2"], ground: Ground, gates: tuple[Gate, ...], rng: np.random.Generator
    ) -> None:
        self.outline, self.ground, self.gates, self.rng = outline, ground, gates, rng
        self.obstacles: list[Obstacle] = []

    def put(self, kind: str, outline_m: Float[Array, "P 2"], height_m: float) -> None:
        """Set an obstacle here, its foot below the lowest and its top above the highest ground under it."""
        z = surface_height_m(self.ground, outline_m)
        name = f"{kind}_{sum(o.kind == kind for o in self.obstacles) + 1}"
        self.obstacles.append(
            Obstacle(name, kind, outline_m, float(z.min()), float(height_m + z.max() - z.min()))
        )

    def scatter(
        self, kind: str, count: int, size_m: tuple[float, float], height_m: float, turn_rad: float,
        within: tuple[float, float, float, float], lane_m: float = _LANE_M,
    ) -> None:  # fmt: skip
        """Set `count` boxes at random places within (x0, x1, y0, y1); one that finds no room is left out."""
        x0, x1, y0, y1 = within
        for _ in range(count):
            for _attempt in range(200):
                centre = np.array([self.rng.uniform(x0, x1), self.rng.uniform(y0, y1)])
                shape = box(centre, size_m, self.rng.uniform(-turn_rad, turn_rad))
                if self.fits(shape, lane_m):
                    self.put(kind, shape, height_m)
                    break

    def fits(self, shape: Float[Array, "P 2"], lane_m: float) -> bool:
        """Whether people can pass on all sides of it."""
        centre, reach = _circle(shape)
        if _inset(self.outline, shape) < lane_m:
            return False
        for gate in self.gates:
            if np.linalg.norm(gate.ends_m.mean(axis=0) - centre) < reach + 5.0:
                return False
        return all(_gap(shape, other.outline_m) >= lane_m for other in self.obstacles)

    def scene(self, name: str) -> Scene:
        return Scene(name, self.outline, self.ground, tuple(self.obstacles), self.gates)


def box(
    centre_m: Float[Array, "2"], size_m: tuple[float, float], turn_rad: float = 0.0
) -> Float[Array, "4 2"]:
    """Corners of a turned rectangle, counter-clockwise."""
    half = 0.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size_m)
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    return np.asarray(centre_m + half @ np.array([[c, s], [-s, c]]))


def disc(centre_m: Float[Array, "2"], radius_m: float, corners: int = 10) -> Float[Array, "P 2"]:
    """A round thing as a polygon, counter-clockwise."""
    angle = 2 * np.pi * np.arange(corners) / corners
    return np.asarray(centre_m + radius_m * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def _chamfered(width_m: float, depth_m: float, cut_m: float) -> Float[Array, "8 2"]:
    w, d, c = width_m / 2, depth_m / 2, cut_m
    return np.array(
        [
            [-w + c, -d],
            [w - c, -d],
            [w, -d + c],
            [w, d - c],
            [w - c, d],
            [-w + c, d],
            [-w, d - c],
            [-w, -d + c],
        ]
    )


def _gates(
    width_m: float, depth_m: float, places: dict[str, tuple[str, float]], wide_m: float
) -> tuple[Gate, ...]:
    """Gates on the straight sides of a chamfered rectangle: name -> (side, place along it)."""
    w, d, h = width_m / 2, depth_m / 2, wide_m / 2
    gates = []
    for name, (side, at) in places.items():
        if side in ("south", "north"):
            y = -d if side == "south" else d
            ends = np.array([[at - h, y], [at + h, y]])
        else:
            x = -w if side == "west" else w
            ends = np.array([[x, at - h], [x, at + h]])
        gates.append(Gate(name, ends))
    return tuple(gates)


def _plaza(rng: np.random.Generator) -> Scene:
    """Flat and open: kiosks, planters, benches, a monument; people cross it in all directions."""
    width, depth = 60.0, 46.0
    j = rng.uniform(-3.0, 3.0, 7)
    places = {
        "south_west": ("south", -13 + j[0]), "south_east": ("south", 13 + j[1]), "east": ("east", j[2]),
        "north_east": ("north", 15 + j[3]), "north": ("north", j[4]), "north_west": ("north", -15 + j[5]),
        "west": ("west", j[6]),
    }  # fmt: skip
    layout = _Layout(_chamfered(width, depth, 7.0), Ground(), _gates(width, depth, places, 8.0), rng)
    layout.put("pillar", disc(rng.uniform([-4, -2], [4, 4]), 1.1), PILLAR_HEIGHT_M)
    layout.scatter("kiosk", 5, (3.6, 2.4), KIOSK_HEIGHT_M, 0.2, (-23, 23, -14, 14), 3.5)
    layout.scatter("wall", 3, (5.0, 0.3), WALL_HEIGHT_M, 0.4, (-22, 22, -16, 17))
    layout.scatter("planter", 8, (2.2, 1.3), 1.0, 0.8, (-26, 26, -19, 19))
    layout.scatter("bench", 7, (1.8, 0.5), BENCH_HEIGHT_M, 1.5, (-26, 26, -19, 19), 1.6)
    return layout.scene("plaza")


def _station(rng: np.random.Generator) -> Scene:
    """A hall: rows of pillars, ticket kiosks along the sides, and a barrier with narrow openings across it."""
    width, depth = 62.0, 43.0
    j = rng.uniform(-2.0, 2.0, 8)
    places = {
        "street_west": ("south", -17 + j[0]), "street": ("south", j[1]), "street_east": ("south", 17 + j[2]),
        "east": ("east", -6 + j[3]), "platform_east": ("north", 18 + j[4]), "platform": ("north", j[5]),
        "platform_west": ("north", -18 + j[6]), "west": ("west", -6 + j[7]),
    }  # fmt: skip
    layout = _Layout(_chamfered(width, depth, 4.0), Ground(), _gates(width, depth, places, 8.0), rng)
    barrier_y = 5.0 + rng.uniform(-1.0, 1.5)
    openings = np.linspace(-21, 21, 5) + rng.uniform(-1.5, 1.5, 5)
    _barrier(layout, barrier_y, 0.5 * width, openings, rng.uniform(2.0, 2.8, 5))
    for y in (-8.0, 13.5):
        for x in np.linspace(-24, 24, 7) + rng.uniform(-0.5, 0.5):
            shape = disc(np.array([x, y]), 0.5, 8)
            if layout.fits(shape, 1.5):
                layout.put("pillar", shape, PILLAR_HEIGHT_M)
    layout.scatter("kiosk", 3, (2.6, 3.4), KIOSK_HEIGHT_M, 0.05, (-27, -15, -13, 0))
    layout.scatter("kiosk", 2, (3.6, 2.6), KIOSK_HEIGHT_M, 0.05, (0, 25, -13, 0))
    layout.scatter("bench", 6, (2.0, 0.5), BENCH_HEIGHT_M, 0.1, (-26, 26, -17, 18), 1.5)
    layout.scatter("planter", 4, (1.4, 1.4), 0.9, 0.1, (-26, 26, -17, 18), 1.8)
    return layout.scene("station")


def _barrier(
    layout: _Layout, y_m: float, half_m: float, openings_m: Float[Array, "G"], wide_m: Float[Array, "G"]
) -> None:
    """A low wall across the whole scene at y, with openings."""
    edges = np.stack([openings_m - wide_m / 2, openings_m + wide_m / 2], axis=1).ravel()
    ends = np.concatenate([[-half_m], edges, [half_m]])
    for left, right in ends.reshape(-1, 2):
        layout.put("wall", box(np.array([(left + right) / 2, y_m]), (right - left, 0.3)), WALL_HEIGHT_M)


def _hillside(rng: np.random.Generator) -> Scene:
    """Two slopes of 4 and about 6 degrees that meet in a fold; low walls across the slope, kiosks, planters."""
    width, depth = 58.0, 46.0
    j = rng.uniform(-3.0, 3.0, 6)
    places = {
        "valley_west": ("south", -12 + j[0]), "valley_east": ("south", 12 + j[1]), "east": ("east", j[2]),
        "top_east": ("north", 12 + j[3]), "top_west": ("north", -12 + j[4]), "west": ("west", j[5]),
    }  # fmt: skip
    layout = _Layout(
        _chamfered(width, depth, 7.0), _folded_ground(rng), _gates(width, depth, places, 8.0), rng
    )
    layout.scatter("kiosk", 4, (3.4, 2.4), KIOSK_HEIGHT_M, 0.25, (-22, 22, -14, 14), 3.0)
    layout.scatter("wall", 6, (6.5, 0.35), WALL_HEIGHT_M, 0.3, (-22, 22, -15, 17))
    layout.scatter("planter", 7, (2.0, 2.0), 1.1, 0.8, (-25, 25, -19, 19))
    layout.scatter("bench", 5, (1.8, 0.5), BENCH_HEIGHT_M, 1.5, (-25, 25, -19, 19), 1.6)
    return layout.scene("hillside")


def _folded_ground(rng: np.random.Generator) -> Ground:
    """z = g.x on one side of a line and g.x + k n.(x - p) beyond it: continuous along the fold."""
    slope = np.tan(np.radians(4.0)) * _direction(np.pi / 2 + rng.uniform(-0.3, 0.3))
    across = rng.uniform(-0.4, 0.4) + (0.0 if rng.random() < 0.5 else np.pi)
    normal = _direction(across)
    along = np.array([-normal[1], normal[0]])
    # |slope + k normal| = tan(6 degrees), the root that steepens
    b, c = float(slope @ normal), float(slope @ slope) - np.tan(np.radians(6.0)) ** 2
    k = -b + np.sqrt(b * b - c)
    fold = rng.uniform(-6.0, 6.0) * normal
    beyond = fold + np.stack(
        [-FAR_M * along, FAR_M * normal - FAR_M * along, FAR_M * normal + FAR_M * along, FAR_M * along]
    )
    return Ground((_plane(slope, 0.0, None), _plane(slope + k * normal, -k * float(normal @ fold), beyond)))


def _terrace(rng: np.random.Generator) -> Scene:
    """A lower and an upper level, 1.2 m apart, joined by two ramps; low walls along every edge."""
    width, depth, rise, run = 60.0, 46.0, 1.2, 10.0
    edge_y = 3.0 + rng.uniform(-1.0, 1.0)
    ramps = np.array([-14.0, 13.0]) + rng.uniform(-2.5, 2.5, 2)
    half = rng.uniform(2.2, 2.8, 2)
    j = rng.uniform(-2.0, 2.0, 8)
    places = {
        "south_west": ("south", -12 + j[0]), "south_east": ("south", 12 + j[1]), "east": ("east", -9 + j[2]),
        "upper_east": ("east", 12.0), "north_east": ("north", 12 + j[4]), "north_west": ("north", -12 + j[5]),
        "upper_west": ("west", 12.0), "west": ("west", -9 + j[7]),
    }  # fmt: skip
    upper = np.array([[-FAR_M, edge_y], [FAR_M, edge_y], [FAR_M, FAR_M], [-FAR_M, FAR_M]])
    slope = np.array([0.0, rise / run])
    planes = [_plane(np.zeros(2), 0.0, None), _plane(np.zeros(2), rise, upper)]
    for x, h in zip(ramps, half, strict=True):
        foot = np.array([[x - h, edge_y - run], [x + h, edge_y - run], [x + h, edge_y], [x - h, edge_y]])
        planes.append(_plane(slope, -slope[1] * (edge_y - run), foot))
    layout = _Layout(
        _chamfered(width, depth, 5.0), Ground(tuple(planes)), _gates(width, depth, places, 6.0), rng
    )
    _edge_walls(layout, edge_y, 0.5 * width, ramps, half, rise, run)
    layout.scatter("kiosk", 2, (3.4, 2.4), KIOSK_HEIGHT_M, 0.15, (-24, 24, -19, -9), 2.4)
    layout.scatter("kiosk", 3, (3.4, 2.4), KIOSK_HEIGHT_M, 0.15, (-24, 24, 8, 18), 2.4)
    layout.scatter("planter", 7, (2.0, 1.2), 1.0, 0.8, (-26, 26, -20, 20))
    layout.scatter("bench", 7, (1.8, 0.5), BENCH_HEIGHT_M, 1.5, (-26, 26, -20, 20), 1.6)
    return layout.scene("terrace")


def _colonnade(rng: np.random.Generator) -> Scene:
    """Rows of tall screens across the view; people walk along behind them, out of sight, and come out again."""
    width, depth = 62.0, 44.0
    j = rng.uniform(-1.5, 1.5, 8)
    places = {
        "south": ("south", 4.0 * j[0]), "east_front": ("east", -12 + j[1]), "east": ("east", j[2]),
        "east_back": ("east", 12 + j[3]), "north": ("north", 4.0 * j[4]), "west_back": ("west", 12 + j[5]),
        "west": ("west", j[6]), "west_front": ("west", -12 + j[7]),
    }  # fmt: skip
    layout = _Layout(_chamfered(width, depth, 5.0), Ground(), _gates(width, depth, places, 7.0), rng)
    for y, count in ((-7.0, 3), (7.0, 4)):
        for x in np.linspace(-18, 18, count) + rng.uniform(-1.5, 1.5, count):
            size = (rng.uniform(3.2, 4.8), 0.4)
            shape = box(np.array([x, y + rng.uniform(-0.6, 0.6)]), size, rng.uniform(-0.1, 0.1))
            if layout.fits(shape, _LANE_M):
                layout.put("wall", shape, SCREEN_HEIGHT_M)
    layout.scatter("kiosk", 4, (3.2, 2.0), SCREEN_HEIGHT_M, 0.1, (-22, 22, -14, 14), 2.4)
    layout.scatter("planter", 4, (1.6, 1.2), 0.9, 0.5, (-26, 26, -19, 19))
    layout.scatter("bench", 4, (1.8, 0.5), BENCH_HEIGHT_M, 0.3, (-26, 26, -19, 19), 1.6)
    return layout.scene("colonnade")


def _edge_walls(
    layout: _Layout, edge_y: float, half_m: float, ramps: Float[Array, "R"], half: Float[Array, "R"],
    rise_m: float, run_m: float,
) -> None:  # fmt: skip
    """Retaining walls with a parapet along the edge and, in steps, along both sides of each ramp."""
    thick = 0.3
    sides = np.stack([ramps - half - thick, ramps + half + thick], axis=1).ravel()
    for left, right in np.concatenate([[-half_m], sides, [half_m]]).reshape(-1, 2):
        shape = box(np.array([(left + right) / 2, edge_y]), (right - left, thick))
        layout.obstacles.append(_wall(layout, shape, rise_m + WALL_HEIGHT_M))
    steps = 4
    for x, h in zip(ramps, half, strict=True):
        for side in (-1.0, 1.0):
            for k in range(steps):
                y0 = edge_y - run_m * (1 - k / steps)
                centre = np.array([x + side * (h + thick / 2), y0 + 0.5 * run_m / steps])
                shape = box(centre, (thick, run_m / steps))
                layout.obstacles.append(_wall(layout, shape, rise_m * (k + 1) / steps + WALL_HEIGHT_M))


def _wall(layout: _Layout, shape: Float[Array, "4 2"], height_m: float) -> Obstacle:
    return Obstacle(f"wall_{len(layout.obstacles) + 1}", "wall", shape, 0.0, height_m)


def _plane(
    gradient: Float[Array, "2"], at_origin_m: float, outline: Float[Array, "P 2"] | None
) -> GroundPlane:
    """z = at_origin + gradient . (x, y) as unit normal and offset."""
    normal = np.array([-gradient[0], -gradient[1], 1.0])
    length = float(np.linalg.norm(normal))
    return GroundPlane(normal / length, at_origin_m / length, outline)


def _direction(angle_rad: float) -> Float[Array, "2"]:
    return np.array([np.cos(angle_rad), np.sin(angle_rad)])


def _circle(shape: Float[Array, "P 2"]) -> tuple[Float[Array, "2"], float]:
    centre = shape.mean(axis=0)
    return centre, float(np.linalg.norm(shape - centre, axis=1).max())


def _inset(outline: Float[Array, "P 2"], points: Float[Array, "N 2"]) -> float:
    """How deep the outermost of the points lies inside a convex counter-clockwise outline; negative: outside."""
    edge = np.roll(outline, -1, axis=0) - outline
    inward = np.stack([-edge[:, 1], edge[:, 0]], axis=1) / np.linalg.norm(edge, axis=1, keepdims=True)
    return float(((points[:, None] - outline) * inward).sum(axis=-1).min())


def _gap(a: Float[Array, "P 2"], b: Float[Array, "Q 2"]) -> float:
    """Widest separation of two convex shapes along any of their sides (0 or less: they overlap)."""
    best = -np.inf
    for one, other in ((a, b), (b, a)):
        edge = np.roll(one, -1, axis=0) - one
        outward = np.stack([edge[:, 1], -edge[:, 0]], axis=1) / np.linalg.norm(edge, axis=1, keepdims=True)
        best = max(best, float(((other[:, None] - one) * outward).sum(axis=-1).min(axis=0).max()))
    return best


SCENES: dict[str, Callable[[np.random.Generator], Scene]] = {
    "plaza": _plaza,
    "station": _station,
    "hillside": _hillside,
    "terrace": _terrace,
    "colonnade": _colonnade,
}
"""Builders by name."""
