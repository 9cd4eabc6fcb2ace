"""What the detector's scores are made to mean."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.lab.perception.detector.calibrate import STEEPEST, logit, steepness
from crowdstream.lab.perception.detector.metrics import Found

BOX = np.array([[0.0, 0.0, 10.0, 30.0]])
FAR = np.array([[50.0, 50.0, 60.0, 80.0]])


def pictures(slope: float, seed: int = 0, count: int = 4000) -> list[Found]:
    """One box a picture, right with the probability 1 / (1 + exp(-slope logit))."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, 0.8, count)
    right = rng.random(count) < 1 / (1 + np.exp(-slope * logits))
    scores = 1 / (1 + np.exp(-logits))
    return [
        Found(BOX if r else FAR, np.array([s]), BOX, np.array([True]))
        for r, s in zip(right, scores, strict=True)
    ]


@pytest.mark.parametrize("slope", [1.5, 2.0, 3.0])
def test_the_slope_of_right_and_wrong_is_found(slope: float) -> None:
    assert steepness(pictures(slope), 0.5) == pytest.approx(slope, rel=0.12)


def test_scores_are_never_pressed_together_nor_torn_apart() -> None:
    assert steepness(pictures(0.3), 0.5) == 1.0
    assert steepness(pictures(60.0), 0.5) == STEEPEST


def test_nothing_to_compare_leaves_scores_alone() -> None:
    assert steepness([], 0.5) == 1.0
    assert steepness([Found(BOX, np.array([0.7]), BOX, np.array([True]))], 0.5) == 1.0


def test_logit_undoes_the_sigmoid_and_stays_finite() -> None:
    x = np.linspace(-6, 6, 13)
    np.testing.assert_allclose(logit(1 / (1 + np.exp(-x))), x, atol=1e-9)
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
