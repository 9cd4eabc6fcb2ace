"""Soft-DTW of the compiled kernel: against plain loops, by its laws, and what it refuses."""

from __future__ import annotations

import math
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from soft_dtw_twin import hard_dtw, number_of_paths, soft_dtw_twin

sys.path.pop(0)

from crowdstream.kernels.errors import SolveError
from crowdstream.kernels.fused.soft_dtw import soft_dtw

TOLERANCE = 2e-6
"""Float32 costs and weights: some 30 roundings of 6e-8 along a path."""


def costs(*shape: int, seed: int = 0, scale: float = 3.0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).random(shape)).astype(np.float32)


@pytest.mark.parametrize("gamma", [0.02, 0.3, 4.0])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 5), (2, 7, 1), (17, 6, 9), (2, 20, 17), (1, 18, 33)])
def test_value_and_alignment_are_those_of_plain_loops(shape: tuple[int, int, int], gamma: float) -> None:
    """Single cells, rows and columns, less than a tile and more, less than a block of pairs and more."""
    cost = costs(*shape)
    value, alignment = soft_dtw(cost, gamma)
    for pair in {0, shape[0] - 1}:
        want, want_alignment = soft_dtw_twin(cost[pair].astype(float), gamma)
        assert value[pair] == pytest.approx(want, rel=TOLERANCE, abs=TOLERANCE * max(1, gamma))
        np.testing.assert_allclose(alignment[pair], want_alignment, atol=TOLERANCE * max(1.0, 0.5 / gamma))


def test_lengths_cut_pairs_short_whatever_lies_beyond() -> None:
    cost = costs(5, 12, 9)
    rows, columns = np.array([12, 3, 1, 7, 12]), np.array([9, 9, 1, 2, 4])
    blotted = cost.copy()
    for pair in range(5):
        blotted[pair, rows[pair] :] = np.nan
        blotted[pair, :, columns[pair] :] = np.inf
    value, alignment = soft_dtw(blotted, 0.3, rows, columns)
    for pair, (n, m) in enumerate(zip(rows, columns, strict=True)):
        want, want_alignment = soft_dtw_twin(cost[pair, :n, :m].astype(float), 0.3)
        assert value[pair] == pytest.approx(want, abs=TOLERANCE)
        np.testing.assert_allclose(alignment[pair, :n, :m], want_alignment, atol=TOLERANCE)
        assert not alignment[pair, n:].any() and not alignment[pair, :, m:].any()


def test_without_softness_it_is_dtw() -> None:
    cost = costs(3, 14, 20)
    value, alignment = soft_dtw(cost, 1e-4)
    for pair in range(3):
        assert value[pair] == pytest.approx(hard_dtw(cost[pair].astype(float)), abs=1e-3)
    path = alignment > 0.5
    np.testing.assert_allclose(alignment[path], 1.0, atol=1e-3)
    assert (path.any(1).all() and path.any(2).all()) and alignment[~path].max() < 1e-3


def test_where_all_paths_are_free_their_number_is_left() -> None:
    """Costs of 0: value = - g log(number of paths); identical sequences of one pose are the like."""
    value, _ = soft_dtw(np.zeros((2, 9, 6), np.float32), 0.7)
    np.testing.assert_allclose(value, -0.7 * math.log(number_of_paths(9, 6)), rtol=TOLERANCE)


def test_softness_only_ever_lowers_the_value() -> None:
    cost = costs(4, 10, 12)
    values = np.stack([soft_dtw(cost, gamma)[0] for gamma in (1e-4, 0.05, 0.2, 1.0)])
    assert (np.diff(values, axis=0) < 0).all()


def test_sequences_may_change_places_and_run_backwards() -> None:
    cost = costs(3, 11, 7)
    value, alignment = soft_dtw(cost, 0.2)
    swapped, swapped_alignment = soft_dtw(np.ascontiguousarray(cost.transpose(0, 2, 1)), 0.2)
    back, back_alignment = soft_dtw(np.ascontiguousarray(cost[:, ::-1, ::-1]), 0.2)
    np.testing.assert_allclose(value, swapped, rtol=TOLERANCE)
    np.testing.assert_allclose(value, back, rtol=TOLERANCE)
    np.testing.assert_allclose(alignment, swapped_alignment.transpose(0, 2, 1), atol=TOLERANCE)
    np.testing.assert_allclose(alignment, back_alignment[:, ::-1, ::-1], atol=TOLERANCE)


def test_every_path_begins_and_ends_in_the_corners_and_crosses_every_row() -> None:
    """E is the share of paths through a cell: 1 in the corners, at least 1 in the sum of a row or column."""
    _, alignment = soft_dtw(costs(20, 13, 18), 0.3)
    np.testing.assert_allclose(alignment[:, [0, -1], [0, -1]], 1.0, atol=TOLERANCE)
    assert alignment.min() >= 0 and alignment.max() < 1 + TOLERANCE
    assert alignment.sum(1).min() > 1 - TOLERANCE and alignment.sum(2).min() > 1 - TOLERANCE


def test_a_constant_on_all_costs_counts_once_a_step() -> None:
    """d value / d constant = expected length of the path; here along the only path of a single row."""
    cost = costs(1, 1, 8)
    assert soft_dtw(cost + 2, 0.1)[0][0] == pytest.approx(soft_dtw(cost, 0.1)[0][0] + 16, rel=TOLERANCE)


def test_digits_are_kept_over_long_and_costly_paths() -> None:
    """Sums of a million gammas: R is told relative to its neighbours, so weights keep their digits."""
    cost = costs(1, 64, 64, scale=50.0)
    want, want_alignment = soft_dtw_twin(cost[0].astype(float), 0.01)
    value, alignment = soft_dtw(cost, 0.01)
    assert value[0] == pytest.approx(want, rel=1e-7)
    np.testing.assert_allclose(
        alignment[0], want_alignment, atol=2e-4
    )  # costs of 50 / 0.01 in float32: 5e-4 of a unit
    softer, softer_alignment = soft_dtw_twin(cost[0].astype(float) + 1000, 20.0)
    value, alignment = soft_dtw(cost + 1000, 20.0)
    assert value[0] == pytest.approx(softer, rel=1e-7)
    np.testing.assert_allclose(alignment[0], softer_alignment, atol=2e-5)


@pytest.mark.parametrize("shape", [(3, 14, 14), (2, 9, 20), (2, 20, 9), (1, 1, 5)])
def test_a_band_keeps_paths_near_the_straight_line(shape: tuple[int, int, int]) -> None:
    cost = costs(*shape, scale=1.0)
    _, n, m = shape
    i, j = np.arange(n)[:, None], np.arange(m)
    outside = np.abs(j * (n - 1) - i * (m - 1)) > 2 * (max(n, m) - 1)
    value, alignment = soft_dtw(cost, 0.5, band=2)
    assert not alignment[:, outside].any()
    want, want_alignment = soft_dtw_twin(np.where(outside, 1e6, cost[0].astype(float)), 0.5)
    assert value[0] == pytest.approx(want, abs=TOLERANCE)
    np.testing.assert_allclose(alignment[0], want_alignment, atol=TOLERANCE)


def test_pairs_do_not_feel_one_another_nor_the_threads() -> None:
    """The same bytes alone, among others and on several threads."""
    cost = costs(150, 17, 18)
    value, alignment = soft_dtw(cost, 0.2)
    alone, alone_alignment = soft_dtw(cost[77:78], 0.2)
    assert value[77] == alone[0]
    np.testing.assert_array_equal(alignment[77], alone_alignment[0])
    with ThreadPoolExecutor(3) as pool:
        threaded, threaded_alignment = soft_dtw(cost, 0.2, pool=pool)
    np.testing.assert_array_equal(value, threaded)
    np.testing.assert_array_equal(alignment, threaded_alignment)


def test_no_pairs_are_no_trouble() -> None:
    value, alignment = soft_dtw(np.zeros((0, 4, 20), np.float32), 0.1)
    assert value.shape == (0,) and alignment.shape == (0, 4, 20)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_costs_that_cannot_be_are_named(bad: float) -> None:
    cost = costs(18, 5, 6)
    cost[17, 3, 2] = bad
    with pytest.raises(SolveError, match=r"cost\[17, 3, 2\]"):
        soft_dtw(cost, 0.1)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (dict(gamma=0.0), "gamma"),
        (dict(gamma=float("nan")), "gamma"),
        (dict(lengths_x=[0, 1]), "lengths"),
        (dict(lengths_y=[1, 6]), "lengths"),
        (dict(lengths_y=[1]), "lengths"),
        (dict(band=0), "band"),
        (dict(cost=np.zeros((4, 5))), "shape"),
        (dict(cost=np.zeros((4, 0, 5))), "shape"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, object], match: str) -> None:
    with pytest.raises(SolveError, match=match):
        soft_dtw(**({"cost": np.zeros((2, 4, 5)), "gamma": 0.1} | given))  # type: ignore[arg-type]
