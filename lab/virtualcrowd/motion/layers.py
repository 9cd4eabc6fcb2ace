"""What a body does over time, before its feet are put down: gait and standing, sampled and blended.

Each stride of a person takes one cycle of the library, chosen by speed, turning and taste; one melts into the next
in the middle of a stride. While a person stands, stretches of standing follow each other with soft changes. Which of
the two shows is the gait weight, 1 in full stride.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from . import quaternion as qt
from .cycles import PHASES, GaitCycles
from .motion_library import MotionLibrary
from .stances import runs

Array = np.ndarray

FADE_FRAMES = 24
"""Over which one stretch of standing turns into the next."""
SPEED_SD, TURN_SD = 0.13, 0.35
"""How far (log speed; rad/s) a cycle may be from what is asked for before it costs 1."""
OTHER_SUBJECT, DRAWN, FOLLOWING, WHIM = 2.0, 6.0, -0.8, 0.5
"""Costs of a cycle: of another performer, drawn, following the one before in its recording, and of chance."""


@dataclass(frozen=True)
class Layer:
    """A body over T frames; metres of the reference leg."""

    quats: Float[Array, "T 24 4"]
    """Local rotations; joint 0 relative to the heading."""
    pelvis_m: Float[Array, "T 3"]
    """Ahead of and left of the path, above the ground."""
    clip: Int[Array, "T"]
    """Index of the recording; -1 where drawn."""


@dataclass(frozen=True)
class Strides:
    """The cycle of each stride."""

    first: int
    """Gait cycle number of the first key."""
    keys: Int[Array, "M"]
    """Cycle in the library; key m is at phase first + m + 0.5."""

    def at(self, phase: Float[Array, "T"]) -> tuple[Int[Array, "T"], Int[Array, "T"], Float[Array, "T"]]:
        """The two cycles at a phase, and the share of the second."""
        along = np.clip(phase - self.first - 0.5, 0.0, len(self.keys) - 1.001)
        low = np.floor(along).astype(np.int64)
        share = np.clip((along - low - 0.25) / 0.5, 0.0, 1.0)
        return self.keys[low], self.keys[low + 1], share * share * (3.0 - 2.0 * share)


def choose_strides(
    cycles: GaitCycles,
    phase: Float[Array, "T"],
    speed_m_s: Float[Array, "T"],
    turn_rad_s: Float[Array, "T"],
    running: Bool[Array, "T"],
    rng: np.random.Generator,
) -> Strides:
    """The cycle of each stride of a person.

    Args:
        cycles: to choose from.
        phase: rising.
        speed_m_s: in legs of the reference size (as cycles count it).
        turn_rad_s: of the heading, on the same clock.
        running: whether the gait is a run.
        rng: of this person.
    """
    first, last = int(np.floor(phase[0])) - 1, int(np.ceil(phase[-1])) + 1
    at = np.searchsorted(phase, np.arange(first, last + 1) + 0.5).clip(0, len(phase) - 1)
    taste = _taste(cycles, float(np.median(np.maximum(speed_m_s, 0.5))), bool(np.median(running) > 0.5), rng)
    whims = rng.gumbel(0.0, WHIM, (len(at), len(cycles)))
    log_speed = np.log(cycles.speed_m_s)
    keys = np.zeros(len(at), np.int64)
    for k, frame in enumerate(at):
        cost = ((log_speed - np.log(max(speed_m_s[frame], 0.4))) / SPEED_SD) ** 2
        cost += ((cycles.turn_rad_s - turn_rad_s[frame]) / TURN_SD) ** 2
        cost += taste - whims[k]
        if k and cycles.after[keys[k - 1]] >= 0:
            cost[cycles.after[keys[k - 1]]] += FOLLOWING
        cost[cycles.running != running[frame]] += 1e3
        keys[k] = int(np.argmin(cost))
    return Strides(first, keys)


def _taste(
    cycles: GaitCycles, speed_m_s: float, running: bool, rng: np.random.Generator
) -> Float[Array, "C"]:
    """What each cycle costs this person whatever the moment: a preference for one performer at this pace."""
    near = (
        (cycles.clip >= 0)
        & (cycles.running == running)
        & (np.abs(np.log(cycles.speed_m_s / speed_m_s)) < 0.25)
    )
    performers = np.unique(cycles.subject[near])
    taste = np.where(cycles.clip < 0, DRAWN, 0.0)
    if len(performers):
        taste += OTHER_SUBJECT * (cycles.subject != rng.choice(performers))
    return taste


def gait_layer(cycles: GaitCycles, strides: Strides, phase: Float[Array, "T"]) -> Layer:
    """The gait at each frame."""
    first, second, share = strides.at(phase)
    along = (phase - np.floor(phase)) * PHASES
    low = np.minimum(along.astype(np.int64), PHASES - 1)
    rest = along - low
    quats = qt.nlerp(
        _sample(cycles.quats, first, low, rest), _sample(cycles.quats, second, low, rest), share[:, None]
    )
    s = share[:, None]
    a, b = (_sample(cycles.pelvis_m, which, low, rest) for which in (first, second))
    clip = np.where(share < 0.5, cycles.clip[first], cycles.clip[second])
    return Layer(quats, (1.0 - s) * a + s * b, clip)


def _sample(
    table: Float[Array, "C P *rest"], row: Int[Array, "T"], low: Int[Array, "T"], rest: Float[Array, "T"]
) -> Float[Array, "T *rest"]:
    share = rest.astype(np.float32).reshape(-1, *([1] * (table.ndim - 2)))
    return np.asarray((1.0 - share) * table[row, low] + share * table[row, low + 1])


def footprint_at(cycles: GaitCycles, strides: Strides, side: int, phase: float) -> Float[Array, "3"]:
    """A foot in mid-stance of the gait at a phase: ahead, left (reference legs), yaw."""
    first, second, share = strides.at(np.array([phase]))
    prints = cycles.footprints[:, side]
    return np.asarray((1.0 - share) * prints[first[0]] + share * prints[second[0]])


def stand_layer(
    library: MotionLibrary,
    needed: Bool[Array, "T"],
    talking: Bool[Array, "T"],
    rng: np.random.Generator,
) -> Layer:
    """Standing, wherever it is needed.

    Args:
        library: to choose from; captured stances where there are any.
        needed: frames in which standing shows; the others are left as the rest pose.
        talking: prefers gesturing stances, if captured.
        rng: of this person.
    """
    frames = len(needed)
    quats = np.zeros((frames, 24, 4), np.float32)
    quats[..., 0] = 1.0
    pelvis, clip = np.zeros((frames, 3), np.float32), np.full(frames, -1)
    captured = [k for k, s in enumerate(library.stances) if s.clip >= 0 and not s.gesturing]
    usual = captured or [k for k, s in enumerate(library.stances) if not s.gesturing]
    chatty = [k for k, s in enumerate(library.stances) if s.gesturing and (s.clip >= 0 or not captured)]
    for start, end in runs(needed):
        at = start
        while at < end:
            pool = usual + chatty if talking[at] and chatty else usual
            lengths = np.array([library.stances[k].num_frames for k in pool], np.float64)
            stance = library.stances[pool[int(rng.choice(len(pool), p=lengths / lengths.sum()))]]
            spare = max(stance.num_frames - (end - at), 0)
            begin = int(rng.integers(0, min(spare, stance.num_frames // 2) + 1))
            taken = slice(begin, min(stance.num_frames, begin + end - at))
            here = slice(at, at + taken.stop - taken.start)
            fade = _fade(here, start)
            quats[here] = qt.nlerp(quats[here], stance.quats[taken], fade[:, None])
            pelvis[here] += fade[:, None] * (stance.pelvis_m[taken] - pelvis[here])
            clip[here] = stance.clip
            _hold(quats, pelvis, here.stop, end)
            at = here.stop if here.stop >= end else max(here.stop - FADE_FRAMES, at + 1)
    return Layer(quats, pelvis, clip)


def _fade(here: slice, start: int) -> Float[Array, "M"]:
    """How much of the new stretch shows."""
    if here.start == start:
        return np.ones(here.stop - here.start, np.float32)
    u = np.clip((np.arange(here.stop - here.start) + 1.0) / FADE_FRAMES, 0.0, 1.0)
    return np.asarray(u * u * (3.0 - 2.0 * u), np.float32)


def _hold(quats: Float[Array, "T 24 4"], pelvis_m: Float[Array, "T 3"], at: int, end: int) -> None:
    """Let the last pose stand on for a while, so that a stretch shorter than its fade has something to fade from."""
    stop = min(end, at + FADE_FRAMES)
    if at < stop:
        quats[at:stop], pelvis_m[at:stop] = quats[at - 1], pelvis_m[at - 1]


def blended(standing: Layer, walking: Layer, weight: Float[Array, "T"]) -> Layer:
    """Standing (weight 0) to walking (weight 1)."""
    w = weight[:, None]
    return Layer(
        qt.nlerp(standing.quats.astype(np.float64), walking.quats.astype(np.float64), w),
        (1.0 - w) * standing.pelvis_m + w * walking.pelvis_m,
        np.where(weight >= 0.5, walking.clip, standing.clip),
    )
