"""Albedo of the unmoving surfaces: drawn from seeded noise at world places, so no image files are needed.

A material is a function of texture metres (u, v), the size of the surface, a seed and the footprint of a sample;
patterns finer than the footprint fade to their mean instead of flickering. Albedos are linear BGR.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from .light import linear_bgr
from .noise import cloud, lattice
from .surfaces import Surface

Array = np.ndarray
Channel = Float[Array, "M"]


def albedo(
    surface: Surface, points_m: Float[Array, "M 3"], grain_m: Float[Array, "M"]
) -> Float[Array, "M 3"]:
    """Colour of places on a surface; `grain_m` is what one sample covers."""
    u, v = surface.along(points_m)
    return np.asarray(_MATERIALS.get(surface.material, _concrete)(surface, u, v, grain_m))


def _mix(a: Array, b: Array, share: Channel) -> Float[Array, "M 3"]:
    return np.asarray(a + (b - a) * np.clip(share, 0.0, 1.0)[:, None])


def _tone(base: Array, factor: Channel) -> Float[Array, "M 3"]:
    return np.asarray(base * np.maximum(factor, 0.05)[:, None])


def _line(x: Channel, period: float, width: float, grain: Channel) -> Channel:
    """Share of a sample that a joint of this width covers."""
    off = np.abs(x / period - np.round(x / period)) * period
    half = 0.5 * np.maximum(width, grain)
    return np.asarray(np.clip((half - off) / np.maximum(grain, 0.3 * width) + 0.5, 0, 1) * width / (2 * half))


def _flags(
    surface: Surface, u: Channel, v: Channel, grain: Channel, side: tuple[float, float], base: Array,
    spread: float,
) -> Float[Array, "M 3"]:  # fmt: skip
    """Stones in running bond with joints, each of its own tone, dirt over all."""
    width, depth = side
    row = np.floor(v / depth)
    shifted = u + 0.5 * width * np.mod(row, 2)
    own = lattice(np.floor(shifted / width), row, surface.seed) - 0.5
    seen = np.clip(1.6 - grain / depth, 0, 1)
    joint = np.maximum(_line(shifted, width, 0.012, grain), _line(v, depth, 0.012, grain))
    dirt = cloud(u, v, 9.0, 3, surface.seed + 1) + 0.5 * cloud(u, v, 0.25, 3, surface.seed + 2, grain)
    return _tone(base, (1 + spread * own * seen + 0.30 * dirt) * (1 - 0.5 * joint))


def _paving(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    bases = (linear_bgr(162, 156, 147), linear_bgr(150, 148, 146), linear_bgr(168, 157, 141))
    return _flags(s, u, v, g, (0.8, 0.4), bases[s.seed % 3], 0.30)


def _slabs(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    out = _flags(s, u, v, g, (1.2, 1.2), linear_bgr(154, 152, 147), 0.16)
    band = np.clip(_line(u, 6.0, 0.30, g) + _line(v, 6.0, 0.30, g), 0, 1)
    return _mix(out, linear_bgr(120, 106, 96) * np.ones_like(out), 0.8 * band)


def _cobbles(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    return _flags(s, u, v, g, (0.22, 0.11), linear_bgr(146, 140, 134), 0.5)


def _asphalt(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    patches = 0.35 * cloud(u, v, 12.0, 4, s.seed) + 0.35 * cloud(u, v, 0.06, 2, s.seed + 3, g)
    mended = lattice(np.floor(u / 7.3), np.floor(v / 4.1), s.seed + 5) > 0.86
    return _tone(linear_bgr(122, 121, 120), (1 + patches) * (1 - 0.22 * mended))


def _surround(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    """Outside the outline: large slabs with patches of grass."""
    street = _flags(s, u, v, g, (2.4, 1.6), linear_bgr(134, 133, 131), 0.22)
    green = 14.0 * (cloud(u, v, 26.0, 3, s.seed + 9) - 0.2)
    own = np.flatnonzero(green > 0)
    if len(own):
        blades = 0.5 * cloud(u[own], v[own], 4.0, 4, s.seed + 7) + 0.8 * cloud(
            u[own], v[own], 0.12, 2, s.seed + 8, g[own]
        )
        street[own] = _mix(street[own], _tone(linear_bgr(92, 112, 62), 1 + blades), green[own])
    return street


def _bricks(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    bases = (linear_bgr(150, 92, 74), linear_bgr(170, 128, 96), linear_bgr(128, 84, 72))
    return _flags(s, u, v, g, (0.25, 0.075), bases[s.seed % 3], 0.45)


def _concrete(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    streaks = 0.3 * cloud(6 * u, v, 2.0, 3, s.seed) + 0.25 * cloud(u, v, 0.2, 3, s.seed + 1, g)
    return _tone(linear_bgr(164, 162, 156), 1 + streaks)


def _step(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    return _tone(_concrete(s, u, v, g), 0.85 - 0.3 * _line(v, 0.17, 0.02, g))


def _pillar(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    foot = ((v < 0.35) | (v > s.extent_m[1] - 0.25)).astype(float)
    return _tone(_concrete(s, u, v, g), 1.0 - 0.45 * foot - 0.25 * _line(v, 1.2, 0.015, g))


def _wall(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    cap = (v > s.extent_m[1] - 0.09).astype(float)
    return _mix(_bricks(s, u, v, g), _concrete(s, u, v, g), cap)


_PAINTS = ((46, 92, 74), (40, 66, 110), (132, 44, 40), (176, 150, 96), (90, 96, 100))


def _kiosk(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    """Painted panels, a window band with goods behind it, a fascia under the roof."""
    length, height = s.extent_m
    paint = linear_bgr(*_PAINTS[s.seed % len(_PAINTS)])
    panel = _tone(paint, 1 + 0.15 * cloud(u, v, 0.8, 3, s.seed) - 0.45 * _line(u, 0.6, 0.025, g))
    inside = (
        np.abs(u - u.mean()) if length < 0.1 else np.minimum(np.mod(u, length), length - np.mod(u, length))
    )
    window = (v > 0.36 * height) & (v < 0.76 * height) & (inside > 0.12)
    goods = lattice(np.floor(u / 0.16), np.floor(v / 0.21), s.seed)[:, None]
    hue = 0.5 + 0.5 * np.sin(40.0 * goods + np.array([0.0, 1.0, 2.0]))
    shelf = 0.12 * goods * (0.45 + 0.55 * hue) * (np.mod(v, 0.21) < 0.17)[:, None]
    glass = _tone(np.maximum(linear_bgr(52, 60, 66) + shelf, 0.01), 1 - 0.6 * _line(u, 1.1, 0.05, g))
    out = np.where(window[:, None], glass, panel)
    fascia = v > 0.86 * height
    letter = lattice(np.floor(u / 0.11), np.zeros(len(u)), s.seed + 3) > 0.45
    written = letter & (np.abs(v / height - 0.93) < 0.028)
    sign = linear_bgr(226, 220, 204) * (1 - 0.75 * written)[:, None]
    return np.where(fascia[:, None], sign, out)


def _planter(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    return _tone(_concrete(s, u, v, g), 0.8 + 0.2 * (v > s.extent_m[1] - 0.08))


def _leaves(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    leaf = 1.3 * cloud(u, v, 0.3, 3, s.seed, g) + 0.9 * cloud(u, v, 0.05, 1, s.seed + 4, g)
    green = _tone(linear_bgr(72, 104, 46), 0.8 + leaf)
    bloom = lattice(np.floor(u / 0.09), np.floor(v / 0.09), s.seed + 6)
    return _mix(green, linear_bgr(206, 84, 96) * np.ones_like(green), 0.8 * (bloom > 0.93))


def _planks(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    fibre = 0.35 * cloud(u * 0.4, v * 6.0, 0.6, 3, s.seed)
    return _tone(linear_bgr(146, 104, 66), (1 + fibre) * (1 - 0.75 * _line(v, 0.115, 0.025, g)))


def _roof(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    return _tone(
        linear_bgr(96, 98, 102), 1 + 0.3 * cloud(u, v, 1.5, 3, s.seed) - 0.3 * _line(u, 0.5, 0.03, g)
    )


def _front(s: Surface, u: Channel, v: Channel, g: Channel) -> Float[Array, "M 3"]:
    """A house: plaster or brick, rows of windows with frames, shops on the ground floor."""
    rng = np.random.default_rng([s.seed, 0xFA])
    length, height = s.extent_m
    plaster = [(206, 190, 160), (190, 182, 174), (168, 122, 98), (196, 168, 140), (150, 150, 152)]
    base = linear_bgr(*plaster[int(rng.integers(len(plaster)))])
    wall = _tone(base, 1 + 0.25 * cloud(u, v, 5.0, 4, s.seed) + 0.1 * cloud(u, v, 0.3, 2, s.seed + 1, g))
    bay, floor, shop = rng.uniform(2.2, 3.4), rng.uniform(2.9, 3.5), 3.6
    bays = max(1, int(length / bay))
    col = np.mod(np.abs(u), length / bays) / (length / bays) - 0.5
    row = (v - shop) / floor
    cell = lattice(np.floor(np.abs(u) / (length / bays)), np.floor(row), s.seed)
    up = row - np.floor(row)
    window = (np.abs(col) < 0.24) & (up > 0.24) & (up < 0.78) & (v > shop) & (v < height - 0.7)
    frame = (np.abs(col) < 0.28) & (up > 0.20) & (up < 0.82) & (v > shop) & (v < height - 0.7) & ~window
    glass = _tone(linear_bgr(96, 108, 120), 0.35 + 0.9 * cell + 0.5 * (up - 0.5))
    out = np.where(window[:, None], glass, np.where(frame[:, None], linear_bgr(224, 222, 216), wall))
    shopfront = (v > 0.35) & (v < 2.75) & (np.abs(col) < 0.43)
    goods = cloud(0.6 * u, v, 1.6, 3, s.seed + 8)
    pane = 0.55 + 0.12 * v + 0.7 * goods + 0.35 * (lattice(np.floor(u / 1.3), np.zeros(len(u)), s.seed) - 0.5)
    glass = _tone(linear_bgr(92, 98, 104), pane * (1 - 0.7 * _line(u, 1.3, 0.05, g)))
    out = np.where(shopfront[:, None], glass, out)
    sign = (v > 2.85) & (v < 3.4)
    paint = linear_bgr(*_PAINTS[int(rng.integers(len(_PAINTS)))])
    return np.where(sign[:, None], _tone(paint, 1 + 0.2 * goods), out)


_MATERIALS: dict[str, Callable[[Surface, Channel, Channel, Channel], Float[Array, "M 3"]]] = {
    "paving": _paving, "slabs": _slabs, "cobbles": _cobbles, "asphalt": _asphalt, "surround": _surround,
    "step": _step, "kiosk": _kiosk, "kiosk_top": _roof, "pillar": _pillar, "pillar_top": _concrete,
    "wall": _wall, "wall_top": _concrete, "planter": _planter, "planter_top": _leaves, "bench": _planks,
    "bench_top": _planks, "front": _front,
}  # fmt: skip
