"""When people step and where they put their feet: a plan's path cut into walking and standing, walking into steps.

Within a stretch of walking steps come at the cadence of the speed, a whole number of them where the stretch begins
or ends at rest, so that the last foot lands beside the other. With F counting steps, the foot that strikes at F = k
has left the ground at F = k - 1 + d (d: the share of a step with both feet down, negative for runners) and stands
until F = k + 1 + d. It stands where the body is at the middle of that time, moved by the footprint of the cycle in use;
the first and last ones as the person stands. While standing, feet follow a turning or drifting body in pairs of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import gaussian_filter1d

from .cadence import dimensionless, steps_per_second
from .cycles import RUN_TOE_OFF, WALK_TOE_OFF
from .skeleton import turned
from .stances import runs

Array = np.ndarray

SLOW_M_S, GO_M_S = 0.10, 0.22
"""A stretch of walking is faster than the first throughout and than the second somewhere."""
CLOSE_GAP, FREE_GAP = 10, 45
"""Frames: shorter rests are walked through; after longer ones either foot may begin."""
WALK_DOUBLE, RUN_DOUBLE = 2.0 * WALK_TOE_OFF - 1.0, 2.0 * RUN_TOE_OFF - 1.0
SHUFFLE_FRAMES = 13
"""A step on the spot."""
TURN_STEP_RAD, DRIFT_STEP_M = 0.42, 0.09
"""How far body and feet may differ before the feet follow."""


@dataclass(frozen=True)
class Plant:
    """A foot at rest."""

    start: int
    """First frame on the ground."""
    end: int
    """Last frame on the ground."""
    x_m: float
    y_m: float
    yaw_rad: float
    drawn: bool
    """Came by a step on the spot, not by a gait."""


@dataclass(frozen=True)
class Stretch:
    """Walking from frame `start` to `end` (exclusive)."""

    start: int
    end: int
    steps: Float[Array, "T"]
    """F of each frame of the stretch, rising."""
    from_rest: bool
    to_rest: bool


@dataclass
class StepPlan:
    """The clock and the feet of one person."""

    phase: Float[Array, "T"]
    """Gait cycles; the left foot strikes at whole numbers. Idles on while standing."""
    walking: Bool[Array, "T"]
    running: Bool[Array, "T"]
    speed_m_s: Float[Array, "T"]
    stretches: list[Stretch]
    offsets: list[int]
    """Per stretch: half cycles to add to F so that F / 2 is the phase."""
    plants: tuple[list[Plant], list[Plant]] = field(default_factory=lambda: ([], []))


def clock(
    path_m: Float[Array, "T 2"],
    running: Bool[Array, "T"],
    leg_m: float,
    tempo: float,
    first_phase: float,
    choose: Callable[[int], int],
) -> StepPlan:
    """Cut a path into stretches and give every frame its phase.

    Args:
        path_m: without gaps, 30 Hz.
        running: where the gait is a run.
        leg_m: hip to ankle.
        tempo: this person's cadence over the ordinary one.
        first_phase: F at the beginning where the path begins in motion.
        choose: frame at which a stretch begins from rest -> the foot that begins (0 left, 1 right).
    """
    speed = gaussian_filter1d(np.linalg.norm(np.gradient(path_m, axis=0), axis=1) * 30.0, 3.0, mode="nearest")
    running = running & (speed > 0.6) | (dimensionless(speed, leg_m) > 0.75)
    rate = steps_per_second(speed, running, leg_m) * tempo / 30.0
    spans = _spans(speed)
    stretches = [_stretch(a, b, rate, len(path_m), first_phase) for a, b in spans]
    phase = np.zeros(len(path_m))
    offsets: list[int] = []
    walking = np.zeros(len(path_m), bool)
    reached, last_end = 0, 0
    for stretch in stretches:
        # F = k is a strike of the left foot where k + offset is even
        if stretch.from_rest and (stretch.start - last_end > FREE_GAP or not offsets):
            foot = choose(stretch.start)
            reached = reached + (reached + 1 + foot) % 2
        offsets.append(reached)
        phase[stretch.start : stretch.end] = 0.5 * (stretch.steps + reached)
        walking[stretch.start : stretch.end] = True
        reached += round(float(stretch.steps[-1]))
        last_end = stretch.end
    if walking.any():
        phase = np.interp(np.arange(len(phase)), np.flatnonzero(walking), phase[walking])
    return StepPlan(phase, walking, running, speed, stretches, offsets)


def _spans(speed: Float[Array, "T"]) -> list[tuple[int, int]]:
    """Begin and end of every stretch of walking."""
    spans: list[tuple[int, int]] = []
    for a, b in runs(speed > SLOW_M_S):
        if spans and a - spans[-1][1] < CLOSE_GAP:
            spans[-1] = (spans[-1][0], b)
        else:
            spans.append((a, b))
    return [(a, b) for a, b in spans if speed[a:b].max() > GO_M_S and b - a > 12]


def _stretch(a: int, b: int, rate: Float[Array, "T"], frames: int, first_phase: float) -> Stretch:
    from_rest, to_rest = a > 0, b < frames
    count = np.concatenate([[0.0], np.cumsum(0.5 * (rate[a : b - 1] + rate[a + 1 : b]))])
    if from_rest and to_rest:
        count *= max(round(count[-1]), 2) / count[-1]
    elif to_rest:
        count += np.ceil(count[-1]) - count[-1] + 1.0
    elif not from_rest:
        count += first_phase
    return Stretch(a, b, count, from_rest, to_rest)


Footprint = Callable[[int, int], Float[Array, "3"]]
"""(side, frame) -> ankle ahead of and left of the path (m), yaw from the heading (rad)."""


def plant_feet(
    plan: StepPlan,
    path_m: Float[Array, "T 2"],
    heading_rad: Float[Array, "T"],
    standing: Float[Array, "2 3"],
    footprint: Footprint,
) -> None:
    """Fill `plan.plants`: every rest of both feet, in order and without overlap.

    Args:
        plan: from `clock`.
        path_m: the path.
        heading_rad: where the body faces.
        standing: left and right foot of this person at rest (ankle ahead, left in m, yaw in rad).
        footprint: feet in mid-stance of the gait in use.
    """
    frames = len(path_m)
    feet = _Feet(path_m, heading_rad, standing)
    first = plan.stretches[0] if plan.stretches else None
    if first is None or first.from_rest:
        feet.stand(0, 0)
    at = 0
    for stretch, offset in zip(plan.stretches, plan.offsets, strict=True):
        if stretch.from_rest:
            feet.shuffle(at, stretch.start)
        _walk(plan, stretch, offset, feet, footprint)
        at = stretch.end
    if not plan.stretches or plan.stretches[-1].to_rest:
        feet.shuffle(at, frames)
    for side in (0, 1):
        plan.plants[side].extend(feet.closed(side, frames))


class _Feet:
    """Two feet that are put down one after the other."""

    def __init__(
        self, path_m: Float[Array, "T 2"], heading_rad: Float[Array, "T"], standing: Float[Array, "2 3"]
    ) -> None:
        self.path_m, self.heading_rad, self.standing = path_m, heading_rad, standing
        self.rests: tuple[list[Plant], list[Plant]] = ([], [])

    def stand(self, start: int, frame: int) -> None:
        """Both feet under the body of a frame, from `start` on."""
        for side in (0, 1):
            self.put(side, start, frame, self.standing[side], drawn=False)

    def put(self, side: int, start: int, frame: int, offset: Float[Array, "3"], drawn: bool) -> None:
        """A foot lands at `start` where the body of `frame` has it."""
        frame = min(max(frame, 0), len(self.path_m) - 1)
        heading = self.heading_rad[frame]
        x, y = self.path_m[frame] + turned(offset[:2], heading)
        self.rests[side].append(Plant(start, -1, float(x), float(y), float(heading + offset[2]), drawn))

    def lift(self, side: int, frame: int) -> None:
        """The last frame on the ground of a foot's current rest."""
        if self.rests[side]:
            last = self.rests[side][-1]
            end = max(frame, last.start + 1)
            self.rests[side][-1] = Plant(last.start, end, last.x_m, last.y_m, last.yaw_rad, last.drawn)

    def closed(self, side: int, frames: int) -> list[Plant]:
        """The rests of a foot; the last one lasts."""
        self.lift(side, frames - 1)
        return self.rests[side]

    def shuffle(self, start: int, end: int) -> None:
        """Follow a body that turns or drifts while it stands."""
        at = start + 2
        while at + 2 * SHUFFLE_FRAMES < end:
            ahead = min(at + SHUFFLE_FRAMES, len(self.path_m) - 1)
            turn, drift = self._off(ahead)
            if abs(turn) < TURN_STEP_RAD and drift < DRIFT_STEP_M:
                at += 3
                continue
            settle = min(at + 2 * SHUFFLE_FRAMES + 4, end - 1)
            first = 0 if turn > 0 else 1
            for k, side in enumerate((first, 1 - first)):
                lift = at + k * (SHUFFLE_FRAMES - 2)
                self.lift(side, lift)
                self.put(side, lift + SHUFFLE_FRAMES, settle, self.standing[side], drawn=True)
            at += 2 * SHUFFLE_FRAMES

    def _off(self, frame: int) -> tuple[float, float]:
        """How far the body of a frame has turned and moved from where the feet stand."""
        last = [self.rests[side][-1] for side in (0, 1)]
        heading = self.heading_rad[frame]
        turns = [heading + self.standing[side, 2] - last[side].yaw_rad for side in (0, 1)]
        away = [
            self.path_m[frame] + turned(self.standing[side, :2], heading) - (last[side].x_m, last[side].y_m)
            for side in (0, 1)
        ]
        return float(np.mean(turns)), float(np.linalg.norm(np.mean(away, axis=0)))


def _walk(plan: StepPlan, stretch: Stretch, offset: int, feet: _Feet, footprint: Footprint) -> None:
    """Put down the feet of one stretch of walking."""
    count, frames = stretch.steps, np.arange(stretch.start, stretch.end)
    last = round(float(count[-1])) if stretch.to_rest else int(np.floor(count[-1])) + 2
    first = 1 if stretch.from_rest else int(np.ceil(count[0])) - 1
    at = _extended(count, frames)
    for k in range(first, last + 1):
        side = (k + offset) % 2
        strike = round(at(float(k)))
        double = _double(plan, strike)
        if stretch.from_rest and k == first:
            double = max(double, 0.25)
        if feet.rests[side]:
            feet.lift(side, min(round(at(k - 1 + double)), strike - 3))
        if stretch.to_rest and k >= last - 1:
            feet.put(side, strike, stretch.end + 4, feet.standing[side], drawn=False)
        else:
            later = _double(plan, round(at(k + 1.5)))
            middle = round(at(k + 0.5 * (1.0 + later)))
            feet.put(side, strike, middle, footprint(side, middle), drawn=False)


def _extended(count: Float[Array, "T"], frames: Int[Array, "T"]) -> Callable[[float], float]:
    """Frame of a step count, going on at the same pace beyond both ends."""
    begin, end = max(count[1] - count[0], 1e-2), max(count[-1] - count[-2], 1e-2)

    def frame_of(value: float) -> float:
        if value < count[0]:
            return float(frames[0] - (count[0] - value) / begin)
        if value > count[-1]:
            return float(frames[-1] + (value - count[-1]) / end)
        return float(np.interp(value, count, frames))

    return frame_of


def _double(plan: StepPlan, frame: int) -> float:
    """Share of a step in which both feet are down, at a frame; negative in flight."""
    return RUN_DOUBLE if plan.running[min(max(frame, 0), len(plan.running) - 1)] else WALK_DOUBLE
