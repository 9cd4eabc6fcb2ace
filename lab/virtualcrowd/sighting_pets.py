"""The annotated clip as a `View`: true boxes, and under each a body that walks where the box goes.

PETS 2009 S2.L1 has boxes, identities and a calibration, no joints. A body of the shipped proportions is set on the
ground under every box (as tall as the box says), walks with the box's own speed and faces where it goes. Its joints
are a drawing, good enough to tell who stands in front of whom and how much of whom is hidden; nothing about keypoint
errors is taken from them. The board of the signpost in the middle of the plaza hides what lies behind its rectangle.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy.signal import savgol_filter
from scipy.spatial.transform import Rotation

from ...kernels.body.keypoints import coco_keypoints_np
from ...kernels.body.kinematics import forward_kinematics_np
from ...kernels.camera import CameraModel
from ...stream.body_files import load_body
from .sighting_bodies import view_of_keypoints
from .sighting_clips import ClipError
from .truth import View, Visibility

Array = np.ndarray

RATE_HZ = 10.0
CLIP = "pets09_s2l1_a_480x360.mp4"
LEAD_M = 0.2
"""The bottom of a box is nearer to the camera than the body's vertical (`kernels.hvip`)."""
REFERENCE_STATURE_M = 1.70
"""Of the shipped body in its mean shape."""
STRIDE_M = 1.45
"""Two steps of a walking adult."""
SMOOTH_FRAMES = 11
SIGN_PX = (258.0, 127.0, 278.0, 152.0)
"""The board of the signpost; everybody in the clip passes behind it."""
BODY_WIDTH = 0.7
"""Share of a box's width that the body fills."""
STANDS_MPS = 0.25
"""Slower people stand."""


def read_pets_camera(video: Path) -> CameraModel:
    """The calibrated camera of the clip.

    Raises:
        ClipError: no calibration there.
    """
    path = video / "pets09_calibration.json"
    if not path.is_file():
        raise ClipError(f"{path} is missing; expected the annotated clip there (--data)")
    c = json.loads(path.read_text("utf-8"))
    return CameraModel(
        K=np.array(c["K"]),
        R_cam_world=np.array(c["R"]),
        t_cam_world_m=np.array(c["t"]),
        size_px=(int(c["image_size"][0]), int(c["image_size"][1])),
        dist=np.array(c["dist_k1k2p1p2"]),
    )


def pets_view(video: Path) -> View:
    """The annotated people of the clip as one camera's truth.

    Raises:
        ClipError: annotation or calibration are missing.
    """
    camera = read_pets_camera(video)
    boxes, present = read_boxes(video / "pets09_s2l1_a_gt.txt")
    t_ns = np.round(np.arange(boxes.shape[1]) * 1e9 / RATE_HZ).astype(np.int64)
    path, stature = _under_boxes(boxes, present, camera)
    points = walking(path, present, stature, RATE_HZ)
    return _behind_sign(view_of_keypoints(points, present, camera, t_ns, boxes))


def _behind_sign(view: View) -> View:
    """The same with the signpost's board in front."""
    x1, y1, x2, y2 = SIGN_PX
    px = view.keypoints_px
    with np.errstate(invalid="ignore"):
        behind = (px[..., 0] > x1) & (px[..., 0] < x2) & (px[..., 1] > y1) & (px[..., 1] < y2)
    behind &= view.visibility > Visibility.OUTSIDE
    box = view.box_px
    middle, half = box[..., [0, 2]].mean(axis=-1), 0.5 * BODY_WIDTH * (box[..., 2] - box[..., 0])
    wide = np.maximum(np.minimum(middle + half, x2) - np.maximum(middle - half, x1), 0.0)
    tall = np.maximum(np.minimum(box[..., 3], y2) - np.maximum(box[..., 1], y1), 0.0)
    share = wide * tall / np.maximum(2.0 * half * (box[..., 3] - box[..., 1]), 1e-6)
    return replace(
        view,
        visibility=np.where(behind, np.uint8(Visibility.OCCLUDED), view.visibility),
        seen_share=(view.seen_share * (1.0 - share)).astype(np.float32),
    )


def read_boxes(path: Path) -> tuple[Float[Array, "N F 4"], Bool[Array, "N F"]]:
    """MOT annotation as x1 y1 x2 y2 by person and frame.

    Raises:
        ClipError: no such file.
    """
    if not path.is_file():
        raise ClipError(f"{path} is missing; expected the annotation there (--data)")
    rows = np.loadtxt(path, delimiter=",", ndmin=2)
    people, person = np.unique(rows[:, 1], return_inverse=True)
    frame = rows[:, 0].astype(int) - 1
    boxes = np.zeros((len(people), frame.max() + 1, 4))
    present = np.zeros(boxes.shape[:2], bool)
    boxes[person, frame] = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
    present[person, frame] = True
    return boxes, present


def _under_boxes(
    boxes: Float[Array, "N F 4"], present: Bool[Array, "N F"], camera: CameraModel
) -> tuple[Float[Array, "N F 2"], Float[Array, "N"]]:
    """Smoothed ground positions, and the stature that the boxes' heights say."""
    foot = np.stack([boxes[..., [0, 2]].mean(axis=-1), boxes[..., 3]], axis=-1)
    rays = camera.rays_world(foot)
    centre = camera.centre_world_m
    rays[..., 2] = np.minimum(rays[..., 2], -1e-3)
    ground = centre + rays * (-centre[2] / rays[..., 2:])
    away = ground[..., :2] - centre[:2]
    ground[..., :2] += LEAD_M * away / np.linalg.norm(away, axis=-1, keepdims=True)
    above = camera.project(ground + np.array([0.0, 0.0, 1.0]))
    tall = (boxes[..., 3] - boxes[..., 1]) / np.maximum(camera.project(ground)[..., 1] - above[..., 1], 1e-6)
    path = ground[..., :2].copy()
    stature = np.full(len(boxes), REFERENCE_STATURE_M)
    for n, there in enumerate(present):
        frames = np.flatnonzero(there)
        filled = np.stack(
            [np.interp(np.arange(len(there)), frames, path[n, frames, d]) for d in range(2)], axis=1
        )
        path[n] = savgol_filter(filled, SMOOTH_FRAMES, 1, axis=0)
        stature[n] = np.clip(np.median(tall[n, frames]), 1.4, 2.0)
    return path, stature


def walking(
    path_m: Float[Array, "N F 2"], present: Bool[Array, "N F"], stature_m: Float[Array, "N"], rate_hz: float
) -> Float[Array, "N F 17 3"]:
    """World COCO keypoints of bodies that walk along paths on z = 0: legs and arms swing with the distance gone."""
    body = load_body()
    speed = np.gradient(path_m, axis=1) * rate_hz
    pace = np.linalg.norm(speed, axis=-1)
    phase = 2 * np.pi * np.cumsum(pace, axis=1) / rate_hz / STRIDE_M + np.arange(len(path_m))[:, None]
    swing = 0.45 * np.sin(phase) * np.clip(pace / STANDS_MPS - 1.0, 0.0, 1.0)
    bend = 0.5 * np.abs(swing)
    pose = np.zeros((*path_m.shape[:2], 24, 3))
    pose[..., 1, 0], pose[..., 2, 0] = -swing - bend / 2, swing - bend / 2
    pose[..., 4, 0] = pose[..., 5, 0] = bend
    pose[..., 16, 2], pose[..., 17, 2] = -1.25, 1.25  # arms down from the T-pose
    pose[..., 16, 1] = pose[..., 17, 1] = 0.6 * swing
    yaw = np.arctan2(speed[..., 1], speed[..., 0]) + np.pi / 2
    stand = Rotation.from_euler("x", np.pi / 2)
    turned = Rotation.from_euler("z", yaw.reshape(-1, 1)) * stand
    pose[..., 0, :] = turned.as_rotvec().reshape(*yaw.shape, 3)
    joints, rotmats = forward_kinematics_np(
        pose,
        np.zeros((*yaw.shape, 10)),
        np.zeros((*yaw.shape, 3)),
        body.joint_template_m,
        body.joint_shapedirs_m,
    )
    points = coco_keypoints_np(joints, rotmats)
    root = joints[..., 0, :].copy()
    root[..., 2] = joints[..., [10, 11], 2].min(axis=-1) - 0.026  # the lowest toe joint stands over the floor
    points = (points - root[..., None, :]) * (stature_m / REFERENCE_STATURE_M)[:, None, None, None]
    points[..., :2] += path_m[..., None, :]
    return np.asarray(np.where(present[..., None, None], points, 0.0))
