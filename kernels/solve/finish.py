"""From solved parameters to a `WindowSolution`: joints, ground points, provenance, confidence, status.

Confidence of a person-frame is what is seen times how well it fits:

    c = mean of keypoint confidences over the 12 body keypoints * exp(-(e / e0)^2 / 2)      e rms px / box size

for observed slots; between and beyond observations it fades from the nearest ones, c_t = c_seen exp(-gap / fade).
Where the motion prior has filled in, it falls further with the error d that the prior is known to make of what it
was not shown, c exp(-(d / d0)^2 / 2). Nothing here hides a failure: a person with a number that is not finite is
FAILED.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ..body.data import BodyData
from ..body.keypoints import coco_keypoints_np
from ..body.kinematics import forward_kinematics_np
from .finish_config import FinishConfig
from .gauss_newton import Bodies, plane_rows
from .problem import MODEL_RATE_HZ, Provenance, SolveStatus, WindowProblem, WindowSolution

Array = np.ndarray

TORSO_JOINTS = (1, 2, 16, 17)


def finish(
    problem: WindowProblem,
    bodies: Bodies,
    status: Int[Array, "N"],
    body: BodyData,
    config: FinishConfig,
    expected_error_m: Float[Array, "N T"] | None = None,
) -> WindowSolution:
    """Assemble the answer.

    Args:
        problem: what was asked.
        bodies: the solved parameters; may hold numbers that are not finite.
        status: `SolveStatus` the solver claims; FAILED is put in where numbers are not finite.
        body: the body that was solved with.
        config: settings.
        expected_error_m: of joints that the motion prior had to fill in (`prior_target`); None without it.
    """
    present = problem.present
    pose, transl, betas = bodies.pose_rotvec, bodies.transl_m, bodies.betas
    finite = np.isfinite(pose).all((-1, -2)) & np.isfinite(transl).all(-1)
    good = (finite | ~present).all(1) & np.isfinite(betas).all(1) & present.any(1)
    keep = present & good[:, None]
    pose = np.where(keep[..., None, None], pose, 0.0)
    transl = np.where(keep[..., None], transl, 0.0)
    betas = np.where(good[:, None], betas, 0.0)
    joints, rotmats = forward_kinematics_np(
        pose, betas[:, None], transl, body.joint_template_m, body.joint_shapedirs_m
    )
    joints = np.where(keep[..., None, None], joints, 0.0)
    misfit_px, misfit = _reprojection(problem, joints, rotmats, keep)
    confidence = _confidence(problem, misfit, keep, config)
    if expected_error_m is not None:
        confidence = confidence * np.exp(-0.5 * (expected_error_m / config.doubt_m) ** 2)
    provenance = provenance_of(problem.observed & keep, keep, config.interpolated_gap_s)
    f = np.float32
    return WindowSolution(
        window=problem.window,
        slot0=problem.slot0,
        t0_ns=problem.t0_ns,
        rev=0,
        person_ids=problem.person_ids,
        pose_rotvec=pose.astype(f),
        betas=betas.astype(f),
        transl_m=transl.astype(f),
        joints_m=joints.astype(f),
        ground_m=np.where(keep[..., None], ground_points(problem, joints), 0.0).astype(f),
        confidence=confidence.astype(f),
        provenance=provenance,
        reprojection_px=misfit_px.astype(f),
        status=np.where(good, status, SolveStatus.FAILED).astype(np.uint8),
    )


def ground_points(problem: WindowProblem, joints_m: Float[Array, "N T 24 3"]) -> Float[Array, "N T 3"]:
    """The torso centre dropped along the vertical onto the ground under the person, metres."""
    torso = joints_m[:, :, list(TORSO_JOINTS)].mean(2)
    plane = plane_rows(problem).astype(np.float64)
    height = (plane[:, 3] - plane[:, 0] * torso[..., 0] - plane[:, 1] * torso[..., 1]) / plane[:, 2]
    return np.stack([torso[..., 0], torso[..., 1], height], -1)


def provenance_of(
    observed: Bool[Array, "N T"], present: Bool[Array, "N T"], gap_s: float
) -> UInt8[Array, "N T"]:
    """`Provenance` of every slot.

    An unseen slot is INTERPOLATED when the observations around it are at most `gap_s` apart, and INFILLED
    else; before the first and after the last observation it is INFILLED.
    """
    t = observed.shape[1]
    index = np.arange(t)
    before = np.maximum.accumulate(np.where(observed, index, -(10**6)), axis=1)
    after = np.minimum.accumulate(np.where(observed, index, 10**6)[:, ::-1], axis=1)[:, ::-1]
    close = (after - before) <= round(gap_s * MODEL_RATE_HZ)
    out = np.where(close, Provenance.INTERPOLATED, Provenance.INFILLED)
    out = np.where(observed, Provenance.OBSERVED, out)
    return np.where(present, out, Provenance.ABSENT).astype(np.uint8)


def _reprojection(
    problem: WindowProblem,
    joints_m: Float[Array, "N T 24 3"],
    rotmats: Float[Array, "N T 24 3 3"],
    keep: Bool[Array, "N T"],
) -> tuple[Float[Array, "N"], Float[Array, "N T"]]:
    """Confidence-weighted rms per person, px, and per person-frame in box sizes (0 where unseen)."""
    keypoints = coco_keypoints_np(joints_m, rotmats)
    squared, weight, relative = (np.zeros(keep.shape) for _ in range(3))
    for c, camera in enumerate(problem.cameras):
        cam = camera.to_camera(keypoints)
        ahead = cam[..., 2] > 1e-3
        xy = cam[..., :2] / np.where(ahead, cam[..., 2], 1.0)[..., None]
        px = xy @ camera.K[:2, :2].T + camera.K[:2, 2]
        conf = np.where(ahead & keep[..., None], problem.confidence[c], 0.0).astype(np.float64)
        off = np.where(conf > 0, ((px - problem.keypoints_px[c]) ** 2).sum(-1), 0.0)
        box = problem.box_px[c]
        size = np.maximum(np.maximum(box[..., 2] - box[..., 0], box[..., 3] - box[..., 1]), 1.0)
        each = (conf * off).sum(-1)
        squared += each
        relative += each / size**2
        weight += conf.sum(-1)
    per_person = np.sqrt(squared.sum(1) / np.maximum(weight.sum(1), 1e-9))
    return per_person, np.sqrt(relative / np.maximum(weight, 1e-9))


def _confidence(
    problem: WindowProblem, misfit: Float[Array, "N T"], keep: Bool[Array, "N T"], config: FinishConfig
) -> Float[Array, "N T"]:
    seen = problem.observed & keep
    clarity = np.clip(problem.confidence[..., 5:].mean(-1).max(0), 0.0, 1.0)
    own = np.where(seen, clarity * np.exp(-0.5 * (misfit / config.misfit) ** 2), 0.0)
    # max-plus sweep: log confidence falls linearly with distance from what was seen
    fade = np.exp(-1.0 / (config.fade_s * MODEL_RATE_HZ))
    spread = own.copy()
    for t in range(1, own.shape[1]):
        spread[:, t] = np.maximum(spread[:, t], fade * spread[:, t - 1])
    for t in range(own.shape[1] - 2, -1, -1):
        spread[:, t] = np.maximum(spread[:, t], fade * spread[:, t + 1])
    return np.where(keep, np.where(seen, own, spread), 0.0)
