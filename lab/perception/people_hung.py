"""Pieces that hang on a figure besides the crowd's own: hair in a knot, and what hands hold by a handle.

Hair moves with the head. A bag hangs straight down from the hand wherever the arm is, a trolley stands behind on the
floor; both are made anew for each pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ..virtualcrowd.render.carried import Extra
from ..virtualcrowd.render.noise import cloud
from ..virtualcrowd.render.template import joint, normals
from .people_looks import Look

Array = np.ndarray

_ROWS, _AROUND = 9, 14
_KNOTS = {
    "bun": ((0.0, 0.10, -0.11), (0.05, 0.05, 0.045)),
    "tail": ((0.0, -0.02, -0.135), (0.035, 0.12, 0.03)),
    "afro": ((0.0, 0.075, -0.005), (0.135, 0.125, 0.135)),
}
"""(middle from the head joint, half axes), metres on an adult."""
_SHORTEST_ROD_M = 0.03
_FACE_Z_M = 0.06
"""An afro begins behind this."""


@dataclass(frozen=True)
class Held:
    """What a hand holds, in the world."""

    points_m: Float[Array, "v 3"]
    normals: Float[Array, "v 3"]
    faces: Int[Array, "f 3"]
    albedo: Float[Array, "v 3"]


def hair_knots(look: Look, joints_rest_m: Float[Array, "24 3"], scale: float) -> list[Extra]:
    """Bun, pony tail or afro on the head of a shape; `scale`: its size over the mean body's."""
    if look.knot == "none":
        return []
    centre, radii = (scale * np.array(part) for part in _KNOTS[look.knot])
    points, faces = pillow(radii, 2.2)
    if look.knot == "afro":  # the face stays free
        low = points[:, 2] > _FACE_Z_M * scale
        points[low, 2] = _FACE_Z_M * scale
        points[:, 1] = np.maximum(points[:, 1], -0.75 * radii[1])
    points = points + centre + joints_rest_m[joint("head")]
    weights = np.zeros((len(points), 24), np.float32)
    weights[:, joint("head")] = 1.0
    shade = 1.0 + 0.7 * cloud(9 * points[:, 0] + 5 * points[:, 2], points[:, 1], 0.1, 2, look.seed)
    albedo = (look.outfit.hair * shade[:, None]).astype(np.float32)
    up = normals(points, faces).astype(np.float32)
    return [Extra(points.astype(np.float32), up, weights, faces, albedo)]


def held_things(
    look: Look, joints_m: Float[Array, "24 3"], world: Float[Array, "24 3 3"], floor_m: float, scale: float,
    colour: Float[Array, "3"],
) -> list[Held]:  # fmt: skip
    """Bag, case or trolley of one pose.

    Args:
        look: what there is.
        joints_m: of the pose, z up.
        world: rotations of the joints.
        floor_m: height of the floor where the joints are.
        scale: size of the person over the mean body's.
        colour: linear BGR.
    """
    if look.held == "none":
        return []
    rng = np.random.default_rng([look.seed, 0x4E1D])
    side = "left" if rng.random() < 0.5 else "right"
    hand = joints_m[joint(f"{side}_hand")]
    ahead = world[0][:, 2] * np.array([1.0, 1.0, 0.0])
    ahead /= max(float(np.linalg.norm(ahead)), 1e-6)
    size = rng.uniform(0.8, 1.25)
    if look.held == "trolley":
        radii = size * np.array([0.19, 0.11, 0.28])
        base = hand - ahead * rng.uniform(0.25, 0.45)
        centre = np.array([base[0], base[1], floor_m + radii[2] + 0.02])
        power = 5.0
    else:
        half = {"bag": (0.17, 0.06, 0.17), "case": (0.21, 0.045, 0.15)}[look.held]
        radii = size * scale * np.array(half)
        drop = rng.uniform(0.04, 0.16) if look.held == "bag" else 0.04
        low = max(float(hand[2]) - drop - radii[2], floor_m + radii[2])
        centre = np.array([hand[0], hand[1], low])
        power = 3.0 if look.held == "bag" else 6.0
    swing = rng.normal(0.0, 0.15)
    c, s = np.cos(swing), np.sin(swing)
    long = np.array([c * ahead[0] - s * ahead[1], s * ahead[0] + c * ahead[1], 0.0])
    axes = np.stack([long, np.array([-long[1], long[0], 0.0]), np.array([0.0, 0.0, 1.0])])
    top = centre + np.array([0.0, 0.0, 0.95 * radii[2]])
    return [_thing(centre, radii, power, axes, colour, look.seed), *_handle(hand, top, 0.7 * colour)]


def _handle(hand_m: Float[Array, "3"], top_m: Float[Array, "3"], colour: Float[Array, "3"]) -> list[Held]:
    """A rod from what is held to the hand."""
    way = hand_m - top_m
    length = float(np.linalg.norm(way))
    if length < _SHORTEST_ROD_M:
        return []
    way = way / length
    across = np.cross(way, [1.0, 0.0, 0.0] if abs(way[0]) < 0.7 else [0.0, 1.0, 0.0])
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(way, across), way])
    size = np.array([0.014, 0.014, 0.5 * length + 0.01])
    return [_thing(top_m + 0.5 * length * way, size, 6.0, axes, colour, 0)]


def _thing(
    centre_m: Float[Array, "3"], radii_m: Float[Array, "3"], power: float, axes: Float[Array, "3 3"],
    colour: Float[Array, "3"], seed: int,
) -> Held:  # fmt: skip
    points, faces = pillow(radii_m, power)
    shade = 1.0 + 0.5 * cloud(points[:, 0] + 2 * points[:, 1], points[:, 2], 0.12, 2, seed)
    points = points @ axes + centre_m
    return Held(
        points.astype(np.float32), normals(points, faces).astype(np.float32), faces,
        (colour * shade[:, None]).astype(np.float32),
    )  # fmt: skip


def pillow(radii_m: Float[Array, "3"], power: float) -> tuple[Float[Array, "v 3"], Int[Array, "f 3"]]:
    """A superellipsoid about the origin, normals outwards: round at power 2, a soft box at 4 and more."""
    down = np.pi * np.arange(_ROWS) / (_ROWS - 1)
    turn = 2 * np.pi * np.arange(_AROUND) / _AROUND
    flat = np.sin(down)[:, None]
    way = np.stack(
        [flat * np.cos(turn), flat * np.sin(turn), np.repeat(np.cos(down)[:, None], _AROUND, 1)], axis=-1
    ).reshape(-1, 3)
    points = radii_m * way / (np.abs(way) ** power).sum(1, keepdims=True) ** (1.0 / power)
    i, j = np.meshgrid(np.arange(_ROWS - 1), np.arange(_AROUND), indexing="ij")
    a, b = i * _AROUND + j, i * _AROUND + (j + 1) % _AROUND
    c, d = a + _AROUND, b + _AROUND
    faces = np.stack([a, c, b, b, c, d], axis=-1).reshape(-1, 3)
    return points, faces.astype(np.int32)
