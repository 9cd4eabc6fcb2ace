"""What rendered people wear: the crowd's own outfits, and more of what detectors stumble over.

Dark clothes are a third of everybody's wardrobe in reality; hi-vis, white shirts, uniforms of one colour, loud prints
and cloth of random colours keep a network from learning a palette.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float

from ..virtualcrowd.render.light import linear_bgr
from ..virtualcrowd.render.outfit import BAGS, Outfit, draw_outfit

Array = np.ndarray

Style = Literal["everyday", "dark", "white_top", "hi_vis", "uniform", "loud", "random"]
Wrap = Literal["none", "scarf", "headscarf", "hood"]
Knot = Literal["none", "bun", "tail", "afro"]
Held = Literal["none", "bag", "case", "trolley"]
STYLES: dict[Style, float] = {
    "everyday": 0.36, "dark": 0.33, "white_top": 0.07, "hi_vis": 0.05, "uniform": 0.06, "loud": 0.06, "random": 0.07,
}  # fmt: skip
WRAPS: dict[Wrap, float] = {"none": 0.83, "scarf": 0.07, "headscarf": 0.04, "hood": 0.06}
KNOTS: dict[Knot, float] = {"none": 0.7, "bun": 0.1, "tail": 0.12, "afro": 0.08}
"""Of those with long or full hair."""
HELD: dict[Held, float] = {"bag": 0.55, "case": 0.2, "trolley": 0.25}
"""Of those with something in the hand."""
DARK = [
    (16, 16, 18), (24, 24, 28), (34, 36, 40), (22, 26, 40), (28, 34, 58), (44, 44, 46), (40, 34, 30), (30, 38, 34),
]  # fmt: skip
WHITES = [(236, 236, 232), (222, 224, 226), (242, 240, 234), (206, 214, 224)]
HI_VIS = [(214, 236, 46), (250, 124, 32), (246, 222, 40)]
GREYS = [(120, 118, 116), (164, 162, 160), (206, 204, 200), (90, 88, 88)]
DARK_HAIR = [(16, 14, 14), (26, 22, 20), (36, 28, 24), (48, 36, 28), (60, 44, 34)]
CARRIED = 0.42
"""Share of people with a backpack or a bag."""
_GREY_HAIR, _DARK_HAIR = 0.14, 0.5
_DARK_TROUSERS = 0.45
"""Of people in everyday clothes or white tops."""
_COAT = 0.16
"""Chance that somebody in dark clothes wears a coat."""
_BEARD = 0.22
_T = TypeVar("_T")


@dataclass(frozen=True)
class Look:
    """Clothes, and what no outfit knows of."""

    outfit: Outfit
    """Its load is never `hand`: `held` says what is."""
    style: Style
    wrap: Wrap
    wrap_colour: Float[Array, "3"]
    knot: Knot
    beard: bool
    held: Held
    creases_m: float
    """How deep the folds of loose cloth are."""
    seed: int
    """Of folds and random paint."""


def draw_look(rng: np.random.Generator, child: bool) -> Look:
    """The clothes of one person."""
    outfit = draw_outfit(int(rng.integers(1 << 31)), int(rng.integers(1 << 20)), CARRIED, child)
    style = _pick(rng, STYLES)
    luck = rng.random(4)
    if luck[0] < _GREY_HAIR and not child:
        outfit = replace(outfit, hair=_of(rng, GREYS))
    elif luck[0] < _GREY_HAIR + _DARK_HAIR:
        outfit = replace(outfit, hair=_of(rng, DARK_HAIR))
    if style in ("everyday", "white_top") and luck[1] < _DARK_TROUSERS:
        outfit = replace(outfit, bottom=_of(rng, DARK))
    outfit = _dyed(outfit, style, rng, child)
    held: Held = _pick(rng, HELD) if outfit.load == "hand" else "none"
    knot: Knot = _pick(rng, KNOTS) if outfit.hair_style in ("full", "long") else "none"
    outfit = replace(
        outfit, load="none" if held != "none" else outfit.load,
        hair_style="full" if knot != "none" else outfit.hair_style,
        # thick trousers would come through a skirt or a coat's tail
        bottom_thick_m=min(outfit.bottom_thick_m * float(rng.uniform(0.7, 1.5)), 0.012 if outfit.skirt > 0 else 1.0),
        top_thick_m=outfit.top_thick_m * float(rng.uniform(0.7, 1.35)),
    )  # fmt: skip
    wrap = _pick(rng, WRAPS)
    return Look(
        outfit=outfit, style=style, wrap=wrap, wrap_colour=outfit.top if wrap == "hood" else any_colour(rng), knot=knot,
        beard=bool(luck[2] < _BEARD and outfit.hair_style in ("short", "bald", "cap") and not child), held=held,
        creases_m=float(rng.uniform(0.0, 0.012)), seed=int(rng.integers(1 << 20)),
    )  # fmt: skip


def _dyed(outfit: Outfit, style: Style, rng: np.random.Generator, child: bool) -> Outfit:
    if style == "dark":
        outfit = replace(
            outfit, top=_of(rng, DARK), bottom=_of(rng, DARK),
            shoes=_of(rng, DARK) if rng.random() < 0.7 else outfit.shoes,
            top_second=_of(rng, DARK) if rng.random() < 0.6 else outfit.top_second,
        )  # fmt: skip
        return outfit if child or rng.random() > _COAT else _coat(outfit, rng)
    if style == "white_top":
        return replace(outfit, top=_of(rng, WHITES), top_second=_of(rng, WHITES + GREYS))
    if style == "hi_vis":
        whole = rng.random() < 0.3
        vest = _of(rng, HI_VIS)
        return replace(
            outfit, top=vest, top_second=_of(rng, WHITES), pattern="stripes" if rng.random() < 0.5 else "plain",
            pattern_m=float(rng.uniform(0.2, 0.3)), skirt=0.0, bottom=vest if whole else _of(rng, DARK),
            bottom_length=0.99, coat=False,
        )  # fmt: skip
    if style == "uniform":
        colour = any_colour(rng)
        return replace(outfit, top=colour, bottom=colour * rng.uniform(0.8, 1.1), top_second=any_colour(rng))
    if style == "loud":
        return replace(
            outfit, top=any_colour(rng), top_second=any_colour(rng), bottom=any_colour(rng),
            shoes=any_colour(rng), load_colour=any_colour(rng),
            pattern=("stripes", "checks", "block", "print")[int(rng.integers(4))],
        )  # fmt: skip
    return outfit


def _coat(outfit: Outfit, rng: np.random.Generator) -> Outfit:
    return replace(
        outfit, coat=True, skirt=float(rng.uniform(0.3, 0.65)), pattern="plain", sleeve=0.97, top_thick_m=0.03,
        bottom_length=0.99,
    )  # fmt: skip


def any_colour(rng: np.random.Generator) -> Float[Array, "3"]:
    """Any colour: dark ones as likely as bright ones on a display."""
    return np.asarray(np.clip(rng.uniform(0.03, 0.95, 3) ** 2.2, 0.003, 0.85))


def bag_colour(rng: np.random.Generator) -> Float[Array, "3"]:
    """Of a bag or case: mostly dull."""
    return _of(rng, BAGS + DARK) if rng.random() < 0.7 else any_colour(rng)


def _of(rng: np.random.Generator, palette: list[tuple[int, int, int]]) -> Float[Array, "3"]:
    tone = np.exp(rng.normal(0.0, 0.12) + rng.normal(0.0, 0.04, 3))
    return np.asarray(np.clip(linear_bgr(*palette[int(rng.integers(len(palette)))]) * tone, 0.003, 0.88))


def _pick(rng: np.random.Generator, shares: dict[_T, float]) -> _T:
    weights = np.array(list(shares.values()))
    return list(shares)[int(rng.choice(len(shares), p=weights / weights.sum()))]
