"""Policies of full buffers: who goes, who waits, and that every loss is counted once, under its cause."""

from __future__ import annotations

import pytest

from crowdstream.stream.pressure.policies import (
    Admission,
    DropOldest,
    LeaveOutWindow,
    Policy,
    Wait,
    Waiting,
    fullness,
)

ROOM, FULL = Waiting(1, 2), Waiting(2, 2)


@pytest.mark.parametrize("policy", [Wait(), DropOldest(), LeaveOutWindow()])
def test_while_there_is_room_everything_is_taken_and_nothing_counted(policy: Policy) -> None:
    assert policy.admit(ROOM) is Admission.TAKE and policy.keep(0.0)
    assert policy.drops == {}


def test_a_recording_waits_and_keeps_whatever_its_age() -> None:
    policy = Wait()
    assert policy.admit(FULL) is Admission.WAIT and policy.keep(1e9)
    assert policy.drops == {} and policy.dropped == 0


def test_live_gives_up_the_oldest_for_room_and_the_stale_for_age() -> None:
    policy = DropOldest(0.5)
    assert policy.admit(FULL) is Admission.MAKE_ROOM
    assert [policy.keep(age) for age in (0.0, 0.5, 0.5001, 9.0)] == [True, True, False, False]
    assert policy.drops == {"buffer_full": 1, "stale": 2} and policy.dropped == 3


def test_without_any_room_the_newcomer_itself_is_left_out() -> None:
    assert DropOldest().admit(Waiting(0, 0)) is Admission.LEAVE_OUT


def test_windows_that_overlap_are_told_from_those_that_leave_a_gap() -> None:
    policy = LeaveOutWindow(spare=3)
    answers = [policy.admit(FULL) for _ in range(5)]
    assert answers == [Admission.LEAVE_OUT] * 5
    assert policy.drops == {"solver_busy": 3, "solver_gap": 2}
    policy.admit(ROOM)  # one was solved: the next row begins
    policy.admit(FULL)
    assert policy.drops == {"solver_busy": 4, "solver_gap": 2} and policy.dropped == 6


def test_what_was_counted_cannot_be_changed_from_outside() -> None:
    policy = DropOldest(0.0)
    policy.keep(1.0)
    policy.drops["stale"] = 7  # type: ignore[index]
    assert policy.drops == {"stale": 1}


@pytest.mark.parametrize(
    ("count", "age_s", "expected"),
    [(0, 9.0, 0.0), (2, 0.0, 0.25), (2, 0.4, 0.8), (8, 0.1, 1.0), (2, 3.0, 1.0)],
)
def test_fullness_is_the_nearer_of_both_bounds(count: int, age_s: float, expected: float) -> None:
    assert fullness(count, 8, age_s, 0.5) == pytest.approx(expected)
    assert fullness(count, 8, age_s, None) == pytest.approx(count / 8)
