"""Scores of pose networks: known shifts give exactly that distance, exchanged sides are told, views meet in space."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.perception.pose import Poses
from crowdstream.lab.perception.score.costs import made_up_picture, pose_costs
from crowdstream.lab.perception.score.errors import ScoreError
from crowdstream.lab.perception.score.networks import Contender
from crowdstream.lab.perception.score.pose_pictures import differences, write_pose_pictures
from crowdstream.lab.perception.score.pose_report import (
    PoseQuestion,
    average_skeleton,
    evaluate_pose,
)
from crowdstream.lab.perception.score.pose_score import Keypoints, score_pose
from crowdstream.lab.perception.score.table import print_pose
from crowdstream.lab.perception.score.views import Scene, consistency, triangulate

sys.path.insert(0, str(Path(__file__).parent))
from test_score_detector import Bright, write_clips

sys.path.pop(0)

MIRRORED = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
SKELETON = np.array(
    [[0.5, 0.06], [0.54, 0.05], [0.46, 0.05], [0.58, 0.06], [0.42, 0.06], [0.72, 0.2], [0.28, 0.2], [0.78, 0.35],
     [0.22, 0.35], [0.8, 0.48], [0.2, 0.48], [0.63, 0.52], [0.37, 0.52], [0.63, 0.74], [0.37, 0.74], [0.63, 0.95],
     [0.37, 0.95]]
)  # fmt: skip
"""Places in the box of somebody who faces the camera."""


def people(count: int = 6, sure: float = 0.9, seed: int = 0) -> tuple[Keypoints, np.ndarray]:
    rng = np.random.default_rng(seed)
    heights = rng.uniform(40, 130, count)
    px = SKELETON * [0.4, 1.0] * heights[:, None, None] + rng.uniform(0, 500, (count, 1, 2))
    return Keypoints(px, np.full((count, 17), sure)), heights


def test_the_same_keypoints_are_at_no_distance() -> None:
    one, heights = people()
    figures = score_pose(one, one, heights)
    assert figures["mean"] == figures["p90"] == figures["sides_exchanged"] == figures["turned_round"] == 0.0
    assert figures["pck"] == figures["pck_of_sure_reference"] == figures["confident_both"] == 1.0
    assert figures["keypoints"] == 6 * 17 == sum(p["keypoints"] for p in figures["by_keypoint"].values())


@pytest.mark.parametrize("share", [0.03, 0.0999, 0.1001, 0.4])
def test_shifted_keypoints_are_exactly_that_far(share: float) -> None:
    one, heights = people()
    shift = share * heights[:, None, None] * np.array([0.6, 0.8])
    figures = score_pose(Keypoints(one.px + shift, one.confidence), one, heights)
    assert figures["mean"] == pytest.approx(share) == figures["median"]
    assert figures["pck"] == float(share < 0.1)
    assert all(part["mean"] == pytest.approx(share) for part in figures["by_height"])


def test_size_does_not_matter() -> None:
    one, heights = people()
    other = Keypoints(one.px + np.random.default_rng(1).normal(0, 3, one.px.shape), one.confidence)
    small, large = score_pose(other, one, heights), score_pose(
        Keypoints(3 * other.px, other.confidence), Keypoints(3 * one.px, one.confidence), 3 * heights
    )  # fmt: skip
    assert large["mean"] == pytest.approx(small["mean"]) and large["pck"] == small["pck"]


def test_only_what_both_are_sure_of_counts() -> None:
    one, heights = people()
    wild = Keypoints(one.px.copy(), one.confidence.copy())
    wild.px[:, 9], wild.confidence[:, 9] = 1e4, 0.1
    figures = score_pose(wild, one, heights)
    assert figures["mean"] == 0.0 and figures["confident"] == pytest.approx(16 / 17)
    assert figures["by_keypoint"]["left_wrist"]["mean"] is None
    assert figures["pck"] == 1.0 and figures["pck_of_sure_reference"] == pytest.approx(16 / 17)


def test_somebody_turned_round_is_told_and_forgiven() -> None:
    one, heights = people()
    turned = Keypoints(one.px[:, MIRRORED], one.confidence)
    figures = score_pose(turned, one, heights)
    assert figures["sides_exchanged"] == figures["turned_round"] == 1.0
    body = {k: v for k, v in figures["by_keypoint"].items() if "eye" not in k and "ear" not in k}
    assert figures["mean"] > 0.05 and body["nose"]["mean"] == 0.0
    faces = sum(2 * 0.4 * abs(x) for x in (0.08, 0.16)) / 17  # eyes and ears stay exchanged
    assert figures["mean_sides_forgiven"] == pytest.approx(faces)
    half = Keypoints(np.where(np.arange(6)[:, None, None] < 3, one.px, one.px[:, MIRRORED]), one.confidence)
    assert score_pose(half, one, heights)["turned_round"] == 0.5


def test_sides_are_not_told_of_people_seen_from_the_side() -> None:
    one, heights = people()
    flat = Keypoints(one.px * [1e-3, 1.0], one.confidence)
    figures = score_pose(Keypoints(flat.px[:, MIRRORED], one.confidence), flat, heights)
    assert figures["sides_exchanged"] is None and figures["turned_round"] is None


def test_the_average_skeleton_fits_people_who_all_stand_alike() -> None:
    one, heights = people()
    low = one.px[:, 0] - SKELETON[0] * [0.4, 1.0] * heights[:, None]
    boxes = np.hstack([low, low + np.stack([0.4 * heights, heights], axis=1)])
    figures = score_pose(average_skeleton(one, boxes), one, heights)
    assert figures["mean"] == pytest.approx(0.0, abs=1e-12)


def test_other_numbers_of_people_are_refused() -> None:
    one, heights = people()
    with pytest.raises(ScoreError, match="same boxes"):
        score_pose(one, people(5)[0], heights)
    with pytest.raises(ScoreError, match="17, 2"):
        Keypoints(one.px, one.confidence[:3])


def test_nobody_is_no_error() -> None:
    nobody = Keypoints(np.zeros((0, 17, 2)), np.zeros((0, 17)))
    figures = score_pose(nobody, nobody, np.zeros(0))
    assert figures["mean"] is None and figures["people"] == 0 and figures["confident"] is None


class Standing:
    """Everybody stands as the skeleton does, moved by a share of the box's height."""

    def __init__(self, moved: float = 0.0) -> None:
        self.moved = moved

    def estimate(self, image_bgr: np.ndarray, boxes_px: np.ndarray) -> Poses:
        corner, sides = boxes_px[:, None, :2], boxes_px[:, None, 2:] - boxes_px[:, None, :2]
        points = corner + SKELETON * sides
        points[..., 0] += self.moved * sides[..., 1]
        return points.astype(np.float32), np.full((len(boxes_px), 17), 0.9, np.float32)

    def estimate_many(self, images_bgr: Sequence[np.ndarray], boxes_px: Sequence[np.ndarray]) -> list[Poses]:
        return [self.estimate(i, b) for i, b in zip(images_bgr, boxes_px, strict=True)]

    def close(self) -> None:
        pass


def test_a_clip_from_end_to_end(tmp_path: Path) -> None:
    data = write_clips(tmp_path)
    contenders = {
        "network": Contender("moved", "made up", Standing(0.05)),
        "yardstick": Contender("standing", "made up", Standing()),
    }
    question = PoseQuestion(data, every=2)
    answer = evaluate_pose(question, contenders, Contender("bright", "made up", Bright()))
    for name in ("hall", "pets"):
        own, average = answer.figures[name]["rows"]
        assert own["mean"] == pytest.approx(0.05, rel=1e-3) and own["people"] == 3
        assert average["who"] == "average" and average["mean"] == pytest.approx(0.0, abs=1e-3)
    assert differences(answer.poses["hall"], 0.3) == pytest.approx(np.full(3, 0.05), rel=1e-3)
    written = write_pose_pictures(tmp_path / "out", question, answer)
    assert len(written) == 4 and all(cv2.imread(str(path)) is not None for path in written)
    console = Console(file=io.StringIO(), width=200)
    run = {"network": {"name": "moved", "why": "made up"}, "every": 2}
    row = {"who": "network", "what": "crop", "ms": 1.25, "ratio": 0.5}
    print_pose(dict(answer.figures) | {"costs": {"rows": [row]}, "run": run}, console)
    told = str(console.file.getvalue())  # type: ignore[attr-defined]
    assert "left wrist" in told and "5.0" in told and "1.25" in told
    alone = evaluate_pose(question, {"network": contenders["network"]}, Contender("b", "", Bright()))
    assert "no yardstick" in alone.figures["hall"]["absent"]
    assert "boxes" in evaluate_pose(question, contenders, None).figures["pets"]["absent"]


def cameras() -> tuple[CameraModel, ...]:
    """Four cameras round the origin, which look at it from 5 m."""
    out = []
    for angle in np.radians([0.0, 70.0, 160.0, 250.0]):
        away = np.array([np.sin(angle), -np.cos(angle), 0.0])
        R = np.stack([np.cross([0, 0, -1.0], -away), [0, 0, -1.0], -away])
        K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
        out.append(CameraModel(K, R, -R @ (5.0 * away + [0, 0, 1.0]), (640, 480)))
    return tuple(out)


class Seeing:
    """Knows the true joints; the picture's first pixel says which camera it is of."""

    def __init__(self, joints_m: np.ndarray, off_px: Sequence[float] = (0.0, 0.0, 0.0, 0.0)) -> None:
        self.joints_m, self.off_px = joints_m, off_px

    def estimate(self, image_bgr: np.ndarray, boxes_px: np.ndarray) -> Poses:
        view = int(image_bgr[0, 0, 0])
        px = cameras()[view].project(self.joints_m) + np.array([self.off_px[view], 0.0])
        return px.astype(np.float32), np.full(px.shape[:2], 0.9, np.float32)

    estimate_many, close = Standing.estimate_many, Standing.close


def space() -> tuple[Scene, np.ndarray]:
    rng = np.random.default_rng(0)
    joints = np.stack([rng.normal(0, 0.25, (17, 3)) + np.array([0.6 * p, 0.2 * p, 1.0]) for p in range(2)])
    images = [[np.full((4, 4, 3), view, np.uint8)] for view in range(4)]
    px = np.stack([camera.project(joints) for camera in cameras()])
    boxes = np.concatenate([px.min(axis=2), px.max(axis=2)], axis=-1)[:, :, None]
    return Scene(images, cameras(), boxes), joints


def test_views_that_mean_one_point_meet_there() -> None:
    scene, joints = space()
    exact = triangulate(scene, Seeing(joints))
    assert exact.points_m[:, 0] == pytest.approx(joints, abs=1e-3)
    figures = consistency(scene, exact)
    assert figures["reprojection_p90"] == pytest.approx(0.0, abs=1e-4)
    assert figures["agree"] == figures["known"] == 1.0 and figures["apart_mm"] is None
    beside = consistency(scene, triangulate(scene, Seeing(joints + np.array([0.0, 0.0, 0.04]))), exact)
    assert beside["apart_mm"] == pytest.approx(40.0, abs=0.5) and beside["agree"] == 1.0


def test_a_view_that_means_another_point_is_told() -> None:
    scene, joints = space()
    figures = consistency(scene, triangulate(scene, Seeing(joints, (0.0, 60.0, 0.0, 0.0))))
    assert figures["agree"] == pytest.approx(0.75) and figures["known"] == 1.0
    assert figures["reprojection"] == pytest.approx(0.0, abs=1e-3)


def test_a_crop_has_a_price_even_where_nobody_was_found() -> None:
    poses = {"network": Standing(), "yardstick": Standing()}
    costs = pose_costs(poses, made_up_picture((64, 48)), None, rounds=1)
    assert [cost.who for cost in costs] == ["network", "yardstick"] and costs[1].ratio == 1.0
