"""Four calibrated views of the same people: does a pose network mean one point in space in all of them?

    1. boxes of the yardstick detector in each (upright) picture, posed by the yardstick; boxes of different views
       that meet in space are one person (`virtualcrowd.sighting_multicam`),
    2. every network poses those same boxes; its joints are triangulated by consensus of its own views,
    3. what is left between the point and each view's keypoint is its inconsistency:

           e = |project(X) - x| / height of the box            over views that say they are sure

Nobody is truth here: the yardstick is scored in the same way. Where a joint *is* (a hip, say) may differ between
networks by a constant and still be consistent: `apart_mm` is the distance in space to the yardstick's point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float

from ....kernels.camera import CameraModel
from ....kernels.perception.detector import Detector
from ....kernels.perception.pose import PoseEstimator
from ...virtualcrowd.sighting_multicam import (
    AGREES,
    PEOPLE,
    SURE,
    consensus,
    halved,
    meet,
    pose_boxes,
    read_cameras,
    upright,
)
from .clips import VIEWS, pictures
from .detections import Progress, detect_picture
from .networks import Contender
from .pose_report import REFERENCE

Array = np.ndarray

SIDE_PX = 640
FIRST_SCORE = 0.3
BOXES_A_VIEW = 3
"""Surest boxes of a view that are tried: two people near, one behind them."""
NEAR = 0.12
"""A box is of a person whose joints project to its keypoints within this share of its height, in the median."""
FRAMES = (10, 22, 34, 46, 58, 70, 82, 94)
"""Spread over the clip of 100."""
MIN_VIEWS = 2
"""Views that must agree for a joint to be known."""


@dataclass(frozen=True)
class Scene:
    """Pictures at half size, upright: C views of F frames, and the boxes of P people."""

    images: list[list[Array]]
    """By view, by frame."""
    cameras: tuple[CameraModel, ...]
    boxes_px: Float[Array, "C P F 4"]
    """NaN where a person is not found in a view."""


@dataclass(frozen=True)
class SpacePoints:
    """Joints of one network in space and in the views."""

    points_m: Float[Array, "P F 17 3"]
    """World; NaN where fewer than `MIN_VIEWS` agree."""
    px: Float[Array, "C P F 17 2"]
    confidence: Float[Array, "C P F 17"]


def evaluate_views(
    data: Path,
    contenders: Mapping[str, Contender[PoseEstimator]],
    detector: Contender[Detector] | None,
    frames: Sequence[int] = FRAMES,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """How well every network's joints meet in space.

    Args:
        data: folder with video/multicam_4view.
        contenders: by who; the yardstick also says whose box is whose.
        detector: finds the boxes.
        frames: of the clip, which are looked at.
        progress: told the frames.
    """
    folder = data / "video" / VIEWS
    if not (folder / "calibration.json").is_file():
        return {"absent": f"no video/{VIEWS} in {data}"}
    if detector is None or REFERENCE not in contenders:
        return {"absent": "no yardsticks, which say whose box is whose"}
    scene = find_people(folder, detector.network, contenders[REFERENCE].network, frames, progress)
    points = {who: triangulate(scene, contender.network) for who, contender in contenders.items()}
    rows = [
        {"who": who, **consistency(scene, own, None if who == REFERENCE else points[REFERENCE])}
        for who, own in points.items()
    ]
    there = np.isfinite(scene.boxes_px).all(axis=-1)
    return {"people": int((there.sum(axis=0) >= MIN_VIEWS).sum()), "frames": len(frames), "rows": rows}


def find_people(
    folder: Path,
    detector: Detector,
    pose: PoseEstimator,
    frames: Sequence[int],
    progress: Progress | None = None,
) -> Scene:
    """Boxes of the two people in every view, by what meets in space."""
    turned = [upright(camera) for camera in read_cameras(folder)]
    cameras = tuple(halved(camera) for camera, _ in turned)
    images = [
        _read(folder / f"cam{v + 1:02d}.mp4", camera, warp, frames) for v, (camera, warp) in enumerate(turned)
    ]
    boxes = np.full((len(cameras), PEOPLE, len(frames), 4), np.nan)
    for k in range(len(frames)):
        found = [_surest(detector, view[k]) for view in images]
        seen = [pose.estimate(view[k], own) for view, own in zip(images, found, strict=True)]
        for p, joints in enumerate(meet(seen, cameras)[:PEOPLE]):
            for c, camera in enumerate(cameras):
                best = _nearest(camera.project(joints), seen[c][0], found[c])
                if best is not None:
                    boxes[c, p, k] = found[c][best]
        if progress:
            progress(k + 1, len(frames))
    return Scene(images, cameras, boxes)


def _read(path: Path, camera: CameraModel, warp: Float[Array, "3 3"], frames: Sequence[int]) -> list[Array]:
    size = (camera.size_px[0] // 2, camera.size_px[1] // 2)
    matrix = np.diag([0.5, 0.5, 1.0]) @ warp
    wanted = set(frames)
    return [
        np.asarray(cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_AREA))
        for index, image in pictures(path, 1)
        if index in wanted
    ]


def _surest(detector: Detector, image: Array) -> Float[Array, "N 4"]:
    boxes, scores = detect_picture(detector, image, SIDE_PX)
    return np.asarray(boxes[scores >= FIRST_SCORE][:BOXES_A_VIEW], np.float32)


def _nearest(
    joints_px: Float[Array, "17 2"], keypoints_px: Float[Array, "N 17 2"], boxes_px: Float[Array, "N 4"]
) -> int | None:
    """The box whose keypoints are a person's projected joints."""
    if not len(boxes_px) or not np.isfinite(joints_px).any():
        return None
    gaps = np.nanmedian(np.linalg.norm(keypoints_px - joints_px, axis=-1), axis=1)
    gaps = gaps / (boxes_px[:, 3] - boxes_px[:, 1])
    best = int(gaps.argmin())
    return best if gaps[best] < NEAR else None


def triangulate(scene: Scene, pose: PoseEstimator) -> SpacePoints:
    """The joints of one network, by consensus of its own views."""
    px, confidence = pose_boxes(scene.images, scene.boxes_px, pose)
    heights = np.nan_to_num(scene.boxes_px[..., 3] - scene.boxes_px[..., 1], nan=1.0)
    views = tuple(range(len(scene.cameras)))
    points, _ = consensus(px, confidence, heights, scene.cameras, views, MIN_VIEWS)
    return SpacePoints(points, px, confidence)


def consistency(
    scene: Scene, own: SpacePoints, reference: SpacePoints | None = None
) -> dict[str, float | None]:
    """What is left between points in space and the keypoints they come from; None where there are none.

    Returns:
        reprojection, reprojection_p90: shares of the box's height. agree: share of sure keypoints that are within
        `AGREES` of the point. known: share of joints that have a point. apart_mm, apart_p90_mm: to the reference's.
    """
    projected = np.stack([camera.project(own.points_m) for camera in scene.cameras])
    heights = (scene.boxes_px[..., 3] - scene.boxes_px[..., 1])[..., None]
    gap = np.linalg.norm(projected - own.px, axis=-1) / heights
    voting = (own.confidence >= SURE) & np.isfinite(gap)
    seen = np.isfinite(scene.boxes_px).all(axis=-1).sum(axis=0) >= MIN_VIEWS
    apart = np.zeros(0)
    if reference is not None:
        apart = np.linalg.norm(own.points_m - reference.points_m, axis=-1) * 1e3
        apart = apart[np.isfinite(apart)]
    return {
        "reprojection": _percentile(gap[voting], 50),
        "reprojection_p90": _percentile(gap[voting], 90),
        "agree": float((gap[voting] < AGREES).mean()) if voting.any() else None,
        "known": float(np.isfinite(own.points_m[seen][..., 0]).mean()) if seen.any() else None,
        "apart_mm": _percentile(apart, 50),
        "apart_p90_mm": _percentile(apart, 90),
    }


def _percentile(values: Array, share: float) -> float | None:
    return float(np.percentile(values, share)) if values.size else None
