"""Real footage through the real networks: the sightings that simulated ones are measured against.

A clip is read frame by frame, people are found by RTMDet-nano at the clip's working size and posed by
PP-TinyPose; the same boxes can be posed again by the other network, in a mirror, or on a shrunken picture.
Only boxes, keypoints and scores leave this file; pixels never do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import Float

from ...kernels.errors import CrowdstreamError
from ...kernels.inference.onnx import OnnxBackend
from ...kernels.perception.adapters import build_detector, build_pose
from ...kernels.perception.detector import Detector
from ...kernels.perception.pose import PoseEstimator
from .sightings import Sightings

Array = np.ndarray

MIRRORED = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
"""COCO keypoints with left and right exchanged."""
SCORE_FLOOR = 0.1
"""Boxes below are not asked for: the engine's own floor."""


class ClipError(CrowdstreamError):
    """A clip, its truth or a network that is not where it should be."""


@dataclass(frozen=True)
class Networks:
    """The development networks, loaded; one thread each."""

    detector: Detector
    small: PoseEstimator
    """TinyPose with crops of 128x96: the engine's default on a CPU."""
    large: PoseEstimator
    """TinyPose with crops of 256x192: the reference."""

    @classmethod
    def load(cls, folder: Path, long_side_px: int = 960) -> Networks:
        """From a folder of ONNX files.

        Raises:
            ClipError: a file is missing.
        """

        def backend(name: str) -> OnnxBackend:
            path = folder / name
            if not path.is_file():
                raise ClipError(f"{path} is missing; expected the development networks there (--models)")
            return OnnxBackend(path.read_bytes(), 1, name=name)

        return cls(
            build_detector(backend("rtmdet_nano_person_dyn.onnx"), long_side_px, SCORE_FLOOR),
            build_pose(backend("pp_tinypose_128x96.onnx")),
            build_pose(backend("pp_tinypose_256x192.onnx")),
        )


def frames_bgr(path: Path, step: int = 1, stop: int = 1 << 30) -> Iterator[tuple[int, Array]]:
    """Index and picture (H,W,3) of every `step`-th frame before `stop`.

    Raises:
        ClipError: no such file.
    """
    if not path.is_file():
        raise ClipError(f"{path} is missing; expected the real clips there (--data)")
    with av.open(str(path)) as container:
        for index, picture in enumerate(container.decode(video=0)):
            if index >= stop:
                return
            if index % step == 0:
                yield index, picture.to_ndarray(format="bgr24")


def find(
    path: Path,
    networks: Networks,
    pose: PoseEstimator,
    rate_hz: float,
    long_side_px: int,
    score_floor: float = SCORE_FLOOR,
) -> Sightings:
    """Every box of a clip with its keypoints; `person` is -1, nobody knows.

    Args:
        path: the clip.
        networks: their detector is used.
        pose: which pose network.
        rate_hz: of the clip's frames; headers lie.
        long_side_px: pictures are brought to this size before detection, smaller ones enlarged.
        score_floor: boxes below are left out.
    """
    rows: list[tuple[Array, Array, Array, Array]] = []
    size = (0, 0)
    for _, image in frames_bgr(path):
        size = (image.shape[1], image.shape[0])
        boxes, scores = detect_at(networks.detector, image, long_side_px)
        boxes, scores = boxes[scores >= score_floor], scores[scores >= score_floor]
        points, confidence = pose.estimate(image, boxes)
        rows.append((boxes, scores, points, confidence))
    counts = [len(row[1]) for row in rows]
    return Sightings(
        size_px=size, t_ns=np.round(np.arange(len(rows)) * 1e9 / rate_hz).astype(np.int64),
        frame=np.repeat(np.arange(len(rows)), counts), boxes_px=np.concatenate([r[0] for r in rows]),
        scores=np.concatenate([r[1] for r in rows]), keypoints_px=np.concatenate([r[2] for r in rows]),
        confidence=np.concatenate([r[3] for r in rows]), person=np.full(sum(counts), -1),
    )  # fmt: skip


def detect_at(detector: Detector, image: Array, long_side_px: int) -> tuple[Array, Array]:
    """Boxes in the pixels of `image`, found on a copy with the given long side."""
    gain = long_side_px / max(image.shape[:2])
    size = (round(image.shape[1] * gain), round(image.shape[0] * gain))
    way = cv2.INTER_AREA if gain < 1.0 else cv2.INTER_LINEAR
    boxes, scores = detector.detect([cv2.resize(image, size, interpolation=way)])[0]
    return boxes / np.float32(gain), scores


def pose_mirrored(pose: PoseEstimator, image: Array, boxes_px: Float[Array, "M 4"]) -> tuple[Array, Array]:
    """Keypoints and confidence found in a mirror, brought back: a perfect network would change nothing."""
    width = image.shape[1]
    turned = boxes_px.copy()
    turned[:, [0, 2]] = width - boxes_px[:, [2, 0]]
    points, confidence = pose.estimate(np.ascontiguousarray(image[:, ::-1]), turned)
    points = points[:, MIRRORED]
    points[..., 0] = width - 1 - points[..., 0]
    return points, confidence[:, MIRRORED]


def pose_shrunk(
    pose: PoseEstimator, image: Array, boxes_px: Float[Array, "M 4"], gain: float
) -> tuple[Array, Array]:
    """Keypoints found on a smaller picture, in the pixels of the large one."""
    small = cv2.resize(image, None, fx=gain, fy=gain, interpolation=cv2.INTER_AREA)
    points, confidence = pose.estimate(small, (boxes_px * gain).astype(np.float32))
    return (points + 0.5) / gain - 0.5, confidence


def save_sightings(seen: Sightings, path: Path) -> None:
    """As npz, for a second look at a clip without running it again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path, size_px=np.array(seen.size_px), t_ns=seen.t_ns, frame=seen.frame, boxes_px=seen.boxes_px,
        scores=seen.scores, keypoints_px=seen.keypoints_px, confidence=seen.confidence, person=seen.person,
    )  # fmt: skip


def load_sightings(path: Path) -> Sightings:
    """What `save_sightings` wrote."""
    with np.load(path, allow_pickle=False) as data:
        parts = {name: data[name] for name in data.files}
    width, height = parts.pop("size_px").tolist()
    return Sightings(size_px=(width, height), **parts)
