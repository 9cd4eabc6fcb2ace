"""Rays of pixels: the exact inverse of `CameraModel.project`, fast where there is no distortion."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ....kernels.camera import CameraModel

Array = np.ndarray


class Lens:
    """Directions in world axes, scaled so that a step of 1 is a metre of depth along the optical axis."""

    def __init__(self, camera: CameraModel) -> None:
        self._camera = camera
        self._to_world = (camera.R_cam_world.T @ np.linalg.inv(camera.K)).astype(np.float32)
        self.eye_m = camera.centre_world_m
        self.pixel_rad = float(1.0 / np.sqrt(camera.K[0, 0] * camera.K[1, 1]))

    def directions(self, px: Float[Array, "M 2"]) -> Float[Array, "M 3"]:
        """float32; pixel centres lie on whole numbers."""
        if self._camera.has_distortion:
            px = self._camera.undistort_px(px)
        px = px.astype(np.float32)
        return np.asarray(
            px[:, :1] * self._to_world[:, 0] + px[:, 1:] * self._to_world[:, 1] + self._to_world[:, 2]
        )
