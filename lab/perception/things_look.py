"""Paints of things and places: patterns of random colour and size at places in metres; linear BGR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float

from ..virtualcrowd.render.light import GAMMA
from ..virtualcrowd.render.noise import lattice
from .things_noise import noise

Array = np.ndarray
Channel = Float[Array, "M"]


@dataclass(frozen=True)
class Paint:
    """A pattern in two colours."""

    first: Float[Array, "3"]
    """Linear BGR."""
    second: Float[Array, "3"]
    pattern: str = "plain"
    size_m: float = 0.3
    """Of one element of the pattern."""
    aspect: float = 1.0
    """Length of an element over its depth."""
    dirt: float = 0.1
    """Spread of the noise over all."""
    seed: int = 0
    gloss: float = 0.0
    glow: float = 0.0

    def albedo(self, place_m: Float[Array, "M 3"], grain_m: Channel) -> Float[Array, "M 3"]:
        """See `Look`."""
        u, v = _across(place_m)
        share = PATTERNS[self.pattern](self, place_m, u, v, grain_m)
        tone: Array = np.ones((1, 1), np.float32)
        if self.dirt > 0:
            low = noise(u, v, 40.0 * self.dirt, 2, self.seed + 1)
            fine = noise(u, v, 0.3, 1, self.seed + 2, grain_m)
            tone = np.maximum(1 + self.dirt * (0.7 * low + 0.7 * fine), 0.05)[:, None]
        first = self.first.astype(np.float32)
        return np.asarray((first + (self.second.astype(np.float32) - first) * share[:, None]) * tone)


def _across(p: Float[Array, "M 3"]) -> tuple[Channel, Channel]:
    """Two coordinates that change along every face of a solid."""
    return p[:, 0] + np.float32(0.31) * p[:, 2], p[:, 1] + np.float32(0.83) * p[:, 2]


def joint(x: Channel, period: float, width: float, grain: Channel) -> Channel:
    """Share of a sample that a joint of this width covers."""
    off = np.abs(x - np.round(x / np.float32(period)) * np.float32(period))
    wide = np.maximum(width, grain)
    return np.asarray(
        np.clip((wide / 2 - off) / np.maximum(grain, 0.25 * width) + 0.5, 0, 1) * (width / wide)
    )


def _plain(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    return np.zeros(len(u), np.float32)


def _stripes(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    return _soft(np.sin(np.pi * q[:, 2] / p.size_m), g / p.size_m)


def _diagonal(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    return _soft(np.sin(np.pi * (q[:, 0] + q[:, 1] + q[:, 2]) / p.size_m), g / p.size_m)


def _upright(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    return _soft(np.sin(np.pi * (q[:, 0] + q[:, 1]) / p.size_m), g / p.size_m)


def _soft(wave: Channel, blur: Channel) -> Channel:
    """A wave made a band, its edges as soft as a sample is wide; its mean where it is too fine to see."""
    sharp = np.clip(wave / (np.pi * np.maximum(blur, 0.03)) + 0.5, 0, 1)
    return np.asarray(sharp + (0.5 - sharp) * np.clip(blur - 0.5, 0, 1))


def _checks(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    cell = np.floor(u / p.size_m) + np.floor(v / p.size_m)
    return np.asarray(np.mod(cell, 2) + (0.5 - np.mod(cell, 2)) * np.clip(2 * g / p.size_m - 0.5, 0, 1))


def _blotches(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    return np.asarray(np.clip(0.5 + 3.0 * noise(u, v, 3 * p.size_m, 2, p.seed, g), 0, 1))


def _speckle(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    return np.asarray(np.clip(0.4 + 0.4 * noise(u, v, 4 * p.size_m, p.seed % 2, p.seed, g), 0, 1))


def _flags(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    """Stones in bond (or tiles in line), each of its own tone; the joints in the second colour."""
    width, depth = p.size_m * p.aspect, p.size_m
    x, y = q[:, 0], q[:, 1]
    row = np.floor(y / depth)
    shifted = x + (0.5 * width * np.mod(row, 2) if p.seed % 3 == 0 else 0.0)
    own = lattice(np.floor(shifted / width), row, p.seed) * np.clip(1.6 - g / depth, 0, 1)
    thick = p.size_m * (0.015 + 0.02 * (p.seed % 5))
    lines = np.maximum(joint(shifted, width, thick, g), joint(y, depth, thick, g))
    spread = 0.08 * (p.seed % 7)
    return np.asarray(np.clip(np.maximum(lines, spread * own), 0, 1))


def _planks(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    fibre = 0.25 + 0.25 * noise(0.3 * q[:, 0], 5.0 * q[:, 1] + q[:, 2], p.size_m * 4, 1, p.seed, 3 * g)
    own = 0.4 * lattice(np.floor(q[:, 1] / p.size_m), np.floor(q[:, 0] / 2.3), p.seed)
    return np.asarray(np.clip(fibre + own + joint(q[:, 1], p.size_m, 0.08 * p.size_m, g), 0, 1))


def _rings(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    """Circles scattered over the plane, and fine joints."""
    step = 6 * p.size_m
    i, j = np.floor(q[:, 0] / step), np.floor(q[:, 1] / step)
    dx = q[:, 0] - (i + 0.3 + 0.4 * lattice(i, j, p.seed)) * step
    dy = q[:, 1] - (j + 0.3 + 0.4 * lattice(i, j, p.seed + 1)) * step
    there = lattice(i, j, p.seed + 2) < 0.5
    wide = np.maximum(0.04 * p.size_m, g)
    ring = np.clip(1.0 - np.abs(np.hypot(dx, dy) - 0.3 * p.size_m) / wide, 0, 1) * there
    tiles = joint(q[:, 0], p.size_m * p.aspect, 0.008, g) + joint(q[:, 1], p.size_m, 0.008, g)
    return np.asarray(np.clip(ring + 0.6 * tiles, 0, 1))


def _letters(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    """Lines of something like writing on the first two coordinates' plane."""
    x, z = q[:, 0] + 0.7 * q[:, 1], q[:, 2] + np.where(np.ptp(q[:, 2]) < 1e-3, q[:, 1], 0.0)
    row = np.floor(z / p.size_m)
    glyph = lattice(np.floor(x / (0.14 * p.size_m)), np.floor(z / (0.17 * p.size_m)), p.seed) > 0.5
    word = lattice(np.floor(x / (1.1 * p.size_m)), row, p.seed + 1) > 0.25
    inside = np.abs(z / p.size_m - row - 0.5) < 0.3
    return np.asarray((glyph & word & inside).astype(np.float32) * np.clip(1.3 - 6 * g / p.size_m, 0.3, 1))


def _figures(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    """Dark upright blobs with heads: posters of people."""
    x, z = (q[:, 0] + 0.7 * q[:, 1]) / p.size_m, q[:, 2] / p.size_m
    col = np.floor(x)
    off = x - col - 0.3 - 0.4 * lattice(col, col, p.seed)
    tall = 1.2 + lattice(col, col, p.seed + 1)
    z = np.mod(z, 2.6)
    trunk = (np.abs(off) < 0.16 + 0.05 * np.sin(4 * z)) & (z < 0.8 * tall)
    head = np.hypot(off, z - 0.9 * tall) < 0.11
    return np.asarray((trunk | head).astype(np.float32))


def _windows(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    """Rows of dark panes in a wall whose places run along it and up; size_m is a storey."""
    bay = p.size_m * p.aspect
    col, row = np.floor(q[:, 0] / bay), np.floor(q[:, 1] / p.size_m)
    a, b = q[:, 0] / bay - col - 0.5, q[:, 1] / p.size_m - row - 0.5
    wide, tall = 0.2 + 0.05 * (p.seed % 6), 0.2 + 0.04 * (p.seed % 5)
    pane = (np.abs(a) < wide) & (np.abs(b) < tall)
    bars = (np.abs(np.mod(a * (2 + p.seed % 4), 1.0) - 0.5) < 0.05) | (np.abs(b) < 0.02)
    tone = 0.55 + 0.45 * lattice(col, row, p.seed)
    return np.asarray(np.where(pane & ~bars, tone, 0.0).astype(np.float32))


def _goods(p: Paint, q: Array, u: Channel, v: Channel, g: Channel) -> Channel:
    """Cells of random tone: shelves, shop windows."""
    i, j = np.floor((q[:, 0] + q[:, 1]) / (p.size_m * p.aspect)), np.floor((q[:, 2] + q[:, 1]) / p.size_m)
    return lattice(i, j, p.seed)


PATTERNS: dict[str, Callable[[Paint, Array, Channel, Channel, Channel], Channel]] = {
    "plain": _plain, "stripes": _stripes, "diagonal": _diagonal, "upright": _upright, "checks": _checks,
    "blotches": _blotches, "speckle": _speckle, "flags": _flags, "planks": _planks, "rings": _rings,
    "letters": _letters, "figures": _figures, "windows": _windows, "goods": _goods,
}  # fmt: skip


def colour(rng: np.random.Generator, sort: str = "any") -> Float[Array, "3"]:
    """A random linear BGR colour: any, dark, pale, grey, vivid, green, brown, stone, brick."""
    hue, sat, val = {
        "any": ((0, 1), (0.0, 0.9), (0.1, 0.95)), "dark": ((0, 1), (0.0, 0.5), (0.04, 0.28)),
        "pale": ((0, 1), (0.0, 0.15), (0.72, 0.98)), "grey": ((0, 1), (0.0, 0.12), (0.2, 0.85)),
        "vivid": ((0, 1), (0.65, 1.0), (0.55, 1.0)), "green": ((0.17, 0.36), (0.25, 0.7), (0.18, 0.62)),
        "brown": ((0.02, 0.12), (0.25, 0.65), (0.2, 0.7)), "stone": ((0.05, 0.15), (0.02, 0.25), (0.35, 0.85)),
        "brick": ((0.0, 0.08), (0.3, 0.6), (0.35, 0.7)),
    }[sort]  # fmt: skip
    hsv = np.array([[[360 * rng.uniform(*hue), rng.uniform(*sat), rng.uniform(*val)]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].astype(float) ** GAMMA)


def paint(
    rng: np.random.Generator, sort: str = "any", pattern: str = "plain", size_m: float = 0.3,
    second: str = "", **more: float,
) -> Paint:  # fmt: skip
    """A paint of random colours of a sort; the second colour is of the same sort unless one is named."""
    return replace(
        Paint(
            colour(rng, sort), colour(rng, second or sort), pattern, size_m,
            dirt=float(rng.uniform(0.02, 0.2)), seed=int(rng.integers(1 << 20)),
        ),
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def any_paint(rng: np.random.Generator, size_m: float = 0.3) -> Paint:
    """Plain three times in five, else any pattern."""
    patterned = ("stripes", "diagonal", "upright", "checks", "blotches", "speckle", "letters", "goods")
    pattern = "plain" if rng.random() < 0.6 else str(rng.choice(patterned))
    sort = str(rng.choice(["any", "dark", "grey", "vivid", "pale", "brown"]))
    return paint(rng, sort, pattern, size_m * rng.uniform(0.4, 1.6), "any", gloss=float(rng.uniform(0, 0.4)))
