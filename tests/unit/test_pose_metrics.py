"""Figures of placed keypoints: perfect answers, swapped sides, and a slow twin of the area under the curve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdstream.kernels.skeleton import COCO_KEYPOINTS
from crowdstream.lab.perception.pose.metrics import PAIRS, Placed, area_under_curve, figures


def placed(seed: int = 0, count: int = 20) -> Placed:
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 90, (count, 17, 2))
    return Placed(
        keypoints_px=truth.copy(),
        confidence=np.ones((count, 17)),
        truth_px=truth,
        seen=rng.integers(0, 3, (count, 17)).astype(np.uint8),
        within=np.ones((count, 17), bool),
        height_px=rng.uniform(50, 100, count),
    )


def test_perfect_answers_have_no_distance() -> None:
    out = figures(placed())
    assert out["distance_seen"] == out["distance_hidden_by_self"] == out["distance_hidden_by_others"] == 0.0
    assert out["pck05_seen"] == out["pck10_seen"] == out["right_at_half"] == 1.0 and out["swapped"] == 0.0


def test_distances_are_shares_of_the_height_of_the_box() -> None:
    p = placed(1)
    away = p.keypoints_px + 0.07 * p.height_px[:, None, None] * np.array([0.6, 0.8])
    out = figures(replace(p, keypoints_px=away))
    assert out["distance_seen"] == pytest.approx(0.07)
    assert (out["pck05_seen"], out["pck10_seen"]) == (0.0, 1.0)
    larger = replace(p, keypoints_px=3 * away, truth_px=3 * p.truth_px, height_px=3 * p.height_px)
    assert figures(larger) == pytest.approx(out)


def test_exchanged_sides_are_swapped() -> None:
    p = placed(2)
    exchanged = p.truth_px.copy()
    for left, right in PAIRS:
        exchanged[:, [left, right]] = exchanged[:, [right, left]]
    assert figures(replace(p, keypoints_px=exchanged))["swapped"] == 1.0


def test_pairs_are_of_the_same_part() -> None:
    assert len(PAIRS) == 8
    for left, right in PAIRS:
        assert COCO_KEYPOINTS[left].removeprefix("left") == COCO_KEYPOINTS[right].removeprefix("right")


def test_keypoints_outside_count_as_wrong_for_confidence_alone() -> None:
    p = placed(3)
    within = p.within.copy()
    within[:, :5] = False
    said = p.keypoints_px.copy()
    said[:, :5] += 500.0
    confidence = np.where(within, 0.8, 0.2)
    out = figures(replace(p, keypoints_px=said, within=within, confidence=confidence))
    assert out["distance_seen"] == 0.0 and out["auc"] == 1.0
    assert figures(replace(p, keypoints_px=said, within=within, confidence=1 - confidence))["auc"] == 0.0


def test_area_under_curve_against_all_pairs() -> None:
    rng = np.random.default_rng(4)
    positive, negative = rng.integers(0, 9, 40) / 9, rng.integers(0, 7, 30) / 9
    wins = sum((p > q) + 0.5 * (p == q) for p in positive for q in negative)
    assert area_under_curve(positive, negative) == pytest.approx(wins / (40 * 30))
    assert area_under_curve(positive, np.zeros(0)) == 0.5
