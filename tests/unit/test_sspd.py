"""Segment path distance: hand-computed cases, the slow twin, and the same bits in every call."""

import numpy as np
import pytest

from crowdstream.kernels.fused.sspd import sspd_pairs, sspd_rows
from crowdstream.lab.bench.sspd_twin import distances

LINE = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])


def apart(one: np.ndarray, two: np.ndarray) -> float:
    return float(sspd_rows(one[None], two[None])[0, 0])


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (LINE, LINE + np.array([0.0, 0.5]), 0.5),  # beside each other
        (LINE, LINE[::-1], 0.0),  # backwards: SSPD cannot tell
        (LINE, LINE[[0, 2]], 0.0),  # the same way in fewer points
        # the point 3 m on is 1 m from the end: (0 + 0 + 0) / 3 there, (0 + 0 + 1) / 3 back
        (LINE, np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]]), 1 / 6),
        # across: every end is 1 m from the crossing, the middles meet
        (LINE - np.array([1.0, 0.0]), (LINE - np.array([1.0, 0.0]))[:, ::-1], 2 / 3),
        # somebody who never moved, 1 m beside the middle of the line
        (np.full((2, 2), 1.0), LINE, (1 + (2**0.5 + 1 + 2**0.5) / 3) / 2),
    ],
)
def test_distances_that_one_computes_by_hand(one: np.ndarray, two: np.ndarray, expected: float) -> None:
    assert apart(one, two) == pytest.approx(expected, abs=1e-6)


def test_as_the_slow_twin() -> None:
    rng = np.random.default_rng(3)
    ways = np.cumsum(rng.normal(0.1, 0.1, (5, 9, 2)), axis=1)
    ways[1, 3] = ways[1, 2]  # a piece of no length
    others = np.cumsum(rng.normal(0.1, 0.1, (4, 7, 2)), axis=1)
    assert np.abs(sspd_rows(ways, others) - distances(ways, others)).max() < 1e-6


def test_a_pair_has_the_same_bits_in_every_call() -> None:
    ways = np.cumsum(np.random.default_rng(4).normal(0.1, 0.1, (12, 12, 2)), axis=1)
    pairs = sspd_pairs(ways)
    off_diagonal = ~np.eye(12, dtype=bool)
    assert np.array_equal(pairs, pairs.T)
    assert np.array_equal(sspd_rows(ways, ways)[off_diagonal], pairs[off_diagonal])
    assert np.array_equal(sspd_rows(ways[3:4], ways[5:])[0], pairs[3, 5:])
