"""A small scripted crowd with exact truth and no networks: walkers of the shipped body, seen by one camera.

For tests and demonstrations of everything behind perception: each frame gives the observation a good detector and
pose network would give, with seeded pixel noise, and the truth it came from. People walk straight at a steady
pace with swinging limbs; the motion is a drawing of a gait, not a measured one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ..kernels.body.data import BodyData
from ..kernels.body.keypoints import coco_keypoints_np
from ..kernels.body.kinematics import forward_kinematics_np
from ..kernels.camera import CameraModel
from ..kernels.ground import Ground
from ..stream.body_files import load_body
from ..stream.records import ClockOrigin, Observation

Array = np.ndarray

_UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Takes the body's y-up, +z-forward frame into the z-up world, facing -y."""


@dataclass(frozen=True)
class ScriptedCrowd:
    """A repeatable crowd: the same arguments give the same observations."""

    people: int = 10
    frames: int = 130
    fps: float = 30.0
    seed: int = 0
    noise_px: float = 1.0
    size_px: tuple[int, int] = (640, 360)
    speed_mps: float = 1.2

    @cached_property
    def camera(self) -> CameraModel:
        """6 m up, looking down by 20 degrees along +y."""
        down = np.radians(20.0)
        R = np.array([[1, 0, 0], [0, -np.sin(down), -np.cos(down)], [0, np.cos(down), -np.sin(down)]])
        w, h = self.size_px
        K = np.array([[0.9 * w, 0, w / 2], [0, 0.9 * w, h / 2], [0, 0, 1]], float)
        return CameraModel(
            K=K, R_cam_world=R, t_cam_world_m=-R @ np.array([0.0, 0.0, 6.0]), size_px=self.size_px
        )

    @cached_property
    def _body(self) -> BodyData:
        return load_body()

    @property
    def ground(self) -> Ground:
        return Ground()

    def position_m(self, frame: int) -> Float[Array, "N 3"]:
        """True ground positions: lanes across the picture, every other person the other way."""
        n = np.arange(self.people)
        lane_y = 12.0 + 1.3 * n
        turn = np.where(n % 2 == 0, 1.0, -1.0)
        x = turn * self.speed_mps * (frame - self.frames / 2) / self.fps + 0.4 * np.sin(n)
        return np.stack([x, lane_y, np.zeros(self.people)], axis=1)

    def observation(self, index: int, camera: str, t_capture_ns: int) -> Observation:
        """What perception would say about one frame."""
        rng = np.random.default_rng([self.seed, index])
        joints, rotations = self._bodies(index)
        points = coco_keypoints_np(joints, rotations)
        px = self.camera.project(points.reshape(-1, 3)).reshape(self.people, 17, 2)
        px += self.noise_px * rng.standard_normal(px.shape)
        feet = self.camera.project(self.position_m(index))
        low, high = px.min(axis=1), px.max(axis=1)
        tall = feet[:, 1] - low[:, 1]
        boxes = np.stack(
            [low[:, 0] - 0.05 * tall, low[:, 1] - 0.08 * tall, high[:, 0] + 0.05 * tall, feet[:, 1]], axis=1
        )
        n = self.people
        return Observation(
            camera=camera, index=index, t_capture_ns=t_capture_ns, clock=ClockOrigin.FILE_PTS, size_px=self.size_px,
            boxes_px=boxes.astype(np.float32), scores=np.full(n, 0.9, np.float32), detected=True,
            keypoints_px=px.astype(np.float32), confidence=np.full((n, 17), 0.9, np.float32), posed=np.ones(n, bool),
        )  # fmt: skip

    def _bodies(self, frame: int) -> tuple[Float[Array, "N 24 3"], Float[Array, "N 24 3 3"]]:
        """World joints and rotations: legs and arms swing against each other at 1.8 steps a second."""
        body = self._body
        n = np.arange(self.people)
        phase = 2 * np.pi * 0.9 * frame / self.fps + n
        pose = np.zeros((self.people, 24, 3))
        swing = 0.45 * np.sin(phase)
        left_knee = 0.25 * (1 + np.sin(phase + 2.2))
        right_knee = 0.25 * (1 + np.sin(phase + 2.2 + np.pi))
        pose[:, 4, 0], pose[:, 5, 0] = left_knee, right_knee
        # a bent knee takes the ankle back; half its angle at the hip keeps the feet under the body
        pose[:, 1, 0], pose[:, 2, 0] = -swing - left_knee / 2, swing - right_knee / 2
        pose[:, 16, 2], pose[:, 17, 2] = -1.25, 1.25  # arms down from the T-pose
        pose[:, 16, 1], pose[:, 17, 1] = 0.6 * swing, 0.6 * swing
        turn = np.where(n % 2 == 0, 1.0, -1.0)
        for k in range(self.people):  # facing +x or -x
            yaw = turn[k] * np.pi / 2
            Rz = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
            pose[k, 0] = _rotvec(Rz @ _UPRIGHT)
        joints, rotations = forward_kinematics_np(
            pose,
            np.zeros((self.people, 10)),
            np.zeros((self.people, 3)),
            body.joint_template_m,
            body.joint_shapedirs_m,
        )
        torso = joints[:, [1, 2, 16, 17]].mean(axis=1)
        lift = (
            -joints[:, [10, 11], 2].min(axis=1) + 0.026
        )  # lowest toe joint stands its height above the floor
        shift = self.position_m(frame) - torso
        shift[:, 2] = lift
        return joints + shift[:, None], rotations


def _rotvec(R: Float[Array, "3 3"]) -> Float[Array, "3"]:
    return np.asarray(Rotation.from_matrix(R).as_rotvec())
