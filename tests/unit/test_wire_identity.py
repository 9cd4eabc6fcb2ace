"""Who came back, on the wire: whoever listens, from whenever on and however badly, ends with the same map."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.lab.bench.wire_cases import (
    walkers_frame,
    walkers_return,
    walkers_revision,
    walkers_schema,
    walkers_window,
)
from crowdstream.stream.errors import ProtocolError, PublishError
from crowdstream.stream.export.recording import Recording
from crowdstream.stream.identity import IdentityEvent, IdentityMap
from crowdstream.stream.refine.records import Revision, RevisionCause
from crowdstream.stream.wire.codec import Deframer, decode, encode, framed
from crowdstream.stream.wire.conversation import Conversation, Event, Snapshot, Welcome
from crowdstream.stream.wire.hub import Hub, HubLimits, Subscriber
from crowdstream.stream.wire.identity import Persons, identity_message, identity_record
from crowdstream.stream.wire.log import LogReader
from crowdstream.stream.wire.messages import DURABLE, Gap, Hello, Kind, Message, Tier
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage
from crowdstream.stream.wire.revision import revision_messages, revision_record
from crowdstream.stream.wire.tiers import Stamp, live_message, window_messages

STAMP = Stamp("s", 1, 5, recorded=True)
QUICK = settings(max_examples=40, deadline=None)
SPLIT = walkers_return(17, 5, split=True)


@st.composite
def histories(draw: st.DrawFn) -> list[IdentityEvent]:
    """Joins and splits of a few tracks; a track follows an earlier one."""
    pairs = st.tuples(st.integers(1, 6), st.integers(1, 6), st.booleans()).filter(lambda t: t[0] > t[1])
    return [walkers_return(a, b, split=split) for a, b, split in draw(st.lists(pairs, max_size=12))]


def messages_of(events: list[IdentityEvent], first: int = 1) -> list[Message]:
    return [
        identity_message(event, "hall", dataclasses.replace(STAMP, seq=seq), "file_pts")
        for seq, event in enumerate(events, first)
    ]


def who(persons: IdentityMap) -> dict[int, int]:
    return {track: persons.person_of(track) for track in range(1, 8)}


class Wire:
    """A hub of identity events (and live frames between), and what it would say to somebody."""

    def __init__(self, limits: HubLimits | None = None, log: Mapping[int, bytes] | None = None) -> None:
        self.log = dict(log or {})
        self.hub = Hub("s", limits, self if log is not None else None)
        for tier in (Tier.LIVE, Tier.IDENTITY):
            self.hub.declare(f"{tier}.hall")
        self.live = 0

    def first(self, sid: str, topic: str) -> int | None:
        return min(self.log, default=None)

    def read(self, sid: str, topic: str, seq: int) -> bytes | None:
        return self.log.get(seq)

    def say(self, events: list[IdentityEvent]) -> None:
        head = self.hub.topics["identity.hall"].head
        for message in messages_of(events, head + 1):
            if self.hub.history is not None:
                self.log[message.seq] = encode(message)
            self.hub.publish(message, encode(message), 0.0)
            self.live += 1
            frame = live_message(
                walkers_frame(1, self.live), "hall", dataclasses.replace(STAMP, seq=self.live)
            )
            self.hub.publish(frame, encode(frame), 0.0)

    def hear(self, sub: Subscriber, talk: Conversation) -> list[Event]:
        events: list[Event] = []
        while batch := self.hub.take(sub):
            events += [event for data in batch for event in talk.feed(framed(data))]
            for data in Deframer().feed(talk.outgoing()):
                body = decode(data).body
                if "topic" in body:
                    self.hub.pull(sub, str(body["topic"]), int(body["from"]), int(body["to"]))  # type: ignore[call-overload]
        return events


def follow(persons: Persons, events: list[Event]) -> list[IdentityEvent]:
    return [change for event in events if (change := persons.push(event)) is not None]


# --- messages ---------------------------------------------------------------------------------------------


@QUICK
@given(
    st.tuples(*[st.integers(-(2**62), 2**62)] * 6), st.floats(0, 1), st.text(max_size=40),
    st.dictionaries(st.text(max_size=9), st.floats(allow_nan=False, allow_infinity=False), max_size=5),
)  # fmt: skip
def test_an_event_comes_back_as_it_went(
    numbers: tuple[int, ...], probability: float, reason: str, evidence: dict[str, float]
) -> None:
    names = ("track", "person", "previous", "t_capture_ns", "lost_ns", "found_ns")
    event = dataclasses.replace(
        SPLIT,
        **dict(zip(names, numbers, strict=True)),
        probability=probability,
        reason=reason,
        evidence=evidence,
    )
    back = decode(encode(identity_message(event, "hall", STAMP, "host")))
    assert (
        isinstance(back, Message)
        and back.topic == "identity.hall"
        and back.t_capture_ns == event.t_capture_ns
    )
    assert identity_record(back) == event


def test_what_cannot_be_told_is_left_out_or_refused_by_the_sender() -> None:
    event = dataclasses.replace(SPLIT, evidence={"exit": float("-inf"), "motion": 1.0}, reason="x" * 9000)
    back = identity_record(decode(encode(identity_message(event, "hall", STAMP, "host"))))  # type: ignore[arg-type]
    assert back is not None and back.evidence == {"motion": 1.0} and len(back.reason) == 500
    for wrong in (float("nan"), 1.5, -0.1):
        with pytest.raises(ProtocolError, match="probability"):
            identity_message(dataclasses.replace(event, probability=wrong), "hall", STAMP, "host")


@pytest.mark.parametrize(
    ("key", "value"),
    [("change", 3), ("track", "5"), ("track", True), ("lost_ns", 1.5), ("probability", 2.0), ("probability", 1),
     ("reason", None), ("evidence", [1]), ("evidence", {"motion": "much"}), ("found_ns", 1 << 63),
     ("evidence", {str(i): 0.0 for i in range(65)})],
)  # fmt: skip
def test_ill_formed_events_are_refused_with_the_key_named(key: str, value: object) -> None:
    (message,) = messages_of([SPLIT])
    for body in (dict(message.body) | {key: value}, {k: v for k, v in message.body.items() if k != key}):
        with pytest.raises(ProtocolError, match=key):
            identity_record(dataclasses.replace(message, body=body))


GOLDEN = [
    (Path(__file__).parent.parent / "golden" / "wire_1_1" / f"{name}.msg").read_bytes()
    for name in ("identity_merge", "identity_split", "refined")
]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(GOLDEN),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3),
)
def test_damaged_bytes_are_refused_or_read_and_nothing_else(
    data: bytes, flips: list[tuple[float, int]]
) -> None:
    broken = bytearray(data)
    for where, bits in flips:
        broken[int(where * min(len(broken), 900))] ^= bits  # mostly among the keys, not in the arrays
    try:
        message = decode(bytes(broken))
        if isinstance(message, Message) and message.window is not None:
            revision_record([message])
        elif isinstance(message, Message):
            Persons().push(message)
            identity_record(message)
    except ProtocolError:
        return


@pytest.mark.parametrize(
    "wrong",
    [
        {"slot0": "a"},
        {"provenance": np.zeros(3, np.uint8)},
        {"person_ids": 3},
        {"guide_person": np.zeros(1, int)},
    ],
)
def test_a_log_with_an_ill_formed_revision_gives_the_rest(tmp_path: Path, wrong: dict[str, object]) -> None:
    """Of another writer: whole records, and nonsense in one."""
    publisher = stage(tmp_path / "a", session="s")
    publisher.push_window(walkers_window(2, 0))
    (message,) = revision_messages(walkers_revision(2, 0, guide=4), "hall", STAMP, 16)
    bad = dataclasses.replace(message, body={**message.body, **wrong})
    assert publisher.log is not None
    publisher.log.append([bad], [encode(bad)])
    publisher.push_identity(walkers_return(2, 1))
    publisher.stop()
    recording = Recording(tmp_path / "a")
    assert len(recording.identity) == 1 and recording.persons.person_of(2) == 1
    assert [w.person_ids.tolist() for w in recording.windows()] == [[1]]


def test_a_change_of_a_later_minor_version_is_skipped() -> None:
    (message,) = messages_of([SPLIT])
    later = dataclasses.replace(message, body={**message.body, "change": "swap", "with": 3})
    assert identity_record(later) is None and Persons().push(later) is None


# --- the map ----------------------------------------------------------------------------------------------


@QUICK
@given(histories(), st.randoms(use_true_random=False), st.data())
def test_repeats_and_disorder_make_the_same_map(
    events: list[IdentityEvent], random: object, data: st.DataObject
) -> None:
    messages = messages_of(events)
    repeats = data.draw(st.lists(st.sampled_from(messages), max_size=5)) if messages else []
    shuffled = [*messages, *repeats]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    persons = Persons()
    for message in shuffled:
        persons.push(message)
    assert who(persons.map) == who(IdentityMap(events))


def test_a_change_is_told_once_and_a_new_session_forgets() -> None:
    persons = Persons()
    (merge,) = messages_of([walkers_return(17, 5)])
    assert persons.push(Welcome("s", True, {})) is None
    assert [persons.push(merge) is not None for _ in range(3)] == [True, False, False]
    assert persons.map.person_of(17) == 5
    frame = live_message(walkers_frame(2, 0), "hall", STAMP)
    assert persons.push(frame) is None and persons.map.person_of(17) == 5
    persons.push(Welcome("s", False, {}))
    assert persons.map.person_of(17) == 5
    persons.push(Welcome("t", True, {}))
    assert persons.map.person_of(17) == 17


# --- listeners --------------------------------------------------------------------------------------------


@QUICK
@given(histories(), st.integers(0, 12))
def test_whoever_comes_late_knows_every_join_in_force(events: list[IdentityEvent], at: int) -> None:
    wire, persons, talk = Wire(), Persons(), Conversation(("identity",))
    wire.say(events[:at])
    sub = wire.hub.join(Hello(topics=("identity",)))
    heard = wire.hear(sub, talk)
    follow(persons, heard)
    assert who(persons.map) == who(IdentityMap(events[:at]))
    wire.say(events[at:])
    follow(persons, wire.hear(sub, talk))
    assert who(persons.map) == who(IdentityMap(events))
    assert talk.missed == 0 and not any(isinstance(event, Gap) for event in heard)


@pytest.mark.parametrize("logged", [False, True])
def test_whoever_falls_behind_or_returns_gets_the_state_and_keeps_the_map(logged: bool) -> None:
    """The ring holds 3: a split is overrun that the listener needs to know of."""
    history = [walkers_return(17, 5), walkers_return(23, 17), walkers_return(17, 5, split=True)]
    history += [walkers_return(30 + i, 3) for i in range(6)]
    for returning in (False, True):
        wire = Wire(HubLimits(ring_items=3), {} if logged else None)
        persons, talk = Persons(), Conversation(("identity",))
        sub = wire.hub.join(Hello(topics=("identity",)))
        wire.say(history[:2])
        follow(persons, wire.hear(sub, talk))
        assert persons.map.person_of(23) == 5
        if returning:
            wire.hub.leave(sub)
        wire.say(history[2:])
        if returning:
            hello = Hello.parse(decode(Deframer().feed(talk.open())[0]))  # type: ignore[arg-type]
            sub = wire.hub.join(hello)
        heard = wire.hear(sub, talk)
        follow(persons, heard)
        wanted = IdentityMap(history)
        assert all(persons.map.person_of(t) == wanted.person_of(t) for t in range(40))
        gaps, states = ([e for e in heard if isinstance(e, kind)] for kind in (Gap, Snapshot))
        replayed = returning and logged  # nothing is missing: no state is needed
        assert (len(gaps), len(states)) == ((0, 0) if replayed else (1, 1))
        if logged:  # nothing of the story is lost
            got = {e.seq for e in heard if isinstance(e, Message) and e.topic == "identity.hall"}
            assert got >= set(range(3, len(history) + 1)) and talk.missed == 0


def test_who_is_who_goes_before_bodies() -> None:
    hub = Hub("s")
    sub = hub.join(Hello())
    hub.take(sub)
    window = window_messages(walkers_window(1, 0, frames=2), "hall", STAMP)[0]
    for message in (window, *messages_of([SPLIT])):
        hub.publish(message, encode(message), 0.0)
    topics = [decode(data).topic for batch in iter(lambda: hub.take(sub), []) for data in batch]  # type: ignore[union-attr]
    assert topics == ["identity.hall", "window.hall"]


def test_the_state_is_bounded_and_the_oldest_goes_first() -> None:
    wire = Wire(HubLimits(identity_tracks=3))
    wire.say([walkers_return(t, 1) for t in (10, 11, 12, 10, 13)])
    persons = Persons()
    follow(persons, wire.hear(wire.hub.join(Hello()), Conversation()))
    assert [t for t in (10, 11, 12, 13) if persons.map.person_of(t) == 1] == [10, 12, 13]


# --- the publisher ----------------------------------------------------------------------------------------


def stage(log: Path | None, **settings: object) -> PublisherStage:
    config = PublishConfig(listen="", **settings)  # type: ignore[arg-type]
    made = PublisherStage(config, "hall", walkers_schema(), log, wall_ns=lambda: 10**18)
    made.start()
    return made


def test_both_are_committed_numbered_and_counted(tmp_path: Path) -> None:
    publisher = stage(tmp_path / "a", clock="capture")
    publisher.push_live(walkers_frame(2, 200))
    publisher.push_identity(walkers_return(17, 5))
    publisher.push_revision(walkers_revision(2, 3, guide=7))
    publisher.push_identity(SPLIT)
    publisher.push_revision(walkers_revision(1, 3, rev=2))
    publisher.stop()
    messages = [
        m for m in LogReader(tmp_path / "a").messages() if m.topic.startswith(("identity", "refined"))
    ]
    assert [(m.topic, m.seq) for m in messages] == [
        ("identity.hall", 1), ("refined.hall", 1), ("identity.hall", 2), ("refined.hall", 2),
    ]  # fmt: skip
    assert all(m.t_publish_ns == m.t_capture_ns and m.quality["recorded"] for m in messages)
    assert {Tier.IDENTITY, Tier.REFINED, Tier.WINDOW} == DURABLE
    summary = publisher.summary()
    assert summary["identity"] == {"merge": 1, "split": 1}
    assert summary["refined"] == {"revisions": 2, "gap_filled": 2, "guided": 1, "refined": 0, "retracted": 0}


def test_a_restarted_session_still_knows_every_join(tmp_path: Path) -> None:
    publisher = stage(tmp_path / "a", session="fixed")
    history = [walkers_return(17, 5), walkers_return(23, 17), walkers_return(9, 2)]
    for event in [*history, walkers_return(9, 2, split=True)]:
        publisher.push_identity(event)
    publisher.stop()
    publisher = stage(tmp_path / "a", session="fixed", append=True)
    hub = publisher.outlet.hub
    assert hub is not None
    sub, talk, persons = hub.join(Hello()), Conversation(), Persons()
    heard = [
        e for batch in iter(lambda: hub.take(sub), []) for data in batch for e in talk.feed(framed(data))
    ]
    follow(persons, heard)
    assert [persons.map.person_of(t) for t in (17, 23, 9)] == [5, 5, 9]
    assert talk.last["identity.hall"] == 4
    publisher.stop()


# --- revisions --------------------------------------------------------------------------------------------


@QUICK
@given(st.integers(0, 70), st.integers(1, 3), st.sampled_from([8, 16, 64]))
def test_a_revision_comes_back_with_its_reasons_in_any_number_of_parts(
    people: int, rev: int, frames: int
) -> None:
    revision = walkers_revision(people, 4, rev, frames, guide=2)
    parts = revision_messages(revision, "hall", STAMP, hop=16)
    back = revision_record([decode(encode(part)) for part in reversed(parts)])  # type: ignore[misc]
    assert back is not None and back.solution.rev == rev and (parts[0].window, back.solution.window) == (4, 4)
    for name in ("cause", "guide_person", "guide_slot0"):
        assert getattr(back, name).tolist() == getattr(revision, name).tolist()
    np.testing.assert_array_equal(back.changed_m, revision.changed_m)  # also where it is NaN
    np.testing.assert_array_equal(back.solution.joints_m, revision.solution.joints_m)


def test_the_key_of_a_segment_is_the_window_with_the_same_slots() -> None:
    for hop, window in ((16, 8), (64, 2), (32, 4)):
        revision = walkers_revision(1, 8)  # slots 128..191
        assert revision_messages(revision, "hall", STAMP, hop)[0].window == window
    with pytest.raises(PublishError, match=r"slot 16, expected a multiple of window\.hop = 64"):
        revision_messages(walkers_revision(1, 1), "hall", STAMP, 64)
    solved = dataclasses.replace(walkers_revision(1, 1), solution=walkers_window(1, 1))
    with pytest.raises(PublishError, match="got revision 0"):
        revision_messages(solved, "hall", STAMP, 16)


def test_people_who_are_not_finite_take_their_reasons_with_them() -> None:
    revision = walkers_revision(3, 0, guide=9)
    pose = revision.solution.pose_rotvec.copy()
    pose[0, 0, 0, 0] = np.nan
    broken = dataclasses.replace(revision, solution=dataclasses.replace(revision.solution, pose_rotvec=pose))
    back = revision_record(revision_messages(broken, "hall", STAMP, 16))
    assert back is not None and back.solution.person_ids.tolist() == [2, 3]
    assert back.cause.tolist() == [RevisionCause.GUIDED] * 2 and back.guide_person.tolist() == [9, 9]


def test_without_reasons_there_is_a_window_and_no_revision() -> None:
    """What a sender of 1.0 gives; and what is solved is no revision at all."""
    for rev in (0, 1):
        (message,) = window_messages(walkers_window(2, 0, rev=rev), "hall", STAMP)
        assert message.kind is Kind.DATA and revision_record([message]) is None


@pytest.mark.parametrize(
    ("name", "column"),
    [("cause", np.array([0, 9], np.uint8)), ("cause", np.zeros(3, np.uint8)), ("guide_person", np.zeros(2)),
     ("changed_m", np.full(2, np.inf, np.float32)), ("guide_slot0", None)],
)  # fmt: skip
def test_ill_formed_reasons_are_refused_with_the_field_named(name: str, column: np.ndarray | None) -> None:
    (message,) = revision_messages(walkers_revision(2, 0), "hall", STAMP, 16)
    body = {**message.body, name: column}
    with pytest.raises(ProtocolError, match=name):
        revision_record([dataclasses.replace(message, body=body)])


def test_a_record_is_what_was_pushed(tmp_path: Path) -> None:
    revision: Revision = walkers_revision(2, 0, guide=3)
    publisher = stage(tmp_path / "a")
    publisher.push_revision(revision)
    publisher.stop()
    (message,) = [m for m in LogReader(tmp_path / "a").messages() if m.topic == "refined.hall"]
    back = revision_record([message])
    assert back is not None and back.guide_person.tolist() == [-1, 3] and back.changed_m[1] == 0.125
