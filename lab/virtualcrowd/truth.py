"""The truth of a crowd: bodies in the world (`CrowdMotion`) and what one camera could see of them (`View`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ...kernels.camera import CameraModel
from ...kernels.errors import ShapeError
from ...kernels.ground import Ground
from ...kernels.skeleton import SMPL_JOINTS
from .scene import Scene

Array = np.ndarray

CONTACT_JOINTS = tuple(
    SMPL_JOINTS.index(f"{side}_{part}")
    for part in ("ankle", "foot", "knee", "wrist")
    for side in ("left", "right")
)
"""SMPL joints with contact labels (algorithms 2.9, HuMoR): ankles, toes, knees, wrists; left before right."""


class MotionSource(IntEnum):
    """Where a body's motion comes from."""

    ABSENT = 0
    CAPTURED = 1
    """Motion capture, warped and blended onto the path."""
    PROCEDURAL = 2
    """A drawn gait or stance, where no recording fits."""


class Visibility(IntEnum):
    """What a camera sees of a joint."""

    OUTSIDE = 0
    """Not in the picture, behind the camera, or the person is not there."""
    OCCLUDED = 1
    """Behind somebody else or an obstacle."""
    SELF_OCCLUDED = 2
    """Behind the person's own body."""
    VISIBLE = 3


@dataclass(frozen=True)
class CrowdMotion:
    """Bodies of N people over T slots at 30 Hz, in the world; rows as in the plan. Zeros where not present."""

    scene: Scene
    seed: int
    person_ids: Int[Array, "N"]
    group: Int[Array, "N"]
    role: tuple[str, ...]
    stature_m: Float[Array, "N"]
    activity: UInt8[Array, "N T"]
    """`plan.Activity` values."""
    present: Bool[Array, "N T"]
    pose_rotvec: Float[Array, "N T 24 3"]
    """float32 axis-angle, radians; joint 0 takes the y-up body into the z-up world."""
    betas: Float[Array, "N 10"]
    """float32, of the shipped body."""
    transl_m: Float[Array, "N T 3"]
    """float32; smplx's layout: joints = FK(pose, J(betas)) + transl."""
    joints_m: Float[Array, "N T 24 3"]
    """float32, world."""
    ground_m: Float[Array, "N T 3"]
    """float32: where the vertical through the torso (mean of hips and shoulders) meets the ground (HVIP)."""
    contact: Bool[Array, "N T 8"]
    """Of CONTACT_JOINTS."""
    source: UInt8[Array, "N T"]
    """`MotionSource` values."""
    clip: Int[Array, "N T"]
    """int16 index into `clips`; -1 where procedural or absent."""
    clips: tuple[str, ...]
    """Names of the recordings in use."""

    def __post_init__(self) -> None:
        n, t = self.present.shape
        want = {
            "person_ids": (n,), "group": (n,), "stature_m": (n,), "activity": (n, t), "pose_rotvec": (n, t, 24, 3),
            "betas": (n, 10), "transl_m": (n, t, 3), "joints_m": (n, t, 24, 3), "ground_m": (n, t, 3),
            "contact": (n, t, len(CONTACT_JOINTS)), "source": (n, t), "clip": (n, t),
        }  # fmt: skip
        for name, shape in want.items():
            if getattr(self, name).shape != shape:
                raise ShapeError(
                    f"CrowdMotion.{name}: got {getattr(self, name).shape}, expected {shape} (N={n}, T={t})"
                )

    def __repr__(self) -> str:
        n, t = self.present.shape
        return f"CrowdMotion({self.scene.name!r}, N={n}, T={t}, person_frames={int(self.present.sum())})"


@dataclass(frozen=True)
class View:
    """What one camera could see, frame by frame; people in the rows of the motion it was made from."""

    name: str
    """Of the camera: high, low, ..."""
    camera: CameraModel
    ground: Ground
    t_ns: Int[Array, "F"]
    """Capture time of each frame, int64; 0 is slot 0 of the motion. Frames need not lie on slots."""
    person_ids: Int[Array, "N"]
    present: Bool[Array, "N F"]
    """The person is in the scene at that time (not: in the picture)."""
    keypoints_px: Float[Array, "N F 17 2"]
    """float32 COCO-17, distorted pixels, also of hidden ones and beyond the border; NaN behind the camera."""
    visibility: UInt8[Array, "N F 17"]
    """`Visibility` of each keypoint, from the z-buffer of bodies and obstacles."""
    joint_visibility: UInt8[Array, "N F 24"]
    """The same of the SMPL joints."""
    box_px: Float[Array, "N F 4"]
    """float32 x1, y1, x2, y2 of the whole body, hidden parts too, not cut at the border; zeros where absent."""
    seen_share: Float[Array, "N F"]
    """float32: pixels of the body that nobody and nothing else covers and that lie in the picture, over all of them."""

    def __post_init__(self) -> None:
        n, f = self.present.shape
        want = {"t_ns": (f,), "person_ids": (n,), "keypoints_px": (n, f, 17, 2), "visibility": (n, f, 17),
                "joint_visibility": (n, f, 24), "box_px": (n, f, 4), "seen_share": (n, f)}  # fmt: skip
        for name, shape in want.items():
            if getattr(self, name).shape != shape:
                raise ShapeError(
                    f"View.{name}: got {getattr(self, name).shape}, expected {shape} (N={n}, F={f})"
                )

    @property
    def num_frames(self) -> int:
        return len(self.t_ns)

    def __repr__(self) -> str:
        n, f = self.present.shape
        w, h = self.camera.size_px
        return f"View({self.name!r}, {w}x{h}, N={n}, F={f})"
