"""A few walkers of the shipped body with exact truth, made in a moment: what an evaluation needs, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from crowdstream.kernels.body.kinematics import forward_kinematics_np
from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground
from crowdstream.lab.evaluate.bodies import pose_bodies
from crowdstream.lab.evaluate.truth import inside_share
from crowdstream.lab.virtualcrowd.scene import Gate, Scene
from crowdstream.lab.virtualcrowd.sightings import Sightings
from crowdstream.lab.virtualcrowd.truth import CrowdMotion, MotionSource, View, Visibility
from crowdstream.stream.body_files import load_body

UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
SIZE_PX = (960, 540)
FPS = 30.0


@dataclass(frozen=True)
class Walkers:
    motion: CrowdMotion
    view: View
    sightings: Sightings


def make_walkers(people: int = 6, slots: int = 100, noise_px: float = 1.0, seed: int = 0) -> Walkers:
    motion = _motion(people, slots)
    view = _view(motion)
    return Walkers(motion, view, _sightings(view, noise_px, seed))


def _camera() -> CameraModel:
    down = np.radians(25.0)
    R = np.array([[1, 0, 0], [0, -np.sin(down), -np.cos(down)], [0, np.cos(down), -np.sin(down)]])
    w, h = SIZE_PX
    K = np.array([[0.9 * w, 0, w / 2], [0, 0.9 * w, h / 2], [0, 0, 1]], float)
    return CameraModel(K, R, -R @ np.array([0.0, 0.0, 6.0]), SIZE_PX)


def _motion(n: int, t: int) -> CrowdMotion:
    body = load_body()
    row, slot = np.arange(n)[:, None], np.arange(t)[None]
    phase = 2 * np.pi * 0.9 * slot / FPS + row
    swing, left, right = (
        0.45 * np.sin(phase),
        0.25 * (1 + np.sin(phase + 2.2)),
        0.25 * (1 + np.sin(phase + 2.2 + np.pi)),
    )
    pose = np.zeros((n, t, 24, 3))
    pose[:, :, 4, 0], pose[:, :, 5, 0] = left, right
    pose[:, :, 1, 0], pose[:, :, 2, 0] = -swing - left / 2, swing - right / 2
    pose[:, :, 16, 2], pose[:, :, 17, 2] = -1.25, 1.25
    turn = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    for k in range(n):
        facing = Rotation.from_euler("z", turn[k] * np.pi / 2).as_matrix() @ UPRIGHT
        pose[k, :, 0] = Rotation.from_matrix(facing).as_rotvec()
    betas = np.linspace(-0.8, 0.8, n)[:, None] * np.eye(10)[0]
    zero = np.zeros((n, t, 3))
    joints, _ = forward_kinematics_np(
        pose, betas[:, None], zero, body.joint_template_m, body.joint_shapedirs_m
    )
    x = turn[:, None] * 1.2 * (slot - t / 2) / FPS + 0.5 * np.sin(row)
    place = np.stack([x, np.broadcast_to(9.0 + 1.2 * row, x.shape), np.zeros_like(x)], axis=-1)
    torso = joints[:, :, [1, 2, 16, 17]].mean(axis=2)
    transl = place - torso
    transl[..., 2] = 0.026 - joints[:, :, [10, 11], 2].min(axis=2)
    square = np.array([[-30.0, 0.0], [30.0, 0.0], [30.0, 60.0], [-30.0, 60.0]])
    f = np.float32
    return CrowdMotion(
        scene=Scene("walkers", square, Ground(), (), (Gate("west", square[[0, 3]]),)), seed=0,
        person_ids=np.arange(1, n + 1), group=np.full(n, -1), role=("walker",) * n,
        stature_m=np.array([body.stature_m(b) for b in betas]), activity=np.ones((n, t), np.uint8),
        present=np.ones((n, t), bool), pose_rotvec=pose.astype(f), betas=betas.astype(f),
        transl_m=transl.astype(f), joints_m=(joints + transl[:, :, None]).astype(f), ground_m=place.astype(f),
        contact=np.zeros((n, t, 8), bool), source=np.full((n, t), MotionSource.PROCEDURAL, np.uint8),
        clip=np.full((n, t), -1, np.int16), clips=(),
    )  # fmt: skip


def _view(motion: CrowdMotion) -> View:
    n, t = motion.present.shape
    camera, body = _camera(), load_body()
    posed = pose_bodies(
        body, camera, motion.pose_rotvec.reshape(-1, 24, 3), np.repeat(motion.betas, t, axis=0),
        motion.transl_m.reshape(-1, 3),
    )  # fmt: skip
    keypoints = posed.keypoints_px.reshape(n, t, 17, 2)
    inside = ((keypoints > 0) & (keypoints < np.array(SIZE_PX) - 1)).all(axis=-1)
    boxes = posed.box_px.reshape(n, t, 4)
    seen = np.where(inside, Visibility.VISIBLE, Visibility.OUTSIDE).astype(np.uint8)
    return View(
        name="high", camera=camera, ground=motion.scene.ground,
        t_ns=np.round(np.arange(t) * 1e9 / FPS).astype(np.int64), person_ids=motion.person_ids,
        present=motion.present, keypoints_px=keypoints, visibility=seen,
        joint_visibility=np.full((n, t, 24), Visibility.VISIBLE, np.uint8), box_px=boxes,
        seen_share=inside_share(boxes, SIZE_PX).astype(np.float32),
    )  # fmt: skip


def _sightings(view: View, noise_px: float, seed: int) -> Sightings:
    frame, person = np.nonzero((view.seen_share > 0.5).T)
    rng = np.random.default_rng(seed)
    keypoints = view.keypoints_px[person, frame]
    confidence = np.where(view.visibility[person, frame] == Visibility.VISIBLE, 0.9, 0.0)
    return Sightings(
        size_px=SIZE_PX, t_ns=view.t_ns, frame=frame, boxes_px=view.box_px[person, frame],
        scores=np.full(len(frame), 0.9, np.float32),
        keypoints_px=keypoints + noise_px * rng.standard_normal(keypoints.shape).astype(np.float32),
        confidence=confidence.astype(np.float32), person=view.person_ids[person],
    )  # fmt: skip
