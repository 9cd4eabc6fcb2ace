"""The gate: recordings are cut around capture glitches, so that nobody learns to move like one.

A step between two frames is a glitch where a joint turns faster than people can (pelvis, trunk, head: 20 rad/s;
limbs: 30; a wrist that flips by half a turn makes 94), or where the pelvis jumps: its speed changes by more than 8 cm
a frame from one frame to the next (72 m/s^2; hard landings stay below 60).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from .track import MotionTrack
from .windows import WINDOW

RATE_HZ = 30.0
TRUNK = (0, 3, 6, 9, 12, 13, 14, 15)
FASTEST_TRUNK_RAD_S, FASTEST_LIMB_RAD_S = 20.0, 30.0
JUMP_M = 0.08
"""Second difference of the pelvis."""
AROUND = 2
"""Frames on either side of a glitch that go with it: filters smear."""


@dataclass(frozen=True)
class Gate:
    """What came through and what did not."""

    clips: int
    """Put in."""
    glitches: int
    """Steps that were too fast."""
    cut_clips: int
    """Clips with at least one."""
    frames_in: int
    frames_glitch: int
    """Lost at glitches."""
    short_clips: int
    """Clips that were under a window's length as recorded."""
    frames_short: int
    """Lost because a clip, or a piece between glitches, is shorter than a window."""
    frames_out: int

    def __str__(self) -> str:
        return (
            f"{self.frames_out} of {self.frames_in} frames of {self.clips} clips: {self.frames_glitch} lost at "
            f"{self.glitches} glitches in {self.cut_clips} clips, {self.frames_short} in pieces under {WINDOW} frames "
            f"({self.short_clips} whole clips)"
        )


def glitches(track: MotionTrack) -> Bool[np.ndarray, "S"]:
    """Which of the T - 1 steps are."""
    if track.num_frames < 2:
        return np.zeros(max(track.num_frames - 1, 0), bool)
    quats = track.quats.astype(np.float64)
    cosine = np.abs((quats[1:] * quats[:-1]).sum(-1)).clip(0.0, 1.0)
    speed = 2.0 * np.arccos(cosine) * RATE_HZ
    limit = np.full(quats.shape[1], FASTEST_LIMB_RAD_S)
    limit[list(TRUNK)] = FASTEST_TRUNK_RAD_S
    wrong = (speed > limit).any(axis=1)
    jump = np.linalg.norm(np.diff(track.root_m.astype(np.float64), 2, axis=0), axis=1) > JUMP_M
    wrong[:-1] |= jump
    wrong[1:] |= jump
    return np.asarray(wrong)


def pieces(track: MotionTrack, frames: int = WINDOW) -> list[MotionTrack]:
    """The stretches between glitches that are long enough to learn from, in order; the track itself if it is clean."""
    wrong = glitches(track)
    if not wrong.any():
        return [track] if track.num_frames >= frames else []
    lost = _lost(wrong)
    edges = np.flatnonzero(np.diff(np.concatenate([[1], lost, [1]]).astype(np.int8)))
    return [
        replace(
            track,
            name=f"{track.name}@{start}",
            quats=track.quats[start:end],
            root_m=track.root_m[start:end],
            contact=track.contact[start:end],
        )
        for start, end in edges.reshape(-1, 2).tolist()
        if end - start >= frames
    ]


def _lost(wrong: Bool[np.ndarray, "S"]) -> Bool[np.ndarray, "T"]:
    """Frames within reach of a glitch: both of its own, and `AROUND` less one beyond each."""
    lost = np.zeros(len(wrong) + 1, bool)
    for step in np.flatnonzero(wrong):
        lost[max(step - AROUND + 1, 0) : step + AROUND + 1] = True
    return lost


def clean(tracks: Sequence[MotionTrack]) -> tuple[list[MotionTrack], Gate]:
    """Every track cut around its glitches, and the count of what that cost."""
    kept = [piece for track in tracks for piece in pieces(track)]
    wrong = [glitches(track) for track in tracks]
    lost = sum(int(_lost(steps).sum()) for steps in wrong if steps.any())
    frames_in = sum(track.num_frames for track in tracks)
    frames_out = sum(piece.num_frames for piece in kept)
    return kept, Gate(
        clips=len(tracks),
        glitches=sum(int(steps.sum()) for steps in wrong),
        cut_clips=sum(bool(steps.any()) for steps in wrong),
        frames_in=frames_in,
        frames_glitch=lost,
        short_clips=sum(track.num_frames < WINDOW for track in tracks),
        frames_short=frames_in - frames_out - lost,
        frames_out=frames_out,
    )
