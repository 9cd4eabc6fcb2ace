"""Cameras of backdrops: where they hang, how they look, and what ground their pixels see."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ...kernels.camera import CameraModel

Array = np.ndarray
Rng = np.random.Generator

FAR_M = 600.0
"""Half the side of the ground."""
SIZES = ((640, 480), (640, 480), (640, 480), (640, 360), (512, 512), (480, 640))
"""Widths and heights of the pictures, the usual one more often."""


def draw_camera(rng: Rng) -> CameraModel:
    """A pinhole 1.6 to 25 m above the ground that looks level to steeply down."""
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    up = float(np.exp(rng.uniform(np.log(1.6), np.log(25.0))))
    focal = float(max(width, height) * np.exp(rng.uniform(np.log(0.6), np.log(3.0))))
    half = np.arctan(0.5 * height / focal)
    flat = rng.uniform(-2.0, 14.0) if up < 3 else rng.uniform(8.0, 50.0)
    pitch = np.radians(np.clip(flat + (rng.uniform(0, 30) if rng.random() < 0.3 else 0.0), -2.0, 75.0))
    pitch = max(float(pitch), 0.15 * half - 0.03)
    roll = np.radians(rng.normal(0.0, 1.2))
    yaw = rng.uniform(-np.pi, np.pi)
    ahead = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(ahead, right)
    c, s = np.cos(roll), np.sin(roll)
    R = np.stack([c * right + s * down, c * down - s * right, ahead])
    shift = rng.normal(0.0, 0.01, 2) * width
    K = np.array(
        [[focal, 0, 0.5 * (width - 1) + shift[0]], [0, focal, 0.5 * (height - 1) + shift[1]], [0, 0, 1]]
    )
    return CameraModel(
        K=K, R_cam_world=R, t_cam_world_m=-R @ np.array([0.0, 0.0, up]), size_px=(width, height)
    )


def looked_at(camera: CameraModel, pixels: Float[Array, "N 2"]) -> tuple[Float[Array, "N 2"], Array]:
    """Ground points under pixels, and which pixels show ground within FAR_M."""
    eye, ways = camera.centre_world_m, camera.rays_world(pixels)
    steps = -eye[2] / np.minimum(ways[:, 2], -1e-9)
    good = (ways[:, 2] < -1e-4) & (steps < FAR_M)
    return eye[:2] + np.where(good, steps, 0.0)[:, None] * ways[:, :2], good
