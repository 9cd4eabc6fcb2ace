"""From an outfit to colours and thickness of each vertex of the body.

Cloth is the skin moved outwards along its normals by a few millimetres to centimetres and painted; what hangs free of
the body (skirts, coat tails, hair, bags) is a mesh of its own (`carried`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ....kernels.skeleton import FACE_OFFSETS_M
from .noise import cloud, smooth_noise
from .outfit import Outfit
from .template import Template, joint

Array = np.ndarray


@dataclass(frozen=True)
class Clothes:
    """Per vertex of the body."""

    albedo: Float[Array, "V 3"]
    """Linear BGR, float32."""
    puff_m: Float[Array, "V"]
    """How far the cloth stands off the skin."""


def dress(body: Template, outfit: Outfit) -> Clothes:
    """Colours and thickness, from the inside out: skin, trousers, top, shoes, hair."""
    rest = body.body.v_template
    x, y, z = rest[:, 0], rest[:, 1], rest[:, 2]
    num = len(rest)
    colour = np.tile(outfit.skin, (num, 1))
    puff = np.zeros(num)
    _face(body, outfit, colour)
    folds = 1.0 + 0.35 * cloud(3.0 * x + 7.0 * z, y, 0.16, 2, outfit.fabric_seed)

    below = (body.along_leg < outfit.bottom_length) & (body.leg > 0.5) | _pelvis(body)
    _paint(colour, puff, below, outfit.bottom * folds[:, None], outfit.bottom_thick_m)
    if outfit.skirt > 0:  # a leg that comes through the cloth must not show
        tail = (body.along_leg < outfit.skirt - 0.06) & (body.leg > 0.4)
        _paint(colour, puff, tail, _tail_colour(outfit) * folds[:, None], 0.004)
    top = _top_area(body, outfit)
    _paint(colour, puff, top, _cloth(body, outfit) * folds[:, None], outfit.top_thick_m)
    ankle = body.body.joint_template_m[joint("left_ankle"), 1]
    shoe = (body.foot > 0.5) & (y < ankle + (0.10 if outfit.boots else 0.0))
    _paint(colour, puff, shoe, np.tile(outfit.shoes, (num, 1)), 0.007)
    _hair(body, outfit, colour, puff)
    loose = puff * (0.55 + 0.45 * np.clip(6.0 * body.along_leg, 0, 1)) * _creases(rest, outfit.fabric_seed)
    puff = body.spread @ np.where(puff > 0.005, loose, puff)
    sole = shoe & (y < rest[:, 1].min() + 0.012)
    puff[sole] = 0.0  # shoes must not push people into the air or into the ground
    return Clothes(colour.astype(np.float32), puff.astype(np.float32))


def _creases(rest: Float[Array, "V 3"], seed: int) -> Float[Array, "V"]:
    """Folds of loose cloth around a mean of 1: long along the limb, short across it."""
    x, y, z = rest.T
    turn = np.arctan2(z, x) * 0.35
    return np.asarray(1.0 + 1.3 * cloud(turn + 0.7 * y, 0.8 * y + 0.9 * np.abs(x), 0.14, 2, seed + 11))


def _paint(
    colour: Float[Array, "V 3"], puff: Float[Array, "V"], where: Bool[Array, "V"], cloth: Float[Array, "V 3"],
    thick_m: float,
) -> None:  # fmt: skip
    colour[where] = cloth[where]
    puff[where] = np.maximum(puff[where], thick_m)


def _pelvis(body: Template) -> Bool[Array, "V"]:
    y = body.body.v_template[:, 1]
    return (y < 0.09) & (y > -0.2) & (body.arm < 0.5)


def _tail_colour(outfit: Outfit) -> Float[Array, "3"]:
    return outfit.top if outfit.coat else outfit.bottom


def _top_area(body: Template, outfit: Outfit) -> Bool[Array, "V"]:
    y = body.body.v_template[:, 1]
    trunk = (
        (y > -outfit.hem_m + 0.07)
        & (body.head < 0.5)
        & (body.arm <= 0.5)
        & (body.leg < 0.9)
        & (body.neck < 0.6)
    )
    collar = (body.neck >= 0.6) & (y < 0.53) & (outfit.top_thick_m > 0.012)
    sleeve = (body.arm > 0.5) & (body.along_arm < outfit.sleeve)
    return trunk | collar | sleeve


def _cloth(body: Template, outfit: Outfit) -> Float[Array, "V 3"]:
    """The top's colour with its pattern."""
    x, y, z = body.body.v_template.T
    # stripes run around the trunk and around the arm
    across = np.where(body.arm > 0.5, np.abs(x), y) / outfit.pattern_m
    around = np.where(body.arm > 0.5, y, x) / outfit.pattern_m
    share = {
        "plain": np.zeros(len(x)),
        "stripes": np.mod(across, 1) < 0.45,
        "pinstripes": np.mod(around * 2, 1) < 0.3,
        "checks": 0.5 * (np.mod(across, 1) < 0.5) + 0.5 * (np.mod(around, 1) < 0.5),
        "block": (y > 0.30) | (body.arm > 0.5),
        "print": (smooth_noise(x / 0.05, y / 0.05, outfit.fabric_seed) > 0.45)
        & (z > 0.02) & (np.abs(x) < 0.11) & (y > 0.15) & (y < 0.36) & (body.arm < 0.5),
    }[outfit.pattern].astype(np.float64)  # fmt: skip
    if outfit.open_front:
        share = np.maximum(share, (np.abs(x) < 0.055) & (z > 0.0) & (body.arm < 0.5))
    cloth = outfit.top + (outfit.top_second - outfit.top) * share[:, None]
    if outfit.load == "backpack":
        strap = (np.abs(np.abs(x) - 0.105) < 0.022) & (y > 0.2) & (z > -0.09) & (body.arm < 0.6)
        cloth = np.where(strap[:, None], outfit.load_colour, cloth)
    return np.asarray(cloth)


def _face(body: Template, outfit: Outfit, colour: Float[Array, "V 3"]) -> None:
    """Eyes, brows, mouth and a little red: what little a detector looks for."""
    rest = body.body.v_template
    head = body.body.joint_template_m[joint("head")]
    for eye in (1, 2):
        place = head + FACE_OFFSETS_M[eye]
        off = (rest - place) / np.array([0.014, 0.008, 0.03])
        _blend(colour, np.exp(-np.sum(off**2, axis=1)), 0.25 * outfit.skin)
        off = (rest - place - np.array([0.0, 0.017, 0.0])) / np.array([0.02, 0.006, 0.03])
        _blend(colour, 0.7 * np.exp(-np.sum(off**2, axis=1)), outfit.hair)
    off = (rest - head - FACE_OFFSETS_M[0] - np.array([0.0, -0.048, -0.01])) / np.array([0.024, 0.008, 0.03])
    _blend(colour, 0.8 * np.exp(-np.sum(off**2, axis=1)), 0.55 * outfit.skin * np.array([0.8, 0.7, 1.1]))
    hand = np.clip((body.along_arm - 1.05) / 0.2, 0, 1)[:, None]
    colour *= 1.0 - 0.12 * hand


def _blend(colour: Float[Array, "V 3"], share: Float[Array, "V"], other: Float[Array, "3"]) -> None:
    colour += (other - colour) * share[:, None]


def _hair(body: Template, outfit: Outfit, colour: Float[Array, "V 3"], puff: Float[Array, "V"]) -> None:
    rest = body.body.v_template
    head = body.body.joint_template_m[joint("head")]
    x, y, z = (rest - head).T
    on_head = body.head > 0.5
    covered = outfit.hair_style in ("cap", "hat")
    # the hairline: high on the forehead, behind the ears, down to the neck at the back
    line = np.interp(z, [-0.10, -0.03, 0.02, 0.06, 0.11], [-0.035, -0.02, 0.055, 0.105, 0.115])
    scalp = on_head & (y > line)
    if outfit.hair_style != "bald":
        thick = {"short": 0.008, "full": 0.02, "long": 0.018, "cap": 0.004, "hat": 0.006}[outfit.hair_style]
        strands = 1.0 + 0.5 * cloud(10 * x + 5 * z, y, 0.1, 2, outfit.fabric_seed + 5)
        _paint(colour, puff, scalp, outfit.hair * strands[:, None], thick)
    if covered:
        wear = on_head & (y > np.interp(z, [-0.1, 0.1], [0.075, 0.10]))
        thick = 0.012 if outfit.hair_style == "cap" else 0.02
        _paint(colour, puff, wear, np.tile(outfit.head_wear, (len(x), 1)), thick)
