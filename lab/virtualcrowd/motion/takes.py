"""A recording laid out for cutting: its skeleton in the walking frame, its path, its feet along that path.

The path of a take is its pelvis track with a stride's worth of swaying taken out; positions and turns of everything
else are then told relative to that path and its direction. A Gaussian G of 0.4 s, used as 2 G - G G: one pass pulls
a walker's circle of 1.2 m inwards by 10 cm, this one by less than 1 cm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from ...mocap import MocapClip
from ...pose_prior import REFERENCE_OFFSETS_M
from . import quaternion as qt
from .skeleton import ANKLES, TOES, UPRIGHT, place, turned, yaw_of

Array = np.ndarray

REFERENCE_LEG_M = 0.778
"""Hip to ankle of the recordings' skeleton."""
PATH_SIGMA = 12.0
"""Frames; leaves 6 % of a walker's sway of 1.1 s in the path."""


@dataclass(frozen=True)
class Take:
    """One clip in the walking frame; metres of the recordings' reference size."""

    clip: MocapClip
    quats: Float[Array, "T 24 4"]
    """Local rotations, signs continuous; joint 0 in the take's world."""
    pelvis_m: Float[Array, "T 3"]
    joints_m: Float[Array, "T 24 3"]
    feet_yaw: Float[Array, "T 2"]
    """The way each foot points, radians."""
    path_m: Float[Array, "T 2"]
    speed_m_s: Float[Array, "T"]
    course_rad: Float[Array, "T"]
    """Direction of the path, continuous."""
    feet_m: Float[Array, "T 2 2"]
    """Ankles from the path point, along and to the left of the course."""
    toes_m: Float[Array, "T 2 2"]

    @property
    def num_frames(self) -> int:
        return len(self.quats)


def lay_out(clip: MocapClip) -> Take:
    """The take of a clip."""
    quats = qt.from_rotvec(clip.pose_rotvec.astype(np.float64))
    quats[:, 0] = qt.multiply(UPRIGHT, quats[:, 0])
    quats = qt.continuous(quats)
    pelvis = clip.pelvis_m.astype(np.float64)[:, [2, 0, 1]]
    joints, world = place(qt.to_rotmat(quats), REFERENCE_OFFSETS_M, pelvis)
    once = smooth_path(pelvis[:, :2], PATH_SIGMA)
    path = 2.0 * once - smooth_path(once, PATH_SIGMA)
    velocity = np.gradient(path, axis=0) * 30.0 if len(path) > 1 else np.zeros_like(path)
    course = np.unwrap(np.arctan2(velocity[:, 1], velocity[:, 0]))
    off = joints[:, [*ANKLES, *TOES], :2] - path[:, None]
    local = turned(off, -course[:, None])
    return Take(
        clip=clip,
        quats=quats,
        pelvis_m=pelvis,
        joints_m=joints,
        feet_yaw=np.unwrap(yaw_of(world[:, list(ANKLES)]), axis=0),
        path_m=path,
        speed_m_s=np.linalg.norm(velocity, axis=1),
        course_rad=course,
        feet_m=local[:, :2],
        toes_m=local[:, 2:],
    )


def smooth_path(xy_m: Float[Array, "T 2"], sigma: float) -> Float[Array, "T 2"]:
    """A Gaussian along time that keeps straight lines straight up to both ends."""
    pad = min(int(3 * sigma), len(xy_m) - 1)
    if pad < 1:
        return xy_m.copy()
    before = 2 * xy_m[0] - xy_m[pad:0:-1]
    after = 2 * xy_m[-1] - xy_m[-2 : -pad - 2 : -1]
    wide = gaussian_filter1d(np.concatenate([before, xy_m, after]), sigma, axis=0, mode="nearest")
    return np.asarray(wide[pad : pad + len(xy_m)])


def sample_frames(values: Float[Array, "T *rest"], at: Float[Array, "P"]) -> Float[Array, "P *rest"]:
    """Rows between frames, linearly."""
    low = np.clip(np.floor(at).astype(np.int64), 0, len(values) - 2)
    share = (at - low).reshape(-1, *([1] * (values.ndim - 1)))
    return np.asarray((1.0 - share) * values[low] + share * values[low + 1])
