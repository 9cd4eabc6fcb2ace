"""Feet that stay where they are put down, and the way from one place to the next.

A foot at rest rolls: toes up, it turns about the heel's edge; flat, it lies still; heel up, it turns about the toe
joint while the toes lie still. So there is always a part of the sole that does not move at all. The roll angle
is the gait's own. In the air a foot follows the gait's own foot plus an offset, a cubic that leaves the old place and
comes to the new one with the offset's own speed (Hermite), never lower than the ground.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from . import quaternion as qt
from .skeleton import ANKLES, BODY_TO_WALK, TOES
from .steps import Plant

Array = np.ndarray
Surface = Callable[[Float[Array, "*batch 2"]], Float[Array, "*batch"]]

FLAT_RAD = 0.07
"""A foot that points less than this up or down lies flat."""
ROLL_LIMITS_RAD = (-1.1, 0.5)
"""Heel up, toes up."""
PUSH_OFF = 12
"""Angles tried for a heel that has to rise further than the gait's own."""
CLEARANCE_M, STEP_LIFT_M = 0.012, 0.055
"""Height of a swinging sole over the ground at mid-swing: of a gait, and of a step on the spot."""
PARTED_M = 0.011
"""A foot that moves is at least this high: soles do not rub."""
MAX_EARLY_FRAMES = 5
"""A foot leaves the ground at most so much sooner than the gait has it."""
MAX_DRIFT_M = 0.03
"""Per frame: how fast the offset from the gait may leave or come."""
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
class Hip:
    """What a leg hangs on, over T frames."""

    joint_m: Float[Array, "T 3"]
    reach_m: float
    """How far the ankle may be."""

    def part(self, span: slice) -> Hip:
        return Hip(self.joint_m[span], self.reach_m)


@dataclass(frozen=True)
class FootPath:
    """One foot over T frames."""

    ankle_m: Float[Array, "T 3"]
    axes: Float[Array, "T 3 3"]
    """World axes of the ankle joint."""
    toe_bend_rad: Float[Array, "T"]
    """Turn of the toe joint about the body's left; negative: toes up."""
    resting: Bool[Array, "T"]
    """On the ground."""


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
    hip: Hip,
    shape: FootShape,
    surface: Surface,
) -> FootPath:
    """The way of one foot: at rest where its plants are, in between as the gait has it.

    Args:
        plants: rests in order; may begin before and end after the frames.
        gait_ankle_m: the ankle where gait and standing put it.
        gait_axes: the same of its world axes.
        weight: of the gait; standing feet lie flat.
        hip: of the same leg; where it gets too far ahead of a foot, the heel rises.
        shape: of the foot.
        surface: height of the ground.
    """
    roll = _roll(gait_axes) * weight
    ankle, axes = gait_ankle_m.copy(), gait_axes.copy()
    bend = np.zeros(len(ankle))
    spans = [slice(max(p.start, 0), min(p.end + 1, len(ankle))) for p in plants]
    held: list[tuple[Plant, slice]] = []
    for plant, span in zip(plants, spans, strict=True):
        if span.start < span.stop:
            rest = _rest(plant, roll[span], hip.part(span), shape, surface)
            kept = slice(span.start, span.stop - _overstayed(rest[0], hip.part(span)))
            ankle[kept], axes[kept], bend[kept] = (values[: kept.stop - kept.start] for values in rest)
            held.append((plant, kept))
    resting = np.zeros(len(ankle), bool)
    for _, span in held:
        resting[span] = True
    for (_, before), (plant, after) in pairwise(held):
        if after.start - before.stop >= 1:
            lift = STEP_LIFT_M if plant.drawn else CLEARANCE_M
            share = float(weight[before.stop : after.start].mean())
            swing = Swing(before.stop - 1, after.start, lift * (1.0 - share) + CLEARANCE_M * share)
            _swing(ankle, axes, bend, (gait_ankle_m, gait_axes), swing, shape, surface)
    return FootPath(ankle, axes, bend, resting)


def _overstayed(ankle_m: Float[Array, "M 3"], hip: Hip) -> int:
    """Frames at the end of a rest that the leg cannot reach even with the heel up: the foot leaves sooner."""
    far = np.linalg.norm(ankle_m - hip.joint_m, axis=1) > 1.015 * hip.reach_m
    most = min(MAX_EARLY_FRAMES, len(far) - 3)
    if most <= 0 or not far[-1]:
        return 0
    return int(min(np.argmin(far[::-1]) if not far.all() else most, most))


def _roll(axes: Float[Array, "T 3 3"]) -> Float[Array, "T"]:
    """Toes up (positive) or heel up, with flat feet really flat."""
    pitch = np.arcsin(np.clip(axes[:, 2, 2], -1.0, 1.0))
    pitch = pitch - np.clip(pitch, -FLAT_RAD, FLAT_RAD)
    return np.asarray(np.clip(pitch, *ROLL_LIMITS_RAD))


def _rest(
    plant: Plant, roll: Float[Array, "M"], hip: Hip, shape: FootShape, surface: Surface
) -> tuple[Float[Array, "M 3"], Float[Array, "M 3 3"], Float[Array, "M"]]:
    """A foot at rest that rolls over heel and toes."""
    # heels strike and toes push off: a foot does not rock back onto its heel
    share = (np.arange(len(roll)) + 1.0) / max(len(roll), 1)
    roll = np.where(roll > 0, roll * np.clip(2.0 - 3.0 * share, 0.0, 1.0), roll)
    place = np.array([plant.x_m, plant.y_m])
    tilt, height = _tilt(place, plant.yaw_rad, surface)
    flat = tilt @ qt.to_rotmat(qt.about(2, np.float64(plant.yaw_rad))) @ BODY_TO_WALK
    home = np.array([*place, height]) + tilt[:, 2] * shape.height_m
    roll = _push_off(roll, share, home, flat, hip, shape)
    axes, ankle = _rolled(roll, home, flat, shape)
    return ankle, axes, np.minimum(roll, 0.0)


def _rolled(
    roll: Float[Array, "*batch"], home_m: Float[Array, "3"], flat: Float[Array, "3 3"], shape: FootShape
) -> tuple[Float[Array, "*batch 3 3"], Float[Array, "*batch 3"]]:
    """Axes and ankle of a foot that has turned about its heel's edge (positive) or its toe joint."""
    axes = flat @ qt.to_rotmat(qt.about(0, -roll))
    pivot = np.where(roll[..., None] > 0, shape.heel_m, shape.toe_m)
    return axes, home_m + pivot @ flat.T - (axes @ pivot[..., None])[..., 0]


def _push_off(
    roll: Float[Array, "M"],
    share: Float[Array, "M"],
    home_m: Float[Array, "3"],
    flat: Float[Array, "3 3"],
    hip: Hip,
    shape: FootShape,
) -> Float[Array, "M"]:
    """Raise the heel as far as the leg needs to reach, in the later part of the rest."""
    late = np.flatnonzero((share > 0.4) & (np.linalg.norm(hip.joint_m - home_m, axis=1) > 0.97 * hip.reach_m))
    if len(late) == 0:
        return roll
    tried = np.linspace(0.0, 1.0, PUSH_OFF)
    rolls = roll[late, None] + tried * (ROLL_LIMITS_RAD[0] - np.minimum(roll[late, None], 0.0))
    rolls = np.maximum(rolls, ROLL_LIMITS_RAD[0])
    far = (
        np.linalg.norm(_rolled(rolls, home_m, flat, shape)[1] - hip.joint_m[late, None], axis=-1)
        - hip.reach_m
    )
    enough = far <= 0
    first = np.where(enough.any(axis=1), enough.argmax(axis=1), far.argmin(axis=1))
    rows, before = np.arange(len(late)), np.maximum(first - 1, 0)
    over = far[rows, before]
    part = np.where(first > before, over / np.maximum(over - far[rows, first], 1e-9), 0.0).clip(0.0, 1.0)
    more = np.zeros(len(roll))
    more[late] = rolls[rows, before] + part * (rolls[rows, first] - rolls[rows, before]) - roll[late]
    more = gaussian_filter1d(minimum_filter1d(more, 3, mode="nearest"), 1.2, mode="nearest")
    return np.asarray(np.maximum(roll + more * np.clip(4.0 * share - 1.2, 0.0, 1.0), ROLL_LIMITS_RAD[0]))


def _tilt(xy_m: Float[Array, "2"], yaw_rad: float, surface: Surface) -> tuple[Float[Array, "3 3"], float]:
    """The rotation that lays a level foot onto the ground, and the ground's height."""
    ahead = SLOPE_REACH_M * np.array([np.cos(yaw_rad), np.sin(yaw_rad)])
    aside = np.array([-ahead[1], ahead[0]])
    z = surface(np.stack([xy_m + ahead, xy_m - ahead, xy_m + 0.5 * aside, xy_m - 0.5 * aside, xy_m]))
    slope = (z[0] - z[1]) * ahead / (2 * SLOPE_REACH_M**2) + (z[2] - z[3]) * aside / SLOPE_REACH_M**2
    normal = np.array([-slope[0], -slope[1], 1.0])
    normal /= np.linalg.norm(normal)
    axis = np.cross([0.0, 0.0, 1.0], normal)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.eye(3), float(z[4])
    return qt.to_rotmat(qt.from_rotvec(axis / sine * np.arctan2(sine, normal[2]))), float(z[4])


def _slowed(drift_m: Float[Array, "3"]) -> Float[Array, "3"]:
    return np.asarray(drift_m * min(1.0, MAX_DRIFT_M / max(float(np.linalg.norm(drift_m)), 1e-9)))


@dataclass(frozen=True)
class Swing:
    """A foot's way through the air."""

    off: int
    """Last frame of the rest before."""
    on: int
    """First frame of the rest after."""
    lift_m: float
    """Least height of the sole at mid-swing."""


def _swing(
    ankle: Float[Array, "T 3"],
    axes: Float[Array, "T 3 3"],
    bend: Float[Array, "T"],
    gait: tuple[Float[Array, "T 3"], Float[Array, "T 3 3"]],
    swing: Swing,
    shape: FootShape,
    surface: Surface,
) -> None:
    """Fill the frames between two rests."""
    off, on = swing.off, swing.on
    frames, u = np.arange(off + 1, on), np.arange(1, on - off) / (on - off)
    early, late = max(off - 1, 0), min(on + 1, len(ankle) - 1)
    away = {k: ankle[k] - gait[0][k] for k in {early, off, on, late}}
    leave, come = _slowed(away[off] - away[early]), _slowed(away[late] - away[on])
    h = u[:, None]
    offset = (
        (2 * h**3 - 3 * h**2 + 1) * away[off] + (h**3 - 2 * h**2 + h) * (on - off) * leave
        + (3 * h**2 - 2 * h**3) * away[on] + (h**3 - h**2) * (on - off) * come
    )  # fmt: skip
    ankle[frames] = gait[0][frames] + offset
    smooth = u * u * u * (u * (6 * u - 15) + 10)
    ends = [off, on]
    turns = qt.to_rotvec(qt.from_rotmat(axes[ends] @ gait[1][ends].transpose(0, 2, 1)))
    correction = turns[0] + smooth[:, None] * (turns[1] - turns[0])
    axes[frames] = qt.to_rotmat(qt.from_rotvec(correction)) @ gait[1][frames]
    still = np.clip(1.0 - u / 0.7, 0.0, 1.0)
    bend[frames] = bend[off] * still * still * (3.0 - 2.0 * still)
    toes = axes[frames] @ qt.to_rotmat(qt.about(0, bend[frames]))
    tip = ankle[frames] + axes[frames] @ shape.toe_m + toes @ (shape.tip_m - shape.toe_m)
    ball = np.array([shape.toe_m[0], shape.tip_m[1], shape.toe_m[2]])
    low_m = np.stack([*(ankle[frames] + axes[frames] @ v for v in (shape.heel_m, ball)), tip])
    lowest = (low_m[..., 2] - surface(low_m[..., :2])).min(axis=0)
    bump = 16.0 * (u * (1 - u)) ** 2 * swing.lift_m
    need = np.maximum(np.maximum(bump, PARTED_M) - lowest, 0.0)
    ankle[frames, 2] += (
        np.maximum(gaussian_filter1d(need, 1.0, mode="constant"), need) if len(need) > 3 else need
    )
