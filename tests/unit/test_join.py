"""Laws of joining: marginals against brute force, the best joining against all of them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from crowdstream.kernels.tracking.join import best_joining, pair_probabilities
from crowdstream.stream.stitch.decisions import decide


def _joinings(rows: int, columns: int) -> list[tuple[tuple[int, int], ...]]:
    """All partial matchings: each row gets a column or none."""
    options = list(range(columns)) + [-1] * rows
    found = set()
    for chosen in permutations(options, rows):
        found.add(tuple((i, j) for i, j in enumerate(chosen) if j >= 0))
    return sorted(found)


def _brute_force(log_ratio: np.ndarray) -> np.ndarray:
    total, out = 0.0, np.zeros_like(log_ratio)
    for pairs in _joinings(*log_ratio.shape):
        weight = float(np.exp(sum(log_ratio[i, j] for i, j in pairs)))
        total += weight
        for i, j in pairs:
            out[i, j] += weight
    return out / total


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1)])
def test_of_one_row_or_column_the_probabilities_are_exact(shape: tuple[int, int]) -> None:
    table = np.random.default_rng(0).normal(scale=2.0, size=shape)
    np.testing.assert_allclose(pair_probabilities(table), _brute_force(table), rtol=1e-6)


def test_of_many_the_probabilities_are_near_those_of_all_joinings() -> None:
    rng = np.random.default_rng(1)
    off = [
        np.abs(pair_probabilities(t) - _brute_force(t)).max() for t in rng.normal(scale=2.0, size=(40, 3, 3))
    ]
    assert np.mean(off) < 0.05
    assert max(off) < 0.15


def test_nobody_is_shared_out_more_than_once() -> None:
    table = np.random.default_rng(2).normal(3.0, 3.0, size=(6, 8))
    sure = pair_probabilities(table)
    assert (sure >= 0).all()
    assert (sure.sum(axis=0) <= 1 + 1e-6).all()
    assert (sure.sum(axis=1) <= 1 + 1e-6).all()


def test_the_order_of_rows_and_columns_says_nothing() -> None:
    rng = np.random.default_rng(3)
    table = rng.normal(size=(4, 5))
    i, j = rng.permutation(4), rng.permutation(5)
    np.testing.assert_allclose(
        pair_probabilities(table[i][:, j]), pair_probabilities(table)[i][:, j], atol=1e-7
    )


def test_a_rival_makes_a_pair_less_sure() -> None:
    alone = pair_probabilities(np.array([[3.0]]))[0, 0]
    with_rival = pair_probabilities(np.array([[3.0], [3.0]]))[0, 0]
    assert alone > 0.9
    assert with_rival < 0.5


def test_the_best_joining_beats_all_others() -> None:
    for table in np.random.default_rng(4).normal(scale=2.0, size=(20, 3, 4)):
        best = max(sum(table[i, j] for i, j in pairs) for pairs in _joinings(3, 4))
        assert sum(table[i, j] for i, j in best_joining(table)) == pytest.approx(best)


def test_impossible_pairs_are_never_joined() -> None:
    table = np.array([[-np.inf, 5.0], [4.0, -np.inf]])
    assert best_joining(table).tolist() == [[0, 1], [1, 0]]
    sure = pair_probabilities(table)
    assert sure[0, 0] == sure[1, 1] == 0.0


def test_a_joining_that_stands_yields_to_a_better_one_but_not_to_an_equal_one() -> None:
    equal = {(1, 5): 4.0, (2, 5): 4.0}
    assert decide(equal, {}, accept=0.9, keep=0.5).joined == {}
    assert decide(equal, {5: 2}, accept=0.9, keep=0.5).joined == {5: 2}
    assert decide({(1, 5): 9.0, (2, 5): 4.0}, {5: 2}, accept=0.9, keep=0.5).joined == {5: 1}


def test_without_a_question_there_is_no_answer() -> None:
    verdict = decide({}, {3: 1}, 0.9, 0.5)
    assert (dict(verdict.joined), verdict.doubtful) == ({}, ())
