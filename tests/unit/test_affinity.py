"""Affinity propagation made safe: no warning escapes, nobody shares a group with whom they may not."""

import numpy as np
import pytest

from crowdstream.kernels.grouping import affinity
from crowdstream.kernels.grouping.affinity import affinity_groups


def between(places: np.ndarray) -> np.ndarray:
    return np.abs(places[:, None] - places)


def everybody(count: int) -> np.ndarray:
    return np.ones((count, count), bool)


def test_two_heaps_are_two_groups_numbered_by_first_member() -> None:
    found = affinity_groups(between(np.array([5.0, 0.0, 5.1, 0.1, 5.2, 0.2])), everybody(6), 0.5, 1.0)
    assert found.converged
    assert found.labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_strangers_stay_single_however_few_there_are() -> None:
    """Affinity propagation alone puts these two together: there is nobody nearer."""
    assert affinity_groups(between(np.array([0.0, 3.0])), everybody(2), 0.5, 0.5).labels.tolist() == [-1, -1]
    assert affinity_groups(between(np.array([0.0, 0.3])), everybody(2), 0.5, 0.5).labels.tolist() == [0, 0]


def test_ties_make_one_group_and_no_warning() -> None:
    assert set(affinity_groups(np.zeros((5, 5)), everybody(5), 0.5, 0.5).labels.tolist()) == {0}


@pytest.mark.parametrize("count", [0, 1])
def test_nobody_and_one(count: int) -> None:
    found = affinity_groups(np.zeros((count, count)), everybody(count), 0.5, 0.5)
    assert found.converged
    assert found.labels.tolist() == [-1] * count


def test_who_may_not_be_together_is_not_even_where_the_distance_is_nought() -> None:
    rng = np.random.default_rng(1)
    kind = rng.integers(0, 3, 40)
    distance = between(rng.normal(0, 0.05, 40))
    labels = affinity_groups(distance, kind[:, None] == kind, 0.1, 0.5).labels
    assert (labels >= 0).sum() > 30
    for group in range(labels.max() + 1):
        assert len(set(kind[labels == group].tolist())) == 1


def test_messages_that_never_settle_leave_everybody_single(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def never(similarity: np.ndarray, *, damping: float, **_: object) -> tuple[np.ndarray, np.ndarray]:
        asked.append(damping)
        return np.zeros(0, np.int64), np.full(len(similarity), -1)

    monkeypatch.setattr(affinity, "affinity_propagation", never)
    found = affinity_groups(between(np.arange(4.0)), everybody(4), 0.5, 9.0)
    assert not found.converged
    assert found.labels.tolist() == [-1] * 4
    assert asked == sorted(asked) and len(asked) > 1  # more damping was tried


def test_too_few_iterations_are_made_up_for_by_the_next_damping() -> None:
    """scikit-learn needs more than 15 iterations to call anything settled."""
    places = np.random.default_rng(2).normal(0, 1, 60)
    found = affinity_groups(between(places), everybody(60), 0.5, 9.0, max_iterations=16)
    assert found.converged
    assert (found.labels >= 0).all()
