"""Precision, recall and their area, in cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.lab.perception.detector.metrics import RIGHT, UNCOUNTED, WRONG, Found, curve, figures, judge

A, B, C = (0, 0, 10, 20), (30, 0, 40, 20), (60, 0, 70, 20)


def found(
    boxes: list[tuple[int, ...]],
    scores: list[float],
    true: list[tuple[int, ...]],
    wanted: list[bool] | None = None,
) -> Found:
    return Found(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(true, np.float32).reshape(-1, 4),
        np.array([True] * len(true) if wanted is None else wanted, bool),
    )


def test_each_person_is_found_once() -> None:
    twice = found([A, A, C], [0.5, 0.9, 0.8], [A, B])
    assert judge(twice, 0.5).tolist() == [WRONG, RIGHT, WRONG]


def test_what_lies_on_the_ignored_counts_for_nothing() -> None:
    part = (30, 5, 40, 15)  # half of B: too small to be it, but inside
    picture = found([A, part, C], [0.9, 0.8, 0.7], [A, B], [True, False])
    assert judge(picture, 0.5).tolist() == [RIGHT, UNCOUNTED, WRONG]
    told = curve([picture], 0.5)
    assert told.recall[-1] == 1.0 and told.precision.tolist() == [1.0, 0.5]


def test_area_by_hand() -> None:
    # right 0.9, wrong 0.8, right 0.7 of three people: 1/3 * 1 + 1/3 * 2/3
    pictures = [found([A, C], [0.9, 0.8], [A]), found([B], [0.7], [B, C])]
    told = curve(pictures, 0.5)
    assert told.average_precision == pytest.approx(1 / 3 + 2 / 9)
    assert told.at(0.75) == pytest.approx((1 / 2, 1 / 3, 2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3)))
    assert told.best()[1] == pytest.approx(2 / 3)
    assert told.best()[0] == pytest.approx(0.7)


def test_a_shift_of_the_best_threshold_follows_the_scores() -> None:
    pictures = [found([A, B, C], [0.9, 0.6, 0.2], [A, B])]
    threshold, best = curve(pictures, 0.5).best()
    assert best == 1.0 and threshold == pytest.approx(0.4)


def test_perfect_and_empty() -> None:
    perfect = figures([found([A, B], [0.9, 0.8], [B, A])], 0.45)
    assert perfect["detector.ap"] == perfect["detector.f1"] == 1.0
    for nothing in (
        figures([found([], [], [A])], 0.45),
        figures([], 0.45),
        figures([found([A], [0.9], [])], 0.45),
    ):
        assert nothing["detector.ap50"] == nothing["detector.recall"] == nothing["detector.best_f1"] == 0.0


def test_closer_boxes_are_worth_more() -> None:
    near = figures([found([(0, 0, 10, 19)], [0.9], [A])], 0.45)
    far = figures([found([(0, 0, 10, 13)], [0.9], [A])], 0.45)
    assert near["detector.ap50"] == far["detector.ap50"] == 1.0
    assert near["detector.ap"] == pytest.approx(1.0) and far["detector.ap"] == pytest.approx(0.4)
