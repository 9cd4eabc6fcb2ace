"""Small made-up crowds for the tests of views and stores: standing people, a camera, a bare scene."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crowdstream.kernels.body.kinematics import forward_kinematics_np
from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.rotation import rotmat_to_rotvec_np
from crowdstream.kernels.skeleton import SMPL_JOINTS
from crowdstream.lab.virtualcrowd.scene import Obstacle, Scene
from crowdstream.lab.virtualcrowd.truth import CrowdMotion
from crowdstream.stream.body_files import load_body

Y_UP_TO_WORLD = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""The rest pose faces +z with y up; in the world it faces +x."""


class Body(NamedTuple):
    pose: np.ndarray
    transl: np.ndarray
    joints: np.ndarray
    floor: float


def turned_pose(yaw: float) -> np.ndarray:
    """Standing, arms down, facing `yaw` from world +x."""
    pose = np.zeros((24, 3))
    pose[SMPL_JOINTS.index("left_shoulder"), 2] = -1.25
    pose[SMPL_JOINTS.index("right_shoulder"), 2] = 1.25
    c, s = np.cos(yaw), np.sin(yaw)
    pose[0] = rotmat_to_rotvec_np(np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ Y_UP_TO_WORLD)
    return pose


def place(pose: np.ndarray, xy: tuple[float, float], floor: float = 0.0) -> Body:
    """The mean body with its lower foot joint 2.6 cm over the floor."""
    data = load_body()
    transl = np.array([*xy, 0.0]) - data.joint_template_m[0]
    rest = (data.joint_template_m, data.joint_shapedirs_m)
    joints, _ = forward_kinematics_np(pose, np.zeros(10), transl, *rest)
    lift = floor + 0.026 - joints[[10, 11], 2].min()
    up = np.array([0.0, 0.0, lift])
    return Body(pose, transl + up, joints + up, floor)


def standing(xy: tuple[float, float], yaw: float = -np.pi / 2, floor: float = 0.0) -> Body:
    return place(turned_pose(yaw), xy, floor)


def crowd_of(
    *people: Body, obstacles: tuple[Obstacle, ...] = (), frames: tuple[Body, ...] | None = None
) -> CrowdMotion:
    """One slot of several people, or several slots (`frames`) of one."""
    rows = [list(frames)] if frames else [[body] for body in people]
    n, t = len(rows), len(rows[0])
    outline = np.array([[-20.0, -20.0], [20.0, -20.0], [20.0, 20.0], [-20.0, 20.0]])

    def stack(name: str) -> np.ndarray:
        return np.array([[getattr(body, name) for body in row] for row in rows], np.float32)

    joints = stack("joints")
    ground = joints[:, :, [1, 2, 16, 17]].mean(axis=2)
    ground[..., 2] = stack("floor")
    return CrowdMotion(
        scene=Scene("made up", outline, Ground(), obstacles, ()),
        seed=7,
        person_ids=np.arange(1, n + 1),
        group=np.full(n, -1),
        role=("stander",) * n,
        stature_m=np.full(n, 1.71),
        activity=np.full((n, t), 3, np.uint8),
        present=np.ones((n, t), bool),
        pose_rotvec=stack("pose"),
        betas=np.zeros((n, 10), np.float32),
        transl_m=stack("transl"),
        joints_m=joints,
        ground_m=ground,
        contact=np.ones((n, t, 8), bool),
        source=np.full((n, t), 2, np.uint8),
        clip=np.full((n, t), -1, np.int16),
        clips=("a clip",),
    )


def camera_at(
    centre: tuple[float, float, float], target: tuple[float, float, float], focal_px: float = 1200.0,
    size_px: tuple[int, int] = (960, 640), shift_px: tuple[float, float] = (0.0, 0.0),
    dist: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0),
) -> CameraModel:  # fmt: skip
    """Looking from one place at another, level."""
    z = np.subtract(target, centre)
    z /= np.linalg.norm(z)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    cx, cy = ((side - 1) / 2 + shift for side, shift in zip(size_px, shift_px, strict=True))
    K = np.array([[focal_px, 0.0, cx], [0.0, focal_px, cy], [0.0, 0.0, 1.0]])
    return CameraModel(K, R, -R @ np.array(centre), size_px, np.array(dist))
