"""Walking and running cut into cycles on one clock, so that any of them can be blended with any other.

A cycle runs from one strike of the left heel to the next. Strikes are where the ankle is farthest ahead of the
pelvis, a walker's toe-offs where the toe is farthest behind it (Zeni et al. 2008) or has risen before, a runner's
where the toe has risen. Time is warped so that they fall on

    walking   left strikes 0, right toe leaves 0.10, right strikes 0.50, left toe leaves 0.60
    running   left strikes 0, left toe leaves 0.36, right strikes 0.50, right toe leaves 0.86

and what is left open between end and beginning is spread over the cycle, so that it closes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.interpolate import PchipInterpolator
from scipy.signal import find_peaks

from . import quaternion as qt
from .skeleton import TOES, WRISTS, mirror_pose, mirror_root, yaw_of
from .takes import Take, sample_frames

Array = np.ndarray

PHASES = 32
"""Samples a cycle; the first is repeated at the end."""
WALK_TOE_OFF, RUN_TOE_OFF = 0.60, 0.36
"""Phase at which a foot that struck at 0 leaves the ground."""
WALK_FRAMES, RUN_FRAMES = (22, 50), (15, 28)
"""Length of a cycle at 30 Hz."""
STRIKE_DELAY = 1
"""Frames: when farthest ahead of the pelvis, a foot still goes as fast as the body."""
MIN_WALK_M_S, MIN_RUN_M_S, MAX_WALK_M_S = 0.35, 1.7, 2.0
RISEN_M, WALK_RISEN_M = 0.05, 0.025
"""A toe joint this far over its lowest has left the ground."""
MAX_TURN_RAD = 1.2
"""Of the course within one cycle."""
MAX_GAP_RAD = 0.6
"""Largest difference of a joint's angle between a cycle's ends."""


@dataclass(frozen=True)
class GaitCycles:
    """C cycles; lengths in metres of the reference leg (0.778 m)."""

    quats: Float[Array, "C P 24 4"]
    """float32 local rotations at phases k / PHASES, k = 0..PHASES; joint 0 relative to the course."""
    pelvis_m: Float[Array, "C P 3"]
    """float32: ahead of and left of the path, and above the ground."""
    footprints: Float[Array, "C 2 3"]
    """Left and right foot at mid-stance: ankle ahead of and left of the path (m), foot's yaw from the course (rad)."""
    speed_m_s: Float[Array, "C"]
    turn_rad_s: Float[Array, "C"]
    running: Bool[Array, "C"]
    clip: Int[Array, "C"]
    """Index of the recording; -1 for drawn ones."""
    subject: Int[Array, "C"]
    """Who walks; -1 for drawn ones."""
    after: Int[Array, "C"]
    """The cycle that followed this one in the recording; -1 where none did."""

    def __len__(self) -> int:
        return len(self.quats)


def join(parts: list[GaitCycles]) -> GaitCycles:
    """One after the other, the links between followers kept."""
    columns = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(GaitCycles)}
    starts = np.cumsum([0, *(len(p) for p in parts)])
    columns["after"] = np.concatenate(
        [np.where(p.after >= 0, p.after + start, -1) for p, start in zip(parts, starts[:-1], strict=True)]
    )
    return GaitCycles(**columns)


def select(cycles: GaitCycles, keep: Bool[Array, "C"]) -> GaitCycles:
    """Some of the cycles; links to those left out are cut."""
    columns = {f.name: getattr(cycles, f.name)[keep] for f in fields(GaitCycles)}
    new = np.where(keep, np.cumsum(keep) - 1, -1)
    columns["after"] = np.where(columns["after"] >= 0, new[columns["after"]], -1)
    return GaitCycles(**columns)


def mirrored(cycles: GaitCycles) -> GaitCycles:
    """The same seen in a mirror, half a cycle later, so that they too begin with the left foot."""
    half = np.r_[PHASES // 2 : PHASES, 0 : PHASES // 2 + 1]
    quats = cycles.quats[:, half]
    flipped = mirror_pose(quats)
    flipped[:, :, 0] = mirror_root(quats[:, :, 0])
    prints = cycles.footprints[:, ::-1] * np.array([1.0, -1.0, -1.0])
    return GaitCycles(
        quats=flipped.astype(np.float32),
        pelvis_m=(cycles.pelvis_m[:, half] * np.array([1.0, -1.0, 1.0])).astype(np.float32),
        footprints=prints,
        speed_m_s=cycles.speed_m_s,
        turn_rad_s=-cycles.turn_rad_s,
        running=cycles.running,
        clip=cycles.clip,
        subject=cycles.subject,
        after=cycles.after,
    )


def cut_cycles(take: Take, clip: int, subject: int) -> GaitCycles | None:
    """The usable cycles of a take; None where there are none.

    Args:
        take: laid out by `lay_out`.
        clip: index of its recording.
        subject: index of its performer.
    """
    if take.num_frames < RUN_FRAMES[0] + 6:
        return None
    strikes = [_peaks(take.feet_m[:, side, 0]) + STRIKE_DELAY for side in (0, 1)]
    leaves = [_peaks(-take.toes_m[:, side, 0]) for side in (0, 1)]
    found: list[GaitCycles] = []
    strikes = [s[s < take.num_frames] for s in strikes]
    last_end = -1
    for start, end in zip(strikes[0][:-1], strikes[0][1:], strict=True):
        events = (strikes[1], leaves[0], leaves[1])
        knots = _walking(take, int(start), int(end), events) or _running(
            take, int(start), int(end), strikes[1]
        )
        cycle = None if knots is None else _cycle(take, *knots, clip, subject)
        if cycle is None:
            continue
        if found and last_end == start:
            found[-1].after[0] = 1  # relative; made absolute below
        found.append(cycle)
        last_end = int(end)
    if not found:
        return None
    joined = join(found)
    following = np.array([f.after[0] for f in found]) == 1
    return GaitCycles(
        **{f.name: getattr(joined, f.name) for f in fields(GaitCycles) if f.name != "after"},
        after=np.where(following, np.arange(1, len(found) + 1), -1),
    )


def _peaks(signal: Float[Array, "T"]) -> Int[Array, "M"]:
    peaks, _ = find_peaks(signal, distance=RUN_FRAMES[0] - 3, prominence=0.12)
    return np.asarray(peaks)


Knots = tuple[list[int], list[float], bool]
"""Frames of a cycle's events, their phases, and whether it runs."""


def _walking(take: Take, start: int, end: int, events: tuple[Int[Array, "M"], ...]) -> Knots | None:
    """The events of a walking cycle; None where they do not fit."""
    span = end - start
    inside = [[int(k) for k in group if start < k < end] for group in events]
    if not WALK_FRAMES[0] <= span <= WALK_FRAMES[1] or any(len(group) != 1 for group in inside):
        return None
    right, left_off, right_off = (group[0] for group in inside)
    left_off = _rises(take, 0, start + round(0.5 * span), left_off)
    right_off = _rises(take, 1, start + 1, right_off)
    if not (
        0.40 <= (right - start) / span <= 0.60
        and 0.50 < (left_off - start) / span < 0.76
        and 0.02 < (right_off - start) / span < 0.24
    ):
        return None
    phases = [0.0, WALK_TOE_OFF - 0.5, 0.5, WALK_TOE_OFF, 1.0]
    return [start, right_off, right, left_off, end], phases, False


def _rises(take: Take, side: int, first: int, last: int) -> int:
    """The frame in which a toe leaves the ground, `last` at the latest."""
    toe = take.joints_m[:, TOES[side], 2]
    floor = np.sort(toe[max(first - 12, 0) : last + 12])[:6].mean()
    up = np.flatnonzero(toe[first : last + 1] > floor + WALK_RISEN_M)
    return first + int(up[0]) if len(up) else last


def _running(take: Take, start: int, end: int, right_strikes: Int[Array, "M"]) -> Knots | None:
    """The events of a running cycle: both feet are in the air for a while; None where they are not."""
    span = end - start
    right = [int(k) for k in right_strikes if start + 0.38 * span < k < start + 0.62 * span]
    if not RUN_FRAMES[0] <= span <= RUN_FRAMES[1] or len(right) != 1:
        return None
    if take.speed_m_s[start:end].mean() < MIN_RUN_M_S:
        return None
    toes = take.joints_m[:, list(TOES), 2]
    floor = toes[start:end].min(axis=0)
    leaves = []
    for side, strike in ((0, start), (1, right[0])):
        later = np.arange(strike + round(0.15 * span), min(strike + span, take.num_frames))
        up = later[toes[later, side] > floor[side] + RISEN_M]
        if len(up) == 0 or not 0.2 < (up[0] - strike) / span < 0.46:
            return None
        leaves.append(int(up[0]))
    if not start < leaves[0] < right[0] < leaves[1] < end:
        return None
    phases = [0.0, RUN_TOE_OFF, 0.5, RUN_TOE_OFF + 0.5, 1.0]
    return [start, leaves[0], right[0], leaves[1], end], phases, True


def _cycle(
    take: Take, frames: list[int], phases: list[float], running: bool, clip: int, subject: int
) -> GaitCycles | None:
    """One cycle on the common clock, or None if it is no ordinary forward gait."""
    start, end = int(frames[0]), int(frames[-1])
    part = slice(start, end + 1)
    turn = take.course_rad[end] - take.course_rad[start]
    seconds = (end - start) / 30.0
    speed = float(np.linalg.norm(np.diff(take.path_m[part], axis=0), axis=1).sum() / seconds)
    if (
        abs(turn) > MAX_TURN_RAD
        or speed < 0.35
        or (not running and speed > MAX_WALK_M_S)
        or not _ordinary(take, part)
    ):
        return None
    at = PchipInterpolator(phases, frames)(np.arange(PHASES + 1) / PHASES)
    course = sample_frames(take.course_rad, at)
    quats = qt.unit(sample_frames(take.quats, at))
    quats[:, 0] = qt.multiply(qt.about(2, -course), quats[:, 0])
    off = sample_frames(take.pelvis_m, at)
    c, s = np.cos(course), np.sin(course)
    away = off[:, :2] - sample_frames(take.path_m, at)
    pelvis = np.stack([c * away[:, 0] + s * away[:, 1], c * away[:, 1] - s * away[:, 0], off[:, 2]], axis=1)
    closed = _close(quats, pelvis)
    if closed is None:
        return None
    toe_off = RUN_TOE_OFF if running else WALK_TOE_OFF
    prints = np.array([_footprint(take, at, side, 0.5 * (side + toe_off)) for side in (0, 1)])
    # the path is a filter's word, a cycle's mean over it is not motion
    middle = closed[1][:-1, 0].mean()
    closed[1][:, 0] -= middle
    prints[:, 0] -= middle
    one = np.array
    return GaitCycles(
        quats=closed[0][None].astype(np.float32), pelvis_m=closed[1][None].astype(np.float32),
        footprints=prints[None], speed_m_s=one([speed]), turn_rad_s=one([turn / seconds]),
        running=one([running]), clip=one([clip]), subject=one([subject]), after=one([-1]),
    )  # fmt: skip


def _ordinary(take: Take, part: slice) -> bool:
    """Forwards, upright, nobody with the hands up."""
    joints = take.joints_m[part]
    facing = yaw_of(qt.to_rotmat(take.quats[part, 0])) - take.course_rad[part]
    facing = np.arctan2(np.sin(facing), np.cos(facing))
    trunk = joints[:, 12] - joints[:, 0]
    lean = trunk[:, 2] / np.linalg.norm(trunk, axis=1)
    hands = joints[:, list(WRISTS), 2].max(axis=1) - joints[:, 12, 2]
    return bool(
        abs(facing.mean()) < 0.35
        and np.abs(facing).max() < 0.8
        and lean.min() > 0.85
        and joints[:, 0, 2].min() > 0.68
        and hands.max() < -0.08
    )


def _close(
    quats: Float[Array, "P 24 4"], pelvis_m: Float[Array, "P 3"]
) -> tuple[Float[Array, "P 24 4"], Float[Array, "P 3"]] | None:
    """Spread the gap between end and beginning over the cycle; None where it is too wide."""
    gap = qt.to_rotvec(qt.multiply(qt.conjugate(quats[-1]), quats[0]))
    if np.linalg.norm(gap, axis=1).max() > MAX_GAP_RAD:
        return None
    share = np.arange(PHASES + 1)[:, None, None] / PHASES - 0.5
    closed = qt.continuous(qt.multiply(quats, qt.from_rotvec(share * gap)))
    open_m = pelvis_m[0] - pelvis_m[-1]
    return closed, pelvis_m + share[:, 0] * open_m


def _footprint(take: Take, at: Float[Array, "P"], side: int, phase: float) -> Float[Array, "3"]:
    """A foot around mid-stance, relative to path and course."""
    window = np.interp(phase + np.linspace(-0.05, 0.05, 5), np.arange(PHASES + 1) / PHASES, at)
    ankle = sample_frames(take.feet_m[:, side], window).mean(axis=0)
    yaw = (sample_frames(take.feet_yaw[:, side], window) - sample_frames(take.course_rad, window)).mean()
    return np.array([ankle[0], ankle[1], np.arctan2(np.sin(yaw), np.cos(yaw))])
