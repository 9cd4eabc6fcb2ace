"""Marks on the ground: soft contact shadows under bodies, a ring around people who are known by their place only.

Around a person the map from ground to picture is taken as affine, from the derivatives of the projection there:
half a metre is small beside the distance of a camera. People so near the horizon that it degenerates get no mark.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, UInt8

from ...kernels.camera import CameraModel
from ...kernels.fused.raster import stain
from ...kernels.skeleton import SMPL_JOINTS
from .skins import Pose

Array = np.ndarray

REACH_M = 0.85
"""A mark ends this far from the person."""
BODY_M, BODY_DARK = 0.25, 0.34
FOOT_M, FOOT_DARK = 0.11, 0.50
LIFT_M = 0.16
"""The shadow of a foot fades with its height over the ground by this constant."""
SOLE_M = 0.05
"""Height of the foot joints of one who stands."""
RING_M, RING_WIDTH_M = 0.36, 0.11
_FEET = ((SMPL_JOINTS.index("left_ankle"), SMPL_JOINTS.index("left_foot")),
         (SMPL_JOINTS.index("right_ankle"), SMPL_JOINTS.index("right_foot")))  # fmt: skip
_MAX_PX = 1200.0
"""A mark larger than this belongs to someone next to the lens: left out."""


def draw_shadows(
    frame: UInt8[Array, "H W 3"], camera: CameraModel, pose: Pose, ground_m: Float[Array, "N 3"],
    strength: Float[Array, "N"],
) -> None:  # fmt: skip
    """Contact shadows of N bodies.

    Args:
        ground_m: the ground under each.
        strength: 0..1 of each.
    """
    blots = np.zeros((len(ground_m), 3, 4))
    blots[:, 0, :2] = pose.joints_m[:, 0, :2] - ground_m[:, :2]
    blots[:, 0, 2:] = BODY_M, BODY_DARK
    for side, joints in enumerate(_FEET, start=1):
        foot = pose.joints_m[:, joints].mean(axis=1)
        lift = np.maximum(pose.joints_m[:, joints[1], 2] - ground_m[:, 2] - SOLE_M, 0.0)
        blots[:, side, :2] = foot[:, :2] - ground_m[:, :2]
        blots[:, side, 2], blots[:, side, 3] = FOOT_M, FOOT_DARK * np.exp(-lift / LIFT_M)
    blots[:, :, 3] *= strength[:, None]
    none = np.zeros((len(ground_m), 3))
    _stain(frame, camera, ground_m, blots, none, none)


def draw_rings(
    frame: UInt8[Array, "H W 3"], camera: CameraModel, ground_m: Float[Array, "N 3"], bgr: Float[Array, "N 3"],
    strength: Float[Array, "N"],
) -> None:  # fmt: skip
    """A ring around each place."""
    ring = np.stack(
        [np.full(len(strength), RING_M), np.full(len(strength), RING_WIDTH_M), strength.astype(np.float64)], 1
    )
    _stain(frame, camera, ground_m, np.zeros((len(strength), 0, 4)), ring, bgr)


def _stain(
    frame: UInt8[Array, "H W 3"], camera: CameraModel, ground_m: Float[Array, "N 3"],
    blots: Float[Array, "N B 4"], ring: Float[Array, "N 3"], bgr: Float[Array, "N 3"],
) -> None:  # fmt: skip
    to_ground, box, good = local_maps(camera, ground_m)
    stain(
        frame, box[good], to_ground[good], np.ascontiguousarray(blots[good]), ring[good],
        np.ascontiguousarray(bgr[good], np.float32),
    )  # fmt: skip


def local_maps(
    camera: CameraModel, ground_m: Float[Array, "N 3"]
) -> tuple[Float[Array, "N 2 3"], "Array", Bool[Array, "N"]]:
    """Per place: (pixel to metres around it, box px x0 x1 y0 y1 of the mark, whether it can be drawn)."""
    step = 0.05
    offsets = np.array([[0, 0, 0], [step, 0, 0], [0, step, 0]])
    px = camera.project(ground_m[:, None] + offsets)
    depth = camera.to_camera(ground_m)[:, 2]
    J = np.stack([px[:, 1] - px[:, 0], px[:, 2] - px[:, 0]], axis=2) / step
    det = np.linalg.det(np.where(np.isfinite(J), J, 0.0))
    reach = REACH_M * np.linalg.norm(J, axis=2)
    good = (depth > 3 * REACH_M) & np.isfinite(px).all(axis=(1, 2)) & (np.abs(det) > 1.0)
    good &= (reach < _MAX_PX).all(axis=1)
    to_ground = np.zeros((len(ground_m), 2, 3))
    to_ground[good, :, :2] = np.linalg.inv(J[good])
    to_ground[good, :, 2] = -np.einsum("nij,nj->ni", to_ground[good, :, :2], px[good, 0])
    low, high = px[:, 0] - reach, px[:, 0] + reach
    box = np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], axis=1)
    return to_ground, np.where(good[:, None], box, 0.0).round().astype(np.int64), good
