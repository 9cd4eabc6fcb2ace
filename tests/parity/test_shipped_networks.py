"""The networks in the box: small, read by the engine's adapters, and worth shipping on the clip in the box."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from crowdstream.actors.commands.demo import shipped_clip
from crowdstream.kernels.inference.onnx import OnnxBackend
from crowdstream.kernels.perception.adapters import AdapterKind, adapter_for, build_detector, build_pose
from crowdstream.kernels.perception.detector import Boxes, Detector
from crowdstream.kernels.perception.nms import iou
from crowdstream.kernels.perception.pose import PoseEstimator
from crowdstream.stream.models.catalogue import Role
from crowdstream.stream.models.folder import choose

OPERATING_SCORE = 0.45
MIRRORED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
SHOULDERS, HIPS, ANKLES = slice(5, 7), slice(11, 13), slice(15, 17)


@cache
def backend(role: Role) -> OnnxBackend:
    return OnnxBackend(choose(Path("no such folder"), role).read(), threads=1)


def detector() -> Detector:
    return build_detector(backend(Role.DETECTOR), max_side_px=960, score_threshold=0.1)


def pose() -> PoseEstimator:
    return build_pose(backend(Role.POSE))


@cache
def frame() -> np.ndarray:
    with av.open(str(shipped_clip()[0])) as clip:
        for number, picture in enumerate(clip.decode(video=0)):
            if number == 60:
                return picture.to_ndarray(format="bgr24")
    raise AssertionError("the clip is shorter than it was")


@cache
def people() -> Boxes:
    boxes, scores = detector().detect([frame()])[0]
    return boxes[scores >= OPERATING_SCORE], scores[scores >= OPERATING_SCORE]


def test_both_are_chosen_without_a_folder_and_small() -> None:
    models = [choose(Path("no such folder"), role) for role in (Role.DETECTOR, Role.POSE)]
    assert sum(len(model.read()) for model in models) < 10_000_000
    for model in models:
        card = model.path.with_suffix(".md").read_text(encoding="utf-8")
        assert "rendered" in card and "crowdstream train" in card


def test_their_tensors_follow_known_contracts() -> None:
    assert adapter_for(backend(Role.DETECTOR)) is AdapterKind.YOLOX
    assert adapter_for(backend(Role.POSE)) is AdapterKind.HEATMAP


def test_the_people_of_the_demo_clip_are_found() -> None:
    boxes, _ = people()
    assert 13 <= len(boxes) <= 32  # some 27 are in the picture, a third of them far away or half hidden
    heights = boxes[:, 3] - boxes[:, 1]
    assert (heights > (boxes[:, 2] - boxes[:, 0])).mean() > 0.85


@pytest.mark.parametrize("level", [0, 90, 255])
def test_nobody_is_found_in_an_empty_picture(level: int) -> None:
    _, scores = detector().detect([np.full((384, 640, 3), level, np.uint8)])[0]
    assert not (scores >= OPERATING_SCORE).any()


def test_a_mirrored_picture_holds_the_same_people() -> None:
    boxes, _ = people()
    mirrored, _ = detector().detect([np.ascontiguousarray(frame()[:, ::-1])])[0]
    width = frame().shape[1]
    back = mirrored[:, [2, 1, 0, 3]].copy()
    back[:, [0, 2]] = width - back[:, [0, 2]]
    overlap = iou(boxes.astype(np.float64), back.astype(np.float64)).max(axis=1)
    assert (overlap > 0.6).mean() > 0.85


def test_skeletons_stand_in_their_boxes() -> None:
    boxes, _ = people()
    points, confidence = pose().estimate(frame(), boxes)
    height = (boxes[:, 3] - boxes[:, 1])[:, None]
    sure = confidence.mean(axis=1) > 0.4
    assert sure.mean() > 0.6
    inside = (points[..., 1] > boxes[:, None, 1] - 0.15 * height) & (
        points[..., 1] < boxes[:, None, 3] + 0.15 * height
    )
    assert inside[sure].mean() > 0.9
    y = points[sure][..., 1]
    assert (y[:, SHOULDERS].mean(1) < y[:, HIPS].mean(1)).mean() > 0.9
    assert (y[:, HIPS].mean(1) < y[:, ANKLES].mean(1)).mean() > 0.9


def test_a_mirrored_crop_has_the_mirrored_skeleton() -> None:
    boxes, _ = people()
    width = frame().shape[1]
    points, confidence = pose().estimate(frame(), boxes)
    flipped = boxes[:, [2, 1, 0, 3]].copy()
    flipped[:, [0, 2]] = width - flipped[:, [0, 2]]
    other, _ = pose().estimate(np.ascontiguousarray(frame()[:, ::-1]), flipped)
    other = other[:, MIRRORED].copy()
    other[..., 0] = width - 1 - other[..., 0]
    away = np.linalg.norm(points - other, axis=-1) / (boxes[:, 3] - boxes[:, 1])[:, None]
    assert np.median(away[confidence > 0.5]) < 0.03
