"""Walls of places: facades with windows, doors, shutters and signs; pillars; low boxes as counters and steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..virtualcrowd.render.surfaces import Surface
from ..virtualcrowd.render.textures import albedo as street_albedo
from .things_look import PATTERNS, Paint, paint
from .things_mesh import Look, Mesh, Part, box, lathe, plate

Array = np.ndarray
Rng = np.random.Generator


@dataclass(frozen=True)
class Facade:
    """A wall of one paint with rows of panes of another; places run along the wall and up."""

    wall: Paint
    panes: Paint
    """Its `windows` pattern says where glass is; its second colour is the glass."""
    gloss: float = 0.0
    glow: float = 0.0

    def albedo(self, place_m: Float[Array, "M 3"], grain_m: Float[Array, "M"]) -> Float[Array, "M 3"]:
        """See `Look`."""
        out = self.wall.albedo(place_m, grain_m)
        share = PATTERNS["windows"](self.panes, place_m, place_m[:, 0], place_m[:, 1], grain_m)
        glass = share > 0
        out[glass] = self.panes.second * share[glass, None]
        return out


@dataclass(frozen=True)
class StreetWall:
    """A wall as the virtual crowds' places have them."""

    material: str
    length_m: float
    height_m: float
    seed: int
    gloss: float = 0.0
    glow: float = 0.0

    def albedo(self, place_m: Float[Array, "M 3"], grain_m: Float[Array, "M"]) -> Float[Array, "M 3"]:
        """See `Look`."""
        x, z = self.length_m, self.height_m
        corners = np.array([[0.0, 0, 0], [x, 0, 0], [x, 0, z], [0, 0, z]])
        surface = Surface(corners, self.material, self.seed, np.array([0.0, -1.0, 0.0]), True)
        upright = np.stack([place_m[:, 0], np.zeros(len(place_m), np.float32), place_m[:, 1]], -1)
        return np.asarray(street_albedo(surface, upright, grain_m), np.float32)


def facade(rng: Rng, length: float, height: float) -> Look:
    """A random wall."""
    draw = rng.random()
    if draw < 0.2:
        material = str(rng.choice(["front", "wall", "kiosk", "pillar"]))
        return StreetWall(material, length, height, int(rng.integers(1 << 20)))
    sort = str(rng.choice(["brick", "brick", "stone", "grey", "pale", "any", "dark"]))
    storey, aspect = rng.uniform(2.4, 4.5), float(rng.uniform(0.3, 2.0))
    dirt = float(rng.uniform(0.02, 0.15))
    if draw < 0.65:
        pattern = str(rng.choice(["flags", "flags", "plain", "speckle", "planks"]))
        size = float(rng.choice([0.075, 0.2, 0.6]))
        base = paint(
            rng, sort, pattern, size, str(rng.choice(["stone", "dark", sort])), aspect=3.0, dirt=dirt
        )
        glass = str(rng.choice(["dark", "dark", "grey", "any"]))
        return Facade(base, paint(rng, sort, "windows", storey, glass, aspect=aspect))
    pattern = str(rng.choice(["windows", "plain", "upright", "goods", "letters", "blotches", "flags"]))
    size = storey if pattern == "windows" else float(rng.uniform(0.1, 1.2))
    return paint(rng, sort, pattern, size, str(rng.choice(["dark", "grey", "any"])), aspect=aspect, dirt=dirt)


@dataclass(frozen=True)
class _Front:
    """An upright plane from `start` along `way`, seen from the side of `normal`."""

    start: Float[Array, "2"]
    way: Float[Array, "2"]
    normal: Float[Array, "2"]

    def panel(self, look: Look, along: float, wide: float, low: float, high: float, out: float) -> Part:
        """A rectangle on it, or a little before it."""
        p = self.start + self.way * along + self.normal * out
        q = p + self.way * wide
        corners = np.array([[*p, low], [*q, low], [*q, high], [*p, high]])
        place = np.array([[along, low, 0], [along + wide, low, 0], [along + wide, high, 0], [along, high, 0]])
        return plate(look, corners, place)


def wall(
    rng: Rng, a: Float[Array, "2"], b: Float[Array, "2"], height: float, eye: Array
) -> list[Part | Mesh]:
    """A front from a to b with doors, shutters, signs, pipes and a plinth."""
    length = max(float(np.linalg.norm(b - a)), 0.1)
    way = (b - a) / length
    normal = np.array([-way[1], way[0]])
    front = _Front(a, way, normal if normal @ (eye - a) > 0 else -normal)
    parts: list[Part | Mesh] = [front.panel(facade(rng, length, height), 0.0, length, 0.0, height, 0.0)]
    if rng.random() < 0.4:
        plinth = rng.uniform(0.3, min(4.0, height))
        parts.append(front.panel(facade(rng, length, plinth), 0.0, length, 0.0, plinth, 0.03))
    fills = [
        paint(
            rng,
            str(rng.choice(["dark", "any", "grey", "pale"])),
            str(rng.choice(["plain", "stripes", "goods"])),
            0.1,
        )
        for _ in range(4)
    ]
    for along in np.arange(0.5, length - 2.0, max(rng.uniform(1.0, 6.0), length / 40)):
        look = fills[int(rng.integers(4))]
        draw = rng.random()
        if draw < 0.45:
            low, high = float(rng.choice([0.0, 0.0, 0.9])), min(height, rng.uniform(1.7, 3.0))
            parts.append(front.panel(look, along, rng.uniform(0.5, 2.2), low, high, 0.05))
        elif draw < 0.6:
            sign = paint(
                rng, "any", str(rng.choice(["letters", "figures", "plain"])), rng.uniform(0.2, 0.8), "any"
            )
            parts.append(front.panel(sign, along, rng.uniform(0.5, 3.0), 1.2, rng.uniform(1.6, 3.5), 0.07))
        elif draw < 0.75:
            parts.append(
                front.panel(look, along, rng.uniform(0.08, 0.4), 0.0, height * rng.uniform(0.2, 1), 0.08)
            )
    return parts


def walls(rng: Rng, inside: bool, eye: Array, spots: Float[Array, "N 2"], reach: float) -> list[Part | Mesh]:
    """Fronts across the far part of the view, pillars in halls, long boxes as escalators and counters."""
    parts: list[Part | Mesh] = []
    centre = spots.mean(axis=0)
    off = (centre - eye) / max(float(np.linalg.norm(centre - eye)), 1e-6)
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.75 else 0):
        middle = eye + off * reach * rng.uniform(1.1, 3.0)
        angle = np.arctan2(off[1], off[0]) + np.pi / 2 + rng.normal(0, 0.5)
        way = np.array([np.cos(angle), np.sin(angle)])
        a, b = middle - way * rng.uniform(0.3, 2.5) * reach, middle + way * rng.uniform(0.3, 2.5) * reach
        parts += wall(rng, a, b, rng.uniform(2.5, 14.0), eye)
    for _ in range(int(rng.integers(0, 4))):
        size = np.array([rng.uniform(1, 12), rng.uniform(0.2, 2.5), rng.uniform(0.15, 1.3)])
        at = spots[int(rng.integers(len(spots)))]
        look = paint(
            rng, str(rng.choice(["stone", "grey", "any", "dark"])), "goods", rng.uniform(0.2, 0.8), "any"
        )
        parts.append(box(look, size, (*at, size[2] / 2), rng.uniform(0, np.pi)))
    if inside and rng.random() < 0.5:
        parts += _pillars(rng, centre, eye)
    return parts


def _pillars(rng: Rng, centre: Float[Array, "2"], eye: Float[Array, "2"]) -> list[Part | Mesh]:
    look = paint(rng, str(rng.choice(["stone", "pale", "grey", "dark"])), gloss=0.3)
    r, tall = rng.uniform(0.15, 0.5), rng.uniform(3, 6)
    step, angle = rng.uniform(3, 8), rng.uniform(0, 3)
    at = centre + step * np.arange(-4, 5)[:, None] * np.array([np.cos(angle), np.sin(angle)])
    return [
        lathe(look, [(1.2 * r, 0), (r, 0.1), (r, tall)], (*xy, 0.0))
        for xy in at
        if np.linalg.norm(xy - eye) > 3.0
    ]
