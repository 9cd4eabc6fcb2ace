"""The buffer of frames: order, bounds, ages, and a balance that always holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdstream.stream.pressure.buffer import FrameBuffer
from crowdstream.stream.pressure.policies import Admission, DropOldest, Policy, Wait

MS = 1_000_000


def _filled(
    policy: Policy, count: int, capacity: int = 4, every_ms: int = 40
) -> tuple[FrameBuffer[int], list[int]]:
    gone: list[int] = []
    buffer = FrameBuffer[int](capacity, policy, gone.append)
    for k in range(count):
        buffer.put(k, k * every_ms * MS)
    return buffer, gone


def test_items_come_out_in_the_order_of_arrival_and_no_more_than_asked_for() -> None:
    buffer, gone = _filled(DropOldest(), 4)
    assert buffer.take(3, 120 * MS) == [0, 1, 2] and buffer.take(3, 120 * MS) == [3]
    assert buffer.take(3, 120 * MS) == [] and not gone


def test_a_full_live_buffer_lets_the_oldest_go_through_the_callback() -> None:
    buffer, gone = _filled(DropOldest(), 6)
    assert gone == [0, 1] and buffer.take(9, 200 * MS) == [2, 3, 4, 5]
    assert buffer.drops == {"buffer_full": 2} and buffer.offered == 6


def test_what_waited_beyond_the_budget_is_never_handed_out() -> None:
    buffer, gone = _filled(DropOldest(0.5), 4)
    assert buffer.take(2, 560 * MS) == [2, 3]  # 0 and 1 came more than 0.5 s ago
    assert gone == [0, 1] and buffer.drops == {"stale": 2}


def test_slots_are_freed_though_nobody_takes() -> None:
    buffer, gone = _filled(DropOldest(0.5), 4)
    assert buffer.review(10_000 * MS) == 4 and gone == [0, 1, 2, 3]
    assert len(buffer) == 0 and buffer.age_s(10_000 * MS) == 0.0


def test_a_full_recording_is_told_to_wait_and_loses_nothing() -> None:
    buffer, gone = _filled(Wait(), 4)
    assert buffer.put(4, 0) is Admission.WAIT and buffer.offered == 4
    assert buffer.take(1, 10**15) == [0]
    assert buffer.put(4, 0) is Admission.TAKE
    assert buffer.take(9, 10**15) == [1, 2, 3, 4] and not gone and buffer.dropped == 0


def test_a_camera_that_pauses_and_sends_everything_at_once_is_not_late() -> None:
    gone: list[int] = []
    buffer = FrameBuffer[int](16, DropOldest(0.5), gone.append)
    now = 500 * MS  # half a second of an I-frame's pause; 15 frames arrive in one go, captured long ago
    for k in range(15):
        buffer.put(k, now)
    seen: list[int] = []
    while len(buffer):
        seen += buffer.take(2, now)
        now += 30 * MS
    assert seen == list(range(15)) and not gone


def test_a_burst_larger_than_the_buffer_costs_exactly_what_did_not_fit() -> None:
    gone: list[int] = []
    buffer = FrameBuffer[int](8, DropOldest(0.5), gone.append)
    for k in range(15):
        buffer.put(k, 0)
    assert gone == list(range(7)) and buffer.take(99, 0) == list(range(7, 15))
    assert buffer.dropped == buffer.offered - buffer.taken == 7


def test_clearing_counts_under_the_given_cause_and_an_empty_one_counts_nothing() -> None:
    buffer, gone = _filled(DropOldest(), 3)
    assert buffer.clear("camera_lost") == 3 and gone == [0, 1, 2]
    assert buffer.clear("camera_lost") == 0 and buffer.drops == {"camera_lost": 3}
    assert _filled(DropOldest(), 0)[0].clear("x") == 0


def test_a_clock_behind_the_arrival_makes_nothing_negative() -> None:
    buffer, _ = _filled(DropOldest(0.5), 2)
    assert buffer.age_s(-(10**9)) == 0.0 and 0.0 <= buffer.fullness(-(10**9)) <= 1.0


def test_a_buffer_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0"):
        FrameBuffer[int](0, Wait())


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "take", "review", "clear"]), st.integers(0, 700)), max_size=60
    ),
    capacity=st.integers(1, 6),
    live=st.booleans(),
)
def test_nothing_is_lost_uncounted(steps: list[tuple[str, int]], capacity: int, live: bool) -> None:
    gone: list[int] = []
    buffer = FrameBuffer[int](capacity, DropOldest(0.5) if live else Wait(), gone.append)
    now, sent, seen, refused = 0, 0, [], 0
    for what, amount in steps:
        now += amount * MS
        if what == "put":
            refused += buffer.put(sent, now) is Admission.WAIT
            sent += 1
        elif what == "take":
            ages = buffer.age_s(now)
            found = buffer.take(1 + amount % 3, now)
            assert not (live and found and ages > 0.5) or buffer.dropped
            seen += found
        elif what == "review":
            buffer.review(now)
        elif amount > 600:
            buffer.clear("lost")
        assert len(buffer) <= capacity and 0.0 <= buffer.fullness(now) <= 1.0
        assert buffer.offered == buffer.taken + len(buffer) + buffer.dropped == sent - refused
        assert len(gone) == buffer.dropped and len(seen) == buffer.taken
    assert seen == sorted(seen) and not set(seen) & set(gone)
    if not live:
        assert "stale" not in buffer.drops and "buffer_full" not in buffer.drops
