"""First bodies of a window, from 2D keypoints, ground positions and the pose prior alone.

    place     the tracked ground point; pelvis at the height the template stands
    facing    yaw by reprojection of a few posed templates, smoothed over the window (`fused.facing`);
              a walker is believed to look where they go
    pose      the templates' mix by how well they explain the picture
    betas     stature from the best template's image scale against the stature prior, along the direction in
              beta space that changes stature at least cost

Slots that nobody saw take the pose of the nearest seen ones. With a warm start, known slots are kept, new ones
carry on: pose of the last known slot fading into the first guess, translation at constant velocity towards the
track. O(N T C M K).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ..body.data import BodyData
from ..body.keypoints import coco_keypoints_np
from ..body.kinematics import forward_kinematics_np
from ..fused.arrays import FusedViews
from ..fused.facing import facing_path
from ..priors.gaussian_pose import GaussianPosePrior
from ..rotation import rotmat_to_rotvec_np, rotvec_to_rotmat_np, slerp_rotvec_np
from .gauss_newton import Bodies
from .initialise_config import FirstGuessConfig
from .problem import MODEL_RATE_HZ, WindowProblem

Array = np.ndarray

R_ZUP_YUP = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""The body (y up, facing +z, left +x) into a z-up world, facing +x at yaw 0."""

PEOPLE_PER_TASK = 4


@dataclass(frozen=True)
class Templates:
    """Posed skeletons that facing is judged with."""

    pose: Float[Array, "M 63"]
    """Axis-angle of joints 1..21."""
    keypoints_m: Float[Array, "M 17 3"]
    """About the pelvis, z up, facing +x, metres."""
    pelvis_height_m: Float[Array, "M"]
    """Pelvis above the lowest sole."""
    pelvis_rest_m: Float[Array, "3"]
    """Rest pelvis of the mean body: transl is pelvis minus this."""
    stature_m: float
    """Of the mean body."""
    stature_per_beta: Float[Array, "10"]
    """d stature / d betas, metres."""


def make_templates(body: BodyData, prior: GaussianPosePrior, config: FirstGuessConfig) -> Templates:
    """Templates along the main directions of the pose prior, standing on their lowest sole."""
    mean = prior.mean.numpy().astype(np.float64)
    axes = prior.components.numpy().astype(np.float64)[:, : config.template_axes].T
    spread = config.template_spread
    poses = np.concatenate([mean[None], mean + spread * axes, mean - spread * axes])
    pose = np.zeros((len(poses), 24, 3))
    pose[:, 1:22] = poses.reshape(-1, 21, 3)
    pose[:, 0] = rotmat_to_rotvec_np(R_ZUP_YUP)
    joints, rotmats = forward_kinematics_np(
        pose, np.zeros(10), np.zeros(3), body.joint_template_m, body.joint_shapedirs_m
    )
    keypoints = coco_keypoints_np(joints, rotmats) - joints[:, None, 0]
    arms = body.v_template[body.sole_vertices].astype(np.float64)[:, None] - body.joint_template_m[None]
    placed = np.einsum("mjcd,sjd->msjc", rotmats, arms) + joints[:, None]
    soles = np.einsum("sj,msj->ms", body.weights[body.sole_vertices], placed[..., 2])
    height = joints[:, 0, 2] - soles.min(1)
    stature = body.stature_m(np.zeros(10))
    slope = np.array([body.stature_m(0.5 * e) - body.stature_m(-0.5 * e) for e in np.eye(10)])
    return Templates(poses, keypoints, height, body.joint_template_m[0].copy(), stature, slope)


def initialise(
    problem: WindowProblem,
    views: FusedViews,
    templates: Templates,
    config: FirstGuessConfig,
    pool: ThreadPoolExecutor | None = None,
) -> Bodies:
    """First guess for everybody in every present slot.

    Args:
        problem: observations, with a warm start or without.
        views: `fused_views` of the problem.
        templates: of `make_templates`.
        config: settings.
        pool: threads to use; None for the caller's alone.
    """
    yaw, mix, scale = _facing(problem, views, templates, config, pool)
    betas = _betas(scale, templates, config)
    pose = np.zeros((*problem.present.shape, 24, 3), np.float32)
    pose[:, :, 1:22] = (mix @ templates.pose).reshape(*problem.present.shape, 21, 3)
    turn = np.zeros((*problem.present.shape, 3))
    turn[..., 2] = yaw
    pose[:, :, 0] = rotmat_to_rotvec_np(rotvec_to_rotmat_np(turn) @ R_ZUP_YUP)
    stature = templates.stature_m + betas @ templates.stature_per_beta
    height = (mix @ templates.pelvis_height_m) * (stature / templates.stature_m)[:, None]
    pelvis = np.nan_to_num(problem.track_m).astype(np.float64)
    pelvis[..., 2] += height
    transl = pelvis - templates.pelvis_rest_m
    guess = Bodies(pose, transl.astype(np.float32), betas.astype(np.float32))
    return guess if problem.warm is None else carry_on(problem, guess)


def _facing(
    problem: WindowProblem,
    views: FusedViews,
    templates: Templates,
    config: FirstGuessConfig,
    pool: ThreadPoolExecutor | None,
) -> tuple[Float[Array, "N T"], Float[Array, "N T M"], Float[Array, "N T"]]:
    n, t = problem.present.shape
    f = np.float32
    place = np.ascontiguousarray(np.nan_to_num(problem.track_m), f)
    heading, speed = walking_direction(place, problem.present)
    # a person who strolls may look anywhere; from about walking speed on the direction is trusted
    trust = config.heading_weight * np.minimum(speed, 1.5) ** 2
    angles = np.arange(config.yaws) * (2 * np.pi / config.yaws)
    yaw = np.zeros((n, t), f)
    mix = np.zeros((n, t, len(templates.pose)), f)
    mix[..., 0] = 1.0
    scale = np.zeros((n, t), f)
    poses = np.ascontiguousarray(templates.keypoints_m, f)
    heights = np.ascontiguousarray(templates.pelvis_height_m, f)
    heading, trust = np.ascontiguousarray(heading, f), np.ascontiguousarray(trust, f)
    cosines, sines = np.cos(angles).astype(f), np.sin(angles).astype(f)
    sigma, cap, turn = f(config.keypoint_sigma), f(config.keypoint_cap), f(config.turn_sigma_rad)

    slots = views.slots.copy()
    if problem.warm is not None:  # what is known needs no guess: begin at the first slot that is not
        missing = problem.present & ~problem.warm.known
        slots[:, 0] = np.where(missing.any(1), missing.argmax(1), slots[:, 1])

    def work(people: Array) -> None:
        facing_path(
            people, views.cameras, views.keypoints, views.confidence, views.inv_size, slots,
            poses, heights, place, heading, trust, cosines, sines, sigma, cap, turn, yaw, mix, scale,
        )  # fmt: skip

    parts = [np.arange(i, min(i + PEOPLE_PER_TASK, n)) for i in range(0, n, PEOPLE_PER_TASK)]
    for _ in (map if pool is None else pool.map)(work, parts):
        pass
    seen = scale > 0
    return _fill_yaw(yaw, seen), _smooth_mix(mix, seen), scale


def walking_direction(
    place_m: Float[Array, "N T 3"], present: Bool[Array, "N T"]
) -> tuple[Float[Array, "N T"], Float[Array, "N T"]]:
    """Heading (rad) and speed (m/s) of tracks over half a second; speed 0 where a person is absent."""
    t = present.shape[1]
    reach = 8
    index = np.arange(t)
    first = np.where(present.any(1), present.argmax(1), 0)[:, None]
    last = np.where(present.any(1), t - 1 - present[:, ::-1].argmax(1), 0)[:, None]
    before = np.clip(index - reach, first, last)
    after = np.clip(index + reach, first, last)
    rows = np.arange(len(present))[:, None]
    step = place_m[rows, after, :2] - place_m[rows, before, :2]
    span = np.maximum(after - before, 1) / MODEL_RATE_HZ
    speed = np.linalg.norm(step, axis=-1) / span
    return np.arctan2(step[..., 1], step[..., 0]), np.where(present & (after > before), speed, 0.0)


def _fill_yaw(yaw: Float[Array, "N T"], seen: Bool[Array, "N T"]) -> Float[Array, "N T"]:
    """Unseen slots between by the shorter turn, before and after by the nearest."""
    index = np.arange(yaw.shape[1])
    out = np.unwrap(yaw, axis=1)
    for n in np.flatnonzero(seen.any(1) & ~seen.all(1)):
        known = np.unwrap(yaw[n, seen[n]])
        out[n] = np.interp(index, index[seen[n]], known)
    return out


def _smooth_mix(mix: Float[Array, "N T M"], seen: Bool[Array, "N T"]) -> Float[Array, "N T M"]:
    """Templates' shares averaged over five slots of evidence; none near: the mean pose."""
    kernel = np.array([1.0, 2.0, 3.0, 2.0, 1.0])
    weighted = mix * seen[..., None]
    pad = np.pad(weighted, ((0, 0), (2, 2), (0, 0)))
    counts = np.pad(seen.astype(np.float64), ((0, 0), (2, 2)))
    t = mix.shape[1]
    total = sum(w * pad[:, i : i + t] for i, w in enumerate(kernel))
    count = sum(w * counts[:, i : i + t] for i, w in enumerate(kernel))
    out = np.asarray(total / np.maximum(count, 1e-9)[..., None])
    out[count <= 0] = 0.0
    out[..., 0] += 1.0 - out.sum(-1)
    return out


def _betas(
    scale: Float[Array, "N T"], templates: Templates, config: FirstGuessConfig
) -> Float[Array, "N 10"]:
    """Betas of the most probable stature: image scale (median over slots) against the stature prior."""
    stature = np.full(len(scale), config.stature_m)
    for n in np.flatnonzero((scale > 0).any(1)):
        measured = templates.stature_m * float(np.median(scale[n][scale[n] > 0]))
        noise = (config.stature_noise * measured) ** 2
        prior = config.stature_sigma_m**2
        stature[n] = (measured * prior + config.stature_m * noise) / (prior + noise)
    slope = templates.stature_per_beta
    return np.asarray((stature - templates.stature_m)[:, None] * slope / max(float(slope @ slope), 1e-9))


def carry_on(problem: WindowProblem, guess: Bodies, fade_slots: float = 8.0) -> Bodies:
    """The warm start's known slots, and its last body carried into the new ones.

    Pose: rotation from the fresh guess to the last known slot fades out over `fade_slots`. Translation: the
    warm-to-track offset of the last eight known slots is kept. Betas of people known before are theirs.
    """
    warm = problem.warm
    assert warm is not None
    known = warm.known & problem.present
    pose, transl, betas = guess.pose_rotvec.copy(), guess.transl_m.copy(), guess.betas.copy()
    pose[known], transl[known] = warm.pose_rotvec[known], warm.transl_m[known]
    old = known.any(1)
    betas[old] = warm.betas[old]
    t = problem.num_frames
    index = np.arange(t)
    last = np.where(old, t - 1 - known[:, ::-1].argmax(1), t)
    new = problem.present & (index > last[:, None])
    who, when = np.nonzero(new)
    if not len(who):
        return Bodies(pose, transl, betas)
    recent = known & (index > last[:, None] - 8)
    offset = (
        np.where(recent[..., None], transl - guess.transl_m, 0.0).sum(1)
        / np.maximum(recent.sum(1), 1)[:, None]
    )
    transl[new] += offset[who]
    share = 1.0 - np.exp(-(when - last[who]) / fade_slots)
    carried, fresh = pose[who, last[who]].astype(np.float64), guess.pose_rotvec[new].astype(np.float64)
    # body angles are far from half a turn, so a straight blend is as good as an arc; the root needs the arc
    mixed = carried + share[:, None, None] * (fresh - carried)
    mixed[:, 0] = slerp_rotvec_np(carried[:, 0], fresh[:, 0], share)
    # a root that would have to swing round is a doubtful fresh guess: keep the known facing
    away = _far(fresh[:, 0], carried[:, 0])
    mixed[away, 0] = carried[away, 0]
    pose[new] = mixed
    return Bodies(pose, transl, betas)


def _far(a: Float[Array, "M 3"], b: Float[Array, "M 3"]) -> Bool[Array, "M"]:
    """Turns of more than 100 degrees from a to b."""
    turn = rotvec_to_rotmat_np(a).swapaxes(-1, -2) @ rotvec_to_rotmat_np(b)
    return np.asarray((np.trace(turn, axis1=-2, axis2=-1) - 1) / 2 < np.cos(np.deg2rad(100.0)))
