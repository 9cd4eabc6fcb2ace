"""How good a crowd's motion is: sliding and sinking feet, jerks, and how far bodies leave their plan.

A sole *touches* where its vertices are less than 5 mm over the ground in two frames on end; sliding is how far these
vertices move along the ground meanwhile. Contact labels are no help here: they ask for little movement themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ....kernels.body.data import BodyData
from ....kernels.body.sole_vertices import SIDES
from ....kernels.rotation import rotvec_to_rotmat_np
from ....kernels.skeleton import SMPL_JOINTS
from ....stream.body_files import load_body
from ..plan import PLAN_RATE_HZ, Activity, CrowdPlan
from ..scene import surface_height_m
from ..truth import CrowdMotion, MotionSource
from .skeleton import bone_offsets, place
from .stances import runs

Array = np.ndarray

TOUCH_M = 0.005
SLIDE_LIMIT_M = 0.010
FAST_M_S = 9.0
"""No joint of a jogging crowd moves faster."""


@dataclass(frozen=True)
class MotionQuality:
    """Of all people and frames together."""

    person_frames: int
    slide_mm: float
    """Mean movement of touching soles per frame."""
    slide_over_1cm: float
    """Share of touching feet (per frame) that move more than 1 cm."""
    sunk_mean_mm: float
    """Lowest sole vertex under the ground, 0 where it is above: mean over person-frames."""
    sunk_p95_mm: float
    sunk_max_mm: float
    floating: float
    """Share of person-frames of people who do not jog with both soles more than 2 cm over the ground."""
    off_path_mean_m: float
    """Pelvis from the planned place, along the ground; nan without a plan."""
    off_path_p95_m: float
    off_path_max_m: float
    fast_joints: float
    """Share of joints faster than 9 m/s."""
    acceleration_p50: float
    """Of joints, m/s^2."""
    acceleration_p999: float
    captured: float
    """Share of person-frames."""
    procedural: float
    contact_rate: float
    """Share of person-frames in which an ankle or toe is labelled as in contact."""


def motion_quality(
    motion: CrowdMotion, plan: CrowdPlan | None = None, body: BodyData | None = None
) -> MotionQuality:
    """Measure a motion.

    Args:
        motion: of at least one person-frame.
        plan: that it was made from, for the deviation from it.
        body: of the betas; the shipped one by default.
    """
    body = body or load_body()
    slides, sunk, floats, accelerations, speeds = [], [], [], [], []
    for row in range(len(motion.person_ids)):
        for start, end in runs(motion.present[row]):
            part = slice(start, end)
            height, soles = _soles(motion, row, part, body)
            slides.append(_slides(height, soles))
            lowest = height.min(axis=-1)
            sunk.append(np.maximum(-lowest.min(axis=1), 0.0))
            floats.append((lowest.min(axis=1) > 0.02)[motion.activity[row, part] != Activity.JOG])
            joints = motion.joints_m[row, part].astype(np.float64)
            speeds.append(np.linalg.norm(np.diff(joints, axis=0), axis=-1).ravel() * PLAN_RATE_HZ)
            bend = np.diff(joints[:, :22], 2, axis=0)
            accelerations.append(np.linalg.norm(bend, axis=-1).ravel() * PLAN_RATE_HZ**2)
    slide, deep, air = (np.concatenate(each) if each else np.zeros(1) for each in (slides, sunk, floats))
    speed, acceleration = (np.concatenate(each) if each else np.zeros(1) for each in (speeds, accelerations))
    off = _off_path(motion, plan)
    source = motion.source[motion.present]
    return MotionQuality(
        person_frames=int(motion.present.sum()),
        slide_mm=1e3 * _mean(slide),
        slide_over_1cm=_mean(slide > SLIDE_LIMIT_M),
        sunk_mean_mm=1e3 * _mean(deep),
        sunk_p95_mm=1e3 * _quantile(deep, 0.95),
        sunk_max_mm=1e3 * _quantile(deep, 1.0),
        floating=_mean(air),
        off_path_mean_m=_mean(off),
        off_path_p95_m=_quantile(off, 0.95),
        off_path_max_m=_quantile(off, 1.0),
        fast_joints=_mean(speed > FAST_M_S),
        acceleration_p50=_quantile(acceleration, 0.5),
        acceleration_p999=_quantile(acceleration, 0.999),
        captured=_mean(source == MotionSource.CAPTURED),
        procedural=_mean(source == MotionSource.PROCEDURAL),
        contact_rate=_mean(motion.contact[motion.present][:, :4].any(axis=1)),
    )


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")


def _quantile(values: Array, share: float) -> float:
    return float(np.quantile(values, share)) if values.size else float("nan")


def _off_path(motion: CrowdMotion, plan: CrowdPlan | None) -> Float[Array, "M"]:
    if plan is None:
        return np.zeros(0)
    off = np.linalg.norm(motion.joints_m[:, :, 0, :2] - plan.path_m, axis=-1)
    return np.asarray(off[motion.present])


def _soles(
    motion: CrowdMotion, row: int, part: slice, body: BodyData
) -> tuple[Float[Array, "T 2 S"], Float[Array, "T 2 S 2"]]:
    """Height over the ground and place of the sole vertices of both feet."""
    betas = motion.betas[row].astype(np.float64)
    rest = body.joints_m(betas)
    root = rest[0] + motion.transl_m[row, part]
    joints, world = place(rotvec_to_rotmat_np(motion.pose_rotvec[row, part]), bone_offsets(rest), root)
    feet = [SMPL_JOINTS.index(f"{side}_{name}") for name in ("knee", "ankle", "foot") for side in SIDES]
    weights = body.weights[body.sole_vertices][:, feet].astype(np.float64)
    weights /= weights.sum(axis=1, keepdims=True)
    arms = body.vertices_m(betas)[body.sole_vertices][:, None] - rest[None, feet]
    placed = np.zeros((len(joints), len(arms), 3))
    for k, joint in enumerate(feet):
        touched = np.flatnonzero(weights[:, k] > 1e-4)
        turned = np.einsum("tcd,sd->tsc", world[:, joint], arms[touched, k]) + joints[:, None, joint]
        placed[:, touched] += weights[touched, k, None] * turned
    soles = placed.reshape(len(placed), 2, -1, 3)
    return soles[..., 2] - surface_height_m(motion.scene.ground, soles[..., :2]), soles[..., :2]


def _slides(height_m: Float[Array, "T 2 S"], soles_m: Float[Array, "T 2 S 2"]) -> Float[Array, "M"]:
    """Mean movement of the touching part of each touching foot, frame by frame, metres."""
    touching = (height_m[1:] < TOUCH_M) & (height_m[:-1] < TOUCH_M)
    moved = np.linalg.norm(np.diff(soles_m, axis=0), axis=-1)
    count = touching.sum(axis=-1)
    return np.asarray(((moved * touching).sum(axis=-1) / np.maximum(count, 1))[count > 0])
