"""Who stands where: groups of people over the ground of a view, and the sprites that fit how they are seen."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from .scene_view import Stands, View, ground_under, stands
from .sprite import SpriteBank

Array = np.ndarray

_SHAPES = ("single", "pair", "group", "queue", "crowd")
_SHAPE_SHARES = np.array([0.4, 0.2, 0.17, 0.08, 0.15])
_NEAREST_M = 0.33
"""Two people do not stand in one place."""
_FEWEST = 24
"""Sprites to choose from, at least, even when their elevation is a bit off."""
_MIN_DRAWN_PX = 9.0
"""Smaller people are left out: nobody could tell them from a post."""
_MAX_DRAWN = 1.7
"""People larger than this many times the picture's height are left out."""


def places(view: View, count: int, rng: np.random.Generator) -> Stands:
    """Up to `count` places for people, in groups, some of them partly outside the picture.

    A picture that holds few places (sky, walls) gets fewer people.
    """
    found: list[Stands] = []
    missing = count
    for _ in range(4):
        if missing <= 0:
            break
        ground = _grouped(view, missing, rng)
        good = stands(view.camera, ground)
        good = good.rows(np.nonzero(_usable(view, good))[0])
        if found:
            taken = np.concatenate([part.ground_m for part in found])
            near = np.linalg.norm(good.ground_m[:, None] - taken, axis=2) < _NEAREST_M
            good = good.rows(~near.any(axis=1))
        good = good.rows(_apart(good.ground_m))
        good = good.rows(np.arange(min(len(good), missing)))
        missing -= len(good)
        found.append(good)
    if not found:
        return stands(view.camera, np.zeros((0, 3)))
    return _joined(found)


def scattered(view: View, count: int, rng: np.random.Generator) -> Stands:
    """Up to `count` single places, anywhere."""
    seen = stands(view.camera, ground_under(view.camera, _pixels(view, count, rng)))
    return seen.rows((seen.height_px > 0.25 * view.height_px) & (seen.height_px < 2.0 * view.height_px))


class Casting:
    """Chooses sprites of a bank by the elevation they are seen under."""

    def __init__(self, bank: SpriteBank, tolerance_rad: float) -> None:
        self._order = np.argsort(bank.elevation_rad, kind="stable")
        self._sorted = np.asarray(bank.elevation_rad)[self._order].astype(np.float64)
        self._tolerance = tolerance_rad

    def rows(self, elevation_rad: Float[Array, "N"], rng: np.random.Generator) -> Int[Array, "N"]:
        """One sprite for each elevation."""
        low = np.searchsorted(self._sorted, elevation_rad - self._tolerance)
        high = np.searchsorted(self._sorted, elevation_rad + self._tolerance)
        few = high - low < _FEWEST
        middle = np.searchsorted(self._sorted, elevation_rad)
        size = len(self._sorted)
        low = np.where(few, np.clip(middle - _FEWEST // 2, 0, max(size - _FEWEST, 0)), low)
        high = np.where(few, np.minimum(low + _FEWEST, size), high)
        pick = low + (rng.random(len(low)) * (high - low)).astype(np.int64)
        return np.asarray(self._order[pick])


def _joined(parts: list[Stands]) -> Stands:
    return Stands(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in Stands.__dataclass_fields__)
    )


def _grouped(view: View, count: int, rng: np.random.Generator) -> Float[Array, "N 3"]:
    """Ground points of at least `count` people."""
    centres = ground_under(view.camera, _pixels(view, count, rng))
    crowded = rng.random() < 0.15
    shapes = rng.choice(len(_SHAPES), size=count, p=_SHAPE_SHARES)
    out: list[Array] = []
    total = 0
    for centre, shape in zip(centres, shapes, strict=True):
        members = centre + _shape("crowd" if crowded else _SHAPES[shape], count - total, rng)
        out.append(members)
        total += len(members)
        if total >= count:
            break
    return np.concatenate(out)


def _shape(shape: str, most: int, rng: np.random.Generator) -> Float[Array, "N 3"]:
    """Offsets of the members of a group from its middle, metres."""
    offsets = np.zeros((1, 3))
    if shape == "pair":
        offsets = np.zeros((2, 3))
        angle = rng.uniform(0.0, 2 * np.pi)
        offsets[1, :2] = rng.uniform(0.4, 0.9) * np.array([np.cos(angle), np.sin(angle)])
    elif shape == "group":
        n = int(rng.integers(3, 7))
        angles = np.linspace(0.0, 2 * np.pi, n, endpoint=False) + rng.normal(0.0, 0.25, n)
        radius = rng.uniform(0.45, 1.1) * (1.0 + rng.normal(0.0, 0.15, n))
        offsets = np.stack([radius * np.cos(angles), radius * np.sin(angles), np.zeros(n)], axis=1)
    elif shape == "queue":
        n = int(rng.integers(3, 10))
        angle = rng.uniform(0.0, 2 * np.pi)
        way = np.array([np.cos(angle), np.sin(angle), 0.0])
        along = np.cumsum(rng.uniform(0.45, 1.1, n))[:, None] * way
        offsets = along + rng.normal(0.0, 0.08, (n, 3)) * [1.0, 1.0, 0.0]
    elif shape == "crowd":
        n = int(rng.integers(5, 26))
        spread = 0.45 * np.sqrt(n) * rng.uniform(0.8, 1.8)
        offsets = rng.normal(0.0, 0.6 * spread, (n, 3)) * [1.0, 1.0, 0.0]
    return offsets[: max(1, most)]


def _pixels(view: View, count: int, rng: np.random.Generator) -> Float[Array, "N 2"]:
    """Pixels where feet may be: on walkable ground, or somewhat outside the picture."""
    height, width = view.bgr.shape[:2]
    below = min(0.7 * view.height_px, 0.6 * height)
    px = rng.uniform([-0.06 * width, 0.0], [1.06 * width, height + below], (6 * count + 8, 2))
    good = _walkable(view, px)
    rows = np.concatenate([np.nonzero(good)[0], np.nonzero(~good)[0]])[:count]
    return np.asarray(px[rows])


def _walkable(view: View, px: Float[Array, "N 2"]) -> Array:
    """Whether feet may be in pixels; outside the picture nothing forbids it."""
    if view.walkable is None:
        return np.ones(len(px), bool)
    height, width = view.walkable.shape
    cell = np.clip(px.round(), -1e6, 1e6).astype(np.int64)
    inside = (cell >= 0).all(axis=1) & (cell[:, 0] < width) & (cell[:, 1] < height)
    cell[~inside] = 0
    return np.asarray(~inside | (view.walkable[cell[:, 1], cell[:, 0]] != 0))


def _usable(view: View, seen: Stands) -> Array:
    """People of a size that makes sense, at least partly in the picture, with their feet on the ground."""
    height, width = view.bgr.shape[:2]
    x, y, tall = seen.foot_px[:, 0], seen.foot_px[:, 1], seen.height_px
    size = (tall > max(_MIN_DRAWN_PX, 0.3 * view.height_px)) & (tall < _MAX_DRAWN * height)
    across = (x > -0.15 * tall) & (x < width + 0.15 * tall)
    upright = (y > 0.15 * tall) & (y < height + 0.75 * tall)
    return np.asarray(size & across & upright & _walkable(view, seen.foot_px))


def _apart(ground_m: Float[Array, "N 3"]) -> Array:
    """Leaves out those who would stand in another one."""
    near = np.linalg.norm(ground_m[:, None] - ground_m, axis=2) < _NEAREST_M
    return np.asarray(~np.tril(near, -1).any(axis=1))
