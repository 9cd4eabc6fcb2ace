"""The camera: pinhole with Brown distortion, OpenCV axes (x right, y down, z forward).

    x_cam = R_cam_world x_world + t_cam_world          [metres]
    px    = K distort(x_cam / z)                        [pixels]

World: metres, right-handed, z up. O(points), numpy float64: calibration and tracking need the digits,
the solver converts once to float32.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float

from .errors import CalibrationError

Array = np.ndarray


@dataclass(frozen=True)
class CameraModel:
    """Where a camera stands and how it sees."""

    K: Float[Array, "3 3"]
    """Intrinsic matrix, pixels."""
    R_cam_world: Float[Array, "3 3"]
    """Rotation world -> camera."""
    t_cam_world_m: Float[Array, "3"]
    """Translation world -> camera, metres."""
    size_px: tuple[int, int]
    """(width, height) of the image the intrinsics belong to."""
    dist: Float[Array, "D"] = field(default_factory=lambda: np.zeros(4))
    """k1 k2 p1 p2 [k3 ...] in OpenCV's order; zeros for none."""

    def __post_init__(self) -> None:
        if abs(np.linalg.det(self.R_cam_world) - 1.0) > 1e-3:
            raise CalibrationError(
                f"R is not a rotation: det(R) = {np.linalg.det(self.R_cam_world):.4f}, expected +1; "
                "check the axes (OpenCV: x right, y down, z forward)"
            )
        if self.K[0, 0] <= 0 or self.K[1, 1] <= 0:
            raise CalibrationError(f"focal lengths must be positive, got {self.K[0, 0]}, {self.K[1, 1]}")

    @property
    def has_distortion(self) -> bool:
        return bool(np.any(self.dist != 0.0))

    @property
    def centre_world_m(self) -> Float[Array, "3"]:
        """The optical centre in the world, metres."""
        return np.asarray(-self.R_cam_world.T @ self.t_cam_world_m)

    def to_camera(self, points_world_m: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
        """World points in camera axes, metres."""
        return np.asarray(points_world_m @ self.R_cam_world.T + self.t_cam_world_m)

    def project(self, points_world_m: Float[Array, "*batch 3"]) -> Float[Array, "*batch 2"]:
        """Pixels of world points; NaN for points at or behind the camera."""
        cam = self.to_camera(np.asarray(points_world_m, np.float64))
        z = cam[..., 2:3]
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = np.where(z > 1e-6, cam[..., :2] / z, np.nan)
        return self.distort(xy)

    def distort(self, xy: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        """Pixels of normalised image coordinates (x/z, y/z)."""
        if self.has_distortion:
            d = np.zeros(5)
            d[: min(5, len(self.dist))] = self.dist[:5]
            k1, k2, p1, p2, k3 = d
            x, y = xy[..., 0], xy[..., 1]
            r2 = x * x + y * y
            radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
            xd = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
            yd = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
            xy = np.stack([xd, yd], axis=-1)
        return np.asarray(xy @ self.K[:2, :2].T + self.K[:2, 2])

    def undistort_px(self, px: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        """Pixels as an ideal pinhole with the same K would have seen them."""
        px = np.asarray(px, np.float64)
        if not self.has_distortion or px.size == 0:
            return px.copy()
        flat = np.ascontiguousarray(px.reshape(-1, 1, 2))
        out = cv2.undistortPoints(flat, self.K, self.dist, P=self.K)
        return np.asarray(out, np.float64).reshape(px.shape)

    def rays_world(self, px: Float[Array, "*batch 2"]) -> Float[Array, "*batch 3"]:
        """Unit directions in the world through (distorted) pixels."""
        ideal = self.undistort_px(px)
        xy = (ideal - self.K[:2, 2]) @ np.linalg.inv(self.K[:2, :2]).T
        cam = np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1)
        world = cam @ self.R_cam_world
        return np.asarray(world / np.linalg.norm(world, axis=-1, keepdims=True))
