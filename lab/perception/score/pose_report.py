"""`crowdstream evaluate pose`: a pose network on the real clips beside the yardstick's keypoints, as one report.

Boxes are those of the yardstick detector, so that pose alone is compared. The yardstick's smaller sister stands in
the same rows: networks that are both good differ by as much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ....kernels.perception.detector import Detector
from ....kernels.perception.pose import PoseEstimator
from ....stream.observe_config import PerceptionConfig
from .clips import HALL, PETS, Clip, absent, check_folder, num_pictures, pictures
from .detections import Progress, detect_picture, engine_side_px
from .detector_score import SURE
from .networks import Contender
from .pose_score import CONFIDENT, Keypoints, score_pose

Array = np.ndarray

REFERENCE = "yardstick"
AVERAGE = "average"
"""One skeleton for everybody: what a network that sees nothing would reach."""


@dataclass(frozen=True)
class PoseQuestion:
    """What is asked of a pose network."""

    data: Path
    """Folder with video/."""
    every: int = 10
    """Every n-th frame is looked at."""
    confident: float = CONFIDENT
    """Confidence from which a keypoint counts."""


@dataclass(frozen=True)
class ClipPoses:
    """R boxes of a clip and what every network says of them."""

    frame: Int[Array, "R"]
    """Index in the clip, rising."""
    boxes_px: Float[Array, "R 4"]
    poses: dict[str, Keypoints]
    """By who: network, floor, yardstick, average."""

    @property
    def heights_px(self) -> Float[Array, "R"]:
        return np.asarray(self.boxes_px[:, 3] - self.boxes_px[:, 1])


@dataclass(frozen=True)
class PoseAnswer:
    """Figures, and the keypoints they come from (for pictures)."""

    figures: dict[str, Any]
    poses: dict[str, ClipPoses]
    """By clip."""


def evaluate_pose(
    question: PoseQuestion,
    contenders: Mapping[str, Contender[PoseEstimator]],
    detector: Contender[Detector] | None,
    progress: Progress | None = None,
) -> PoseAnswer:
    """Everybody's keypoints beside the yardstick's, clip by clip.

    Args:
        question: where, how often.
        contenders: by who: `network`, and where they are there `floor` and `yardstick`.
        detector: whose boxes are posed; None: rows say that it is missing.
        progress: told the frames of each clip.

    Raises:
        ScoreError: no data folder.
    """
    check_folder(question.data)
    figures: dict[str, Any] = {}
    poses: dict[str, ClipPoses] = {}
    for clip in (HALL, PETS):
        reason = absent(question.data, Clip(clip.name, clip.video))
        if detector is None:
            reason = reason or "no yardstick detector, whose boxes would be posed"
        elif REFERENCE not in contenders:
            reason = reason or "no yardstick: nobody knows the true keypoints of the clip"
        if reason is not None or detector is None:
            figures[clip.name] = {"absent": reason}
            continue
        seen = pose_clip(question, clip, contenders, detector.network, progress)
        poses[clip.name] = seen
        seen.poses[AVERAGE] = average_skeleton(seen.poses[REFERENCE], seen.boxes_px, question.confident)
        rows = [
            {"who": who, **score_pose(own, seen.poses[REFERENCE], seen.heights_px, question.confident)}
            for who, own in seen.poses.items()
            if who != REFERENCE
        ]
        figures[clip.name] = {"people": len(seen.frame), "rows": rows}
    return PoseAnswer(figures, poses)


def pose_clip(
    question: PoseQuestion,
    clip: Clip,
    contenders: Mapping[str, Contender[PoseEstimator]],
    detector: Detector,
    progress: Progress | None = None,
) -> ClipPoses:
    """The sure boxes of a detector in every n-th frame, posed by everybody."""
    path = question.data / "video" / clip.video
    total = num_pictures(path, question.every) if progress else 0
    frames, boxes = [np.zeros(0, np.int64)], [np.zeros((0, 4), np.float32)]
    px = {who: [np.zeros((0, 17, 2), np.float32)] for who in contenders}
    confidence = {who: [np.zeros((0, 17), np.float32)] for who in contenders}
    for done, (index, image) in enumerate(pictures(path, question.every), 1):
        side = engine_side_px(detector, (image.shape[1], image.shape[0]), PerceptionConfig())
        found, scores = detect_picture(detector, image, side)
        found = found[scores >= SURE]
        frames.append(np.full(len(found), index))
        boxes.append(found)
        for who, contender in contenders.items():
            points, sure = contender.network.estimate(image, found)
            px[who].append(points)
            confidence[who].append(sure)
        if progress:
            progress(done, max(total, done))
    poses = {
        who: Keypoints(
            np.concatenate(px[who]).astype(np.float64), np.concatenate(confidence[who]).astype(np.float64)
        )
        for who in contenders
    }
    return ClipPoses(np.concatenate(frames), np.concatenate(boxes).astype(np.float64), poses)


def average_skeleton(
    reference: Keypoints, boxes_px: Float[Array, "R 4"], confident: float = CONFIDENT
) -> Keypoints:
    """The mean place of each of the reference's confident keypoints in its box, put into every box."""
    corner, sides = boxes_px[:, None, :2], boxes_px[:, None, 2:] - boxes_px[:, None, :2]
    inside = (reference.px - corner) / np.maximum(sides, 1e-9)
    sure = (reference.confidence >= confident)[..., None]
    mean = np.where(sure, inside, 0.0).sum(axis=0) / np.maximum(sure.sum(axis=0), 1)
    return Keypoints(corner + mean * sides, np.ones(reference.confidence.shape))
