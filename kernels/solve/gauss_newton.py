"""The `live` solver: one damped Gauss-Newton per person over the window, all people side by side.

Same energies as `paper` (eqs 3-10 in their mended forms), in units of their noise: every weight is one over
the variance of what it penalises, so the minimum is the most probable motion under Gaussian (robustly:
Geman-McClure) noise. The compiled work is in `kernels.fused`; this file packs arrays, hands people to threads
and unpacks. Float32 inside, positions relative to each person's own origin.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ..body.data import BodyData
from ..fused.arrays import (
    NUM_BETAS,
    NUM_FACE,
    NUM_JOINTS,
    NUM_ROT,
    NUM_ROWS,
    FusedBody,
    FusedBudget,
    FusedPrior,
    FusedViews,
    FusedWeights,
)
from ..fused.gauss_newton import solve_person
from ..priors.gaussian_pose import GaussianPosePrior
from ..rotation import rotmat_to_rotvec_np, rotvec_to_rotmat_np
from ..skeleton import FACE_OFFSETS_M, PARENTS
from .gauss_newton_config import LiveConfig
from .problem import WarmStart, WindowProblem
from .target import Target, TargetRows, merge_rows, target_rows

Array = np.ndarray

FUSED_TERMS = (
    "E_2D", "E_hvip2D", "E_contact", "E_t-trans", "E_pose", "E_shape", "E_t-pose", "track", "upright", "target",
)  # fmt: skip
"""Terms of the compiled energy; the last is the merged target."""
TERMS = (*FUSED_TERMS[:-1], "E_VAE", "lifter")
"""The same with the target's sources apart: the motion prior's and the lifter's."""

JOINT_SCALE = np.ones(NUM_JOINTS)
"""Relative weight of each joint in E_t-pose."""


def fused_weights(config: LiveConfig) -> FusedWeights:
    """Its sigmas and weights, as the kernels take them."""
    f = np.float32
    velocity = 0.0 if config.joint_velocity_sigma_m is None else config.joint_velocity_sigma_m**-2
    return FusedWeights(
        reprojection=f(config.reprojection_sigma**-2),
        reprojection_scale=f(config.reprojection_robust_sigmas * config.reprojection_sigma),
        hvip=f(config.hvip_sigma_scale**-2),
        hvip_scale=f(config.hvip_robust_sigmas * config.hvip_sigma_scale),
        contact=f(config.contact_sigma_m**-2),
        contact_scale_m=f(config.contact_scale_m),
        contact_softness_m=f(0.01),
        trans_velocity=f(0.0),
        trans_acceleration=f(config.translation_acceleration_sigma_m**-2),
        pose_velocity=f(velocity),
        pose_acceleration=f(config.joint_acceleration_sigma_m**-2),
        pose=f(config.pose_weight),
        shape=f(config.shape_weight),
        track=f(1.0),
        upright=f(config.upright_sigma_rad**-2),
    )


@dataclass(frozen=True)
class Bodies:
    """Bodies of a window: a first guess, or an answer."""

    pose_rotvec: Float[Array, "N T 24 3"]
    """Axis-angle, radians; joint 0 in the world."""
    transl_m: Float[Array, "N T 3"]
    betas: Float[Array, "N 10"]

    def as_warm_start(self, present: Bool[Array, "N T"]) -> WarmStart:
        """The same numbers as `solve_paper` takes its first guess."""
        weight = np.zeros(len(self.betas), np.float32)
        return WarmStart(present.copy(), self.pose_rotvec, self.transl_m, self.betas, weight)


@dataclass(frozen=True)
class LiveResult:
    """What the live solver hands back."""

    bodies: Bodies
    outer: Int[Array, "N"]
    """Gauss-Newton steps taken."""
    products: Int[Array, "N"]
    """Curvature products taken."""
    converged: Int[Array, "N"]
    """1 where the tolerance ended the solve, 0 where the budget did."""
    terms: Float[Array, "N 11"]
    """Final energy by term, in the order of `TERMS`."""


@dataclass(frozen=True)
class Targets:
    """What else is known of the bodies of a window."""

    motion_prior: Target | None = None
    """Term `E_VAE`."""
    lifter: Target | None = None
    """Term `lifter`."""


NO_TARGETS = Targets()


def fused_body(body: BodyData) -> FusedBody:
    """Rest skeleton with five face points and three sole points a foot (heel, outer and inner ball)."""
    template, dirs = body.joint_template_m, body.joint_shapedirs_m
    parents = PARENTS[1:NUM_JOINTS]
    offset, offset_dirs = template[:NUM_JOINTS].copy(), dirs[:NUM_JOINTS].copy()
    offset[1:] -= template[parents]
    offset_dirs[1:] -= dirs[parents]
    joints = [15] * NUM_FACE
    points, point_dirs = list(FACE_OFFSETS_M[:NUM_FACE]), [np.zeros((3, NUM_BETAS))] * NUM_FACE
    soles = body.sole_vertices
    half = len(soles) // 2
    for vertices in (soles[:half], soles[half:]):
        place = body.v_template[vertices].astype(np.float64)
        heel = int(place[:, 2].argmin())
        ball = place[:, 2] > 0.5 * (place[:, 2].min() + place[:, 2].max())
        outer = int(np.where(ball, place[:, 0], -np.inf).argmax())
        inner = int(np.where(ball, place[:, 0], np.inf).argmin())
        for pick in (heel, outer, inner):
            v = vertices[pick]
            j = int(body.weights[v, :NUM_JOINTS].argmax())
            joints.append(j)
            points.append(body.v_template[v] - template[j])
            point_dirs.append(body.shapedirs[v] - dirs[j])
    f = np.float32
    return FusedBody(
        np.ascontiguousarray(offset, f),
        np.ascontiguousarray(offset_dirs, f),
        np.array(joints, np.int64),
        np.array(points, f),
        np.array(point_dirs, f),
    )


def fused_prior(prior: GaussianPosePrior) -> FusedPrior:
    """The pose Gaussian and the joints' smoothness scales."""
    f = np.float32
    return FusedPrior(
        np.ascontiguousarray(prior.mean.numpy(), f),
        np.ascontiguousarray(prior.precision.numpy(), f),
        np.ascontiguousarray(JOINT_SCALE, f),
    )


def fused_views(problem: WindowProblem, config: LiveConfig) -> FusedViews:
    """Observations with the slots innermost."""
    f = np.float32
    present = problem.present
    confidence = np.where(present[None, :, :, None], problem.confidence, 0.0)
    confidence = np.where(np.isfinite(problem.keypoints_px).all(-1), confidence, 0.0)
    confidence[..., :NUM_FACE] *= config.face_weight
    keypoints = np.nan_to_num(problem.keypoints_px)
    box = problem.box_px
    size = np.maximum(box[..., 2] - box[..., 0], box[..., 3] - box[..., 1])
    seen = (size > 1.0) & (confidence > 0).any(-1)
    inv_size = np.where(seen, 1.0 / np.maximum(size, 1.0), 0.0)
    confidence = np.where(seen[..., None], confidence, 0.0)
    usable = (problem.hvip_sigma_px > 0) & np.isfinite(problem.hvip_px).all(-1) & present
    inv_sigma = np.where(usable, 1.0 / np.where(usable, problem.hvip_sigma_px, 1.0), 0.0)
    observed = seen.any(0)
    sigma = np.where(observed, config.track_sigma_m, config.track_hidden_sigma_m)
    on_track = present & np.isfinite(problem.track_m).all(-1)
    n, t = present.shape
    return FusedViews(
        cameras=camera_rows(problem),
        keypoints=np.ascontiguousarray(keypoints.transpose(1, 0, 3, 4, 2), f),
        confidence=np.ascontiguousarray(confidence.transpose(1, 0, 3, 2), f),
        inv_size=np.ascontiguousarray(inv_size.transpose(1, 0, 2), f),
        hvip=np.ascontiguousarray(np.nan_to_num(problem.hvip_px).transpose(1, 0, 3, 2), f),
        hvip_inv_sigma=np.ascontiguousarray(inv_sigma.transpose(1, 0, 2), f),
        track=np.ascontiguousarray(np.nan_to_num(problem.track_m[..., :2]).transpose(0, 2, 1), f),
        track_weight=np.ascontiguousarray(np.where(on_track, sigma**-2.0, 0.0), f),
        plane=plane_rows(problem),
        slots=slot_ranges(present),
        target=np.zeros((n, NUM_ROWS, t), f),
        target_weight=np.zeros((n, NUM_ROWS, t), f),
    )


def camera_rows(problem: WindowProblem) -> Float[Array, "C 16"]:
    """fx, fy, cx, cy, R, t of every camera."""
    rows = [
        np.concatenate([[c.K[0, 0], c.K[1, 1], c.K[0, 2], c.K[1, 2]], c.R_cam_world.ravel(), c.t_cam_world_m])
        for c in problem.cameras
    ]
    return np.ascontiguousarray(rows, np.float32)


def plane_rows(problem: WindowProblem) -> Float[Array, "N 4 T"]:
    """Unit normal and offset of the ground under every person's track."""
    n, t = problem.present.shape
    xy = np.nan_to_num(problem.track_m[..., :2]).reshape(-1, 2).astype(np.float64)
    rows = np.empty((n * t, 4))
    for plane in problem.ground.planes:  # the last that contains the place wins
        inside = plane.contains(xy) if plane is not problem.ground.planes[0] else np.ones(n * t, bool)
        rows[inside] = (*plane.normal, plane.offset_m)
    return np.ascontiguousarray(rows.reshape(n, t, 4).transpose(0, 2, 1), np.float32)


def slot_ranges(present: Array) -> Int[Array, "N 2"]:
    """First and one past the last present slot; 0, 0 for nobody."""
    t = present.shape[1]
    some = present.any(1)
    first = np.where(some, present.argmax(1), 0)
    last = np.where(some, t - present[:, ::-1].argmax(1), 0)
    return np.ascontiguousarray(np.stack([first, last], 1), np.int64)


def solve_live(
    problem: WindowProblem,
    start: Bodies,
    body: FusedBody,
    prior: FusedPrior,
    config: LiveConfig,
    pool: ThreadPoolExecutor | None = None,
    views: FusedViews | None = None,
    targets: Targets = NO_TARGETS,
    outer: int | None = None,
) -> LiveResult:
    """Solve a window from a first guess.

    Args:
        problem: observations.
        start: first guess (`initialise`).
        body, prior: of `fused_body`, `fused_prior`.
        config: budget and noise model.
        pool: threads to use (`config.threads` of them); None makes its own for the call.
        views: of `fused_views` where the caller has them already.
        targets: Gaussians on the bodies themselves.
        outer: Gauss-Newton steps for everybody; None for those of `config`, by whether a person is known.

    Returns:
        Bodies; slots outside a person's present range keep the first guess. A person whose solve went wrong
        comes back with the last finite step's numbers, or not finite at all: `finish` turns that into a status.
    """
    n, t = problem.present.shape
    f = np.float32
    views = fused_views(problem, config) if views is None else views
    said, views = _with_targets(views, targets, start)
    rows = np.zeros((n, NUM_ROWS, t), f)
    rows[:, 3:NUM_ROT] = start.pose_rotvec[:, :, 1:NUM_JOINTS].reshape(n, t, NUM_ROT - 3).transpose(0, 2, 1)
    rows[:, NUM_ROT:] = start.transl_m.transpose(0, 2, 1)
    base = rotvec_to_rotmat_np(start.pose_rotvec[:, :, 0].astype(np.float64))
    base_rows = np.ascontiguousarray(base.reshape(n, t, 9).transpose(0, 2, 1), f)
    betas = np.ascontiguousarray(start.betas, f).copy()
    betas_mean, betas_weight, known = _known_before(problem, config)
    present = problem.present[..., None]
    origin = (np.where(present, start.transl_m, 0).sum(1) / np.maximum(present.sum(1), 1)).astype(f)
    info, fused_terms = np.zeros((n, 4), f), np.zeros((n, len(FUSED_TERMS)), f)
    lam = fused_weights(config)

    slots = views.slots
    people = np.flatnonzero(slots[:, 1] > slots[:, 0])

    def work(person: int) -> None:
        steps = outer or (config.outer if known[person] < 0.5 else config.outer_warm)
        budget = FusedBudget(steps, config.inner, f(config.forcing), f(config.tolerance), f(config.damping))
        part = slice(slots[person, 0], slots[person, 1])
        camera = views.cameras.copy()
        camera[:, 13:] += camera[:, 4:13].reshape(-1, 3, 3) @ origin[person]
        own = rows[person, :, part].copy()
        own[NUM_ROT:] -= origin[person][:, None]
        solve_person(
            person, body, prior, views, lam, budget, base_rows[person, :, part].copy(), own, betas[person],
            betas_mean[person], betas_weight[person], origin[person], camera, info[person], fused_terms[person],
        )  # fmt: skip
        own[NUM_ROT:] += origin[person][:, None]
        rows[person, :, part] = own

    if config.threads == 1 or len(people) <= 1:
        for person in people.tolist():
            work(person)
    elif pool is not None:
        list(pool.map(work, people.tolist()))
    else:
        with ThreadPoolExecutor(config.threads) as threads:
            list(threads.map(work, people.tolist()))
    return LiveResult(
        bodies=_unpack(start, base, rows, betas),
        outer=info[:, 0].astype(np.int64),
        products=info[:, 1].astype(np.int64),
        converged=info[:, 3].astype(np.int64),
        terms=np.concatenate([fused_terms[:, :-1], _source_energies(said, rows, slots)], 1),
    )


def _with_targets(
    views: FusedViews, targets: Targets, start: Bodies
) -> tuple[list[TargetRows | None], FusedViews]:
    """Each target in the solver's rows (motion prior, lifter), and the views that carry them merged."""
    said = [
        None if each is None else target_rows(each, start.pose_rotvec)
        for each in (targets.motion_prior, targets.lifter)
    ]
    if spoken := [each for each in said if each is not None]:
        merged = merge_rows(spoken)
        mean, weight = merged.mean.astype(np.float32), merged.weight.astype(np.float32)
        views = views._replace(target=mean, target_weight=weight)
    return said, views


def _known_before(
    problem: WindowProblem, config: LiveConfig
) -> tuple[Float[Array, "N 10"], Float[Array, "N"], Float[Array, "N"]]:
    """Betas of the window before, their weight, and the share of each person's slots that it has solved."""
    n, f = problem.num_people, np.float32
    mean, weight, known = np.zeros((n, NUM_BETAS), f), np.zeros(n, f), np.zeros(n)
    if problem.warm is not None:
        mean[:] = problem.warm.betas
        weight[:] = config.shape_weight * problem.warm.betas_weight / WINDOW_INFORMATION
        known = (problem.warm.known & problem.present).sum(1) / np.maximum(problem.present.sum(1), 1)
    return mean, weight, known


def _source_energies(said: list[TargetRows | None], rows: Array, slots: Array) -> Float[Array, "N S"]:
    """Energy of each target by itself at the answer; 0 for one that is not there."""
    none = np.zeros(len(rows))
    energies = [none if each is None else each.energy(rows, slots) for each in said]
    return np.stack(energies, 1).astype(np.float32)


WINDOW_INFORMATION = 16.0
"""Observed person-frames that weigh as much as the betas' prior once more: poses of a second look alike."""


def _unpack(start: Bodies, base: Array, rows: Array, betas: Array) -> Bodies:
    n, _, t = rows.shape
    pose = np.array(start.pose_rotvec, np.float32)
    pose[:, :, 1:NUM_JOINTS] = rows[:, 3:NUM_ROT].transpose(0, 2, 1).reshape(n, t, NUM_JOINTS - 1, 3)
    pose[:, :, NUM_JOINTS:] = 0.0
    turned = rotvec_to_rotmat_np(rows[:, :3].transpose(0, 2, 1).astype(np.float64)) @ base
    finite = np.isfinite(turned).all((-1, -2))
    pose[:, :, 0] = np.where(
        finite[..., None], rotmat_to_rotvec_np(np.where(finite[..., None, None], turned, np.eye(3))), np.nan
    )
    return Bodies(pose, np.ascontiguousarray(rows[:, NUM_ROT:].transpose(0, 2, 1)), betas)
