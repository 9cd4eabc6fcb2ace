"""A recording ready to be learned from: z up, unit quaternions, contact labels.

    z up      the mocap format is y up; R takes its axes into the world's (x right, y ahead, z up)
    signs     quaternions of neighbouring frames never differ in sign, so that a blend of two is a rotation
    contacts  HuMoR's rule (algorithms 2.9) on the reference skeleton; where the floor is not flat, none is known

Every recording is on one skeleton, so a motion says nothing about stature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from ...kernels.body.kinematics import forward_kinematics_np
from ..mocap import MocapClip
from ..virtualcrowd.motion.contacts import contact_labels
from .reference import REST_JOINTS_M, TOE_REST_M

Array = np.ndarray

R_ZUP_YUP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""y up -> z up, keeping x (left of the rest pose): the rest pose then faces -y."""


@dataclass(frozen=True)
class MotionTrack:
    """One recording on the reference skeleton, 30 Hz, floor at z = 0."""

    name: str
    subject: str
    category: str
    quats: Float[Array, "T 22 4"]
    """w, x, y, z of joints 0..21; joint 0 in the world, the rest relative to their parents. float32."""
    root_m: Float[Array, "T 3"]
    """Pelvis joint, metres."""
    contact: Bool[Array, "T 8"]
    """Of `CONTACT_JOINTS`."""
    contact_known: bool
    """False where the floor is not one plane."""
    source: str = ""
    """The collection it is from."""
    licence: str = ""
    """Its terms."""

    @property
    def num_frames(self) -> int:
        return len(self.root_m)

    def __repr__(self) -> str:
        return f"MotionTrack({self.name!r}, {self.subject!r}, {self.category!r}, T={self.num_frames})"


def motion_track(clip: MocapClip) -> MotionTrack:
    """A clip of the mocap format as a track."""
    rotvec = clip.pose_rotvec[:, :22].astype(np.float64)
    turns = Rotation.from_rotvec(rotvec.reshape(-1, 3))
    quats = turns.as_quat(scalar_first=True).reshape(-1, 22, 4)
    up = Rotation.from_matrix(R_ZUP_YUP)
    quats[:, 0] = (up * Rotation.from_rotvec(rotvec[:, 0])).as_quat(scalar_first=True)
    flips = np.cumprod(np.where((quats[1:] * quats[:-1]).sum(-1) < 0, -1.0, 1.0), axis=0)
    quats[1:] *= flips[..., None]
    root = clip.pelvis_m.astype(np.float64) @ R_ZUP_YUP.T
    pose = np.zeros((len(root), 24, 3))
    pose[:, :22] = rotvec
    pose[:, 0] = Rotation.from_quat(quats[:, 0], scalar_first=True).as_rotvec()
    joints, _ = forward_kinematics_np(pose, np.zeros(1), root, REST_JOINTS_M, np.zeros((24, 3, 1)))
    contact = contact_labels(joints, np.zeros((len(root), 8)), TOE_REST_M)
    return MotionTrack(
        clip.name,
        clip.subject,
        clip.category,
        quats.astype(np.float32),
        root.astype(np.float32),
        contact,
        clip.flat_ground,
        clip.source,
        clip.licence,
    )


def motion_tracks(clips: Sequence[MocapClip]) -> list[MotionTrack]:
    """Every clip as a track."""
    return [motion_track(clip) for clip in clips]
