"""Small made-up crowds for doctests and tests: stick figures before a plain camera."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..skeleton import COCO_TO_SMPL
from .people import People

Array = np.ndarray

FOCAL_PX = 1000.0
"""Of the camera: at (0, 0, 1.5) m, looking along +y, its picture 2,000 x 1,200 px around the optical axis."""
_STICK_M = np.array(
    [
        (0, 0, .95), (-.1, 0, .9), (.1, 0, .9), (0, 0, 1.05), (-.1, .03, .5), (.1, .03, .5),
        (0, .01, 1.15), (-.1, 0, .1), (.1, 0, .1), (0, .02, 1.2), (-.1, -.12, .03), (.1, -.12, .03), (0, .02, 1.42),
        (-.07, .02, 1.35), (.07, .02, 1.35),
        (0, .01, 1.5), (-.18, .02, 1.4), (.18, .02, 1.4), (-.2, .03, 1.12), (.2, .03, 1.12), (-.2, -.03, .88),
        (.2, -.03, .88), (-.2, -.08, .8), (.2, -.08, .8),
    ]
)  # fmt: skip
"""A standing figure's SMPL joints above (0, 0, 0), facing the camera."""


def standing_people(
    ground_m: Sequence[Sequence[float]], num_frames: int = 1, step_m: Sequence[float] = (0.0, 0.0, 0.0)
) -> People:
    """Stick figures at the given ground points, moving `step_m` a frame, at 30 Hz. Everything is visible.

    >>> standing_people([[0.0, 8.0, 0.0]], num_frames=3)
    People(N=1, F=3, person_frames=3)
    """
    start = np.asarray(ground_m, np.float64).reshape(-1, 1, 3)
    ground = start + np.arange(num_frames)[:, None] * np.asarray(step_m, np.float64)
    joints = ground[:, :, None] + _STICK_M
    return at_joints(joints, ground)


def at_joints(joints_m: Array, ground_m: Array) -> People:
    """`People` seen by the examples' camera, of joints (N, F, 24, 3) and ground points (N, F, 3).

    >>> crowd = standing_people([[0.0, 10.0, 0.0]])
    >>> [round(float(x), 1) for x in crowd.keypoints_px[0, 0, 5]]  # a shoulder at 0.18 m, 0.1 m under the camera
    [982.0, 610.0]
    """
    n, f = joints_m.shape[:2]
    centre = np.array([0.0, 0.0, 1.5])
    away = joints_m[:, :, COCO_TO_SMPL] - centre
    deep = np.maximum(away[..., 1], 0.1)
    px = np.stack([1000.0 + FOCAL_PX * away[..., 0] / deep, 600.0 - FOCAL_PX * away[..., 2] / deep], axis=-1)
    box = np.concatenate([px.min(axis=2), px.max(axis=2)], axis=-1)
    soles = joints_m[:, :, [7, 8, 10, 11]] - np.array([0.0, 0.0, 0.03])
    return People(
        rate_hz=30.0, person_ids=np.arange(n), present=np.ones((n, f), bool), joints_m=joints_m, ground_m=ground_m,
        depth_axis=np.array([0.0, 1.0, 0.0]), centre_m=centre, box_px=box, keypoints_px=px,
        visible=np.ones((n, f, 17), bool), soles_m=soles, size_px=(2000, 1200),
    )  # fmt: skip
