"""From a geometry up to scale to a camera in the engine's world.

World: metres, ground z = 0, z up, origin at the foot point under the camera, +y along the viewing direction on
the ground (the picture's upward direction where the camera looks straight down), x to the right.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..camera import CameraModel
from ..ground import Ground, GroundPlane
from ..hvip import ANKLE_HEIGHT_M
from .refine import Geometry, tangents

Array = np.ndarray


def camera_height_m(geometry: Geometry, rod_m: float) -> float:
    """Of the optical centre over the ground: the ankles' plane lies `ANKLE_HEIGHT_M` above it."""
    return geometry.rho * rod_m + ANKLE_HEIGHT_M


def camera_over_ground(geometry: Geometry, height_m: float, size_px: tuple[int, int]) -> CameraModel:
    """The camera in its world, principal point in the middle, no distortion."""
    up = geometry.normal_cam
    ahead, _ = tangents(up)
    R = np.stack([np.cross(ahead, up), ahead, up], axis=1)
    w, h = size_px
    K = np.array(
        [[geometry.focal_px, 0.0, 0.5 * (w - 1)], [0.0, geometry.focal_px, 0.5 * (h - 1)], [0.0, 0.0, 1.0]]
    )
    return CameraModel(K, R, -height_m * up, size_px)


def plane_in_world(
    camera: CameraModel, normal_cam: Float[Array, "3"], height_m: float
) -> tuple[float, float, float]:
    """Slopes along x and y [rad] and height at the origin [m] of another sample's ground in this world."""
    normal = camera.R_cam_world.T @ normal_cam
    offset = -(normal_cam @ camera.t_cam_world_m) - height_m
    slope = -normal[:2] / normal[2]
    return float(slope[0]), float(slope[1]), float(offset / normal[2])


def ground_with(covariance: Float[Array, "3 3"]) -> Ground:
    """z = 0 with the uncertainty of its slopes and offset."""
    return Ground((GroundPlane(covariance=covariance),))
