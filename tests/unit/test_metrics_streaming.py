"""Streaming metrics on cases that can be counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.kernels.metrics.people import People
from crowdstream.kernels.metrics.streaming import StreamingScorer
from crowdstream.kernels.metrics.versions import Versions, nearest_true_rows, rows_of_matches
from crowdstream.kernels.solve.problem import Provenance

SECOND = 1_000_000_000
DELAYS_S = (0.1, 0.5, 1.0, 2.0)


def _truth(people: int = 2, frames: int = 3, present: np.ndarray | None = None) -> People:
    """Person p stands at (10 p, 0, 0), its joints there too; frames a second apart."""
    ground = np.zeros((people, frames, 3))
    ground[:, :, 0] = 10.0 * np.arange(people)[:, None]
    joints = np.repeat(ground[:, :, None], 24, axis=2)
    return People(
        1.0, np.arange(people), np.ones((people, frames), bool) if present is None else present, joints, ground,
        np.array([1.0, 0, 0]), np.zeros(3), np.zeros((people, frames, 4)), np.zeros((people, frames, 17, 2)),
    )  # fmt: skip


def _scorer(truth: People, **settings: Any) -> StreamingScorer:
    frames = truth.present.shape[1]
    return StreamingScorer(truth, np.arange(frames) * SECOND, **({"delays_s": DELAYS_S} | settings))


def _say(tier: str, t_s: float, slot: int, *rows: tuple[int, int, float], provenance: int = 1) -> Versions:
    """(engine's id, true row, metres off along x); windows carry a body whose last joint is off by 0.24 m more."""
    ids, true, off = (np.array(column) for column in zip(*rows, strict=True))
    ground = np.stack([np.where(true >= 0, 10.0 * true, 500.0) + off, 0 * off, 0 * off], axis=1)
    body = np.zeros((0, 24, 3))
    if tier != "live":
        body = np.repeat(ground[:, None], 24, axis=1)
        body[:, 23, 2] += 0.24
    kinds = np.full(len(ids), provenance, np.uint8)
    return Versions(tier, round(t_s * SECOND), np.full(len(ids), slot), ids, true, ground, body, kinds)


def test_the_newest_version_counts_from_when_it_is_there() -> None:
    scorer = _scorer(_truth(people=2, frames=1))
    scorer.push(_say("live", 0.2, 0, (7, 0, 0.5)))
    scorer.push(_say("window", 1.0, 0, (7, 0, 0.1), (8, 1, 0.25)))
    curve = scorer.finish().curve
    assert curve.coverage.tolist() == [0.0, 0.5, 1.0, 1.0]
    assert curve.coverage_bodies.tolist() == [0.0, 0.0, 1.0, 1.0]
    assert curve.placed.tolist() == [0.0, 0.0, 1.0, 1.0]
    np.testing.assert_allclose(curve.ground_mm, [np.nan, 500.0, 175.0, 175.0], rtol=1e-5)
    np.testing.assert_allclose(
        curve.mpjpe_mm, [np.nan, np.nan, 10.0, 10.0], rtol=1e-4
    )  # 240 mm on one joint of 24


def test_a_lower_tier_never_replaces_a_higher_one() -> None:
    scorer = _scorer(_truth(people=1, frames=1))
    scorer.push(_say("refined", 0.1, 0, (7, 0, 0.0)))
    scorer.push(_say("window", 0.5, 0, (7, 0, 0.9)))
    scorer.push(_say("late", 1.0, 0, (9, 0, 0.9)))
    scores = scorer.finish()
    np.testing.assert_allclose(scores.curve.ground_mm, 0.0)
    assert scores.revisions.versions_per_person_frame == 1 and scores.revisions.identity_changes == 0


def test_the_later_of_two_windows_counts_and_is_a_revision() -> None:
    scorer = _scorer(_truth(people=1, frames=1))
    for t_s, off in ((0.1, 0.4), (0.5, 0.1), (1.0, 0.1), (2.0, 0.0)):
        scorer.push(_say("window", t_s, 0, (7, 0, off)))
    scores = scorer.finish()
    np.testing.assert_allclose(scores.curve.ground_mm, [400, 100, 100, 0], atol=1e-2)
    steps = scores.revisions.step_joints  # 300, 0 and 100 mm
    assert len(steps) == 3
    assert [steps.quantile(q) for q in (0.3, 0.5, 1.0)] == pytest.approx([0.0, 100.0, 300.0], rel=6e-3)
    assert scores.revisions.whole_joints.quantile(0.5) == pytest.approx(400.0, rel=6e-3)
    assert scores.revisions.revised == 1.0


def _take_back(tier: str, t_s: float, slot: int, *people: int) -> Versions:
    none = np.zeros(0, np.int64)
    gone = {"gone_slot": np.full(len(people), slot), "gone_person_ids": np.array(people)}
    return Versions(tier, round(t_s * SECOND), none, none, none, np.zeros((0, 3)), **gone)


def test_what_is_taken_back_is_covered_no_longer_and_stays_away() -> None:
    scorer = _scorer(_truth(people=2, frames=1))
    scorer.push(_say("window", 0.1, 0, (7, 0, 0.0), (8, 1, 0.0)))
    scorer.push(_say("refined", 0.2, 0, (7, 0, 0.0)))
    scorer.push(_take_back("refined", 0.5, 0, 7, 9))
    scorer.push(_say("window", 1.0, 0, (7, 0, 0.0)))  # a lower tier does not bring him back
    scores = scorer.finish()
    assert scores.curve.coverage.tolist() == [1.0, 0.5, 0.5, 0.5]
    assert scores.curve.coverage_bodies.tolist() == [1.0, 0.5, 0.5, 0.5]
    assert scores.retracted == 1 and scores.coverage == 0.5
    assert scores.latency["refined"].quantile(1.0) == pytest.approx(500.0, rel=6e-3)


def test_who_was_taken_back_may_be_given_again() -> None:
    scorer = _scorer(_truth(people=1, frames=1))
    scorer.push(_say("refined", 0.1, 0, (7, 0, 0.0)))
    scorer.push(_take_back("refined", 0.3, 0, 7))
    scorer.push(_say("refined", 0.8, 0, (7, 0, 0.1)))
    scores = scorer.finish()
    assert scores.curve.coverage.tolist() == [1.0, 0.0, 1.0, 1.0]
    assert scores.ground_mm == pytest.approx(100.0, rel=1e-4)


def test_bodies_are_taken_back_by_the_refiner_and_tracks_by_a_split() -> None:
    for first, by, left in (("live", "refined", 1.0), ("late", "late", 0.0), ("window", "late", 1.0)):
        scorer = _scorer(_truth(people=1, frames=1))
        scorer.push(_say(first, 0.1, 0, (7, 0, 0.0)))
        scorer.push(_take_back(by, 0.5, 0, 7))
        assert scorer.finish().coverage == left, (first, by)


def test_a_person_is_taken_back_under_their_own_name_only() -> None:
    scorer = _scorer(_truth(people=2, frames=2))
    scorer.push(_say("refined", 0.1, 0, (7, 0, 0.0), (8, 1, 0.0)))
    scorer.push(_take_back("refined", 0.5, 0, 5))
    scorer.push(_take_back("refined", 0.6, 1, 7))
    assert scorer.finish().coverage == 0.5  # of two frames one was never given
    with pytest.raises(CrowdstreamError, match=r"0\.\.1"):
        _scorer(_truth(people=1, frames=2)).push(_take_back("refined", 0.6, 2, 7))


def test_whoever_turns_out_to_be_somebody_else_is_let_go() -> None:
    scorer = _scorer(_truth(people=2, frames=1))
    scorer.push(_say("window", 0.1, 0, (7, 0, 0.0)))
    scorer.push(_say("window", 0.5, 0, (7, 1, 0.0)))  # 7 is the second person now; nobody is the first
    scorer.push(_say("window", 1.0, 0, (8, 0, 0.0)))
    scores = scorer.finish()
    assert scores.curve.coverage.tolist() == [0.5, 0.5, 1.0, 1.0]
    assert scores.revisions.identity_changes == 1  # the first was 7 and is 8


def test_identities_that_are_exchanged_count_once_each() -> None:
    scorer = _scorer(_truth(people=2, frames=1))
    scorer.push(_say("window", 0.1, 0, (7, 0, 0.0), (8, 1, 0.0)))
    scorer.push(_say("window", 0.5, 0, (8, 0, 0.0), (7, 1, 0.0)))
    scores = scorer.finish()
    assert scores.revisions.identity_changes == 2
    assert scores.curve.coverage.tolist() == [1.0] * 4 and scores.revisions.revised == 0.0


def test_latency_of_messages_and_of_person_frames() -> None:
    scorer = _scorer(_truth(people=1, frames=3))
    scorer.push(_say("live", 0.1, 0, (7, 0, 0.0)))
    both = [_say("window", 2.2, slot, (7, 0, 0.0)) for slot in (0, 2)]
    window = Versions(
        "window", both[0].t_available_ns,
        *(np.concatenate([getattr(v, n) for v in both]) for n in ("slot", "person_ids", "true_row", "ground_m")),
    )  # fmt: skip
    scorer.push(window)
    scorer.push(_say("window", 3.0, 2, (7, 0, 0.0)))  # not the first any more
    scores = scorer.finish()
    assert scores.latency["live"].quantile(0.5) == pytest.approx(100, rel=6e-3)
    assert scores.latency["window"].quantile(0.5) == pytest.approx(200, rel=6e-3)  # to its newest frame
    first = scores.first_latency["window"]
    assert len(first) == 2
    assert [first.quantile(q) for q in (0.5, 1.0)] == pytest.approx([200, 2200], rel=6e-3)


def test_what_is_guessed_is_told_by_kind() -> None:
    scorer = _scorer(_truth(people=4, frames=1))
    scorer.push(_say("window", 0.1, 0, (1, 0, 0.0), (2, 1, 0.0), provenance=Provenance.INFILLED))
    scorer.push(_say("window", 0.2, 0, (3, 2, 0.0), provenance=Provenance.INTERPOLATED))
    scorer.push(_say("window", 0.3, 0, (2, 1, 0.0)))  # observed in the end
    scores = scorer.finish()
    assert (scores.infilled, scores.interpolated, scores.guided) == pytest.approx((1 / 3, 1 / 3, 0.0))


def test_false_people_and_absent_truth_cover_nothing() -> None:
    present = np.array([[True], [False]])
    scorer = _scorer(_truth(people=2, frames=1, present=present))
    scorer.push(_say("window", 0.1, 0, (7, -1, 0.0), (8, 1, 0.0)))
    scores = scorer.finish()
    assert (scores.person_frames, scores.false_versions, scores.coverage) == (1, 2, 0.0)


def test_a_row_that_stands_nowhere_is_no_version() -> None:
    scorer = _scorer(_truth(people=1, frames=1))
    scorer.push(_say("live", 0.1, 0, (7, 0, np.nan)))
    assert scorer.finish().coverage == 0.0


def test_frames_are_closed_at_the_horizon_and_memory_stays_flat() -> None:
    scorer = _scorer(_truth(people=1, frames=40), horizon_s=3.0)
    most = 0
    for slot in range(40):
        scorer.push(_say("live", slot + 0.1, slot, (7, 0, 0.0)))
        most = max(most, len(scorer._open))
    scorer.push(_say("window", 39.5, 20, (7, 0, 0.0)))
    scores = scorer.finish()
    assert most <= 4 and scores.late_versions == 1 and scores.person_frames == 40
    assert scores.coverage == 1.0 and scores.curve.coverage.tolist() == [1.0] * 4


def test_dropped_frames_are_a_share_of_those_captured() -> None:
    scorer = _scorer(_truth())
    scorer.count_frames(30, 3)
    scorer.count_frames(10, 1)
    assert scorer.finish().dropped_frames == pytest.approx(0.1)


def test_nothing_published_gives_a_table_without_numbers() -> None:
    table = _scorer(_truth()).finish().as_dict()
    assert (table["coverage"], table["ground_mm"], table["dropped_frames"]) == (0.0, None, None)
    assert table["at_delay"]["1 s"]["mpjpe_mm"] is None  # type: ignore[index]


def test_the_table_reads_the_curve_at_the_delay_before() -> None:
    scorer = _scorer(_truth(people=1, frames=1))
    scorer.push(_say("live", 0.3, 0, (7, 0, 0.2)))
    at = scorer.finish().as_dict()["at_delay"]
    assert at["0.3 s"]["coverage"] == 0.0 and at["1 s"]["coverage"] == 1.0  # type: ignore[index]
    assert at["10 s"]["ground_mm"] == pytest.approx(200.0, rel=1e-5)  # type: ignore[index]


def test_found_points_belong_to_the_nearest_within_reach() -> None:
    truth = _truth(people=2, frames=2, present=np.array([[True, True], [True, False]]))
    ground = np.array([[9.4, 0, 0], [0.2, 0, 5.0], [3.0, 0, 0], [10.0, 0, 0], [np.nan, 0, 0]])
    rows = nearest_true_rows(truth, np.array([0, 0, 0, 1, 0]), ground)
    assert rows.tolist() == [1, 0, -1, -1, -1]


def test_matches_are_turned_round() -> None:
    matches = np.array([[2, -1, 0], [-1, -1, 2]])
    back = rows_of_matches(matches, 3)
    for true, frame in zip(*np.nonzero(matches >= 0), strict=True):
        assert back[matches[true, frame], frame] == true
    assert (back >= 0).sum() == 3


@pytest.mark.parametrize(
    ("act", "match"),
    [
        (lambda: _twice(_say("live", 1, 0, (1, 0, 0.0)), _say("live", 0.5, 0, (1, 0, 0.0))), "out of order"),
        (lambda: _s().push(_say("live", 1, 9, (1, 0, 0.0))), "the truth has 0..2"),
        (lambda: _say("live", 1, 0, (1, 0, 0.0), (1, 1, 0.0)), "twice"),
        (lambda: _say("live", 1, 0, (1, 0, 0.0), (2, 0, 0.0)), "twice"),
        (lambda: _say("preview", 1, 0, (1, 0, 0.0)), "live, late, window, refined"),
        (lambda: _scorer(_truth(), delays_s=(1.0, 0.5)), "ascending"),
        (lambda: _scorer(_truth(), horizon_s=1.0), "up to 1.0 s"),
        (lambda: StreamingScorer(_truth(), np.array([0, 2, 1])), "ascending"),
    ],
)
def test_what_makes_no_sense_is_refused(act: Any, match: str) -> None:
    with pytest.raises(CrowdstreamError, match=match):
        act()


def _s() -> StreamingScorer:
    return _scorer(_truth())


def _twice(first: Versions, second: Versions) -> None:
    scorer = _s()
    scorer.push(first)
    scorer.push(second)
