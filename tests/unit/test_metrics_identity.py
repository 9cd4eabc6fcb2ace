"""Identity scores on cases that can be counted by hand: hidden people, the ground, empty sides."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.metrics.identity import score_identity, score_identity_on_ground
from crowdstream.kernels.metrics.people import People
from crowdstream.kernels.metrics.track_rows import TrackRows, rows_of


def _rows(*rows: tuple[int, int, float], ground: bool = True) -> TrackRows:
    """(frame, person, x): a box of 10 x 20 px at x, standing at x metres."""
    frame, person, x = (np.array(column) for column in zip(*rows, strict=True))
    box = np.stack([x, np.zeros(len(x)), x + 10.0, np.full(len(x), 20.0)], axis=1)
    here = np.stack([x, np.zeros(len(x))], axis=1)
    return TrackRows(
        frame.astype(np.int64), person.astype(np.int64), box, here if ground else np.zeros((0, 2))
    )


EMPTY = TrackRows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)))


def test_truth_against_itself_is_perfect() -> None:
    truth = _rows(*((f, p, 100.0 * p + f) for f in range(5) for p in range(3)))
    for scores in (score_identity(truth, truth), score_identity_on_ground(truth, truth)):
        table = scores.as_dict()
        ones = ("idf1", "idp", "idr", "mota", "motp", "hota", "deta", "assa", "loca")
        assert {k: table.pop(k) for k in ones} == pytest.approx(dict.fromkeys(ones, 1.0))
        assert table.pop("mostly_tracked") == 3
        assert set(table.values()) == {0}  # switches, fragments, misses, false positives, mostly lost


def test_a_hidden_person_is_neither_missed_nor_falsely_found() -> None:
    truth = _rows((0, 1, 0.0), (0, 2, 100.0), (1, 1, 0.0), (1, 2, 100.0))
    hidden = np.array([False, False, False, True])
    missed, found = _rows((0, 7, 0.0), (0, 8, 100.0), (1, 7, 0.0)), truth
    for result in (missed, found):
        scores = score_identity(result, truth, hidden)
        assert (scores.clear.misses, scores.clear.false_positives, scores.clear.mota) == (0, 0, 1.0)
        assert (scores.idf1.idf1, scores.hota.hota) == pytest.approx((1.0, 1.0))
    elsewhere = _rows((0, 7, 0.0), (0, 8, 100.0), (1, 7, 0.0), (1, 8, 300.0))
    assert score_identity(elsewhere, truth, hidden).clear.false_positives == 1


def test_a_hidden_person_does_not_take_the_finding_of_whoever_hides_it() -> None:
    truth = _rows((0, 1, 0.0), (0, 2, 2.0))
    behind = np.array([False, True])
    nearer_to_the_hidden = _rows((0, 7, 1.5))
    scores = score_identity(nearer_to_the_hidden, truth, behind)
    assert (scores.clear.matches, scores.clear.misses, scores.clear.false_positives) == (1, 0, 0)
    both = _rows((0, 7, 0.1), (0, 8, 2.1))
    assert score_identity(both, truth, behind).clear.motp == pytest.approx(
        9.9 / 10.1
    )  # its own, not the other


def test_on_the_ground_the_same_person_is_within_reach() -> None:
    truth = _rows((0, 1, 0.0), (1, 1, 0.0))
    result = _rows((0, 1, 0.9), (1, 1, 1.1))
    assert score_identity_on_ground(result, truth).clear.matches == 1
    assert score_identity_on_ground(result, truth, reach_m=1.2).clear.matches == 2
    assert score_identity_on_ground(result, truth).clear.motp == pytest.approx(1 - 0.9 / 2)


def test_who_stands_nowhere_is_nobody() -> None:
    truth = _rows((0, 1, 0.0))
    nowhere = TrackRows(truth.frame, truth.person_ids, truth.box_px, np.full((1, 2), np.nan))
    scores = score_identity_on_ground(nowhere, truth)
    assert (scores.clear.misses, scores.clear.false_positives) == (1, 1)
    assert score_identity(nowhere, truth).clear.misses == 0  # its box is good


def test_a_switch_counts_after_any_gap_and_a_fragment_each_gap() -> None:
    truth = _rows(*((f, 1, 0.0) for f in range(6)), *((f, 2, 500.0) for f in range(6)))
    result = _rows((0, 5, 0.0), (3, 6, 0.0), (5, 6, 0.0), *((f, 9, 500.0) for f in range(6)))
    clear = score_identity(result, truth).clear
    assert (clear.switches, clear.fragments, clear.misses) == (1, 2, 3)
    assert (clear.mostly_tracked, clear.mostly_lost) == (1, 0)


def test_an_empty_side_scores_nothing_and_counts_all() -> None:
    truth = _rows((0, 1, 0.0), (1, 1, 0.0))
    nobody, ghosts, nothing = (
        score_identity(*pair) for pair in ((EMPTY, truth), (truth, EMPTY), (EMPTY, EMPTY))
    )
    assert (nobody.clear.misses, nobody.clear.mostly_lost, nobody.clear.mota, nobody.hota.hota) == (
        2,
        1,
        0.0,
        0.0,
    )
    assert (ghosts.clear.false_positives, ghosts.idf1.idf1, ghosts.hota.deta) == (2, 0.0, 0.0)
    assert set(nothing.as_dict().values()) == {0.0, 1.0}  # LocA of no match is 1 by custom


def test_all_hidden_leaves_nothing_to_score() -> None:
    truth = _rows((0, 1, 0.0), (1, 1, 0.0))
    scores = score_identity(truth, truth, np.ones(2, bool))
    assert (scores.clear.misses, scores.clear.false_positives, scores.clear.matches) == (0, 0, 0)


def test_rows_are_the_present_person_frames() -> None:
    present = np.array([[True, False, True], [False, True, False]])
    people = People(
        30.0, np.array([4, 9]), present, np.zeros((2, 3, 24, 3)), np.arange(18.0).reshape(2, 3, 3),
        np.array([1.0, 0, 0]), np.zeros(3), np.arange(24.0).reshape(2, 3, 4), np.zeros((2, 3, 17, 2)),
    )  # fmt: skip
    rows = rows_of(people)
    assert list(zip(rows.person_ids.tolist(), rows.frame.tolist(), strict=True)) == [(4, 0), (4, 2), (9, 1)]
    np.testing.assert_array_equal(rows.box_px[2], people.box_px[1, 1])
    np.testing.assert_array_equal(rows.ground_m[1], people.ground_m[0, 2, :2])


@pytest.mark.parametrize(
    ("act", "match"),
    [
        (lambda: _rows((0, 1, 0.0), (0, 1, 5.0)), "twice"),
        (lambda: TrackRows(np.arange(2), np.arange(2), np.zeros((2, 4)), np.zeros((1, 2))), "ground_m"),
        (lambda: score_identity(EMPTY, _rows((0, 1, 0.0)), np.zeros(2, bool)), "dont_care"),
        (
            lambda: score_identity_on_ground(_rows((0, 1, 0.0), ground=False), _rows((0, 1, 0.0))),
            "found: has no",
        ),
    ],
)
def test_tables_that_make_no_sense_are_refused(act: object, match: str) -> None:
    with pytest.raises(ShapeError, match=match):
        act()  # type: ignore[operator]
