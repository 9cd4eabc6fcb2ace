"""The desk: every request gets one answer, and nothing that waits there has no bound."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.stream.control.desk import MOST_TEXT, Answer, Desk, DeskLimits, Outcome
from crowdstream.stream.control.records import READ_VERBS, Permission, Reply, Request, Verb
from crowdstream.stream.errors import ProtocolError

READ, CONTROL = Permission.READ, Permission.CONTROL


def pause(number: int, camera: str = "gate") -> dict[str, object]:
    return {"id": number, "verb": "pause_camera", "args": {"camera": camera}}


def refused(answer: Answer | None) -> str:
    assert answer is not None and answer.body["ok"] is False
    return str(answer.body["text"])


def test_a_request_reaches_the_engine_once_and_its_answer_the_asker() -> None:
    desk = Desk()
    assert desk.submit(4, pause(9), CONTROL, 0.0) is None
    assert desk.submit(5, pause(9), CONTROL, 0.0) is None  # numbers are each connection's own
    first, second = desk.take()
    assert desk.take() == []
    assert (first.verb, first.args) == (Verb.PAUSE_CAMERA, {"camera": "gate"})
    answer = desk.settle(Reply(second.ticket, True, "it\npauses", {"camera": "gate"}))
    assert answer == Answer(5, {"id": 9, "ok": True, "text": "it pauses", "result": {"camera": "gate"}})
    assert desk.settle(Reply(second.ticket, True, "again")) is None
    assert desk.settle(Reply("nobody", True, "")) is None
    assert desk.outcomes == {Outcome.DONE: 1} and desk.num_open == 1


@pytest.mark.parametrize("verb", Verb)
def test_reading_allows_status_and_nothing_else(verb: Verb) -> None:
    args = {
        "add_camera": {"camera": "a", "source": "b"},
        "set_option": {"key": "a.b", "value": 1},
        "stop": {},
        "status": {},
    }
    body = {"id": 1, "verb": verb.value, "args": args.get(verb.value, {"camera": "a"})}
    desk = Desk()
    assert desk.submit(1, body, CONTROL, 0.0) is None
    answer = desk.submit(2, body, READ, 0.0)
    if verb in READ_VERBS:
        assert answer is None and len(desk.take()) == 2
    else:
        assert f"{verb} needs control" in refused(answer)
        assert len(desk.take()) == 1 and desk.outcomes[Outcome.FORBIDDEN] == 1


def test_what_a_reader_may_not_ask_is_not_looked_at() -> None:
    """Wrong arguments are told only to those who may make the request."""
    assert "needs control" in refused(Desk().submit(1, {"id": 1, "verb": "stop", "args": 3}, READ, 0.0))


@pytest.mark.parametrize("number", [None, "1", -1, 1.0, True, 1 << 63, [1]])
def test_without_a_number_there_is_nothing_to_answer_to(number: object) -> None:
    with pytest.raises(ProtocolError, match=r"request\.id"):
        Desk().submit(1, {"id": number, "verb": "status"}, READ, 0.0)


def test_so_many_wait_for_an_answer_and_no_more() -> None:
    desk = Desk(DeskLimits(outstanding=3))
    for number in range(3):
        assert desk.submit(1, pause(number), CONTROL, 0.0) is None
    assert "3 requests wait" in refused(desk.submit(1, pause(3), CONTROL, 0.0))
    assert desk.submit(2, pause(3), CONTROL, 0.0) is None  # of others nothing is said
    desk.settle(Reply(desk.take()[0].ticket, True, ""))
    assert desk.submit(1, pause(4), CONTROL, 0.0) is None


def test_a_number_in_use_is_refused() -> None:
    desk = Desk()
    desk.submit(1, pause(7), CONTROL, 0.0)
    assert "id 7 still waits" in refused(desk.submit(1, pause(7), CONTROL, 0.0))


def test_so_many_a_second_and_no_more() -> None:
    desk = Desk(DeskLimits(per_s=2.0, burst=4))

    def ask(number: int, now_s: float) -> bool:
        if desk.submit(1, pause(number), CONTROL, now_s) is not None:
            return False
        desk.settle(Reply(desk.take()[0].ticket, True, ""))
        return True

    assert sum(ask(n, 100.0) for n in range(50)) == 4
    assert sum(ask(n, 100.0 + 0.1 * n) for n in range(1, 101)) == 20  # 10 s at two a second
    assert desk.outcomes[Outcome.FLOOD] == 150 - 24


def test_what_waits_for_the_engine_has_a_bound() -> None:
    desk = Desk(DeskLimits(queue=5))
    answers = [desk.submit(n, pause(1), CONTROL, 0.0) for n in range(9)]
    assert [a is None for a in answers] == [True] * 5 + [False] * 4
    assert len(desk.take()) == 5


def test_what_is_not_answered_has_a_bound_even_where_askers_come_and_go() -> None:
    desk = Desk(DeskLimits(unanswered=20, queue=1000))
    for n in range(100):
        desk.submit(n, pause(1), CONTROL, 0.0)
        desk.forget(n)
        desk.take()
    assert desk.num_open == 20


def test_an_engine_that_says_nothing_is_answered_for() -> None:
    desk = Desk(DeskLimits(answer_s=2.0))
    desk.submit(1, pause(1), CONTROL, 0.0)
    (taken,) = desk.take()
    desk.submit(1, pause(2), CONTROL, 0.5)
    assert desk.overdue(1.9) == []
    first, second = desk.overdue(3.0)
    assert "did not answer within 2 s; it may still do it" in refused(first)
    assert "it will not do it" in refused(second)
    assert desk.take() == []  # nor does it
    assert desk.settle(Reply(taken.ticket, True, "at last")) is None
    assert desk.outcomes == {Outcome.UNANSWERED: 2} and desk.num_open == 0


def test_what_was_accepted_is_done_though_its_asker_has_gone() -> None:
    desk = Desk()
    desk.submit(1, pause(1), CONTROL, 0.0)
    desk.forget(1)
    (request,) = desk.take()
    answer = desk.settle(Reply(request.ticket, True, "done"))
    assert answer is not None and answer.connection == 1


def test_long_answers_are_cut_to_one_line() -> None:
    desk = Desk()
    desk.submit(1, pause(1), CONTROL, 0.0)
    answer = desk.settle(Reply(desk.take()[0].ticket, False, "no\n" * 10_000))
    assert len(refused(answer)) <= MOST_TEXT and "\n" not in refused(answer)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 3), st.integers(0, 6), st.sampled_from(["ask", "take", "reply", "time", "go"])
        ),
        max_size=60,
    )
)
def test_every_request_has_exactly_one_answer(steps: list[tuple[int, int, str]]) -> None:
    desk = Desk(DeskLimits(outstanding=4, queue=6, answer_s=3.0))
    now_s, answered, asked = 0.0, [], 0
    held: list[Request] = []
    for connection, number, what in steps:
        now_s += 0.25
        match what:
            case "ask":
                asked += 1
                answer = desk.submit(connection, pause(number), CONTROL, now_s)
                answered += [answer] if answer is not None else []
            case "take":
                held += desk.take()
            case "reply" if held:
                answer = desk.settle(Reply(held.pop(0).ticket, True, ""))
                answered += [answer] if answer is not None else []
            case "time":
                answered += desk.overdue(now_s)
    answered += desk.overdue(now_s + 10.0)
    assert len(answered) == asked == desk.outcomes.total()
    assert desk.num_open == 0
