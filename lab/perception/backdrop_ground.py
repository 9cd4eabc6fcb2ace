"""Ground: one paint, and over it lawns, roads, paths, squares and discs that meet along straight or wavy borders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .things_look import Paint, paint
from .things_noise import noise

Array = np.ndarray
Rng = np.random.Generator


@dataclass(frozen=True)
class Region:
    """Where another paint lies: what is on the inner side of a border."""

    look: Paint
    edge: Float[Array, "3"]
    """Linear BGR of the kerb or the painted line along the border."""
    edge_m: float
    """Width of that line; 0 for none."""
    shape: str
    """half, strip, disc, patch or squares."""
    at_m: Float[Array, "2"]
    turn_rad: float
    size_m: float
    wave_m: float
    """How far the border swings, metres."""
    seed: int

    def depth_m(self, x: Float[Array, "M"], y: Float[Array, "M"]) -> Float[Array, "M"]:
        """Metres inside the border; negative outside."""
        c, s = np.float32(np.cos(self.turn_rad)), np.float32(np.sin(self.turn_rad))
        a = c * (x - np.float32(self.at_m[0])) + s * (y - np.float32(self.at_m[1]))
        b = c * (y - np.float32(self.at_m[1])) - s * (x - np.float32(self.at_m[0]))
        if self.wave_m > 0:
            b = b + np.float32(self.wave_m) * np.sin(a / np.float32(3.0 * self.wave_m + 2.0))
        if self.shape == "half":
            return np.asarray(b)
        if self.shape == "strip":
            return np.asarray(np.float32(self.size_m) - np.abs(b))
        if self.shape == "disc":
            return np.asarray(np.float32(self.size_m) - np.hypot(a, b))
        if self.shape == "squares":
            return np.asarray(np.float32(self.size_m) - np.maximum(np.abs(a), np.abs(b) * 1.6))
        return np.asarray(
            (noise(x, y, 6.0 * self.size_m, 3, self.seed) - np.float32(0.4)) * np.float32(self.size_m)
        )


@dataclass(frozen=True)
class Ground:
    """A look of many regions; later ones lie over earlier ones."""

    base: Paint
    regions: tuple[Region, ...]
    dapple: float = 0.0
    """Depth of soft dark patches, as under trees out of sight."""
    seed: int = 0
    gloss: float = 0.0
    glow: float = 0.0

    def albedo(self, place_m: Float[Array, "M 3"], grain_m: Float[Array, "M"]) -> Float[Array, "M 3"]:
        """See `Look`. Every place is painted once, by the region on top."""
        x, y = place_m[:, 0], place_m[:, 1]
        top = np.full(len(x), -1)
        edge = np.full(len(x), -1)
        for row, region in enumerate(self.regions):
            depth = region.depth_m(x, y)
            inside = depth > 0
            top[inside], edge[inside] = row, -1
            edge[np.abs(depth) < 0.5 * region.edge_m] = row
        out = np.empty((len(x), 3), np.float32)
        for row in range(-1, len(self.regions)):
            own = np.flatnonzero((top == row) & (edge < 0))
            look = self.base if row < 0 else self.regions[row].look
            if len(own):
                out[own] = look.albedo(place_m[own], grain_m[own])
            line = edge == row
            if row >= 0 and line.any():
                out[line] = self.regions[row].edge
        if self.dapple > 0:
            shade = np.clip(2.5 * (noise(x, y, 14.0, 2, self.seed) - 0.4), 0, 1)
            out *= (1 - np.float32(self.dapple) * shade)[:, None]
        return out


def floor_paint(rng: Rng, kind: str) -> Paint:
    """One of the grounds people walk on."""
    size = float(np.exp(rng.uniform(np.log(0.08), np.log(2.5))))
    aspect = float(rng.choice([1.0, 1.0, 2.0, 3.0, 5.0]))
    stone = str(rng.choice(["stone", "grey", "brick", "brown"]))
    weave = str(rng.choice(["plain", "checks", "blotches", "goods", "diagonal"]))
    other = str(rng.choice(["dark", "any"]))
    sorts = {
        "grass": ("green", "speckle", rng.uniform(0.1, 0.6), "green"),
        "tarmac": ("grey", "speckle", rng.uniform(0.03, 0.1), "grey"),
        "paving": (stone, "flags", size, str(rng.choice(["dark", "stone", "grey"]))),
        "pale_tiles": ("pale", "flags", rng.uniform(0.3, 1.8), "grey"),
        "dark_tiles": ("dark", "flags", rng.uniform(0.3, 1.5), "grey"),
        "rings": (str(rng.choice(["pale", "pale", "grey", "any"])), "rings", rng.uniform(0.5, 2.0), "dark"),
        "wood": ("brown", "planks", rng.uniform(0.06, 0.25), "brown"),
        "carpet": ("any", weave, rng.uniform(0.2, 2.0), "any"),
        "sand": ("stone", "blotches", rng.uniform(0.5, 4.0), "stone"),
        "snow": ("pale", "blotches", rng.uniform(1.0, 5.0), "pale"),
        "checks": (str(rng.choice(["pale", "dark", "any"])), "checks", rng.uniform(0.3, 1.5), other),
        "earth": ("brown", "blotches", rng.uniform(0.3, 3.0), str(rng.choice(["green", "brown"]))),
    }  # fmt: skip
    sort, pattern, element, second = sorts[kind]
    return paint(
        rng, sort, pattern, float(element), second, aspect=aspect, dirt=float(rng.uniform(0.0, 0.22))
    )


OUTSIDE = (
    "grass",
    "grass",
    "tarmac",
    "tarmac",
    "paving",
    "paving",
    "paving",
    "sand",
    "snow",
    "earth",
    "dark_tiles",
    "pale_tiles",
)
INSIDE = ("pale_tiles", "pale_tiles", "rings", "rings", "dark_tiles", "wood", "carpet", "paving", "checks")


def draw_ground(rng: Rng, inside: bool, centre_m: Float[Array, "2"], reach_m: float) -> Ground:
    """Ground about a place that is looked at from `reach_m` metres."""
    kinds = INSIDE if inside else OUTSIDE
    base = floor_paint(rng, str(rng.choice(kinds)))
    regions = []
    for _ in range(int(rng.integers(0, 3 if inside else 7))):
        edge_m = float(rng.uniform(0.06, 0.4)) if rng.random() < 0.6 else 0.0
        shape = str(rng.choice(["half", "strip", "strip", "disc", "patch", "squares"]))
        size = float(
            np.exp(rng.uniform(np.log(0.1 if shape == "strip" else 0.6), np.log(0.4 * reach_m + 1.0)))
        )
        regions.append(
            Region(
                floor_paint(rng, str(rng.choice(kinds))),
                paint(rng, str(rng.choice(["grey", "pale", "vivid"]))).first, edge_m, shape,
                centre_m + rng.normal(0, 0.5 * reach_m, 2), float(rng.uniform(-np.pi, np.pi)), size,
                float(rng.choice([0.0, 0.0, rng.uniform(0.3, 4.0)])), int(rng.integers(1 << 20)),
            )
        )  # fmt: skip
    dapple = 0.0 if rng.random() < 0.6 else float(rng.uniform(0.1, 0.6))
    gloss = float(rng.uniform(0.1, 0.5)) if rng.random() < 0.3 else 0.0
    return Ground(base, tuple(regions), dapple, int(rng.integers(1 << 20)), gloss)
