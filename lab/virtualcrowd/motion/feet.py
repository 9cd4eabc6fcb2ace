"""Feet that stay where they are put down, and the way from one place to the next.

A foot at rest rolls: toes up, it turns about the heel's edge; flat, it lies still; heel up, it turns about the toe
joint while the toes lie still. So there is always a part of the sole that does not move at all. The roll angle
is the gait's own. In the air a foot follows the gait's own foot plus an offset, a cubic that leaves the old place and
comes to the new one with the offset's own speed (Hermite), never lower than the ground.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from . import quaternion as qt
from .skeleton import ANKLES, BODY_TO_WALK, TOES
from .steps import Plant

Array = np.ndarray
Surface = Callable[[Float[Array, "*batch 2"]], Float[Array, "*batch"]]

FLAT_RAD = 0.07
"""A foot that points less than this up or down lies flat."""
ROLL_LIMITS_RAD = (-1.0, 0.5)
"""Heel up, toes up."""
CLEARANCE_M, STEP_LIFT_M = 0.012, 0.055
"""Height of a swinging sole over the ground at mid-swing: of a gait, and of a step on the spot."""
SLOPE_REACH_M = 0.09
"""Half of the foot's length: over which the ground's slope under a foot is taken."""


@dataclass(frozen=True)
class FootShape:
    """One foot of a body at rest; vectors from the ankle joint in body axes (x left, y up, z forward), metres."""

    heel_m: Float[Array, "3"]
    toe_m: Float[Array, "3"]
    """The toe joint."""
    tip_m: Float[Array, "3"]
    height_m: float
    """Ankle over the sole."""


@dataclass(frozen=True)
class FootPath:
    """One foot over T frames."""

    ankle_m: Float[Array, "T 3"]
    axes: Float[Array, "T 3 3"]
    """World axes of the ankle joint."""
    toe_bend_rad: Float[Array, "T"]
    """Turn of the toe joint about the body's left; negative: toes up."""


def foot_shape(rest_joints_m: Float[Array, "24 3"], soles_m: Float[Array, "S 3"], side: int) -> FootShape:
    """The foot of a rest pose.

    Args:
        rest_joints_m: of the shape.
        soles_m: rest positions of this foot's sole vertices.
        side: 0 left, 1 right.
    """
    ankle, toe = rest_joints_m[ANKLES[side]], rest_joints_m[TOES[side]]
    low = float(soles_m[:, 1].min())
    heel, tip = soles_m[soles_m[:, 2].argmin()] - ankle, soles_m[soles_m[:, 2].argmax()] - ankle
    heel[1] = tip[1] = low - ankle[1]
    return FootShape(heel, toe - ankle, tip, float(ankle[1] - low))


def tread(
    plants: list[Plant],
    gait_ankle_m: Float[Array, "T 3"],
    gait_axes: Float[Array, "T 3 3"],
    weight: Float[Array, "T"],
    shape: FootShape,
    surface: Surface,
) -> FootPath:
    """The way of one foot: at rest where its plants are, in between as the gait has it.

    Args:
        plants: rests in order; may begin before and end after the frames.
        gait_ankle_m: the ankle where gait and standing put it.
        gait_axes: the same of its world axes.
        weight: of the gait; standing feet lie flat.
        shape: of the foot.
        surface: height of the ground.
    """
    roll = _roll(gait_axes) * weight
    ankle, axes = gait_ankle_m.copy(), gait_axes.copy()
    bend = np.zeros(len(ankle))
    spans = [slice(max(p.start, 0), min(p.end + 1, len(ankle))) for p in plants]
    held = [(p, s) for p, s in zip(plants, spans, strict=True) if s.start < s.stop]
    for plant, span in held:
        ankle[span], axes[span], bend[span] = _rest(plant, roll[span], shape, surface)
    for (_, before), (plant, after) in zip(held[:-1], held[1:], strict=True):
        if after.start - before.stop >= 1:
            lift = STEP_LIFT_M if plant.drawn else CLEARANCE_M
            _swing(
                ankle, axes, bend, (gait_ankle_m, gait_axes), (before.stop - 1, after.start), shape, surface, lift,
                float(weight[before.stop : after.start].mean()),
            )  # fmt: skip
    return FootPath(ankle, axes, bend)


def _roll(axes: Float[Array, "T 3 3"]) -> Float[Array, "T"]:
    """Toes up (positive) or heel up, with flat feet really flat."""
    pitch = np.arcsin(np.clip(axes[:, 2, 2], -1.0, 1.0))
    pitch = pitch - np.clip(pitch, -FLAT_RAD, FLAT_RAD)
    return np.asarray(np.clip(pitch, *ROLL_LIMITS_RAD))


def _rest(
    plant: Plant, roll: Float[Array, "M"], shape: FootShape, surface: Surface
) -> tuple[Float[Array, "M 3"], Float[Array, "M 3 3"], Float[Array, "M"]]:
    """A foot at rest that rolls over heel and toes."""
    # heels strike and toes push off: a foot does not rock back onto its heel
    share = (np.arange(len(roll)) + 1.0) / max(len(roll), 1)
    roll = np.where(roll > 0, roll * np.clip(2.0 - 3.0 * share, 0.0, 1.0), roll)
    place = np.array([plant.x_m, plant.y_m])
    tilt = _tilt(place, plant.yaw_rad, surface)
    flat = tilt @ qt.to_rotmat(qt.about(2, np.float64(plant.yaw_rad))) @ BODY_TO_WALK
    ground = np.array([*place, float(surface(place[None])[0])])
    home = ground + tilt[:, 2] * shape.height_m
    turn = qt.to_rotmat(qt.about(0, -roll))
    axes = flat @ turn
    pivot = np.where(roll[:, None] > 0, shape.heel_m, shape.toe_m)
    ankle = home + (pivot @ flat.T) - np.einsum("tij,tj->ti", axes, pivot)
    return ankle, axes, np.minimum(roll, 0.0)


def _tilt(xy_m: Float[Array, "2"], yaw_rad: float, surface: Surface) -> Float[Array, "3 3"]:
    """The rotation that lays a level foot onto the ground."""
    ahead = SLOPE_REACH_M * np.array([np.cos(yaw_rad), np.sin(yaw_rad)])
    aside = np.array([-ahead[1], ahead[0]])
    z = surface(np.stack([xy_m + ahead, xy_m - ahead, xy_m + 0.5 * aside, xy_m - 0.5 * aside]))
    slope = (z[0] - z[1]) * ahead / (2 * SLOPE_REACH_M**2) + (z[2] - z[3]) * aside / SLOPE_REACH_M**2
    normal = np.array([-slope[0], -slope[1], 1.0])
    normal /= np.linalg.norm(normal)
    axis = np.cross([0.0, 0.0, 1.0], normal)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.eye(3)
    return qt.to_rotmat(qt.from_rotvec(axis / sine * np.arctan2(sine, normal[2])))


def _swing(
    ankle: Float[Array, "T 3"],
    axes: Float[Array, "T 3 3"],
    bend: Float[Array, "T"],
    gait: tuple[Float[Array, "T 3"], Float[Array, "T 3 3"]],
    ends: tuple[int, int],
    shape: FootShape,
    surface: Surface,
    lift_m: float,
    weight: float,
) -> None:
    """Fill the frames between two rests: last frame of the old one, first of the new one."""
    off, on = ends
    frames, u = np.arange(off + 1, on), np.arange(1, on - off) / (on - off)
    away = {k: ankle[k] - gait[0][k] for k in {max(off - 1, 0), off, on, min(on + 1, len(ankle) - 1)}}
    leave, come = away[off] - away[max(off - 1, 0)], away[min(on + 1, len(ankle) - 1)] - away[on]
    h = u[:, None]
    offset = (
        (2 * h**3 - 3 * h**2 + 1) * away[off] + (h**3 - 2 * h**2 + h) * (on - off) * leave
        + (3 * h**2 - 2 * h**3) * away[on] + (h**3 - h**2) * (on - off) * come
    )  # fmt: skip
    ankle[frames] = gait[0][frames] + offset
    smooth = u * u * u * (u * (6 * u - 15) + 10)
    turns = [qt.to_rotvec(qt.from_rotmat(axes[k] @ gait[1][k].T)) for k in (off, on)]
    correction = turns[0] + smooth[:, None] * (turns[1] - turns[0])
    axes[frames] = qt.to_rotmat(qt.from_rotvec(correction)) @ gait[1][frames]
    bend[frames] = bend[off] * np.clip(1.0 - 2.2 * u, 0.0, 1.0) ** 2
    ends_m = [ankle[frames] + axes[frames] @ v for v in (shape.heel_m, shape.tip_m)]
    lowest = np.min([e[:, 2] for e in ends_m], axis=0) - surface(ankle[frames, :2])
    bump = 16.0 * (u * (1 - u)) ** 2
    need = np.maximum((lift_m * (1 - weight) + CLEARANCE_M * weight) * bump - lowest, 0.0)
    ankle[frames, 2] += (
        np.maximum(gaussian_filter1d(need, 1.0, mode="constant"), need) if len(need) > 3 else need
    )
