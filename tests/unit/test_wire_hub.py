"""Who gets what, decided without a socket."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.lab.bench.wire_cases import walkers_frame, walkers_late, walkers_schema, walkers_window
from crowdstream.stream.wire.codec import decode, encode, framed
from crowdstream.stream.wire.conversation import Bye, Conversation, Event, Snapshot, Welcome
from crowdstream.stream.wire.hub import Hub, HubLimits, Resume, Subscriber, plan_resume
from crowdstream.stream.wire.messages import Control, Gap, Hello, Kind, Message, Tier
from crowdstream.stream.wire.tiers import Stamp, live_message, window_messages


class FakeLog:
    """A history that holds what it is given."""

    def __init__(self) -> None:
        self.held: dict[int, bytes] = {}

    def first(self, sid: str, topic: str) -> int | None:
        return min(self.held, default=None)

    def read(self, sid: str, topic: str, seq: int) -> bytes | None:
        return self.held.get(seq)


class Stream:
    """A hub with numbers that count themselves."""

    def __init__(self, limits: HubLimits | None = None, log: FakeLog | None = None, sid: str = "s") -> None:
        self.hub = Hub(sid, limits, log)
        self.log = log
        self.seq: dict[str, itertools.count[int]] = {}
        self.now_s = 0.0

    def _next(self, topic: str) -> Stamp:
        return Stamp(self.hub.sid, next(self.seq.setdefault(topic, itertools.count(1))), 0, True)

    def live(self, count: int = 1, camera: str = "cam0") -> None:
        for _ in range(count):
            stamp = self._next("live")
            self._publish(live_message(walkers_frame(1, stamp.seq, camera), "hall", stamp))

    def late(self, count: int = 1) -> None:
        for _ in range(count):
            stamp = self._next("late")
            self._publish(live_message(walkers_late(1, stamp.seq), "hall", stamp, Tier.LATE))

    def window(self, count: int = 1, recorded: bool = True) -> None:
        for _ in range(count):
            stamp = replace(self._next("window"), recorded=recorded)
            (message,) = window_messages(walkers_window(1, stamp.seq - 1, frames=2), "hall", stamp)
            if self.log is not None and recorded:
                self.log.held[stamp.seq] = encode(message)
            self._publish(message)

    def plain(self, topic: str, kind: Kind = Kind.DATA, body: dict[str, object] | None = None) -> None:
        stamp = self._next(topic)
        self._publish(Message(stamp.sid, topic, stamp.seq, kind, 0, "host", 0, {}, body or {"n": stamp.seq}))

    def _publish(self, message: Message) -> None:
        self.hub.publish(message, encode(message), self.now_s)


def drain(hub: Hub, sub: Subscriber) -> list[bytes]:
    return [data for batch in iter(lambda: hub.take(sub), []) for data in batch]


def talk(hub: Hub, sub: Subscriber, conversation: Conversation) -> list[Event]:
    """Everything that waits, with pulls answered, as the subscriber's side sees it."""
    events: list[Event] = []
    while data := drain(hub, sub):
        events += [event for item in data for event in conversation.feed(framed(item))]
        for request in split(conversation.outgoing()):
            if request.kind is Kind.PULL:
                body = request.body
                hub.pull(sub, str(body["topic"]), int(body["from"]), int(body["to"]))  # type: ignore[call-overload]
    return events


def split(data: bytes) -> list[Control]:
    from crowdstream.stream.wire.codec import Deframer

    return [message for item in Deframer().feed(data) if isinstance(message := decode(item), Control)]


def seqs(events: list[Event], topic: str) -> list[int]:
    return [e.seq for e in events if isinstance(e, Message) and e.topic == topic]


def gaps(events: list[Event]) -> list[tuple[str, int, int, str]]:
    return [(e.topic, e.first, e.last, e.cause) for e in events if isinstance(e, Gap)]


# --- joining and coming back ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first_held", "head", "last", "same", "durable", "want"),
    [
        (None, 0, None, True, False, Resume(1, None, True)),  # nothing published yet
        (5, 9, None, True, False, Resume(10, None, True)),  # first visit: the state, then what follows
        (5, 9, 9, True, False, Resume(10)),  # nothing missed
        (5, 9, 12, True, False, Resume(10)),  # claims more than there is
        (5, 9, 6, True, False, Resume(7)),  # all of it still held
        (5, 9, 4, True, True, Resume(5)),  # just held
        (5, 9, 3, True, False, Resume(10, (4, 9, "not_held"), True)),  # live: one gap and the state
        (
            5,
            9,
            3,
            True,
            True,
            Resume(5, (4, 4, "not_held")),
        ),  # windows: a gap for what is gone, the rest replayed
        (5, 9, 3, False, True, Resume(10, (1, 9, "session"), True)),  # numbers of another session
    ],
)
def test_resume_plan(
    first_held: int | None, head: int, last: int | None, same: bool, durable: bool, want: Resume
) -> None:
    assert plan_resume(first_held, head, last, same, durable, want_snapshot=True) == want


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9), st.integers(0, 20), st.integers(0, 25), st.booleans())
def test_resume_is_contiguous_or_one_gap_with_exact_bounds(
    first: int, more: int, last: int, durable: bool
) -> None:
    head = first + more
    plan = plan_resume(first, head, last, True, durable, True)
    covered = [] if plan.gap is None else [*range(plan.gap[0], plan.gap[1] + 1)]
    covered += range(plan.next_seq, head + 1)
    assert covered == [*range(last + 1, head + 1)]
    assert plan.next_seq >= first


def test_late_joiner_gets_schema_then_the_whole_scene_then_what_follows() -> None:
    stream = Stream()
    stream.plain("schema.hall", Kind.SCHEMA, dict(walkers_schema().to_body()))
    stream.live(5, "cam0")
    stream.live(1, "cam1")
    stream.window(3)
    stream.plain("health", body={"component": "cam0"})
    sub = stream.hub.join(Hello())
    stream.live(1, "cam0")
    stream.window(1)
    conversation = Conversation()
    events = talk(stream.hub, sub, conversation)
    assert isinstance(events[0], Welcome) and events[0].new_session
    assert isinstance(events[1], Message) and events[1].kind is Kind.SCHEMA
    assert seqs(events, "live.hall") == [5, 6, 7]  # the newest of each camera, then the next
    assert seqs(events, "window.hall") == [3, 4]
    assert seqs(events, "health") == [1]
    assert gaps(events) == []
    assert conversation.last == {"schema.hall": 1, "live.hall": 7, "window.hall": 4, "health": 1}


def test_snapshot_holds_all_parts_of_the_newest_window() -> None:
    stream = Stream()
    for window, first_seq in ((0, 1), (1, 3)):
        for message in window_messages(walkers_window(40, window), "hall", Stamp("s", first_seq, 0, True)):
            stream._publish(message)
    events = talk(stream.hub, stream.hub.join(Hello()), Conversation())
    assert [(e.window, e.part, e.parts) for e in events if isinstance(e, Message)] == [(1, 0, 2), (1, 1, 2)]
    assert [(e.seq, e.count) for e in events if isinstance(e, Snapshot)] == [(4, 2)]


@pytest.mark.parametrize("missed", range(12))
def test_coming_back_is_contiguous_or_one_gap(missed: int) -> None:
    stream = Stream(HubLimits(ring_items=6), FakeLog())
    stream.live(2)
    stream.window(2)
    conversation = Conversation()
    first = talk(stream.hub, stream.hub.join(Hello()), conversation)
    assert seqs(first, "live.hall") == [2] == seqs(first, "window.hall")
    for sub in stream.hub._subs.copy():
        stream.hub.leave(sub)
    stream.live(missed)
    stream.window(missed)
    hello = decode(conversation.open()[4:])
    assert isinstance(hello, Control)
    sub = stream.hub.join(Hello.parse(hello))
    stream.live(1)
    stream.window(1)
    events = talk(stream.hub, sub, conversation)
    assert seqs(events, "window.hall") == [
        *range(3, missed + 4)
    ]  # whatever the ring forgot came from the log
    if missed <= 6:
        assert gaps(events) == [] and seqs(events, "live.hall") == [*range(3, missed + 4)]
    else:
        assert gaps(events) == [("live.hall", 3, missed + 2, "not_held")]
        assert seqs(events, "live.hall") == [missed + 2, missed + 3]  # the state, then the next


def test_new_session_is_announced_and_numbers_start_anew() -> None:
    conversation = Conversation()
    old = Stream(sid="old")
    old.live(9)
    talk(old.hub, old.hub.join(Hello()), conversation)
    new = Stream(sid="new")
    new.live(3)
    hello = decode(conversation.open()[4:])
    assert isinstance(hello, Control)
    events = talk(new.hub, new.hub.join(Hello.parse(hello)), conversation)
    assert isinstance(events[0], Welcome) and events[0].new_session
    assert gaps(events) == [("live.hall", 1, 3, "session")]
    assert seqs(events, "live.hall") == [3]
    assert conversation.last == {"live.hall": 3}


def test_line_cut_before_the_first_window_or_within_the_snapshot_loses_nothing() -> None:
    stream = Stream(log=FakeLog())
    stream.hub.declare("window.hall")
    stream.live(2)
    conversation = Conversation()
    sub = stream.hub.join(Hello())
    for item in drain(stream.hub, sub)[
        :2
    ]:  # welcome and the snapshot's mark; the line is cut before its message
        conversation.feed(framed(item))
    stream.hub.leave(sub)
    stream.window(3)
    hello = decode(conversation.open()[4:])
    assert isinstance(hello, Control)
    events = talk(stream.hub, stream.hub.join(Hello.parse(hello)), conversation)
    assert seqs(events, "window.hall") == [1, 2, 3]
    assert seqs(events, "live.hall") == [2]


# --- slow consumers ---------------------------------------------------------------------------------------


def test_slow_live_consumer_loses_the_oldest_and_is_told_exactly_which() -> None:
    stream = Stream(HubLimits(live_items=3))
    sub, conversation = stream.hub.join(Hello()), Conversation()
    talk(stream.hub, sub, conversation)
    stream.live(2)
    assert seqs(talk(stream.hub, sub, conversation), "live.hall") == [1, 2]
    stream.live(10)
    events = talk(stream.hub, sub, conversation)
    assert gaps(events) == [("live.hall", 3, 9, "slow")]
    assert seqs(events, "live.hall") == [10, 11, 12]
    assert sub.dropped == 7 == conversation.missed


def test_a_burst_of_late_rows_pushes_out_late_rows_only_and_waits_behind_what_is_new() -> None:
    stream = Stream(HubLimits(live_items=3, late_items=4))
    sub, conversation = stream.hub.join(Hello()), Conversation()
    stream.late(2)
    talk(stream.hub, sub, conversation)
    stream.live(2)
    stream.late(10)
    stream.live(1)
    events = talk(stream.hub, sub, conversation)
    assert gaps(events) == [("late.hall", 3, 8, "slow")]
    topics = [e.topic for e in events if isinstance(e, Message)]
    assert topics == ["live.hall"] * 3 + ["late.hall"] * 4
    assert sub.dropped == 6 == conversation.missed == stream.hub.dropped


def test_late_rows_are_no_state_so_a_first_visit_gets_none_and_a_return_gets_those_held() -> None:
    stream = Stream(HubLimits(ring_items=3))
    stream.late(5)
    conversation = Conversation()
    events = talk(stream.hub, stream.hub.join(Hello()), conversation)
    assert seqs(events, "late.hall") == [] and not any(isinstance(e, Snapshot) for e in events)
    for seen, want, lost in ((3, [4, 5], []), (1, [], [("late.hall", 2, 5, "not_held")])):
        hello = Hello(last_sid="s", last={"late.hall": seen})
        events = talk(stream.hub, stream.hub.join(hello), Conversation())
        assert seqs(events, "late.hall") == want and gaps(events) == lost


def test_late_rows_are_not_thinned_for_the_rate() -> None:
    stream = Stream()
    sub, conversation = stream.hub.join(Hello(max_rate_hz=1.0)), Conversation()
    stream.live(5)
    stream.late(5)
    events = talk(stream.hub, sub, conversation)
    assert seqs(events, "live.hall") == [1] and seqs(events, "late.hall") == [1, 2, 3, 4, 5]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=25), st.integers(1, 4))
def test_received_and_announced_together_are_everything_published(
    steps: list[tuple[int, bool]], queue: int
) -> None:
    log = FakeLog()
    stream = Stream(HubLimits(live_items=queue, ring_items=queue), log)
    sub, conversation, events = stream.hub.join(Hello()), Conversation(), []
    for count, read in [*steps, (1, True)]:
        stream.live(count)
        stream.window(count)
        if read:
            events += talk(stream.hub, sub, conversation)
    total = sum(count for count, _ in steps) + 1
    told = [
        seq
        for e in events
        if isinstance(e, Gap) and e.topic == "live.hall"
        for seq in range(e.first, e.last + 1)
    ]
    assert sorted(told + seqs(events, "live.hall")) == [*range(1, total + 1)]
    assert seqs(events, "live.hall") == sorted(seqs(events, "live.hall"))
    assert sorted(seqs(events, "window.hall")) == [
        *range(1, total + 1)
    ]  # windows: nothing is lost, by pull at worst
    assert all(cause == "slow" for *_, cause in gaps(events))


def test_lagging_window_consumer_gets_the_newest_first_and_the_rest_by_pull() -> None:
    stream = Stream(HubLimits(ring_items=2), FakeLog())
    sub, conversation = stream.hub.join(Hello()), Conversation()
    stream.window(1)
    talk(stream.hub, sub, conversation)
    stream.window(6)
    events = talk(stream.hub, sub, conversation)
    assert gaps(events) == [("window.hall", 2, 6, "slow")]
    assert seqs(events, "window.hall") == [7, 2, 3, 4, 5, 6]
    assert conversation.missed == 0 and conversation.last == {"window.hall": 7}


@pytest.mark.parametrize("behind", [1, 5, 8, 9, 20])
def test_what_the_log_holds_takes_little_memory_and_costs_nobody_a_window(behind: int) -> None:
    stream = Stream(HubLimits(ring_items=8, ring_logged_bytes=1), FakeLog())
    sub, conversation = stream.hub.join(Hello()), Conversation()
    stream.window(3)
    talk(stream.hub, sub, conversation)
    stream.window(behind)
    assert len(stream.hub.topics["window.hall"].ring) == 1
    events = talk(stream.hub, sub, conversation)
    found = seqs(events, "window.hall")
    if behind <= 8:  # in order, as if all of it were in memory
        assert found == [*range(4, 4 + behind)] and gaps(events) == []
    else:
        assert found[0] == 3 + behind and sorted(found) == [*range(4, 4 + behind)] and len(gaps(events)) == 1


def test_windows_that_the_disk_refused_stay_in_memory() -> None:
    stream = Stream(HubLimits(ring_items=8, ring_logged_bytes=1), FakeLog())
    sub, conversation = stream.hub.join(Hello()), Conversation()
    stream.window(2)
    talk(stream.hub, sub, conversation)
    stream.window(5, recorded=False)
    events = talk(stream.hub, sub, conversation)
    assert seqs(events, "window.hall") == [3, 4, 5, 6, 7] and gaps(events) == []


def test_without_a_log_a_lost_window_is_announced_not_passed_over() -> None:
    stream = Stream(HubLimits(ring_items=2))
    sub, conversation = stream.hub.join(Hello()), Conversation()
    stream.window(1)
    talk(stream.hub, sub, conversation)
    stream.window(6)
    events = talk(stream.hub, sub, conversation)
    assert [(e.first, e.last, e.held) for e in events if isinstance(e, Gap)] == [(2, 6, False)]
    assert seqs(events, "window.hall") == [7]


def test_connection_lost_before_a_pull_was_answered_resumes_before_it() -> None:
    stream = Stream(HubLimits(ring_items=2), FakeLog())
    sub, conversation = stream.hub.join(Hello()), Conversation()
    stream.window(1)
    talk(stream.hub, sub, conversation)
    stream.window(6)
    for item in stream.hub.take(sub):
        conversation.feed(framed(item))  # the gap and number 7; then the line is cut
    stream.hub.leave(sub)
    hello = decode(conversation.open()[4:])
    assert isinstance(hello, Control) and Hello.parse(hello).last == {"window.hall": 1}
    events = talk(stream.hub, stream.hub.join(Hello.parse(hello)), conversation)
    assert seqs(events, "window.hall") == [2, 3, 4, 5, 6, 7]


def test_control_overflow_ends_the_connection_and_touches_nobody_else() -> None:
    stream = Stream(HubLimits(control_items=4))
    deaf, other = stream.hub.join(Hello()), stream.hub.join(Hello())
    conversation = Conversation()
    got: list[int] = []
    for _ in range(50):
        stream.plain("status")
        got += seqs(talk(stream.hub, other, conversation), "status")
    assert deaf.closing == "slow consumer" and len(deaf.control) == 4
    assert other.closing == "" and got == [*range(1, 51)]
    assert stream.hub.closing() == [deaf]


def test_large_messages_do_not_overfill_a_queue_of_few_bytes() -> None:
    stream = Stream(HubLimits(live_items=1000, live_bytes=5000))
    sub = stream.hub.join(Hello())
    stream.live(50)
    assert sub.live.num_bytes == sum(len(message.data) for message in sub.live.items) <= 5000
    assert sub.dropped == 50 - len(sub.live) > 0


def test_rate_limit_thins_live_per_camera_and_says_so() -> None:
    stream = Stream()
    sub, conversation = stream.hub.join(Hello(max_rate_hz=10.0)), Conversation()
    for frame in range(30):  # 30 Hz, two cameras
        stream.now_s = frame / 30
        stream.live(1, "cam0")
        stream.live(1, "cam1")
    stream.window(3)
    events = talk(stream.hub, sub, conversation)
    cameras = [e.body["camera"] for e in events if isinstance(e, Message) and e.topic == "live.hall"]
    assert cameras.count("cam0") == cameras.count("cam1") == 10
    assert {cause for *_, cause in gaps(events)} == {"rate"}
    assert seqs(events, "window.hall") == [1, 2, 3]  # windows are never thinned


def test_topics_are_filtered_but_the_schema_always_comes() -> None:
    stream = Stream()
    stream.plain("schema.hall", Kind.SCHEMA, dict(walkers_schema().to_body()))
    sub, conversation = stream.hub.join(Hello(topics=("window", "status"))), Conversation()
    stream.live(3)
    stream.window(2)
    stream.plain("status")
    stream.plain("health")
    events = talk(stream.hub, sub, conversation)
    assert {e.topic for e in events if isinstance(e, Message)} == {"schema.hall", "window.hall", "status"}
    assert seqs(events, "window.hall") == [1, 2]


def test_live_goes_before_windows_and_windows_before_pulls() -> None:
    stream = Stream(log=FakeLog())
    sub = stream.hub.join(Hello())
    drain(stream.hub, sub)
    stream.window(2)
    stream.hub.pull(sub, "window.hall", 1, 1)
    stream.live(2)
    topics = [decode(data).topic for data in drain(stream.hub, sub)]  # type: ignore[union-attr]
    assert topics == ["live.hall", "live.hall", "window.hall", "window.hall", "window.hall"]


def test_unannounced_hole_in_windows_is_an_error_to_the_subscriber() -> None:
    conversation = Conversation()
    stream = Stream()
    stream.window(3)
    sub = stream.hub.join(Hello(last_sid="s", last={"window.hall": 0}))
    first, *rest = drain(stream.hub, sub)
    conversation.feed(framed(first))
    conversation.feed(framed(rest[0]))
    with pytest.raises(Exception, match="no gap was announced"):
        conversation.feed(framed(rest[2]))


def test_goodbye_reaches_the_subscriber() -> None:
    assert Conversation().feed(framed(Hub("s").farewell("slow consumer"))) == [Bye("slow consumer")]
