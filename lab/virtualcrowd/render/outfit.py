"""What people wear: one draw per person, from palettes of everyday clothes.

Lengths are shares of a limb: sleeves 0 (shoulder) .. 1 (wrist), legs 0 (hip) .. 1 (ankle).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float

from .light import linear_bgr

Array = np.ndarray

Pattern = Literal["plain", "stripes", "pinstripes", "checks", "block", "print"]
Hair = Literal["bald", "short", "full", "long", "cap", "hat"]
Load = Literal["none", "backpack", "shoulder", "hand"]
_T = TypeVar("_T")

SKIN = [
    (240, 208, 184),
    (228, 188, 158),
    (214, 168, 134),
    (192, 142, 106),
    (160, 112, 80),
    (122, 82, 58),
    (88, 58, 42),
]
HAIR = [
    (30, 24, 22), (42, 32, 26), (66, 46, 34), (98, 74, 50), (150, 122, 86), (104, 62, 46), (140, 138, 136),
    (180, 178, 174),
]  # fmt: skip
TOPS = [
    (28, 30, 34), (52, 56, 64), (120, 124, 128), (222, 222, 218), (236, 232, 222), (34, 46, 76), (58, 88, 132),
    (120, 152, 186), (132, 34, 38), (186, 62, 50), (206, 128, 52), (216, 182, 72), (62, 84, 56), (96, 120, 72),
    (70, 104, 100), (112, 78, 52), (176, 148, 112), (198, 142, 152), (112, 72, 112), (164, 176, 168),
]  # fmt: skip
TROUSERS = [
    (28, 30, 36), (36, 40, 52), (44, 58, 88), (66, 86, 116), (98, 116, 140), (84, 80, 74), (122, 112, 96),
    (168, 152, 122), (60, 64, 52), (88, 58, 44), (150, 150, 150), (200, 194, 182),
]  # fmt: skip
SHOES = [
    (26, 24, 24),
    (54, 38, 28),
    (94, 66, 44),
    (226, 226, 224),
    (150, 150, 152),
    (150, 44, 40),
    (40, 56, 92),
]
BAGS = [(30, 32, 36), (52, 60, 84), (96, 70, 46), (130, 48, 44), (70, 84, 66), (150, 128, 92)]
_PATTERNS: dict[Pattern, float] = {
    "plain": 0.55, "stripes": 0.12, "pinstripes": 0.05, "checks": 0.09, "block": 0.08, "print": 0.11,
}  # fmt: skip
_LONG_HAIR: dict[Hair, float] = {"full": 0.2, "long": 0.68, "cap": 0.05, "hat": 0.07}
_SHORT_HAIR: dict[Hair, float] = {"bald": 0.07, "short": 0.48, "full": 0.23, "cap": 0.13, "hat": 0.09}
_LOADS: dict[Load, float] = {"backpack": 0.5, "shoulder": 0.32, "hand": 0.18}
_BOTTOMS = {"trousers": 0.84, "shorts": 0.16}
_BOTTOMS_WITH_SKIRTS = {"trousers": 0.78, "shorts": 0.12, "skirt": 0.10}
_THICK_M = {"tee": 0.014, "shirt": 0.016, "sweater": 0.021, "jacket": 0.028, "coat": 0.030, "dress": 0.010}


@dataclass(frozen=True)
class Outfit:
    """Colours are linear BGR albedos."""

    skin: Float[Array, "3"]
    hair: Float[Array, "3"]
    hair_style: Hair
    head_wear: Float[Array, "3"]
    top: Float[Array, "3"]
    top_second: Float[Array, "3"]
    pattern: Pattern
    pattern_m: float
    """Period of the pattern."""
    open_front: bool
    """A jacket worn open: a strip of the second colour down the chest."""
    sleeve: float
    hem_m: float
    """How far the top reaches below the waist."""
    top_thick_m: float
    bottom: Float[Array, "3"]
    bottom_length: float
    bottom_thick_m: float
    skirt: float
    """Length of a skirt or coat tail as a share of the leg; 0: none."""
    coat: bool
    """The tail has the top's colour."""
    shoes: Float[Array, "3"]
    boots: bool
    load: Load
    load_colour: Float[Array, "3"]
    fabric_seed: int


def draw_outfit(seed: int, person: int, carried_share: float, child: bool) -> Outfit:
    """The clothes of one person: the same whenever seed and id are the same."""
    rng = np.random.default_rng([seed, 0xC107, person])
    kind = _pick(
        rng, {"tee": 0.24, "shirt": 0.21, "sweater": 0.2, "jacket": 0.22, "coat": 0.07, "dress": 0.06}
    )
    kind = "sweater" if child and kind == "coat" else kind
    long_hair = kind == "dress" or rng.random() < 0.33
    pattern = _pick(rng, _PATTERNS)
    bottom = _pick(rng, _BOTTOMS_WITH_SKIRTS if long_hair else _BOTTOMS)
    return Outfit(
        skin=_colour(rng, SKIN, 0.06), hair=_colour(rng, HAIR, 0.1),
        hair_style=_pick(rng, _LONG_HAIR if long_hair else _SHORT_HAIR), head_wear=_colour(rng, TOPS),
        top=_colour(rng, TOPS), top_second=_colour(rng, TOPS),
        pattern="plain" if kind in ("jacket", "coat") and pattern != "block" else pattern,
        pattern_m=float(rng.uniform(0.08, 0.16)), open_front=kind in ("jacket", "coat") and rng.random() < 0.55,
        sleeve=_sleeve(rng, kind), hem_m=float(rng.uniform(0.10, 0.2)), top_thick_m=_THICK_M[kind],
        bottom=_colour(rng, TROUSERS), bottom_length=_trouser_length(rng, kind, bottom),
        bottom_thick_m=float(rng.uniform(0.010, 0.028)), skirt=_skirt_length(rng, kind, bottom),
        coat=kind in ("coat", "dress"), shoes=_colour(rng, SHOES), boots=rng.random() < 0.15,
        load=_pick(rng, _LOADS) if rng.random() < carried_share else "none", load_colour=_colour(rng, BAGS),
        fabric_seed=int(rng.integers(1 << 20)),
    )  # fmt: skip


def _sleeve(rng: np.random.Generator, kind: str) -> float:
    if kind == "tee" or (kind == "shirt" and rng.random() < 0.3):
        return float(rng.uniform(0.18, 0.5))
    if kind == "dress":
        return float(_pick(rng, {0.05: 0.3, 0.3: 0.4, 0.95: 0.3}))
    return 0.97


def _trouser_length(rng: np.random.Generator, kind: str, bottom: str) -> float:
    if kind == "dress" or bottom == "skirt":
        return 0.0
    return float(rng.uniform(0.3, 0.55)) if bottom == "shorts" else 0.99


def _skirt_length(rng: np.random.Generator, kind: str, bottom: str) -> float:
    if kind == "coat":
        return float(rng.uniform(0.35, 0.6))
    return float(rng.uniform(0.28, 0.8)) if kind == "dress" or bottom == "skirt" else 0.0


def _pick(rng: np.random.Generator, shares: dict[_T, float]) -> _T:
    """One of the keys, as likely as its value says."""
    keys = list(shares)
    weights = np.array(list(shares.values()))
    return keys[int(rng.choice(len(keys), p=weights / weights.sum()))]


def _colour(
    rng: np.random.Generator, palette: list[tuple[int, int, int]], spread: float = 0.12
) -> Float[Array, "3"]:
    """One of the palette, a little lighter or darker, off its hue and paler than its name: cloth is never pure."""
    base = linear_bgr(*palette[int(rng.integers(len(palette)))])
    base = 0.85 * base + 0.15 * base.mean()
    tone = np.exp(rng.normal(0.0, spread) + rng.normal(0.0, 0.3 * spread, 3))
    return np.asarray(np.clip(base * tone, 0.004, 0.85))
