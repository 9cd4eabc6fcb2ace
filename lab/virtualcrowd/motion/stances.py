"""Standing: stretches of recordings in which both feet stay where they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d

from . import quaternion as qt
from .skeleton import ANKLES, TOES, mirror_pose, mirror_root, turned, yaw_of
from .takes import Take

Array = np.ndarray

MIN_FRAMES = 50
STILL_M_S = 0.12
"""Ankles and toes slower than this stand."""
MAX_SWAY_M = 0.14


@dataclass(frozen=True)
class Stance:
    """One stretch of standing; metres of the reference leg (0.778 m)."""

    quats: Float[Array, "T 24 4"]
    """float32 local rotations; joint 0 relative to the mean facing."""
    pelvis_m: Float[Array, "T 3"]
    """float32: ahead of and left of its own mean, and above the ground."""
    feet: Float[Array, "2 3"]
    """Left and right: ankle ahead of and left of the mean pelvis (m), yaw from the mean facing (rad)."""
    gesturing: bool
    """Hands that talk."""
    clip: int
    """Index of the recording; -1 where drawn."""

    @property
    def num_frames(self) -> int:
        return len(self.quats)


def mirrored(stance: Stance) -> Stance:
    """The same seen in a mirror."""
    flipped = mirror_pose(stance.quats)
    flipped[:, 0] = mirror_root(stance.quats[:, 0])
    return replace(
        stance,
        quats=flipped.astype(np.float32),
        pelvis_m=(stance.pelvis_m * np.array([1.0, -1.0, 1.0])).astype(np.float32),
        feet=stance.feet[::-1] * np.array([1.0, -1.0, -1.0]),
    )


def cut_stances(take: Take, clip: int, gesturing: bool) -> list[Stance]:
    """Every stretch of a take in which an upright body stands on two resting feet."""
    if take.num_frames < MIN_FRAMES:
        return []
    ends = take.joints_m[:, [*ANKLES, *TOES]]
    step = np.linalg.norm(np.gradient(gaussian_filter1d(ends, 1.5, axis=0), axis=0), axis=-1) * 30.0
    trunk = take.joints_m[:, 12] - take.joints_m[:, 0]
    upright = trunk[:, 2] / np.linalg.norm(trunk, axis=1) > 0.93
    still = (step < STILL_M_S).all(axis=1) & upright & (take.pelvis_m[:, 2] > 0.80)
    still &= (take.joints_m[:, list(ANKLES), 2] < 0.14).all(axis=1)
    stances = []
    for start, end in runs(still):
        if end - start >= MIN_FRAMES + 6:
            stance = _stance(take, slice(start + 3, end - 3), clip, gesturing)
            if stance is not None:
                stances.append(stance)
    return stances


def runs(mask: Bool[Array, "T"]) -> list[tuple[int, int]]:
    """Begin and end (exclusive) of every stretch of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _stance(take: Take, part: slice, clip: int, gesturing: bool) -> Stance | None:
    quats, pelvis = take.quats[part], take.pelvis_m[part]
    yaw = np.unwrap(yaw_of(qt.to_rotmat(quats[:, 0])))
    facing, middle = float(yaw.mean()), pelvis[:, :2].mean(axis=0)
    away = turned(pelvis[:, :2] - middle, np.float64(-facing))
    ankles = turned(take.joints_m[part, list(ANKLES), :2].mean(axis=0) - middle, np.float64(-facing))
    feet_yaw = take.feet_yaw[part].mean(axis=0) - facing
    feet_yaw = np.arctan2(np.sin(feet_yaw), np.cos(feet_yaw))
    wide = ankles[0, 1] - ankles[1, 1]
    if np.abs(away).max() > MAX_SWAY_M or not 0.08 < wide < 0.5 or np.abs(ankles[:, 0]).max() > 0.25:
        return None
    local = quats.copy()
    local[:, 0] = qt.multiply(qt.about(2, np.float64(-facing)), quats[:, 0])
    return Stance(
        quats=local.astype(np.float32),
        pelvis_m=np.concatenate([away, pelvis[:, 2:]], axis=1).astype(np.float32),
        feet=np.concatenate([ankles, feet_yaw[:, None]], axis=1),
        gesturing=gesturing,
        clip=clip,
    )
