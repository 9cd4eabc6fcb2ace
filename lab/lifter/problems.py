"""Lessons as the engine gets them: `WindowProblem`s with pixels and real cameras.

For baselines that take a problem, and to see that `lift` reads off a picture what the lesson said. A camera looks at
the window's middle, with the focal length that gives the person the lesson's size.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ...kernels.camera import CameraModel
from ...kernels.ground import Ground
from ...kernels.lifter.rays import BOX, CONFIDENCE, POINTS, REFERENCE_HEIGHT_M
from ...kernels.solve.problem import WindowProblem
from .lesson import Lesson

Array = np.ndarray

FULL_M = 1.7
"""Whoever is so tall across the ray fills `Cameras.height_px`."""
SIZE_PX = (1920, 1080)
HVIP_SIGMA = 0.02
"""Of the box height."""


def problem_of(lesson: Lesson, row: int, focal_scale: float = 1.0, roll_rad: float = 0.0) -> WindowProblem:
    """One window of a lesson.

    Args:
        lesson: with features.
        row: which window.
        focal_scale: a longer lens than the lesson's.
        roll_rad: of the camera about its axis.
    """
    camera = camera_of(lesson, row, focal_scale, roll_rad)
    features = lesson.features[row].numpy().astype(np.float64)
    frames = lesson.frames
    axes = frames.axes_world_ray[row].numpy().astype(np.float64)
    place = frames.reference_m[row].numpy().astype(np.float64)
    points = place[:, None] + features[:, POINTS].reshape(-1, 17, 2) @ axes[:, :, :2].swapaxes(1, 2)
    left, low, right, high = np.moveaxis(features[:, BOX], -1, 0)
    corners = np.stack([np.stack([left, high], -1), np.stack([right, low], -1)], 1)
    box = camera.project(place[:, None] + corners @ axes[:, :, :2].swapaxes(1, 2)).reshape(-1, 4)
    box = np.concatenate([np.minimum(box[:, :2], box[:, 2:]), np.maximum(box[:, :2], box[:, 2:])], 1)
    confidence = features[:, CONFIDENCE]
    seen = np.asarray((confidence > 0).any(1))
    track = place - np.array([0.0, 0.0, REFERENCE_HEIGHT_M])
    sigma = np.where(seen, np.maximum(HVIP_SIGMA * (box[:, 3] - box[:, 1]), 0.5), 0.0)
    f = np.float32
    return WindowProblem(
        window=0,
        slot0=0,
        t0_ns=0,
        person_ids=np.array([row], np.int64),
        cameras=(camera,),
        ground=Ground(),
        present=lesson.present[row].numpy()[None].copy(),
        keypoints_px=np.nan_to_num(camera.project(points))[None, None].astype(f),
        confidence=confidence[None, None].astype(f),
        box_px=np.where(seen[:, None], np.nan_to_num(box), 0.0)[None, None].astype(f),
        hvip_px=np.nan_to_num(camera.project(track))[None, None].astype(f),
        hvip_sigma_px=sigma[None, None].astype(f),
        track_m=track[None].astype(f),
    )


def camera_of(lesson: Lesson, row: int, focal_scale: float, roll_rad: float) -> CameraModel:
    """The camera of one window, looking at the reference of its middle slot."""
    middle = lesson.features.shape[1] // 2
    axes = lesson.frames.axes_world_ray[row, middle].numpy().astype(np.float64)
    right, above, away = axes.T
    R = _orthonormal(np.stack([right, -above, away]))
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    R = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ R
    centre = lesson.cameras.centre_m[row].numpy().astype(np.float64)
    focal = (
        focal_scale * float(lesson.cameras.height_px[row] * lesson.frames.distance_m[row, middle]) / FULL_M
    )
    w, h = SIZE_PX
    K = np.array([[focal, 0.0, w / 2], [0.0, focal, h / 2], [0.0, 0.0, 1.0]])
    return CameraModel(K, R, -R @ centre, SIZE_PX)


def _orthonormal(R: Float[Array, "3 3"]) -> Float[Array, "3 3"]:
    """The nearest rotation: float32 frames are off by some 1e-7."""
    u, _, v = np.linalg.svd(R)
    return np.asarray(u @ v)
