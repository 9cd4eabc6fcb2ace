"""The motion prior in the live solve: bodies so far -> nearest likely motion -> a Gaussian for the next steps.

    x_hat = D(E(x, seen))            E_VAE = sum w (x - x_hat)^2,   w = 1 / sigma^2

The paper optimises the latents themselves (eq. 12); here the prior is a projection, and its answer is pulled towards by
the same Gauss-Newton steps that hold the keypoints. How hard follows from what the prior gets wrong on motions it has
never seen (`SIGMAS`): what was seen is known better from its keypoints, what is hidden better from the prior, the more
so the nearer a slot is to one that was seen.

Ground under each slot is taken off before and put back after, so a motion on a slope looks to the prior as on the flat.
Windows shorter than 64 slots, and people who are there for a part of one, are filled up with hidden slots.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped

from ..body.data import BodyData
from ..errors import ShapeError
from ..priors.motion_prior import MotionPrior
from ..priors.motion_state import BODY_JOINTS, SEGMENT_FRAMES
from ..priors.projection import project
from ..priors.visibility import placed, seen_groups
from ..rotation import rotmat_to_rotvec, rotvec_to_rotmat
from .gauss_newton import Bodies, plane_rows
from .parts import run_parts
from .prior_target_config import ProjectionConfig
from .problem import WindowProblem
from .target import Target

Array = np.ndarray

PATH = BODY_JOINTS
"""Index of the global group; body joint j is group j - 1."""
LEG = (1, 4, 7)
"""Hip, knee, ankle."""
GROUND_REACH = 8
"""Slots to either side over which the ground's height is averaged: the path over a step is no step."""

SEEN_SIGMA_RAD = (
    0.030, 0.052, 0.052, 0.030, 0.068, 0.068, 0.033, 0.106, 0.106, 0.036, 0.048,
    0.048, 0.082, 0.050, 0.050, 0.069, 0.073, 0.073, 0.086, 0.086, 0.077, 0.077,
)  # fmt: skip
"""Standard deviation per axis of the prior's angles of joints 0..21 where they were shown to it as noisily as a solver
would; on held-back subjects."""
HIDDEN_SIGMA_RAD = (
    0.20, 0.27, 0.27, 0.12, 0.26, 0.26, 0.06, 0.16, 0.16, 0.09, 0.06,
    0.06, 0.15, 0.12, 0.12, 0.12, 0.42, 0.42, 0.33, 0.33, 0.20, 0.20,
)  # fmt: skip
"""The same long after they were last shown."""
PATH_SIGMA_M = (0.03, 0.20)
"""The same of the pelvis's place, metres. Where shown the prior keeps it to 5 mm; held so firmly it jitters."""
SPREAD_SLOTS = 20.0
"""Slots over which the one passes into the other: fitted to gaps of 1 to 24 slots and to joints never shown."""
HIDDEN_ERROR_M = (
    0.00, 0.02, 0.02, 0.02, 0.12, 0.12, 0.06, 0.18, 0.18, 0.08, 0.19,
    0.19, 0.14, 0.11, 0.11, 0.16, 0.14, 0.14, 0.22, 0.22, 0.36, 0.36,
)  # fmt: skip
"""Distance of the prior's joints 0..21 from the true ones, about the pelvis, long after they were last shown."""


@dataclass(frozen=True)
class Projected:
    """A window's people as the prior tells them. Slots in which a person is absent are told, too."""

    bodies: Bodies
    seen: Bool[Array, "N T 22"]
    """Groups that the prior was shown: joints 1..21, then the path."""
    contact: Float[Array, "N T 8"]
    """Probability that ankles, feet, knees, wrists (left, right) rest on something."""


def project_bodies(
    problem: WindowProblem,
    bodies: Bodies,
    prior: MotionPrior,
    body: BodyData,
    config: ProjectionConfig,
    pool: ThreadPoolExecutor | None = None,
) -> Projected:
    """Everybody through the prior.

    Args:
        problem: of at most 64 slots.
        bodies: solved so far, or a first guess; what is hidden is not looked at.
        prior: in evaluation mode, on the CPU.
        pool: threads to use; None for the caller's alone. The answer does not depend on it.

    Raises:
        ShapeError: a window longer than the prior's.
    """
    n, t = problem.present.shape
    if t > SEGMENT_FRAMES:
        raise ShapeError(
            f"window of {t} slots, the motion prior takes at most {SEGMENT_FRAMES}; set window.frames to "
            f"{SEGMENT_FRAMES}, or solve.motion_prior to false"
        )
    finite = np.isfinite(bodies.pose_rotvec).all((-1, -2)) & np.isfinite(bodies.transl_m).all(-1)
    finite &= np.isfinite(bodies.betas).all(-1)[:, None]
    present = problem.present & finite
    seen = placed(seen_groups(problem.confidence, present, config.seen_confidence), present)
    betas = np.where(finite.any(1)[:, None], bodies.betas, 0.0)
    rest = body.joint_template_m + np.einsum("nk,jck->njc", betas, body.joint_shapedirs_m)
    size = leg_length(rest) / leg_length(prior.rest_joints_m.double().numpy())
    ground = ground_heights(problem, bodies.transl_m)
    pose = np.where(finite[..., None, None], bodies.pose_rotvec[:, :, :22], 0.0)
    root = np.where(finite[..., None], bodies.transl_m + rest[:, None, 0], 0.0)
    root[..., 2] -= ground
    pose_out, contact = np.zeros((n, t, 24, 3), np.float32), np.zeros((n, t, 8), np.float32)
    root_out = np.zeros((n, t, 3), np.float32)

    def work(rows: Array) -> None:
        says = project(
            prior,
            rotvec_to_rotmat(_whole(pose[rows], t)),
            _whole(root[rows], t),
            torch.from_numpy(np.pad(seen[rows], ((0, 0), (0, SEGMENT_FRAMES - t), (0, 0)))),
            torch.zeros(len(rows)),
            torch.from_numpy(size[rows].astype(np.float32)),
        )
        pose_out[rows, :, :22] = rotmat_to_rotvec(says.rotmats[:, :t]).numpy()
        root_out[rows] = says.root_m[:, :t].numpy()
        contact[rows] = says.contact[:, :t].numpy()

    run_parts(work, n, pool)
    root_out[..., 2] += ground
    transl = (root_out - rest[:, None, 0]).astype(np.float32)
    return Projected(Bodies(pose_out, transl, bodies.betas), seen, contact)


def _whole(values: Float[Array, "P T *rest"], slots: int) -> torch.Tensor:
    """As 64 slots, the last one kept."""
    pad = [(0, 0), (0, SEGMENT_FRAMES - slots)] + [(0, 0)] * (values.ndim - 2)
    return torch.from_numpy(np.pad(values, pad, mode="edge").astype(np.float32))


def leg_length(joints_m: Float[Array, "*batch J 3"]) -> Float[Array, "*batch"]:
    """Hip to knee to ankle of the left leg, metres."""
    hip, knee, ankle = (joints_m[..., joint, :] for joint in LEG)
    return np.asarray(np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1))


def ground_heights(problem: WindowProblem, transl_m: Float[Array, "N T 3"]) -> Float[Array, "N T"]:
    """Height of the ground under everybody, a running mean over their present slots; the nearest elsewhere."""
    plane = plane_rows(problem).astype(np.float64)
    place = np.where(problem.present[..., None], np.nan_to_num(transl_m), 0.0)
    here = (plane[:, 3] - plane[:, 0] * place[..., 0] - plane[:, 1] * place[..., 1]) / plane[:, 2]
    index = np.arange(problem.num_frames)
    near = np.abs(index[:, None] - index) <= GROUND_REACH
    weight = near @ problem.present.T.astype(np.float64)  # (T, N)
    mean = (near @ np.where(problem.present, here, 0.0).T / np.maximum(weight, 1.0)).T
    told = weight.T > 0
    nearest = np.where(told[:, None], np.abs(index[:, None] - index), 10 * len(index)).argmin(-1)
    return np.take_along_axis(mean, nearest, axis=1)


def hidden_for(seen: Bool[Array, "N T G"]) -> Float[Array, "N T G"]:
    """Slots to the nearest one in which each group is seen; 64 where none is, 0 where seen."""
    t = seen.shape[1]
    gap = np.where(seen, 0.0, float(SEGMENT_FRAMES))
    for slot in range(1, t):
        gap[:, slot] = np.minimum(gap[:, slot], gap[:, slot - 1] + 1.0)
    for slot in range(t - 2, -1, -1):
        gap[:, slot] = np.minimum(gap[:, slot], gap[:, slot + 1] + 1.0)
    return gap


def spread(
    gap: Float[Array, "*batch"],
    seen: Float[Array, "*#batch"] | float,
    hidden: Float[Array, "*#batch"] | float,
) -> Float[Array, "*batch"]:
    """Standard deviation that grows with the slots to the nearest seen one: s0 to s1, most of it in `SPREAD_SLOTS`."""
    share = 1.0 - np.exp(-gap / SPREAD_SLOTS)
    return np.asarray(np.sqrt(seen**2 + (hidden**2 - seen**2) * share))


def prior_target(projected: Projected, config: ProjectionConfig) -> Target:
    """The Gaussian about the projected motion."""
    gap = by_joint(hidden_for(projected.seen))
    factor = np.where(gap > 0, config.hidden_weight, config.seen_weight)
    place = factor[..., 0] * spread(gap[..., 0], *PATH_SIGMA_M) ** -2
    return Target(
        projected.bodies.pose_rotvec[:, :, :22],
        factor * spread(gap, np.array(SEEN_SIGMA_RAD), np.array(HIDDEN_SIGMA_RAD)) ** -2,
        projected.bodies.transl_m,
        np.repeat(place[..., None], 3, -1),
    )


def expected_error_m(projected: Projected) -> Float[Array, "N T"]:
    """How far off the prior's joints are to be expected, mean over joints 1..21, metres; 0 where all was shown."""
    share = 1.0 - np.exp(-hidden_for(projected.seen[..., :PATH]) / SPREAD_SLOTS)
    return np.asarray((share * np.array(HIDDEN_ERROR_M[1:])).mean(-1))


def by_joint(groups: Shaped[Array, "*batch 22"]) -> Shaped[Array, "*batch 22"]:
    """Groups (body joints 1..21, then the path) in the order of joints: the path's is the pelvis's."""
    return np.concatenate([groups[..., PATH:], groups[..., :PATH]], -1)


def fill_hidden(bodies: Bodies, projected: Projected) -> Bodies:
    """The bodies so far with every hidden joint and path as the prior tells them: where the next steps start."""
    hidden, told = by_joint(~projected.seen), projected.bodies
    pose = bodies.pose_rotvec.copy()
    pose[:, :, :22] = np.where(hidden[..., None], told.pose_rotvec[:, :, :22], pose[:, :, :22])
    return Bodies(pose, np.where(hidden[..., :1], told.transl_m, bodies.transl_m), bodies.betas)
