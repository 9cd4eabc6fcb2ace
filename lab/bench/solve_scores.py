"""How far a solution is from the truth of a case: pixels and millimetres, never one without the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ...kernels.body.data import BodyData
from ...kernels.body.keypoints import coco_keypoints_np
from ...kernels.body.kinematics import forward_kinematics_np
from .solve_cases import SolveCase


@dataclass(frozen=True)
class SolveScore:
    """Errors over the present person-frames of a case; smaller is better."""

    px_observed: float
    """Confidence-weighted rms distance of projected to observed body keypoints (no face), px."""
    px_true: float
    """Rms distance to the noise-free keypoints inside the image, hidden ones too, px."""
    mpjpe_mm: float
    """Mean distance of 24 joints after the pelvises are put together, mm."""
    pa_mpjpe_mm: float
    """The same after the best similarity transform of each person-frame, mm."""
    hidden_mpjpe_mm: float
    """MPJPE of the person-frames that no camera sees (NaN for none), mm."""
    root_m: float
    """Mean distance of the pelvis, metres."""
    accel_mm: float
    """Mean | second difference of joints - that of the truth |, world, mm per frame^2."""

    def __str__(self) -> str:
        return (
            f"px obs {self.px_observed:.2f} true {self.px_true:.2f}, MPJPE {self.mpjpe_mm:.1f} mm "
            f"(hidden {self.hidden_mpjpe_mm:.1f}), PA {self.pa_mpjpe_mm:.1f} mm, root {self.root_m:.3f} m, "
            f"accel {self.accel_mm:.1f} mm/frame2"
        )


def score(
    case: SolveCase,
    body: BodyData,
    pose_rotvec: Float[np.ndarray, "N T 24 3"],
    transl_m: Float[np.ndarray, "N T 3"],
    betas: Float[np.ndarray, "N *T K"],
) -> SolveScore:
    """Score a solution; betas are (N, 10), or (N, T, 10) for a shape per person-frame."""
    shapes = betas if betas.ndim == 3 else betas[:, None]
    joints, rotmats = forward_kinematics_np(
        pose_rotvec.astype(np.float64),
        shapes.astype(np.float64),
        transl_m.astype(np.float64),
        body.joint_template_m,
        body.joint_shapedirs_m,
    )
    present, truth = case.problem.present, case.truth
    px = np.stack([camera.project(coco_keypoints_np(joints, rotmats)) for camera in case.problem.cameras])
    off = np.linalg.norm(joints - joints[..., :1, :] - (truth.joints_m - truth.joints_m[..., :1, :]), axis=-1)
    mpjpe = off.mean(axis=-1)
    hidden = present & ~case.problem.observed
    return SolveScore(
        px_observed=_rms_px(px, case.problem.keypoints_px, case.problem.confidence),
        px_true=_rms_px(px, truth.keypoints_px, truth.inside & present[None, ..., None]),
        mpjpe_mm=1e3 * float(mpjpe[present].mean()),
        pa_mpjpe_mm=1e3 * float(procrustes_errors(joints[present], truth.joints_m[present]).mean()),
        hidden_mpjpe_mm=1e3 * float(mpjpe[hidden].mean()) if hidden.any() else float("nan"),
        root_m=float(np.linalg.norm(joints[..., 0, :] - truth.joints_m[..., 0, :], axis=-1)[present].mean()),
        accel_mm=1e3 * _acceleration_error(joints - truth.joints_m, present),
    )


def procrustes_errors(
    found_m: Float[np.ndarray, "B J 3"], true_m: Float[np.ndarray, "B J 3"]
) -> Float[np.ndarray, "B"]:
    """Mean joint distance after the similarity (Umeyama) that brings each found set onto its true one."""
    x = found_m - found_m.mean(axis=1, keepdims=True)
    y = true_m - true_m.mean(axis=1, keepdims=True)
    u, s, vt = np.linalg.svd(np.einsum("bjx,bjy->bxy", x, y))
    sign = np.ones_like(s)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None, :]) @ vt
    scale = (s * sign).sum(axis=1) / np.maximum((x**2).sum(axis=(1, 2)), 1e-12)
    return np.asarray(np.linalg.norm(scale[:, None, None] * (x @ rotation) - y, axis=-1).mean(axis=1))


def _rms_px(
    px: Float[np.ndarray, "C N T 17 2"],
    target: Float[np.ndarray, "C N T 17 2"],
    weight: Float[np.ndarray, "C N T 17"] | Bool[np.ndarray, "C N T 17"],
) -> float:
    body_only = weight.astype(np.float64)[..., 5:]
    squared = ((np.nan_to_num(px) - target)[..., 5:, :] ** 2).sum(axis=-1)
    return float(np.sqrt((body_only * squared).sum() / max(float(body_only.sum()), 1e-9)))


def _acceleration_error(off_m: Float[np.ndarray, "N T 24 3"], present: Bool[np.ndarray, "N T"]) -> float:
    second = np.linalg.norm(off_m[:, 2:] - 2 * off_m[:, 1:-1] + off_m[:, :-2], axis=-1).mean(axis=-1)
    whole = present[:, 2:] & present[:, 1:-1] & present[:, :-2]
    return float(second[whole].mean()) if whole.any() else float("nan")
