"""What people wear: one draw per person, from palettes of everyday clothes.

Lengths are shares of a limb: sleeves 0 (shoulder) .. 1 (wrist), legs 0 (hip) .. 1 (ankle).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from .light import linear_bgr

Array = np.ndarray

Pattern = Literal["plain", "stripes", "pinstripes", "checks", "block", "print"]
Hair = Literal["bald", "short", "full", "long", "cap", "hat"]
Load = Literal["none", "backpack", "shoulder", "hand"]

SKIN = [
    (240, 208, 184),
    (228, 188, 158),
    (214, 168, 134),
    (192, 142, 106),
    (160, 112, 80),
    (122, 82, 58),
    (88, 58, 42),
]
HAIR = [(30, 24, 22), (48, 34, 26), (74, 50, 34), (112, 80, 48), (168, 132, 84), (132, 64, 40), (150, 148, 146), (196, 194, 190)]  # fmt: skip
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
        rng, ("tee", "shirt", "sweater", "jacket", "coat", "dress"), (0.22, 0.2, 0.2, 0.22, 0.08, 0.08)
    )
    if child and kind == "coat":
        kind = "sweater"
    long_hair = kind == "dress" or rng.random() < 0.33
    hair_style = _pick(rng, ("full", "long", "cap", "hat"), (0.2, 0.68, 0.05, 0.07)) if long_hair else _pick(
        rng, ("bald", "short", "full", "cap", "hat"), (0.07, 0.48, 0.23, 0.13, 0.09))  # fmt: skip
    bottom = _pick(
        rng, ("trousers", "shorts", "skirt"), (0.78, 0.12, 0.10) if long_hair else (0.84, 0.16, 0.0)
    )
    sleeve = {"tee": rng.uniform(0.18, 0.42), "dress": _pick(rng, (0.05, 0.3, 0.95), (0.3, 0.4, 0.3))}.get(
        kind, 0.97
    )
    if kind == "shirt" and rng.random() < 0.3:
        sleeve = 0.5
    skirt = {"coat": rng.uniform(0.35, 0.6), "dress": rng.uniform(0.35, 0.8)}.get(kind, 0.0)
    if bottom == "skirt" and skirt == 0.0:
        skirt = rng.uniform(0.28, 0.8)
    pattern = _pick(rng, ("plain", "stripes", "pinstripes", "checks", "block", "print"),
                    (0.55, 0.12, 0.05, 0.09, 0.08, 0.11))  # fmt: skip
    if kind in ("jacket", "coat") and pattern not in ("plain", "block"):
        pattern = "plain"
    return Outfit(
        skin=_colour(rng, SKIN, 0.06), hair=_colour(rng, HAIR, 0.1), hair_style=hair_style, head_wear=_colour(rng, TOPS),
        top=_colour(rng, TOPS), top_second=_colour(rng, TOPS), pattern=pattern,
        pattern_m=float(rng.uniform(0.08, 0.16)), open_front=kind in ("jacket", "coat") and rng.random() < 0.55,
        sleeve=float(sleeve), hem_m=float(rng.uniform(0.10, 0.2)),
        top_thick_m=float({"tee": 0.008, "shirt": 0.01, "sweater": 0.015, "jacket": 0.022, "coat": 0.024}.get(kind, 0.006)),
        bottom=_colour(rng, TROUSERS), bottom_length=float(rng.uniform(0.3, 0.55)) if bottom == "shorts" else
        (0.0 if kind == "dress" or bottom == "skirt" else 0.99),
        bottom_thick_m=float(rng.uniform(0.006, 0.018)), skirt=float(skirt), coat=kind in ("coat", "dress"),
        shoes=_colour(rng, SHOES), boots=rng.random() < 0.15,
        load=_pick(rng, ("backpack", "shoulder", "hand"), (0.5, 0.32, 0.18)) if rng.random() < carried_share else "none",
        load_colour=_colour(rng, BAGS), fabric_seed=int(rng.integers(1 << 20)),
    )  # fmt: skip


def _pick(rng: np.random.Generator, of: tuple, shares: tuple[float, ...]):  # type: ignore[no-untyped-def,type-arg]
    return of[int(rng.choice(len(of), p=np.array(shares) / sum(shares)))]


def _colour(
    rng: np.random.Generator, palette: list[tuple[int, int, int]], spread: float = 0.12
) -> Float[Array, "3"]:
    """One of the palette, a little lighter or darker and off its hue."""
    base = linear_bgr(*palette[int(rng.integers(len(palette)))])
    return np.asarray(
        np.clip(base * np.exp(rng.normal(0.0, spread) + rng.normal(0.0, 0.3 * spread, 3)), 0.004, 0.85)
    )
