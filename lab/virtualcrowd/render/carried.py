"""Meshes that hang on a body: skirts and coat tails, long hair, cap brims, bags.

Each is skinned like the body itself, so it moves with the joints it hangs on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from .noise import cloud
from .outfit import Outfit
from .template import Template, joint, normals

Array = np.ndarray

_AROUND = 22
_ROWS = 7
_MEAN_STATURE_M = 1.71


@dataclass(frozen=True)
class Extra:
    """One mesh in the rest pose of one shape."""

    rest_m: Float[Array, "v 3"]
    normals: Float[Array, "v 3"]
    weights: Float[Array, "v 24"]
    faces: Int[Array, "f 3"]
    albedo: Float[Array, "v 3"]


def extras(
    body: Template, outfit: Outfit, rest_m: Float[Array, "V 3"], joints_m: Float[Array, "24 3"]
) -> list[Extra]:
    """All that one person carries.

    Args:
        body: the labels.
        outfit: what there is.
        rest_m: dressed rest vertices of the shape.
        joints_m: its rest joints.
    """
    scale = float((rest_m[:, 1].max() - rest_m[:, 1].min()) / _MEAN_STATURE_M)
    out = [_skirt(body, outfit, rest_m, joints_m)] if outfit.skirt > 0 else []
    out += _on_head(outfit, joints_m[joint("head")], scale)
    return out + _load(outfit, rest_m, joints_m, scale)


def _on_head(outfit: Outfit, head_m: Float[Array, "3"], scale: float) -> list[Extra]:
    if outfit.hair_style == "long":
        centre = head_m + scale * np.array([0.0, -0.015, -0.075])
        hold = {"head": 0.6, "neck": 0.25, "spine3": 0.15}
        return [
            _pillow(
                centre, scale * np.array([0.082, 0.135, 0.045]), hold, outfit.hair, 2.2, outfit.fabric_seed
            )
        ]
    if outfit.hair_style == "cap":
        brim = head_m + scale * np.array([0.0, 0.098, 0.135])
        return [
            _pillow(
                brim, scale * np.array([0.068, 0.008, 0.062]), {"head": 1.0}, 0.85 * outfit.head_wear, 2.5
            )
        ]
    return []


def _load(
    outfit: Outfit, rest_m: Float[Array, "V 3"], joints_m: Float[Array, "24 3"], scale: float
) -> list[Extra]:
    """Backpack, bag on the hip or bag in the hand."""
    side = "left" if outfit.fabric_seed % 2 else "right"
    if outfit.load == "backpack":
        centre = joints_m[joint("spine3")] * np.array([0, 1, 0]) + scale * np.array([0.0, -0.05, 0.0])
        near = (np.abs(rest_m[:, 1] - centre[1]) < 0.1) & (np.abs(rest_m[:, 0]) < 0.1)
        centre[2] = rest_m[near, 2].min() - 0.055 * scale
        radii, hold = np.array([0.15, 0.215, 0.085]), {"spine3": 0.8, "spine2": 0.2}
    elif outfit.load == "shoulder":
        way = 1.0 if side == "left" else -1.0
        centre = joints_m[joint("pelvis")] + scale * np.array([way * 0.235, -0.06, -0.02])
        radii, hold = np.array([0.05, 0.13, 0.16]), {"pelvis": 1.0}
    elif outfit.load == "hand":
        hand = joints_m[joint(f"{side}_hand")]
        centre = hand + scale * np.array([np.sign(hand[0]) * 0.26, -0.01, 0.0])
        radii, hold = np.array([0.18, 0.055, 0.15]), {f"{side}_wrist": 1.0}
    else:
        return []
    return [_pillow(centre, scale * radii, hold, outfit.load_colour, 4.0, outfit.fabric_seed)]


def _skirt(
    body: Template, outfit: Outfit, rest_m: Float[Array, "V 3"], joints_m: Float[Array, "24 3"]
) -> Extra:
    """A ring of cloth from the waist down, wider below, carried by pelvis and thighs."""
    hip, ankle = joints_m[joint("left_hip"), 1], joints_m[joint("left_ankle"), 1]
    top, low = hip + 0.13, hip + outfit.skirt * (ankle - hip)
    angle = 2 * np.pi * np.arange(_AROUND) / _AROUND
    trunk = body.arm < 0.3
    place, weight = [], []
    most = np.array([0.0, -np.inf, -np.inf])
    for share in np.linspace(0.0, 1.0, _ROWS).tolist():
        y = top + (low - top) * share
        near = trunk & (np.abs(rest_m[:, 1] - y) < 0.05)
        # cloth hangs from the widest place above
        here = np.array([np.abs(rest_m[near, 0]).max(), rest_m[near, 2].max(), -rest_m[near, 2].min()])
        most = np.maximum(most, here)
        wide, front, back = float(most[0]), float(most[1]), float(-most[2])
        flare = 0.008 + (0.07 if not outfit.coat else 0.045) * share**1.3
        half, middle = 0.5 * (front - back) + flare, 0.5 * (front + back)
        fold = 1.0 + 0.045 * share * np.cos(7 * angle + outfit.fabric_seed)
        place.append(np.column_stack([
            (wide + flare) * np.cos(angle) * fold, np.full(_AROUND, y), middle + half * np.sin(angle) * fold
        ]))  # fmt: skip
        weight.append(_skirt_weights(angle, share, outfit.skirt))
    colour = outfit.top if outfit.coat else outfit.bottom
    points = np.concatenate(place)
    return _mesh(points, np.concatenate(weight), _tube(_ROWS, _AROUND), colour, outfit.fabric_seed)


def _skirt_weights(angle: Float[Array, "a"], share: float, length: float) -> Float[Array, "a 24"]:
    """Pelvis at the waist, the thigh of each side further down, shins where the cloth reaches them."""
    left = 0.5 + 0.5 * np.clip(1.6 * np.cos(angle), -1, 1)
    on_legs = 0.75 * np.clip((share - 0.2) / 0.5, 0, 1)
    shin = 0.45 * np.clip((share * length - 0.45) / 0.4, 0, 1)
    weights = np.zeros((len(angle), 24))
    weights[:, joint("pelvis")] = 1 - on_legs
    for side, part in (("left", left), ("right", 1 - left)):
        weights[:, joint(f"{side}_hip")] = on_legs * part * (1 - shin)
        weights[:, joint(f"{side}_knee")] = on_legs * part * shin
    return weights


def _tube(rows: int, around: int) -> Int[Array, "f 3"]:
    """Triangles between rings, counter-clockwise from outside for rings that go down."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(around), indexing="ij")
    a, b = i * around + j, i * around + (j + 1) % around
    c, d = a + around, b + around
    quads = np.stack([a, b, c, b, d, c], axis=-1)
    return quads.reshape(-1, 3).astype(np.int32)


def _pillow(
    centre: Float[Array, "3"], radii: Float[Array, "3"], joints: dict[str, float], colour: Float[Array, "3"],
    power: float, seed: int = 0,
) -> Extra:  # fmt: skip
    """A superellipsoid: round at power 2, a soft box at 4."""
    rows, around = 9, 14
    down = np.pi * np.arange(rows) / (rows - 1)
    turn = 2 * np.pi * np.arange(around) / around
    way = np.stack([
        np.sin(down)[:, None] * np.cos(turn), np.repeat(np.cos(down)[:, None], around, 1),
        np.sin(down)[:, None] * np.sin(turn),
    ], axis=-1).reshape(-1, 3)  # fmt: skip
    length = (np.abs(way) ** power).sum(1) ** (1 / power)
    points = centre + radii * way / length[:, None]
    weights = np.zeros((len(points), 24))
    for name, share in joints.items():
        weights[:, joint(name)] = share
    return _mesh(points, weights, _tube(rows, around), colour, seed)


def _mesh(
    points: Float[Array, "v 3"], weights: Float[Array, "v 24"], faces: Int[Array, "f 3"],
    colour: Float[Array, "3"], seed: int,
) -> Extra:  # fmt: skip
    up = normals(points, faces)
    if np.einsum("vc,vc->", up, points - points.mean(axis=0)) < 0:
        faces, up = faces[:, ::-1], -up
    shade = 1.0 + 0.4 * cloud(points[:, 0] * 3 + points[:, 2] * 2, points[:, 1], 0.15, 2, seed)
    return Extra(
        rest_m=points.astype(np.float32), normals=up.astype(np.float32), weights=weights.astype(np.float32),
        faces=np.ascontiguousarray(faces, np.int32), albedo=(colour * shade[:, None]).astype(np.float32),
    )  # fmt: skip
