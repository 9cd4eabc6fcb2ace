"""Windows of people who walk where they look, seen without noise: what the solve stage is tested on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crowdstream.kernels.body.keypoints import coco_keypoints_np
from crowdstream.kernels.body.kinematics import forward_kinematics_np
from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.rotation import rotmat_to_rotvec_np, rotvec_to_rotmat_np
from crowdstream.kernels.solve.initialise import R_ZUP_YUP
from crowdstream.kernels.solve.problem import WindowProblem
from crowdstream.stream.body_files import load_body
from crowdstream.stream.prior_files import load_pose_prior

BODY, PRIOR = load_body(), load_pose_prior()
TORSO = [1, 2, 16, 17]


def camera(pitch_deg: float = 25.0, height_m: float = 6.0) -> CameraModel:
    """At the origin, looks along +y and down."""
    a = np.deg2rad(pitch_deg)
    ahead, right = np.array([0.0, np.cos(a), -np.sin(a)]), np.array([1.0, 0.0, 0.0])
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    K = np.array([[1200.0, 0, 960], [0, 1200.0, 540], [0, 0, 1]])
    return CameraModel(K, rotation, -rotation @ np.array([0.0, 0.0, height_m]), (1920, 1080))


def walkers(yaws: list[float], slots: int = 64, slot0: int = 0, speed: float = 1.2, **view: float):
    """People who walk where they look, arms and legs swinging; returns the problem and the true joints."""
    n = len(yaws)
    time = (slot0 + np.arange(slots)) / 30.0
    pose = np.zeros((n, slots, 24, 3))
    pose[:, :, 1:22] = PRIOR.mean.numpy().reshape(21, 3)
    swing = 0.5 * np.sin(2 * np.pi * 0.9 * time)
    pose[:, :, 1, 0] += swing
    pose[:, :, 2, 0] -= swing
    turn = np.zeros((n, slots, 3))
    turn[..., 2] = np.array(yaws)[:, None]
    pose[:, :, 0] = rotmat_to_rotvec_np(rotvec_to_rotmat_np(turn) @ R_ZUP_YUP)
    start = np.stack([np.linspace(-3, 3, n), np.full(n, 13.0)], -1)
    ahead = np.stack([np.cos(yaws), np.sin(yaws)], -1)
    foot = np.zeros((n, slots, 3))
    foot[..., :2] = start[:, None] + speed * (time - 1.0)[None, :, None] * ahead[:, None]
    leg = BODY.joint_template_m[0, 1] - BODY.v_template[BODY.sole_vertices, 1].min()
    transl = foot + np.array([0, 0, leg - 0.03]) - BODY.joint_template_m[0]
    joints, rotmats = forward_kinematics_np(
        pose, np.zeros((n, 1, 10)), transl, BODY.joint_template_m, BODY.joint_shapedirs_m
    )
    cam = camera(**view)
    px = cam.project(coco_keypoints_np(joints, rotmats))[None]
    foot = joints[:, :, TORSO].mean(2) * (1, 1, 0)
    low, high = px.min(3), px.max(3)
    pad = 0.08 * (high - low).max(-1, keepdims=True)
    f = np.float32
    problem = WindowProblem(
        window=slot0 // 16, slot0=slot0, t0_ns=0, person_ids=np.arange(100, 100 + n), cameras=(cam,), ground=Ground(),
        present=np.ones((n, slots), bool),
        keypoints_px=px.astype(f),
        confidence=np.full((1, n, slots, 17), 0.9, f),
        box_px=np.concatenate([low - pad, high + pad], -1).astype(f),
        hvip_px=cam.project(foot)[None].astype(f),
        hvip_sigma_px=np.full((1, n, slots), 3.0, f),
        track_m=foot.astype(f),
    )  # fmt: skip
    return problem, joints


def cut(problem: WindowProblem, slot0: int, slots: int = 64) -> WindowProblem:
    """Some slots of a problem."""
    part = slice(slot0, slot0 + slots)
    names = ("keypoints_px", "confidence", "box_px", "hvip_px", "hvip_sigma_px")
    return replace(
        problem, window=slot0 // 16, slot0=slot0, present=problem.present[:, part], track_m=problem.track_m[:, part],
        **{k: np.ascontiguousarray(getattr(problem, k)[:, :, part]) for k in names},
    )  # fmt: skip
