"""Laws of the matching: optimal, local, blind to order; and of the boxes it looks at."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.tracking.association import Side, Weights, match, pair_costs
from crowdstream.kernels.tracking.boxes import (
    from_foot_and_size,
    overlap,
    overlap_matrix,
    repair_cut,
    to_foot_and_size,
)

WEIGHTS = Weights(4.0, 0.5, 1.0, 2.0, 1.0, gate_sigma=4.0, unmatched=6.0)


def _side(position: np.ndarray, sigma: float, appearance: np.ndarray | None = None) -> Side:
    n = len(position)
    boxes = np.concatenate([position * 100 - [10, 50], position * 100 + [10, 0]], axis=1).reshape(n, 4)
    codes = np.zeros((n, 0)) if appearance is None else appearance
    return Side(
        position, np.tile(sigma**2 * np.eye(2), (n, 1, 1)), boxes,
        np.zeros((n, 17, 2)), np.zeros((n, 17)), codes, np.zeros(n),
    )  # fmt: skip


def _total(tracks: Side, detections: Side, pairs: list[tuple[int, int]]) -> float:
    if not pairs:
        return 0.0
    i, j = np.array(pairs).T
    return float((pair_costs(tracks, detections, i, j, WEIGHTS) - WEIGHTS.unmatched).sum())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4))
def test_no_other_matching_is_cheaper(seed: int, m: int, n: int) -> None:
    """Against every matching there is."""
    rng = np.random.default_rng(seed)
    tracks = _side(rng.uniform(0, 1.2, (m, 2)), 0.2)
    detections = _side(rng.uniform(0, 1.2, (n, 2)), 0.1)
    got = _total(tracks, detections, [tuple(p) for p in match(tracks, detections, WEIGHTS)])
    slots = [*range(n), *[-1] * m]
    best = min(
        _total(tracks, detections, [(i, j) for i, j in enumerate(each) if j >= 0])
        for each in set(permutations(slots, m))
    )
    assert got <= best + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_order_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tracks, detections = _side(rng.uniform(0, 3, (12, 2)), 0.3), _side(rng.uniform(0, 3, (15, 2)), 0.1)
    a, b = rng.permutation(12), rng.permutation(15)
    plain = {tuple(p) for p in match(tracks, detections, WEIGHTS)}
    mixed = {(a[i], b[j]) for i, j in match(tracks.take(a), detections.take(b), WEIGHTS)}
    assert plain == mixed


def test_nothing_beyond_the_gate_is_matched() -> None:
    tracks, detections = _side(np.array([[0.0, 0.0]]), 0.1), _side(np.array([[0.6, 0.0]]), 0.1)
    assert 0.6 > WEIGHTS.gate_sigma * np.hypot(0.1, 0.1)
    assert len(match(tracks, detections, WEIGHTS)) == 0


def test_appearance_decides_between_two_at_the_same_place() -> None:
    codes = np.eye(2)
    place = np.array([[0.0, 0.0], [0.02, 0.0]])
    tracks, detections = _side(place, 0.1, codes), _side(place, 0.1, codes[::-1])
    assert {tuple(p) for p in match(tracks, detections, WEIGHTS)} == {(0, 1), (1, 0)}


def test_of_two_as_near_the_surer_track_wins() -> None:
    tracks = _side(np.array([[0.0, 0.0], [0.0, 0.0]]), 0.1)
    tracks.covariance[1] *= 100.0
    pairs = match(tracks, _side(np.array([[0.02, 0.0]]), 0.1), WEIGHTS)
    assert [tuple(p) for p in pairs] == [(0, 0)]


@given(st.integers(0, 10**6))
def test_overlap_is_symmetric_bounded_and_one_for_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 50, (6, 2))
    boxes = np.concatenate([low, low + rng.uniform(1, 50, (6, 2))], axis=1)
    table = overlap_matrix(boxes, boxes)
    np.testing.assert_allclose(table, table.T)
    np.testing.assert_allclose(np.diag(table), 1.0)
    assert (table >= 0).all() and (table <= 1 + 1e-12).all()
    np.testing.assert_allclose(overlap(boxes, boxes[::-1]), np.diag(table[:, ::-1]))
    np.testing.assert_allclose(from_foot_and_size(*to_foot_and_size(boxes)), boxes, atol=1e-9)


def test_a_box_cut_at_the_feet_is_made_whole_downwards() -> None:
    expected = np.array([[100.0, 100.0, 120.0, 160.0]])
    whole, cut = repair_cut(np.array([[101.0, 101.0, 121.0, 130.0]]), expected, 0.8, 0.6, (640, 480))
    np.testing.assert_allclose(whole, [[101.0, 101.0, 121.0, 161.0]])
    assert cut.all()
    same, cut = repair_cut(expected + 2.0, expected, 0.8, 0.6, (640, 480))
    np.testing.assert_allclose(same, expected + 2.0)
    assert not cut.any()


def test_a_box_cut_by_the_border_goes_on_beyond_it() -> None:
    """Whichever edge lies nearer to where it was expected."""
    expected = np.array([[300.0, 430.0, 320.0, 480.0], [610.0, 100.0, 640.0, 160.0]])
    seen = np.array([[300.0, 450.0, 320.0, 480.0], [630.0, 100.0, 640.0, 160.0]])
    whole, cut = repair_cut(seen, expected, 0.8, 0.6, (640, 480))
    np.testing.assert_allclose(whole, [[300.0, 450.0, 320.0, 500.0], [630.0, 100.0, 660.0, 160.0]])
    assert cut.all()


def test_appearance_says_who_but_never_whether() -> None:
    codes = np.eye(2)
    place = np.array([[0.0, 0.0]])
    pairs = match(_side(place, 0.1, codes[:1]), _side(place, 0.1, codes[1:]), WEIGHTS)
    assert [tuple(p) for p in pairs] == [(0, 0)]
