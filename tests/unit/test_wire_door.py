"""The doorkeeper and the allowance: bounds that hold whatever comes, and counts that add up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.stream.wire.allowance import Allowance
from crowdstream.stream.wire.doorkeeper import Cause, Doorkeeper, DoorLimits, Refused


def test_there_is_room_for_so_many_and_of_one_machine_for_fewer() -> None:
    door = Doorkeeper(DoorLimits(connections=4, per_address=2))
    for number, address in enumerate(["a", "a", "b", "b"]):
        assert door.knock(number, address) == []
        door.enter(number)
    door.knock(5, "c")
    with pytest.raises(Refused, match="server full: 4 connections") as caught:
        door.enter(5)
    assert caught.value.cause is Cause.FULL
    door.part(0)
    door.knock(6, "b")
    with pytest.raises(Refused, match="2 connections of one address"):
        door.enter(6)
    door.knock(7, "a")
    door.enter(7)


def test_this_machines_own_share_an_address_and_no_limit_stands_on_it() -> None:
    door = Doorkeeper(DoorLimits(connections=8, per_address=1))
    for number in range(8):
        door.knock(number, "")
        door.enter(number)
    assert door.inside == 8


def test_those_who_say_nothing_push_each_other_out_and_nobody_else() -> None:
    door = Doorkeeper(DoorLimits(connections=4, knocking=3))
    door.knock(0, "good")
    door.enter(0)
    pushed = [out for number in range(1, 11) for out in door.knock(number, "loris")]
    assert pushed == [1, 2, 3, 4, 5, 6, 7]
    assert (door.knocking, door.inside) == (3, 1)
    assert door.knock(11, "good") == [8]
    door.enter(11)  # whoever says hello at once gets in
    assert door.inside == 2


def test_a_connection_that_hears_its_goodbye_goes_first() -> None:
    door = Doorkeeper(DoorLimits(connections=4, knocking=2))
    door.knock(1, "a")
    door.enter(1)
    door.knock(2, "b")
    door.part(1)
    assert (door.knocking, door.inside) == (2, 0)
    assert door.knock(3, "c") == [1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["knock", "part", "leave"]), st.integers(0, 30), st.sampled_from(["", "a", "b"])
        )
    )
)
def test_bounds_hold_whatever_comes(steps: list[tuple[str, int, str]]) -> None:
    limits = DoorLimits(connections=5, per_address=2, knocking=4)
    door, inside, here = Doorkeeper(limits), {}, set()
    for what, number, address in steps:
        if what == "knock" and number not in here:
            here |= {number}
            here -= set(door.knock(number, address))
            inside.pop(number, None)
            where = address
            if number in here and number % 2:
                try:
                    door.enter(number)
                    inside[number] = where
                except Refused:
                    pass
        elif what == "part" and number in here:
            inside.pop(number, None)
            door.part(number)
        elif what == "leave" and number in here:
            if number in inside:
                inside.pop(number)
                door.part(number)
            door.leave(number)
            here.discard(number)
        assert door.inside == len(inside) <= limits.connections
        assert all(list(inside.values()).count(a) <= limits.per_address for a in ("a", "b"))
        assert door.knocking <= limits.knocking + limits.connections


def test_guessing_gets_slower_and_is_forgotten_and_the_table_has_an_end() -> None:
    door = Doorkeeper(DoorLimits(addresses=3, first_wait_s=0.25, longest_wait_s=2.0, forget_s=60.0))
    assert [door.wrong_token("a", t) for t in range(5)] == [0.25, 0.5, 1.0, 2.0, 2.0]
    assert door.wrong_token("b", 5.0) == 0.25  # another address
    assert door.wrong_token("a", 70.0) == 0.25
    assert door.wrong_token("a", 71.0) == 0.5
    for number in range(1000):
        door.wrong_token(f"address {number}", 72.0)
    assert len(door._wrong) == 3
    assert door.wrong_token("a", 73.0) == 0.25  # pushed out: the price of a table with an end


def test_every_cause_has_its_count() -> None:
    door = Doorkeeper()
    door.note(Cause.PROTOCOL)
    assert door.causes() == {cause.value: int(cause is Cause.PROTOCOL) for cause in Cause}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 5)), max_size=60))
def test_whoever_waits_as_told_never_gets_more_than_the_rate_and_one_burst(
    pieces: list[tuple[float, float]],
) -> None:
    bucket = Allowance(per_s=10.0, burst=20.0)
    begin_s = now_s = 1000.0
    taken = 0.0
    for amount, pause_s in pieces:
        now_s += pause_s
        wait_s = bucket.take(amount, now_s)
        taken += amount
        now_s += wait_s
        assert taken <= 20.0 + 10.0 * (now_s - begin_s) + 1e-6 * (1 + taken)


def test_within_the_allowance_nobody_waits() -> None:
    bucket = Allowance(per_s=10.0, burst=20.0)
    assert bucket.take(20.0, 5.0) == 0.0
    assert bucket.take(1.0, 5.0) == pytest.approx(0.1)
    assert bucket.take(1.0, 7.0) == 0.0
    assert not bucket.try_take(30.0, 100.0) and bucket.try_take(20.0, 100.0)
    assert bucket.take(1.0, 50.0) > 0  # a clock that goes back gives nothing
