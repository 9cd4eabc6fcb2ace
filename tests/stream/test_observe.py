"""The perception stage: strides, budgets, tiles and predicted boxes, with scripted networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.errors import InferenceError
from crowdstream.kernels.ground import Ground
from crowdstream.stream.observe import PerceptionStage, choose_poses
from crowdstream.stream.observe_config import PerceptionConfig
from crowdstream.stream.pressure.records import FULL_EFFORT, Effort
from crowdstream.stream.records import ClockOrigin, Frame, Observation, PixelFormat

SIZE = (320, 240)


class BrightDetector:
    """Finds the bright rectangle of an image; its grey level over 255 is the score."""

    def __init__(self, max_side_px: int = 320) -> None:
        self.max_side_px = max_side_px
        self.passes = 0

    def detect(self, images_bgr: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        self.passes += len(images_bgr)
        return [self._one(image) for image in images_bgr]

    def _one(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = []
        for level in sorted(set(np.unique(image[..., 0])) - {0}, reverse=True):
            y, x = np.nonzero(image[..., 0] == level)
            if x.max() - x.min() >= 3:  # thinner ones are edges blended by scaling
                rows.append((x.min(), y.min(), x.max() + 1, y.max() + 1, level / 255))
        table = np.array(rows, np.float32).reshape(-1, 5)
        return table[:, :4], table[:, 4]


class CornerPose:
    """Every keypoint is the top left corner of the box, with confidence 0.5."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def estimate(self, image_bgr: np.ndarray, boxes_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append(len(boxes_px))
        points = np.repeat(boxes_px[:, None, :2], 17, axis=1).astype(np.float32)
        return points, np.full((len(boxes_px), 17), 0.5, np.float32)

    def estimate_many(
        self, images_bgr: Sequence[np.ndarray], boxes_px: Sequence[np.ndarray]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        return [self.estimate(i, b) for i, b in zip(images_bgr, boxes_px, strict=True)]

    def close(self) -> None:
        pass


def _frame(index: int, *people: tuple[int, int, int, int, int], camera: str = "cam", size=SIZE) -> Frame:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    for x1, y1, x2, y2, level in people:
        image[y1:y2, x1:x2] = level
    return Frame(camera, index, index * 40_000_000, ClockOrigin.FILE_PTS, image, PixelFormat.BGR, size)


ADULT, CHILD, GHOST = (20, 30, 60, 150, 230), (100, 100, 120, 150, 180), (200, 20, 230, 90, 50)


def _stage(**settings: object) -> tuple[PerceptionStage, BrightDetector, CornerPose]:
    detector, pose = BrightDetector(), CornerPose()
    return PerceptionStage(PerceptionConfig(**settings), detector, pose), detector, pose


def _same(a: Observation, b: Observation) -> None:
    for name in ("boxes_px", "scores", "keypoints_px", "confidence", "posed"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.camera, a.index, a.detected, a.drops) == (b.camera, b.index, b.detected, b.drops)


def test_people_get_boxes_and_those_who_deserve_it_poses() -> None:
    stage, _, _ = _stage(pose_threshold=0.3)
    seen = stage.step(_frame(0, ADULT, CHILD, GHOST))
    np.testing.assert_array_equal(seen.boxes_px, [ADULT[:4], CHILD[:4], GHOST[:4]])
    np.testing.assert_allclose(seen.scores, [230 / 255, 180 / 255, 50 / 255])
    assert seen.posed.tolist() == [True, True, False] and seen.detected and not seen.drops
    np.testing.assert_array_equal(seen.keypoints_px[1, 16], CHILD[:2])
    assert not seen.confidence[2].any()


def test_boxes_below_the_output_threshold_are_left_out() -> None:
    stage, _, _ = _stage(score_threshold=0.25)
    assert len(stage.step(_frame(0, ADULT, GHOST)).boxes_px) == 1


def test_the_detector_runs_every_nth_frame_and_the_others_are_counted() -> None:
    stage, detector, _ = _stage(detect_stride=3)
    seen = [stage.step(_frame(i, ADULT)) for i in range(7)]
    assert [o.detected for o in seen] == [True, False, False, True, False, False, True]
    assert [o.drops for o in seen[:2]] == [{}, {"detect_stride": 1}]
    assert detector.passes == 3 and len(seen[1].boxes_px) == 0


def test_the_stride_counts_per_camera_and_survives_lost_frames() -> None:
    stage, _, _ = _stage(detect_stride=3)
    order = [("a", 0), ("b", 5), ("a", 1), ("b", 6), ("a", 5), ("a", 6), ("b", 8), ("a", 0)]
    seen = [stage.step(_frame(i, camera=c)).detected for c, i in order]
    assert seen == [True, True, False, False, True, False, True, True]  # last: the source began again


def test_between_detections_poses_go_on_predicted_boxes() -> None:
    stage, _, pose = _stage(detect_stride=2)
    stage.step(_frame(0, ADULT))
    given = np.array([CHILD[:4], ADULT[:4]], np.float32)
    seen = stage.step(_frame(1, ADULT), given)
    assert not seen.detected and seen.posed.all() and pose.asked == [1, 2]
    np.testing.assert_array_equal(seen.boxes_px, given)
    np.testing.assert_allclose(seen.scores, [0.5, 0.5])  # what the pose says of them


def test_predicted_boxes_do_not_matter_where_the_detector_ran() -> None:
    given = np.array([[1, 1, 5, 5]], np.float32)
    _same(_stage()[0].step(_frame(0, ADULT), given), _stage()[0].step(_frame(0, ADULT)))


def test_the_budget_takes_the_surest_then_the_largest_and_counts_the_rest() -> None:
    stage, _, _ = _stage(pose_budget=1)
    seen = stage.step(_frame(0, CHILD, ADULT))
    assert seen.posed.tolist() == [True, False] and seen.drops == {"pose_budget": 1}
    np.testing.assert_array_equal(seen.boxes_px[0], ADULT[:4])
    boxes = np.array([[0, 0, 5, 5], [0, 0, 9, 9], [0, 0, 5, 5]], np.float32)
    scores = np.array([0.82, 0.78, 0.5], np.float32)
    assert choose_poses(boxes, scores, np.arange(3), 1).tolist() == [1]  # 0.82 and 0.78 are alike: the larger
    assert choose_poses(boxes, scores, np.arange(3), 2).tolist() == [0, 1]


def test_a_budget_of_nobody_runs_no_pose() -> None:
    stage, _, pose = _stage(pose_budget=0)
    assert stage.step(_frame(0, ADULT, CHILD)).drops == {"pose_budget": 2}
    assert pose.asked == []


def test_less_effort_detects_on_fewer_frames_and_tells_the_cause() -> None:
    stage, detector, _ = _stage(detect_stride=2, pose_rate_hz=None)
    stage.set_effort(Effort(1, detect_stride=3))
    seen = [stage.step(_frame(i, ADULT)) for i in range(7)]
    assert [o.detected for o in seen] == [i % 6 == 0 for i in range(7)] and detector.passes == 2
    causes = [next(iter(o.drops), "") for o in seen]
    assert causes == [
        "",
        "detect_stride",
        *["effort_detect"] * 4,
        "",
    ]  # the settings alone would look at 2 and 4


def test_less_effort_poses_fewer_times_and_counts_who_went_without() -> None:
    stage, _, pose = _stage(pose_rate_hz=12.5)  # every second frame of 25 a second
    stage.set_effort(Effort(1, pose_rate=0.5))
    seen = [stage.step(_frame(i, ADULT, CHILD)) for i in range(9)]
    assert pose.asked == [2, 2, 2] and [bool(o.posed.any()) for o in seen] == [i % 4 == 0 for i in range(9)]
    assert [o.drops for o in seen[:4]] == [{}, {"pose_rate": 2}, {"effort_pose": 2}, {"effort_pose": 2}]


def test_where_every_frame_has_poses_a_share_is_of_the_models_rate() -> None:
    stage, _, pose = _stage(pose_rate_hz=None)
    stage.set_effort(Effort(1, pose_rate=0.5))  # 15 Hz of frames at 25 Hz: every second one
    for i in range(10):
        stage.step(_frame(i, ADULT))
    assert pose.asked == [1] * 5


@pytest.mark.parametrize(
    ("configured", "effort", "asked", "drops"),
    [
        (None, 1, 1, {"effort_pose": 2}),
        (2, 1, 1, {"pose_budget": 1, "effort_pose": 1}),
        (1, 2, 1, {"pose_budget": 2}),
        (0, 0, 0, {"pose_budget": 3}),
        (9, 9, 3, {}),
    ],
)
def test_the_smaller_budget_holds_and_each_counts_its_own(
    configured: int | None, effort: int, asked: int, drops: dict[str, int]
) -> None:
    stage, _, pose = _stage(pose_budget=configured, pose_rate_hz=None, pose_threshold=0.1)
    stage.set_effort(Effort(1, pose_budget=effort))
    assert stage.step(_frame(0, ADULT, CHILD, GHOST)).drops == drops
    assert sum(pose.asked) == asked


def test_effort_takes_hold_at_the_next_frame_and_leaves_no_trace() -> None:
    stage, _, _ = _stage(detect_stride=2)
    plain, _, _ = _stage(detect_stride=2)
    for i in range(12):
        stage.set_effort(
            Effort(3, detect_stride=4, pose_rate=0.2, pose_budget=1) if 4 <= i < 8 else FULL_EFFORT
        )
        seen, usual = stage.step(_frame(i, ADULT, CHILD)), plain.step(_frame(i, ADULT, CHILD))
        if not 4 <= i < 8:
            _same(seen, usual)
    assert stage.memory() == plain.memory()


def test_a_lowered_effort_is_the_same_for_many_frames_at_once() -> None:
    frames = [_frame(i // 2, (10 + i, 30, 60 + i, 150, 200 + i), camera="ab"[i % 2]) for i in range(12)]
    effort = Effort(2, detect_stride=2, pose_rate=0.5, pose_budget=0)
    one, many = _stage()[0], _stage(threads=3)[0]
    one.set_effort(effort)
    many.set_effort(effort)
    for a, b in zip([one.step(f) for f in frames], many.step_many(frames), strict=True):
        _same(a, b)


@pytest.mark.parametrize("threads", [1, 3])
def test_many_at_once_equal_one_by_one(threads: int) -> None:
    frames = [_frame(i // 2, (10 + i, 30, 60 + i, 150, 200 + i), camera="ab"[i % 2]) for i in range(8)]
    one, many = _stage(detect_stride=2)[0], _stage(detect_stride=2, threads=threads)[0]
    for a, b in zip([one.step(f) for f in frames], many.step_many(frames), strict=True):
        _same(a, b)
    many.close()


def test_large_frames_go_through_in_tiles_and_each_person_comes_out_once() -> None:
    size = (1280, 960)
    stage, detector, _ = _stage(tiles={"max_tiles": 40, "min_person_px": 24}, threads=2)
    people = [(300, 200, 340, 300, 250), (640, 470, 660, 530, 240), (1200, 900, 1230, 955, 230)]
    seen = stage.step(_frame(0, *people, size=size))
    stage.close()
    assert detector.passes > 4
    np.testing.assert_allclose(seen.boxes_px, [p[:4] for p in people], atol=4.0)  # the whole view is coarse


@pytest.mark.parametrize(
    ("size", "input_px"), [((480, 360), 640), ((240, 320), 427), ((720, 480), 960), ((1280, 720), 960)]
)
def test_a_small_picture_is_enlarged_by_a_third_at_most(size: tuple[int, int], input_px: int) -> None:
    stage = PerceptionStage(PerceptionConfig(), BrightDetector(960), CornerPose())
    (tile,) = stage.tiles_of("a", size)
    assert tile.region_px == (0, 0, *size) and max(tile.input_wh) == input_px


def test_a_calibration_changes_the_tiles_of_its_camera_only() -> None:
    size = (1280, 960)
    K = np.array([[1000, 0, 640], [0, 1000, 480], [0, 0, 1.0]])
    down = np.array([[1.0, 0, 0], [0, -0.5, -0.8660254], [0, 0.8660254, -0.5]])
    camera = CameraModel(K, down, -down @ np.array([0, 0, 8.0]), size)
    stage, _, _ = _stage()
    before = stage.tiles_of("a", size)
    stage.set_geometry(camera, Ground(), "a")
    assert stage.tiles_of("a", size) != before and stage.tiles_of("b", size) == before
    stage.set_geometry(None, None, "a")
    assert stage.tiles_of("a", size) == before
    stage.set_geometry(camera, Ground())
    with pytest.raises(InferenceError, match="frames are 1920x1080"):
        stage.tiles_of("c", (1920, 1080))


def test_a_setting_out_of_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="multiple of 32"):
        PerceptionConfig(detector_long_side_px=1000)
    with pytest.raises(ValidationError):
        PerceptionConfig(detect_strid=2)


@pytest.mark.parametrize(
    ("fps", "rate", "posed"), [(25, 15.0, 13), (30, 15.0, 13), (10, 15.0, 25), (25, None, 25)]
)
def test_poses_keep_to_their_rate_and_the_rest_is_counted(fps: int, rate: float | None, posed: int) -> None:
    """25 frames: every second one at 25 and 30 Hz for a rate of 15, every one at 10 Hz."""
    stage, _, _ = _stage(pose_rate_hz=rate)
    seen = [
        stage.step(replace(_frame(k, ADULT, CHILD), t_capture_ns=round(k / fps * 1e9))) for k in range(25)
    ]
    assert sum(bool(o.posed.any()) for o in seen) == posed
    assert all(o.detected and len(o.boxes_px) == 2 for o in seen)
    assert sum(o.drops.get("pose_rate", 0) for o in seen) == 2 * (25 - posed)
