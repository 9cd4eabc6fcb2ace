"""Ten ways in which people differ, as linear displacements of the mean body.

A direction is a table of relative stretches per joint along the body's own axes (x across, y up, z forward):
bones carry the joints below them with their flesh, flesh alone moves skin away from its bone's line.

    dJ_child = dJ_parent + bone_parent * (J_child - J_parent)
    dv       = sum_j w_j [ dJ_j + bone_j * (v - J_j) + flesh_j * (v - nearest point of bone line j) ]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ...kernels.skeleton import PARENTS, SMPL_JOINTS

Array = np.ndarray
Stretch = Mapping[str, tuple[float, float, float]]

STATURE_SD_M = 0.075
"""Spread of adult statures (men and women together: 0.07 to 0.10 m)."""

_MAIN_CHILD = {"pelvis": "spine1", "spine3": "neck"}


@dataclass(frozen=True)
class Direction:
    """One shape coefficient."""

    name: str
    meaning: str
    """What +1 does, for the card."""
    bone: Stretch = field(default_factory=dict)
    """Joint name without its side -> relative stretch of bone and flesh per unit."""
    flesh: Stretch = field(default_factory=dict)
    """Joint name without its side -> relative stretch of the flesh alone per unit."""
    belly_m: float = 0.0
    """How far the navel moves forward per unit."""


def _each(names: str, x: float, y: float, z: float) -> dict[str, tuple[float, float, float]]:
    return dict.fromkeys(names.split(), (x, y, z))


_TRUNK = "pelvis spine1 spine2 spine3 collar"
_LEGS = "hip knee"
_ARMS = "shoulder elbow"

DIRECTIONS = (
    Direction(
        "stature", "7.5 cm taller; legs grow more than the trunk, the head half as much",
        bone=_each(_TRUNK, 0.036, 0.042, 0.034) | _each(_LEGS, 0.036, 0.048, 0.036)
        | _each(_ARMS, 0.046, 0.036, 0.036) | _each("ankle foot wrist hand", 0.042, 0.042, 0.042)
        | _each("neck", 0.032, 0.042, 0.032) | _each("head", 0.020, 0.020, 0.020),
    ),
    Direction(
        "weight", "heavier all over, a sixth more volume",
        bone=_each("pelvis", 0.035, 0.0, 0.0),
        flesh=_each("pelvis", 0.070, 0.0, 0.085) | _each("spine1 spine2", 0.085, 0.0, 0.100)
        | _each("spine3", 0.058, 0.0, 0.080) | _each("collar", 0.0, 0.040, 0.050)
        | _each("hip", 0.078, 0.0, 0.080) | _each("knee", 0.056, 0.0, 0.058) | _each("ankle", 0.022, 0.0, 0.0)
        | _each("shoulder", 0.0, 0.090, 0.090) | _each("elbow", 0.0, 0.066, 0.066)
        | _each("neck", 0.066, 0.0, 0.060) | _each("head", 0.024, 0.0, 0.012) | _each("wrist", 0.0, 0.030, 0.030),
    ),
    Direction(
        "legs", "longer legs and a shorter trunk, the stature kept",
        bone=_each(_LEGS, 0.0, 0.030, 0.0) | _each("pelvis spine1 spine2 spine3", 0.0, -0.0435, 0.0),
    ),
    Direction(
        "shoulders", "wider shoulders and chest, narrower hips",
        bone=_each("spine3 collar", 0.050, 0.0, 0.0) | _each("pelvis", -0.030, 0.0, 0.0),
        flesh=_each("spine2", 0.012, 0.0, 0.010) | _each("spine3", -0.012, 0.0, 0.022)
        | _each("shoulder", 0.0, 0.018, 0.018),
    ),
    Direction("arms", "longer arms", bone=_each(_ARMS, 0.034, 0.0, 0.0) | _each("wrist hand", 0.015, 0.0, 0.0)),
    Direction("belly", "a rounder belly and waist", flesh=_each("spine1", 0.032, 0.0, 0.010), belly_m=0.018),
    Direction("head", "a larger head", bone=_each("head", 0.040, 0.040, 0.040) | _each("neck", 0.015, 0.02, 0.015)),
    Direction(
        "limbs", "stronger arms and legs",
        flesh=_each("hip knee", 0.042, 0.0, 0.042) | _each("ankle", 0.022, 0.0, 0.0)
        | _each("shoulder elbow", 0.0, 0.062, 0.062) | _each("wrist", 0.0, 0.022, 0.022)
        | _each("neck", 0.022, 0.0, 0.022) | _each("collar", 0.0, 0.022, 0.022),
    ),
    Direction(
        "hips", "wider hips, fuller seat and thighs",
        bone=_each("pelvis", 0.030, 0.0, 0.0),
        flesh=_each("pelvis", 0.030, 0.0, 0.055) | _each("hip", 0.048, 0.0, 0.052),
    ),
    Direction(
        "hands_feet", "larger hands and feet",
        bone=_each("wrist hand", 0.045, 0.045, 0.045) | _each("ankle foot", 0.036, 0.0, 0.045),
    ),
)  # fmt: skip


def shape_directions(
    vertices: Float[Array, "V 3"], weights: Float[Array, "V 24"], joints: Float[Array, "24 3"]
) -> tuple[Float[Array, "V 3 K"], Float[Array, "24 3 K"]]:
    """Displacement of vertices and joints per unit of every coefficient, the pelvis joint staying put.

    The first is scaled so that one unit is exactly `STATURE_SD_M` of stature.
    """
    pairs = [_displace(direction, vertices, weights, joints) for direction in DIRECTIONS]
    top, bottom = vertices[:, 1].argmax(), vertices[:, 1].argmin()
    scale = STATURE_SD_M / (pairs[0][0][top, 1] - pairs[0][0][bottom, 1])
    pairs[0] = (pairs[0][0] * scale, pairs[0][1] * scale)
    return np.stack([skin for skin, _ in pairs], axis=2), np.stack([bones for _, bones in pairs], axis=2)


def _displace(
    direction: Direction,
    vertices: Float[Array, "V 3"],
    weights: Float[Array, "V 24"],
    joints: Float[Array, "24 3"],
) -> tuple[Float[Array, "V 3"], Float[Array, "24 3"]]:
    bone, flesh = _table(direction.bone), _table(direction.flesh)
    moved = np.zeros_like(joints)
    for joint, parent in enumerate(PARENTS[1:], start=1):
        moved[joint] = moved[parent] + bone[parent] * (joints[joint] - joints[parent])
    skin = np.zeros_like(vertices)
    for joint in range(len(joints)):
        arm = vertices - joints[joint]
        off_line = arm - np.outer(arm @ (axis := _axis(joint, joints)), axis)
        skin += weights[:, joint, None] * (moved[joint] + bone[joint] * arm + flesh[joint] * off_line)
    if direction.belly_m:
        skin[:, 2] += direction.belly_m * _belly(vertices) * (1.0 - weights[:, _hips()].sum(1))
    return skin, moved


def _table(stretch: Stretch) -> Float[Array, "24 3"]:
    """A row a joint; left and right alike."""
    return np.array([stretch.get(name.rpartition("_")[2], (0.0, 0.0, 0.0)) for name in SMPL_JOINTS])


def _axis(joint: int, joints: Float[Array, "24 3"]) -> Float[Array, "3"]:
    """Unit direction of the bone that begins at a joint; of its parent's bone where none does."""
    name = SMPL_JOINTS[joint]
    children = np.flatnonzero(PARENTS == joint)
    if name in _MAIN_CHILD:
        child = SMPL_JOINTS.index(_MAIN_CHILD[name])
        way = joints[child] - joints[joint]
    elif len(children):
        way = joints[children[0]] - joints[joint]
    else:
        way = joints[joint] - joints[PARENTS[joint]]
    axis: Array = way / np.linalg.norm(way)
    return axis


def _hips() -> list[int]:
    return [SMPL_JOINTS.index("left_hip"), SMPL_JOINTS.index("right_hip")]


def _belly(vertices: Float[Array, "V 3"]) -> Float[Array, "V"]:
    """1 at the navel, fading over the front of the trunk."""
    x, y, z = vertices.T
    height = np.where(y > 0.07, (y - 0.07) / 0.115, (y - 0.07) / 0.085)
    front = np.clip((z + 0.03) / 0.11, 0.0, 1.0) ** 2
    belly: Array = np.exp(-0.5 * (height**2 + (x / 0.105) ** 2)) * front
    return belly
