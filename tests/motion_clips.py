"""Recordings drawn from textbook curves: what the tests of motion learn from where no recording is at hand."""

from __future__ import annotations

from functools import cache

import numpy as np

from crowdstream.lab.mocap import MocapClip
from crowdstream.lab.motion.track import MotionTrack, motion_track
from crowdstream.lab.virtualcrowd.motion import quaternion as qt
from crowdstream.lab.virtualcrowd.motion.cadence import steps_per_second
from crowdstream.lab.virtualcrowd.motion.cycles import PHASES, GaitCycles
from crowdstream.lab.virtualcrowd.motion.procedural import drawn_cycles, drawn_stances
from crowdstream.lab.virtualcrowd.motion.skeleton import BODY_TO_WALK

LEG_M = 0.778


@cache
def _cycles() -> GaitCycles:
    return drawn_cycles()


def walking(frames: int = 120, which: int = 7, name: str = "walk", subject: str = "walker") -> MocapClip:
    """Somebody who walks straight on along the mocap's +z."""
    cycles = _cycles()
    speed = cycles.speed_m_s[which : which + 1]
    rate = float(steps_per_second(speed, cycles.running[which : which + 1], LEG_M)[0]) / 2.0
    t = np.arange(frames) / 30.0
    along = (t * rate * PHASES) % PHASES
    low = np.floor(along).astype(int)
    share = along - low
    quats = qt.nlerp(cycles.quats[which, low], cycles.quats[which, low + 1], share[:, None])
    pelvis = (1 - share[:, None]) * cycles.pelvis_m[which, low] + share[:, None] * cycles.pelvis_m[
        which, low + 1
    ]
    pelvis[:, 0] += speed * t
    return _clip(quats, pelvis, name, "walk", subject)


def standing(frames: int = 120, which: int = 0, name: str = "stand", subject: str = "stander") -> MocapClip:
    """Somebody who stands, looks about and, from stance 3 on, talks with the hands."""
    stance = drawn_stances()[which]
    return _clip(stance.quats[:frames], stance.pelvis_m[:frames], name, "idle_stand", subject)


def _clip(quats: np.ndarray, pelvis_m: np.ndarray, name: str, category: str, subject: str) -> MocapClip:
    local = quats.astype(np.float64)
    local[:, 0] = qt.multiply(qt.from_rotmat(BODY_TO_WALK.T), local[:, 0])
    return MocapClip(
        name=name,
        category=category,
        pose_rotvec=qt.to_rotvec(local).astype(np.float32),
        pelvis_m=(pelvis_m @ BODY_TO_WALK).astype(np.float32),
        flat_ground=True,
        subject=subject,
        licence="drawn",
        source="drawn",
    )


@cache
def tracks() -> tuple[MotionTrack, ...]:
    """Walkers at several paces, standing people, one that talks."""
    clips = [walking(150, which, f"walk{which}", f"w{which}") for which in (4, 7, 10, 13)]
    clips += [standing(150, which, f"stand{which}", f"s{which}") for which in (0, 1, 3)]
    return tuple(motion_track(clip) for clip in clips)
