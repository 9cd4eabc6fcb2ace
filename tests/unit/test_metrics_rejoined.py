"""Gaps, rejoining and joins on clips that can be read off the page: one frame is a tenth of a second."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.metrics.rejoined import GapRule, Gaps, Joins, find_gaps, rejoining

RATE_HZ = 10.0


def _seen(*tenths: tuple[int, bool]) -> np.ndarray:
    """One person: (frames, to be seen) after one another."""
    return np.concatenate([np.full(count, there) for count, there in tenths])[None]


def _gaps(seen: np.ndarray, inside: np.ndarray | None = None, **rule: float) -> list[tuple[int, int, int]]:
    found = find_gaps(seen, np.ones_like(seen) if inside is None else inside, RATE_HZ, GapRule(**rule))
    return list(zip(found.person.tolist(), found.lost.tolist(), found.found.tolist(), strict=True))


@pytest.mark.parametrize(
    ("hidden", "gap"), [(18, []), (19, [(0, 19, 39)]), (59, [(0, 19, 79)]), (60, [])], ids=str
)
def test_a_gap_lasts_from_two_to_six_seconds(hidden: int, gap: list[tuple[int, int, int]]) -> None:
    """From the last sighting to the first: 19 hidden frames are 2.0 s."""
    assert _gaps(_seen((20, True), (hidden, False), (20, True))) == gap


def test_both_stretches_last_a_second() -> None:
    assert _gaps(_seen((9, True), (30, False), (20, True))) == []
    assert _gaps(_seen((20, True), (30, False), (9, True))) == []
    assert _gaps(_seen((10, True), (30, False), (10, True))) == [(0, 9, 40)]


def test_misses_of_a_moment_break_no_stretch() -> None:
    patchy = _seen((5, True), (5, False), (5, True), (30, False), (20, True))
    assert _gaps(patchy) == [(0, 14, 45)]
    assert _gaps(patchy, bridge_s=0.3) == []


def test_a_glimpse_does_not_end_a_gap_and_many_do() -> None:
    glimpse = _seen((20, True), (15, False), (3, True), (15, False), (20, True))
    assert _gaps(glimpse) == [(0, 19, 53)]
    often = _seen((20, True), (10, False), (8, True), (10, False), (20, True))
    assert _gaps(often) == []


def test_whoever_leaves_the_picture_is_not_hidden() -> None:
    seen = _seen((20, True), (30, False), (20, True))
    inside = np.ones_like(seen)
    inside[0, 30] = False
    assert _gaps(seen, inside) == []


def test_two_gaps_of_two_people() -> None:
    one = _seen((20, True), (25, False), (20, True), (35, False), (20, True))
    other = _seen((60, True), (30, False), (30, True))
    assert _gaps(np.concatenate([one, other])) == [(0, 19, 45), (0, 64, 100), (1, 59, 90)]
    gaps = find_gaps(one, np.ones_like(one), RATE_HZ)
    assert gaps.length_s(RATE_HZ).tolist() == [2.6, 3.6]
    assert _gaps(np.zeros((1, 50), bool)) == []


def test_the_same_name_before_and_after_is_rejoined() -> None:
    gaps = Gaps(np.array([0, 1, 2, 3]), np.full(4, 19), np.full(4, 40))
    named = np.full((4, 60), -1)
    for person, (before, after) in enumerate(((7, 7), (7, 8), (-1, 9), (5, -1))):
        named[person, 10:20], named[person, 40:50] = before, after
    named[0, 17:20] = 3  # another name for 0.3 s of the last second
    named[1, :9] = 8  # what was longer ago does not count
    got = rejoining(gaps, named, RATE_HZ)
    assert got.before.tolist() == [7, 7, -1, 5] and got.after.tolist() == [7, 8, 9, -1]
    assert got.tracked.tolist() == [True, True, False, False]
    assert got.rejoined.tolist() == [True, False, False, False]


def test_joins_with_nobody_are_neither_right_nor_wrong() -> None:
    joins = Joins(np.array([1, 1, -1, 4]), np.array([1, 2, 2, -1]))
    assert joins.wrong.tolist() == [False, True, False, False]
    assert joins.judged.sum() == 2 and joins.wrong_share == 0.5
    assert np.isnan(Joins(np.array([-1]), np.array([1])).wrong_share)
