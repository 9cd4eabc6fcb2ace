"""From where a figure is seen.

The camera stands 3 to 40 m from the middle of the body, looks at it and has its up in the picture's plane but for a
few degrees. Its focal length makes somebody who stands about `STANDING_PX` tall at that distance, so distance is
perspective alone.
"""

from __future__ import annotations

import numpy as np

from ...kernels.camera import CameraModel
from .people_figure import Figure

Array = np.ndarray

STANDING_PX = 224.0
"""Stature in pixels, foreshortening aside."""
SMALLEST_M = 1.3
"""People smaller than this are no larger in their sprites than somebody of this stature."""
DISTANCE_M = (3.0, 40.0)
STEEPEST_RAD = float(np.radians(80.0))
_ROLL_RAD = 0.03
_MOST_PX = 340.0
"""Longest side of a sprite: who stretches out near the camera is drawn smaller."""
MARGIN_PX = 2


def draw_camera(figure: Figure, azimuth_rad: float, rng: np.random.Generator) -> tuple[CameraModel, float]:
    """A camera whose picture just holds the figure, and how far down it looks."""
    elevation = STEEPEST_RAD * rng.beta(1.35, 2.3)
    near, far = np.log(DISTANCE_M)
    distance = float(np.exp(rng.uniform(near, far)))
    return aim(
        figure, float(azimuth_rad), float(elevation), distance, float(rng.normal(0.0, _ROLL_RAD))
    ), elevation


def aim(
    figure: Figure, azimuth_rad: float, elevation_rad: float, distance_m: float, roll_rad: float
) -> CameraModel:
    """The camera at a place on the sphere around the middle of the body.

    Args:
        figure: to be seen.
        azimuth_rad: of the camera around the body, from world +x.
        elevation_rad: how far down it looks.
        distance_m: from the middle of the body.
        roll_rad: about the line of sight.
    """
    middle = 0.5 * (figure.points_m.min(axis=0) + figure.points_m.max(axis=0)).astype(np.float64)
    level = np.array([np.cos(azimuth_rad), np.sin(azimuth_rad), 0.0])
    ahead = -np.cos(elevation_rad) * level - np.sin(elevation_rad) * np.array([0.0, 0.0, 1.0])
    right = np.array([-level[1], level[0], 0.0])
    down = np.cross(ahead, right)
    cos, sin = np.cos(roll_rad), np.sin(roll_rad)
    R = np.stack([cos * right + sin * down, cos * down - sin * right, ahead])
    eye = middle - distance_m * ahead
    cam = np.concatenate([figure.points_m, figure.keypoints_m]) @ R.T - R @ eye
    xy = cam[:, :2] / cam[:, 2:]
    focal = STANDING_PX / max(figure.stature_m, SMALLEST_M) * distance_m
    focal = min(focal, _MOST_PX / float(np.ptp(xy, axis=0).max()))
    low, high = focal * xy.min(axis=0), focal * xy.max(axis=0)
    # a pixel more than the margin: cover is cut to what was drawn afterwards
    centre = MARGIN_PX + 1 - np.floor(low)
    width, height = (int(size) for size in np.ceil(high + centre) + MARGIN_PX + 2)
    K = np.array([[focal, 0.0, centre[0]], [0.0, focal, centre[1]], [0.0, 0.0, 1.0]])
    return CameraModel(K, R, -R @ eye, (width, height))
