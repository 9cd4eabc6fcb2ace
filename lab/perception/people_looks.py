"""What rendered people wear: the crowd's own outfits, and more of what detectors stumble over.

Dark clothes are a third of everybody's wardrobe in reality; hi-vis, white shirts, uniforms of one colour, loud prints
and cloth of random colours keep a network from learning a palette.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from ..virtualcrowd.render.light import linear_bgr
from ..virtualcrowd.render.noise import cloud
from ..virtualcrowd.render.outfit import Outfit, draw_outfit
from ..virtualcrowd.render.template import Template, joint

Array = np.ndarray

Style = Literal["everyday", "dark", "white_top", "hi_vis", "uniform", "loud", "random"]
STYLES: dict[Style, float] = {
    "everyday": 0.36, "dark": 0.33, "white_top": 0.07, "hi_vis": 0.05, "uniform": 0.06, "loud": 0.06, "random": 0.07,
}  # fmt: skip
DARK = [
    (16, 16, 18),
    (24, 24, 28),
    (34, 36, 40),
    (22, 26, 40),
    (28, 34, 58),
    (44, 44, 46),
    (40, 34, 30),
    (30, 38, 34),
]
WHITES = [(236, 236, 232), (222, 224, 226), (242, 240, 234), (206, 214, 224)]
HI_VIS = [(214, 236, 46), (250, 124, 32), (246, 222, 40)]
GREYS = [(120, 118, 116), (164, 162, 160), (206, 204, 200), (90, 88, 88)]
CARRIED = 0.38
"""Share of people with a backpack or a bag."""
_GREY_HAIR = 0.18
_COAT = 0.16
"""Chance that somebody in dark clothes wears a coat."""


@dataclass(frozen=True)
class Look:
    """Clothes, and the paint that no outfit knows of."""

    outfit: Outfit
    style: Style
    paint_seed: int


def draw_look(rng: np.random.Generator, child: bool) -> Look:
    """The clothes of one person."""
    outfit = draw_outfit(int(rng.integers(1 << 31)), int(rng.integers(1 << 20)), CARRIED, child)
    style = list(STYLES)[int(rng.choice(len(STYLES), p=np.array(list(STYLES.values()))))]
    if rng.random() < _GREY_HAIR and not child:
        outfit = replace(outfit, hair=_of(rng, GREYS))
    return Look(_dyed(outfit, style, rng, child), style, int(rng.integers(1 << 20)))


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
        colour = _any(rng)
        return replace(outfit, top=colour, bottom=colour * rng.uniform(0.8, 1.1), top_second=_any(rng))
    if style == "loud":
        return replace(
            outfit, top=_any(rng), top_second=_any(rng), bottom=_any(rng), shoes=_any(rng), load_colour=_any(rng),
            pattern=("stripes", "checks", "block", "print")[int(rng.integers(4))],
        )  # fmt: skip
    return outfit


def _coat(outfit: Outfit, rng: np.random.Generator) -> Outfit:
    return replace(
        outfit, coat=True, skirt=float(rng.uniform(0.3, 0.65)), pattern="plain", sleeve=0.97, top_thick_m=0.03,
        bottom_length=0.99,
    )  # fmt: skip


def paint(body: Template, look: Look, albedo: Float[Array, "V 3"]) -> Float[Array, "V 3"]:
    """Random colours over the clothes, for the style `random`; other styles are left as they are.

    Args:
        body: the labels.
        look: whose seed decides.
        albedo: linear BGR of the dressed body.
    """
    if look.style != "random":
        return albedo
    rng = np.random.default_rng([look.paint_seed, 0x9A1])
    x, y, z = body.body.v_template.T
    way = rng.normal(size=3)
    way /= np.linalg.norm(way)
    size = float(np.exp(rng.uniform(np.log(0.05), np.log(0.4))))
    spots = cloud(x + 1.7 * z, y - 0.6 * z, size, 2, look.paint_seed)
    bands = np.sin(2 * np.pi * (body.body.v_template @ way) / size)
    share = np.clip(0.5 + 3.0 * spots if rng.random() < 0.6 else 0.5 + 2.0 * bands, 0, 1)[:, None]
    upper, lower = ((_any(rng), _any(rng)) for _ in range(2))
    above = (y > 0.0)[:, None] | (body.arm > 0.5)[:, None]
    one, two = np.where(above, upper[0], lower[0]), np.where(above, upper[1], lower[1])
    mixed = one + (two - one) * share
    return np.where(_cloth(body)[:, None], mixed, albedo).astype(np.float32)


def _cloth(body: Template) -> Bool[Array, "V"]:
    """All but head, neck and hands."""
    neck_m = body.body.joint_template_m[joint("neck"), 1]
    bare = (
        (body.head > 0.4)
        | ((body.neck > 0.5) & (body.body.v_template[:, 1] > neck_m))
        | (body.along_arm > 1.0)
    )
    return np.asarray(~bare)


def _of(rng: np.random.Generator, palette: list[tuple[int, int, int]]) -> Float[Array, "3"]:
    tone = np.exp(rng.normal(0.0, 0.12) + rng.normal(0.0, 0.04, 3))
    return np.asarray(np.clip(linear_bgr(*palette[int(rng.integers(len(palette)))]) * tone, 0.003, 0.88))


def _any(rng: np.random.Generator) -> Float[Array, "3"]:
    """Any colour: dark ones as likely as bright ones on a display."""
    return np.asarray(np.clip(rng.uniform(0.03, 0.95, 3) ** 2.2, 0.003, 0.85))
