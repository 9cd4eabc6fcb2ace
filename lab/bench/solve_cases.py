"""Window problems whose answer is known: recorded motion, placed in front of synthetic cameras and observed badly.

A case takes N clips of motion capture, gives each a body shape, a place and a heading on flat ground, projects
the COCO keypoints into one or several cameras, and spoils them the way detectors do:

    keypoint noise   Gaussian, part fixed in px, part growing with the person's size, correlated in time,
                     wider for hips than for eyes (the OKS constants)
    misses           single keypoints, legs hidden for a while, whole people hidden for a while
    swaps            left and right legs exchanged for a moment, at middling confidence
    confidence       falls with the error that was made, never reveals it exactly
    people           some come late or leave early (`present`)

Boxes, interaction points and tracks are filled as the engine would. Everything follows from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field
from scipy.spatial.transform import Rotation

from ...kernels.body.data import BodyData
from ...kernels.body.keypoints import coco_keypoints_np
from ...kernels.body.kinematics import forward_kinematics_np
from ...kernels.camera import CameraModel
from ...kernels.errors import SolveError
from ...kernels.ground import Ground
from ...kernels.settings import StageConfig
from ...kernels.skeleton import COCO_SIGMAS
from ...kernels.solve.energies.hvip import TORSO_JOINTS
from ...kernels.solve.problem import WINDOW_FRAMES, WarmStart, WindowProblem
from ..mocap import MocapClip
from ..pose_prior import CATEGORY_SHARES, mirror

R_ZUP_YUP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Recordings (y up) to our world (z up)."""
REFERENCE_LEG_M = 0.778
"""Hip to ankle of the recordings' skeleton: paths are scaled by the body's own leg over this."""
IMAGE_SIZE_PX = (1920, 1080)
FOCAL_PX = 1400.0
SLOT_NS = 33_333_333
LEGS = np.array([13, 14, 15, 16])
LEG_SWAP = np.array([14, 13, 16, 15])
VIEWS = {
    # height of the camera m, downward pitch deg, nearest and farthest person on the ground m
    "high": (12.0, 45.0, 6.0, 24.0),
    "low": (3.0, 10.0, 6.0, 40.0),
}


class CaseConfig(StageConfig):
    """How a case looks and how badly it is seen."""

    seed: int = 0
    """Everything random follows from it."""
    people: int = Field(default=20, ge=1, le=1000)
    """N."""
    frames: int = Field(default=WINDOW_FRAMES, ge=8)
    """Slots; more than 64 for sequences that `cut` then slices into windows."""
    view: Literal["high", "low"] = "high"
    """A camera that looks down at 45 degrees from 12 m, or along the ground at 10 degrees from 3 m."""
    cameras: int = Field(default=1, ge=1, le=8)
    """C, evenly around the place."""
    noise_px: float = Field(default=0.8, ge=0)
    """Fixed part of the keypoint noise: standard deviation per axis, px."""
    noise_share: float = Field(default=0.012, ge=0)
    """Growing part: share of the person's height in the image."""
    miss_rate: float = Field(default=0.04, ge=0, le=1)
    """Share of single keypoints not found."""
    hidden_rate: float = Field(default=0.3, ge=0, le=1)
    """Share of people who vanish from a camera for 5-20 slots."""
    legs_hidden_rate: float = Field(default=0.2, ge=0, le=1)
    """Share of people whose legs are hidden for 10-30 slots."""
    swap_rate: float = Field(default=0.01, ge=0, le=1)
    """Share of person-frames with left and right legs exchanged."""
    partial_rate: float = Field(default=0.2, ge=0, le=1)
    """Share of people who come late or leave early."""
    observe_every: int = Field(default=1, ge=1)
    """Only each n-th slot is seen: 3 for a 10 Hz camera."""


@dataclass(frozen=True)
class SolveTruth:
    """The answer, float64."""

    pose_rotvec: Float[np.ndarray, "N T 24 3"]
    betas: Float[np.ndarray, "N 10"]
    transl_m: Float[np.ndarray, "N T 3"]
    joints_m: Float[np.ndarray, "N T 24 3"]
    keypoints_px: Float[np.ndarray, "C N T 17 2"]
    """Without noise, hidden ones too."""
    inside: Bool[np.ndarray, "C N T 17"]
    """In front of the camera and in the image."""


@dataclass(frozen=True)
class SolveCase:
    """A problem with its answer."""

    problem: WindowProblem
    truth: SolveTruth


def make_case(clips: list[MocapClip], body: BodyData, config: CaseConfig) -> SolveCase:
    """Build one case.

    Args:
        clips: `lab.mocap.read_mocap`; those on uneven floor, on the floor or too short are left out.
        body: the body that moves and is projected: solve with the same one.
        config: what to build.

    Raises:
        SolveError: no clip is long enough.
    """
    rng = np.random.default_rng(config.seed)
    cameras = _cameras(config)
    pool, weights = _pool(clips, config.frames)
    people = [_place(rng, pool, weights, body, cameras, config) for _ in range(config.people)]
    pose = np.stack([person[0] for person in people])
    betas = np.stack([person[1] for person in people])
    transl = np.stack([person[2] for person in people])
    joints, rotmats = forward_kinematics_np(
        pose, betas[:, None], transl, body.joint_template_m, body.joint_shapedirs_m
    )
    keypoints = coco_keypoints_np(joints, rotmats)
    px = np.stack([camera.project(keypoints) for camera in cameras])
    inside = np.stack([_inside(each) for each in px])
    truth = SolveTruth(pose, betas, transl, joints, np.nan_to_num(px), inside)
    return SolveCase(_observe(rng, truth, cameras, config), truth)


def cut(case: SolveCase, window: int, hop: int = 16, frames: int = WINDOW_FRAMES) -> SolveCase:
    """Window `window` of a long case: slots window * hop onwards.

    Raises:
        SolveError: the case is too short.
    """
    part = slice(window * hop, window * hop + frames)
    p, truth = case.problem, case.truth
    if part.stop > p.num_frames:
        raise SolveError(f"window {window} ends at slot {part.stop}, the case has {p.num_frames}")
    problem = replace(
        p,
        window=window,
        slot0=part.start,
        t0_ns=part.start * SLOT_NS,
        present=p.present[:, part],
        keypoints_px=np.ascontiguousarray(p.keypoints_px[:, :, part]),
        confidence=np.ascontiguousarray(p.confidence[:, :, part]),
        box_px=np.ascontiguousarray(p.box_px[:, :, part]),
        hvip_px=np.ascontiguousarray(p.hvip_px[:, :, part]),
        hvip_sigma_px=np.ascontiguousarray(p.hvip_sigma_px[:, :, part]),
        track_m=np.ascontiguousarray(p.track_m[:, part]),
    )
    return SolveCase(
        problem,
        SolveTruth(
            truth.pose_rotvec[:, part],
            truth.betas,
            truth.transl_m[:, part],
            truth.joints_m[:, part],
            truth.keypoints_px[:, :, part],
            truth.inside[:, :, part],
        ),
    )


def rough_start(
    case: SolveCase, mean_pose: Float[np.ndarray, "63"], body: BodyData, seed: int = 0
) -> WarmStart:
    """A first guess as a careful tracker would have it: mean pose, headings within 25 degrees, the track's place."""
    rng = np.random.default_rng(seed)
    n, t = case.problem.present.shape
    pose = np.zeros((n, t, 24, 3))
    pose[:, :, 1:22] = mean_pose.reshape(21, 3)
    forward = Rotation.from_rotvec(case.truth.pose_rotvec[:, :, 0].reshape(-1, 3)).apply([0.0, 0.0, 1.0])
    yaw = np.arctan2(forward[:, 0], -forward[:, 1]).reshape(n, t)
    yaw = yaw + rng.normal(0.0, np.deg2rad(25.0), (n, 1))
    upright = Rotation.from_rotvec(np.stack([np.zeros(n * t), np.zeros(n * t), yaw.ravel()], axis=1))
    pose[:, :, 0] = (upright * Rotation.from_matrix(R_ZUP_YUP)).as_rotvec().reshape(n, t, 3)
    rest_soles = body.v_template[body.sole_vertices, 1].min()
    pelvis = body.joint_template_m[0]
    stand = np.array([0.0, 0.0, pelvis[1] - rest_soles])
    transl = case.problem.track_m.astype(np.float64) + stand - pelvis
    return WarmStart(
        known=case.problem.present.copy(),
        pose_rotvec=pose.astype(np.float32),
        transl_m=transl.astype(np.float32),
        betas=np.zeros((n, body.joint_shapedirs_m.shape[-1]), np.float32),
        betas_weight=np.zeros(n, np.float32),
    )


def _cameras(config: CaseConfig) -> tuple[CameraModel, ...]:
    height, pitch_deg, near, far = VIEWS[config.view]
    middle = np.array([0.0, 0.5 * (near + far), 0.0])
    cameras = []
    for k in range(config.cameras):
        turn = Rotation.from_euler("z", 2 * np.pi * k / config.cameras).as_matrix()
        centre = middle + turn @ (np.array([0.0, 0.0, height]) - middle)
        # OpenCV axes of a camera that looks along +y and down by the pitch
        pitch = np.deg2rad(pitch_deg)
        right, ahead = np.array([1.0, 0.0, 0.0]), np.array([0.0, np.cos(pitch), -np.sin(pitch)])
        rotation = np.stack([right, np.cross(ahead, right), ahead]) @ turn.T
        width, rows = IMAGE_SIZE_PX
        K = np.array([[FOCAL_PX, 0.0, width / 2], [0.0, FOCAL_PX, rows / 2], [0.0, 0.0, 1.0]])
        cameras.append(CameraModel(K, rotation, -rotation @ centre, IMAGE_SIZE_PX))
    return tuple(cameras)


def _pool(clips: list[MocapClip], frames: int) -> tuple[list[MocapClip], Float[np.ndarray, "M"]]:
    """Clips that can be used, with the chance of each: the shares of the pose prior, by length within."""
    pool = [
        c for c in clips if c.num_frames >= frames and c.flat_ground and c.category not in ("floor", "other")
    ]
    if not pool:
        raise SolveError(f"no clip has {frames} frames on flat ground; ask for fewer frames")
    total: dict[str, int] = {}
    for clip in pool:
        total[clip.category] = total.get(clip.category, 0) + clip.num_frames
    chance = np.array([CATEGORY_SHARES[c.category] * c.num_frames / total[c.category] for c in pool])
    return pool, chance / chance.sum()


Person = tuple[Float[np.ndarray, "T 24 3"], Float[np.ndarray, "10"], Float[np.ndarray, "T 3"]]


def _place(
    rng: np.random.Generator,
    pool: list[MocapClip],
    chance: Float[np.ndarray, "M"],
    body: BodyData,
    cameras: tuple[CameraModel, ...],
    config: CaseConfig,
) -> Person:
    """One moving body (pose, betas, transl) that the first camera can see."""
    _, _, near, far = VIEWS[config.view]
    best: tuple[float, Person] | None = None
    for _ in range(30):
        clip = pool[int(rng.choice(len(pool), p=chance))]
        start = int(rng.integers(0, clip.num_frames - config.frames + 1))
        part = slice(start, start + config.frames)
        betas = np.clip(rng.normal(0.0, 0.8, body.joint_shapedirs_m.shape[-1]), -2.0, 2.0)
        pose, pelvis = _walked(clip, part, bool(rng.random() < 0.5))
        spot = np.array([0.0, rng.uniform(near, far), 0.0])
        spot[0] = 0.8 * spot[1] * rng.uniform(-1, 1) * IMAGE_SIZE_PX[0] / (2 * FOCAL_PX)
        turn = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi))
        person = _stand(pose, pelvis, betas, body, turn, spot)
        seen = _share_seen(person, body, cameras[0])
        if best is None or seen > best[0]:
            best = (seen, person)
        if seen > 0.95:
            break
    assert best is not None
    return best[1]


def _walked(
    clip: MocapClip, part: slice, mirrored: bool
) -> tuple[Float[np.ndarray, "T 24 3"], Float[np.ndarray, "T 3"]]:
    """A stretch of a clip in the z-up world: pose and pelvis, the first pelvis above the origin."""
    pose = clip.pose_rotvec[part].astype(np.float64)
    pelvis = clip.pelvis_m[part].astype(np.float64)
    if mirrored:
        pose[:, 1:22] = mirror(pose[:, 1:22].reshape(-1, 63)).reshape(-1, 21, 3)
        pose[:, 0] *= (1.0, -1.0, -1.0)
        pelvis = pelvis * (-1.0, 1.0, 1.0)
    to_world = Rotation.from_matrix(R_ZUP_YUP)
    pose[:, 0] = (to_world * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
    pelvis = to_world.apply(pelvis)
    pelvis[:, :2] -= pelvis[0, :2]
    return pose, pelvis


def _stand(
    pose: Float[np.ndarray, "T 24 3"],
    pelvis_m: Float[np.ndarray, "T 3"],
    betas: Float[np.ndarray, "10"],
    body: BodyData,
    turn: Rotation,
    spot_m: Float[np.ndarray, "3"],
) -> Person:
    """Put a motion on its spot: path scaled to the legs, soles on the ground."""
    rest = body.joints_m(betas)
    leg = np.linalg.norm(rest[4] - rest[1]) + np.linalg.norm(rest[7] - rest[4])
    pose = pose.copy()
    pose[:, 0] = (turn * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
    pelvis = turn.apply(pelvis_m * leg / REFERENCE_LEG_M) + spot_m
    transl = pelvis - rest[0]
    lowest = _lowest_sole(pose, betas, transl, body)
    # a jump leaves the ground, so not the minimum of each frame: the lowest tenth of the clip rests on it
    transl[:, 2] -= np.quantile(lowest, 0.1)
    return pose, betas, transl


def _lowest_sole(
    pose: Float[np.ndarray, "T 24 3"],
    betas: Float[np.ndarray, "10"],
    transl_m: Float[np.ndarray, "T 3"],
    body: BodyData,
) -> Float[np.ndarray, "T"]:
    """Height of the lowest sole vertex in every frame, metres."""
    joints, world = forward_kinematics_np(
        pose, betas, transl_m, body.joint_template_m, body.joint_shapedirs_m
    )
    rest = body.vertices_m(betas)[body.sole_vertices]
    arms = rest[:, None] - body.joints_m(betas)[None]
    placed = np.einsum("tjcd,sjd->tsjc", world, arms) + joints[:, None]
    height = np.einsum("sj,tsj->ts", body.weights[body.sole_vertices], placed[..., 2])
    return np.asarray(height.min(axis=1))


def _share_seen(person: Person, body: BodyData, camera: CameraModel) -> float:
    joints, _ = forward_kinematics_np(*person, body.joint_template_m, body.joint_shapedirs_m)
    return float(_inside(camera.project(joints)).all(axis=1).mean())


def _inside(px: Float[np.ndarray, "*batch 2"]) -> Bool[np.ndarray, "*batch"]:
    with np.errstate(invalid="ignore"):
        return np.asarray(((px >= 0) & (px <= np.array(IMAGE_SIZE_PX) - 1)).all(axis=-1))


def _observe(
    rng: np.random.Generator, truth: SolveTruth, cameras: tuple[CameraModel, ...], config: CaseConfig
) -> WindowProblem:
    """What the engine would know of the truth."""
    c, n, t, _ = truth.inside.shape
    present = _present(rng, n, t, config)
    tight = _boxes(truth)
    side = (tight[..., 2:] - tight[..., :2]).max(axis=-1)
    std = config.noise_px + config.noise_share * side
    keypoints, confidence = _keypoints(rng, truth, std, config)
    seen = _seen(rng, truth, present, config)
    confidence = np.where(seen[..., None] & truth.inside, confidence, 0.0)
    seen &= (confidence > 0).sum(axis=-1) >= 3
    confidence *= seen[..., None]
    torso = truth.joints_m[:, :, list(TORSO_JOINTS)].mean(axis=2)
    foot = torso * (1.0, 1.0, 0.0)
    foot_px = np.stack([camera.project(foot) for camera in cameras])
    foot_std = np.maximum(2.0, 0.03 * side)
    noise = _smooth_noise(rng, (c, n, t, 2)) * foot_std[..., None] * (0.5, 1.0)
    box = tight + rng.normal(size=tight.shape) * (0.02 * side)[..., None]
    return WindowProblem(
        window=0,
        slot0=0,
        t0_ns=0,
        person_ids=np.arange(1, n + 1),
        cameras=cameras,
        ground=Ground(),
        present=present,
        keypoints_px=_put(np.where(confidence[..., None] > 0, keypoints, 0.0)),
        confidence=_put(confidence),
        box_px=_put(np.where(seen[..., None], box, 0.0)),
        hvip_px=_put(np.where(seen[..., None], np.nan_to_num(foot_px) + noise, 0.0)),
        hvip_sigma_px=_put(np.where(seen, foot_std, 0.0)),
        track_m=_put(np.where(present[..., None], foot + _track_noise(rng, foot, cameras[0]), 0.0)),
    )


def _put(array: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    return np.ascontiguousarray(array, np.float32)


def _present(rng: np.random.Generator, n: int, t: int, config: CaseConfig) -> Bool[np.ndarray, "N T"]:
    present = np.ones((n, t), bool)
    for person in np.flatnonzero(rng.random(n) < config.partial_rate):
        edge = int(rng.integers(t // 4, t // 2))
        if rng.random() < 0.5:
            present[person, :edge] = False
        else:
            present[person, -edge:] = False
    return present


def _seen(
    rng: np.random.Generator, truth: SolveTruth, present: Bool[np.ndarray, "N T"], config: CaseConfig
) -> Bool[np.ndarray, "C N T"]:
    """Person-frames that a camera detects: in view, not behind somebody, on a frame of that camera."""
    c, n, t, _ = truth.inside.shape
    seen = np.broadcast_to(present, (c, n, t)).copy()
    for camera, person in np.argwhere(rng.random((c, n)) < config.hidden_rate):
        length = int(rng.integers(5, min(21, t)))
        start = int(rng.integers(0, t - length + 1))
        seen[camera, person, start : start + length] = False
    seen &= truth.inside.sum(axis=-1) >= 6
    seen &= np.arange(t) % config.observe_every == 0
    return seen


def _keypoints(
    rng: np.random.Generator, truth: SolveTruth, std: Float[np.ndarray, "C N T"], config: CaseConfig
) -> tuple[Float[np.ndarray, "C N T 17 2"], Float[np.ndarray, "C N T 17"]]:
    """Noisy keypoints, and confidences that fall with the error."""
    c, n, t, _ = truth.inside.shape
    spread = std[..., None] * (COCO_SIGMAS / COCO_SIGMAS.mean())
    off = _smooth_noise(rng, (c, n, t, 17, 2), fresh=0.7) * spread[..., None]
    keypoints = truth.keypoints_px + off
    z = np.linalg.norm(off, axis=-1) / np.maximum(spread, 1e-9)
    confidence = np.clip(0.95 - 0.08 * z + rng.normal(0.0, 0.05, z.shape), 0.2, 1.0)
    swapped = rng.random((c, n, t)) < config.swap_rate
    keypoints[swapped] = _swap_legs(keypoints[swapped])
    confidence[swapped] *= 0.7
    confidence[rng.random(confidence.shape) < config.miss_rate] = 0.0
    for camera, person in np.argwhere(rng.random((c, n)) < config.legs_hidden_rate):
        length = int(rng.integers(10, min(31, t)))
        start = int(rng.integers(0, t - length + 1))
        confidence[camera, person, start : start + length, LEGS[0] :] = 0.0
    return keypoints, confidence


def _swap_legs(keypoints: Float[np.ndarray, "M 17 2"]) -> Float[np.ndarray, "M 17 2"]:
    out = keypoints.copy()
    out[:, LEGS] = keypoints[:, LEG_SWAP]
    return out


def _smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], fresh: float = 0.4, axis: int = 2
) -> Float[np.ndarray, "*shape"]:
    """Unit-variance noise, correlated along time (AR(1)); `fresh` is the share of variance that is new."""
    white = np.moveaxis(rng.normal(size=shape), axis, 0)
    keep = np.sqrt(1.0 - fresh)
    for k in range(1, len(white)):
        white[k] = keep * white[k - 1] + np.sqrt(fresh) * white[k]
    return np.asarray(np.moveaxis(white, 0, axis))


def _track_noise(
    rng: np.random.Generator, foot_m: Float[np.ndarray, "N T 3"], camera: CameraModel
) -> Float[np.ndarray, "N T 3"]:
    """Slow error of a ground track: a few cm across the line of sight, more along it with distance."""
    line = foot_m - camera.centre_world_m
    line[..., 2] = 0.0
    distance = np.linalg.norm(line, axis=-1, keepdims=True)
    along = line / distance
    across = np.stack([-along[..., 1], along[..., 0], np.zeros_like(along[..., 0])], axis=-1)
    slow = _smooth_noise(rng, (*foot_m.shape[:2], 2), fresh=0.02, axis=1)
    return np.asarray(along * slow[..., :1] * (0.03 + 0.006 * distance) + across * slow[..., 1:] * 0.03)


def _boxes(truth: SolveTruth) -> Float[np.ndarray, "C N T 4"]:
    """Boxes round keypoints, widened from joints to skin: a tenth of the height up, a twentieth elsewhere."""
    low = truth.keypoints_px.min(axis=3)
    high = truth.keypoints_px.max(axis=3)
    tall = (high - low).max(axis=-1)[..., None]
    return np.concatenate([low - tall * (0.06, 0.10), high + tall * (0.06, 0.06)], axis=-1)
