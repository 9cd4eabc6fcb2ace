"""Colours and thickness over those of the tailor: random cloth, straps, scarves, hoods, beards, deeper folds."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from ..virtualcrowd.render.noise import cloud
from ..virtualcrowd.render.tailor import Clothes
from ..virtualcrowd.render.template import Template, joint
from .people_looks import Look, any_colour

Array = np.ndarray

_WRAP_M = {"scarf": 0.028, "headscarf": 0.014, "hood": 0.026}
_LOOSE_M = 0.012
"""Cloth thicker than this has folds."""
_STRAP_M = 0.02


def paint(body: Template, look: Look, clothes: Clothes) -> Clothes:
    """The clothes of a look, everything on.

    Args:
        body: the labels.
        look: what there is.
        clothes: as the tailor made them.
    """
    colour, puff = clothes.albedo.astype(np.float64), clothes.puff_m.astype(np.float64)
    x, y, z = body.body.v_template.T
    if look.style == "random":
        colour = np.where(_cloth(body)[:, None], _random_cloth(body, look), colour)
    if look.outfit.load == "shoulder":
        colour[_strap(body, look)] = look.outfit.load_colour
    if look.beard:
        below = (body.head > 0.5) & (_face_place(body)[1] < 0.028) & (z > 0.01)
        share = 0.5 + 0.4 * (look.seed % 7) / 6.0
        colour[below] += share * (look.outfit.hair - colour[below])
    if look.wrap != "none":
        where = _wrapped(body, look)
        tone = 1.0 + 0.6 * cloud(4 * x + 2 * z, 3 * y, 0.1, 2, look.seed + 3)
        colour[where] = look.wrap_colour * tone[where, None]
        puff += body.spread @ (where * _WRAP_M[look.wrap])
    loose = puff > _LOOSE_M
    around = np.arctan2(z, x) * 0.1
    folds = cloud(around + 0.5 * z + 0.4 * y, y + 0.6 * np.abs(x), 0.09, 2, look.seed + 7)
    puff = np.maximum(puff + loose * look.creases_m * 2.0 * folds, 0.0)
    # cloth in a fold sees less of the sky
    colour *= (1.0 + loose * 14.0 * look.creases_m * folds)[:, None]
    return Clothes(np.clip(colour, 0.002, 0.9).astype(np.float32), puff.astype(np.float32))


def _random_cloth(body: Template, look: Look) -> Float[Array, "V 3"]:
    """Two colours above and two below, in spots or bands of any size and direction."""
    rng = np.random.default_rng([look.seed, 0x9A1])
    x, y, z = body.body.v_template.T
    way = rng.normal(size=3)
    way /= np.linalg.norm(way)
    size = float(np.exp(rng.uniform(np.log(0.05), np.log(0.4))))
    spots = 3.0 * cloud(x + 1.7 * z, y - 0.6 * z, size, 2, look.seed)
    bands = 2.0 * np.sin(2 * np.pi * (body.body.v_template @ way) / size)
    share = np.clip(0.5 + (spots if rng.random() < 0.6 else bands), 0, 1)[:, None]
    upper, lower = ((any_colour(rng), any_colour(rng)) for _ in range(2))
    above = ((y > 0.0) | (body.arm > 0.5))[:, None]
    one, two = np.where(above, upper[0], lower[0]), np.where(above, upper[1], lower[1])
    return np.asarray(one + (two - one) * share)


def _cloth(body: Template) -> Bool[Array, "V"]:
    """All but head, neck and hands."""
    neck_m = body.body.joint_template_m[joint("neck"), 1]
    neck = (body.neck > 0.5) & (body.body.v_template[:, 1] > neck_m)
    return np.asarray(~((body.head > 0.4) | neck | (body.along_arm > 1.0)))


def _strap(body: Template, look: Look) -> Bool[Array, "V"]:
    """Across chest and back, from one shoulder to the bag on the other hip (the side is `carried`'s choice)."""
    x, y = body.body.v_template[:, 0], body.body.v_template[:, 1]
    way = 1.0 if look.outfit.fabric_seed % 2 else -1.0
    top, low = np.array([-0.10 * way, 0.50]), np.array([0.17 * way, 0.0])
    line = (low - top) / np.linalg.norm(low - top)
    off = np.abs((x - top[0]) * line[1] - (y - top[1]) * line[0])
    return np.asarray((off < _STRAP_M) & (body.arm < 0.5) & (y > 0.0) & (body.head < 0.3))


def _wrapped(body: Template, look: Look) -> Bool[Array, "V"]:
    across, up, ahead = _face_place(body)
    if look.wrap == "scarf":
        return np.asarray((body.neck + body.head > 0.5) & (up < -0.01))
    face = ((across / 0.078) ** 2 + ((up - 0.04) / 0.10) ** 2 < 1.0) & (ahead > 0.03)
    low = -0.14 if look.wrap == "headscarf" else -0.10
    return np.asarray((body.neck + body.head > 0.5) & ~face & (up > low))


def _face_place(body: Template) -> Float[Array, "3 V"]:
    """Place from the head joint."""
    return np.asarray((body.body.v_template - body.body.joint_template_m[joint("head")]).T)
