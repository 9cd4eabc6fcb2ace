"""Confidence of a segment (eq. 15): what counts as hidden for long, and what is only a slow camera."""

import numpy as np
import pytest

from crowdstream.kernels.grouping.confidence import SegmentConfidenceConfig, segment_confidence
from crowdstream.kernels.grouping.joint_weights import KEYPOINT_WEIGHTS

CONFIG = SegmentConfidenceConfig()
LEGS = slice(11, 17)


def seen(score: float = 0.8) -> np.ndarray:
    return np.full((1, 64, 17), score)


def confidence(score: np.ndarray, present: np.ndarray | None = None, **settings: float) -> float:
    there = np.ones(score.shape[:2], bool) if present is None else present
    return float(segment_confidence(score, there, SegmentConfidenceConfig(**settings))[0])


def test_who_is_seen_all_the_time_is_worth_one() -> None:
    assert confidence(seen()) == 1.0


def test_v_is_the_share_of_seen_keypoints() -> None:
    score = seen()
    score[:, ::4, :5] = 0.1
    assert confidence(score) == pytest.approx(1 - 5 / 17 / 4)


def test_legs_hidden_for_half_of_the_segment_need_help_and_for_less_do_not() -> None:
    score = seen()
    score[:, 10:42, LEGS] = 0.1
    assert confidence(score) == 0.0
    score[:, 41, LEGS] = 0.8
    assert confidence(score) > 0.8


def test_the_run_must_be_unbroken() -> None:
    score = seen()
    score[:, :48, LEGS] = 0.1
    score[:, 24, LEGS] = 0.8
    assert confidence(score) > 0


def test_a_hidden_face_is_nobodys_trouble() -> None:
    score = seen()
    score[:, :, :5] = 0.0
    assert confidence(score) == pytest.approx(12 / 17)


def test_the_threshold_is_a_share_of_the_weights() -> None:
    score = seen()
    score[:, :, 13:15] = 0.1  # both knees
    weight = float(KEYPOINT_WEIGHTS[13:15].sum())
    assert confidence(score, repair_weight=weight + 0.01) > 0
    assert confidence(score, repair_weight=weight - 0.01) == 0.0


@pytest.mark.parametrize("stride", [1, 2, 3, 12])
def test_a_slow_camera_hides_nobody(stride: int) -> None:
    score = np.zeros((1, 64, 17))
    score[:, ::stride] = 0.8
    score[:, -1] = 0.8
    assert confidence(score) == 1.0


def test_a_long_stretch_unposed_is_hidden() -> None:
    score = seen()
    score[:, 10:50] = 0.0
    assert confidence(score) == 0.0


def test_nothing_is_bridged_over_the_end_of_what_is_known() -> None:
    score = seen()
    score[:, 56:] = 0.0
    assert confidence(score) == pytest.approx(56 / 64)


def test_legs_hidden_from_a_slow_camera_stay_hidden() -> None:
    score = np.zeros((1, 64, 17))
    score[:, ::3, :11] = 0.8
    assert confidence(score) == 0.0


def test_who_is_there_for_half_of_the_segment_is_judged_by_that_half() -> None:
    present = np.arange(64)[None] < 32
    score = seen()
    score[:, 32:] = 0.0
    assert confidence(score, present) == pytest.approx(0.5)  # well seen, but a weak guide
    score[:, 8:24, LEGS] = 0.0
    assert confidence(score, present) == 0.0


def test_who_was_never_there_is_worth_nothing() -> None:
    assert confidence(seen(), np.zeros((1, 64), bool)) == 0.0


def test_people_do_not_depend_on_one_another() -> None:
    rng = np.random.default_rng(0)
    score = rng.uniform(0, 1, (6, 64, 17))
    present = rng.uniform(0, 1, (6, 64)) < 0.9
    together = segment_confidence(score, present, CONFIG)
    alone = [float(segment_confidence(score[n : n + 1], present[n : n + 1], CONFIG)[0]) for n in range(6)]
    assert together.tolist() == alone
