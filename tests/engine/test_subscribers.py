"""Subscribers of a running engine come, go, fall silent and return: nothing committed is lost, nothing comes twice.

One engine runs for all of them, at the pace of the recording; what they got is then held against its log.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdstream.actors.engine import run_engine
from crowdstream.actors.main import main
from crowdstream.actors.runtime import Progress, RunHooks
from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.stream.export.recording import Recording
from crowdstream.stream.wire.codec import decode
from crowdstream.stream.wire.conversation import Bye, Conversation, Event, Snapshot, Welcome
from crowdstream.stream.wire.log import LogReader
from crowdstream.stream.wire.messages import DURABLE, Gap, Kind, Message, Tier, tier_of
from crowdstream.stream.wire.server import Address

sys.path.insert(0, str(Path(__file__).parent))
from crowd import CROWD, SCRIPTED, make_plan

sys.path.pop(0)

PATIENCE_S = 60.0
"""Nobody waits longer; a test that gets here has failed."""
HARD_RESET = struct.pack("ii", 1, 0)


class Stage:
    """What the engine has done so far; subscribers wait for their cue."""

    def __init__(self) -> None:
        self._now = Progress(0, None, 0, 0)
        self._changed = threading.Condition()

    def note(self, now: Progress) -> None:
        with self._changed:
            self._now = now
            self._changed.notify_all()

    def wait(self, cue: Callable[[Progress], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: cue(self._now), PATIENCE_S), self._now


@dataclass
class Subscriber:
    """A subscriber on a thread of its own, which the test's script makes behave badly."""

    script: Callable[[Subscriber], None]
    talk: Conversation = field(default_factory=Conversation)
    events: list[Event] = field(default_factory=list)
    address: Address = field(default_factory=lambda: Address("tcp"))
    welcomed: threading.Event = field(default_factory=threading.Event)
    connections: int = 0
    failure: BaseException | None = None
    _thread: threading.Thread | None = None

    def begin(self, address: str) -> None:
        self.address = Address.parse(address)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.script(self)
        except BaseException as exc:  # told by `end`, on the test's thread
            self.failure = exc
        finally:
            self.welcomed.set()

    def end(self) -> None:
        assert self._thread is not None
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        if self.failure is not None:
            raise self.failure

    def listen(self, until: Callable[[Event], bool] = lambda event: False) -> None:
        """One connection, until an event or the end; then cut without a word, in the middle of whatever comes."""
        with socket.create_connection((self.address.host, self.address.port), PATIENCE_S) as sock:
            self.connections += 1
            sock.sendall(self.talk.open())
            while data := sock.recv(4099):
                events = self.talk.feed(data)
                self.events += events
                if any(isinstance(event, Welcome) for event in events):
                    self.welcomed.set()
                if any(isinstance(event, Bye) for event in events):
                    return
                if any(until(event) for event in events):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD_RESET)
                    return
                if out := self.talk.outgoing():
                    sock.sendall(out)
        raise AssertionError("the engine closed without a goodbye")

    @property
    def messages(self) -> list[Message]:
        return [event for event in self.events if isinstance(event, Message)]


def is_window(event: Event) -> bool:
    return isinstance(event, Message) and tier_of(event.topic) is Tier.WINDOW


def rows_of(messages: Iterable[Message]) -> Counter[tuple[str, int | None, int | None, int]]:
    """How often each person of each window came."""
    return Counter(
        (m.sid, m.window, m.rev, int(person))
        for m in messages
        if tier_of(m.topic) is Tier.WINDOW
        for person in np.ravel(m.body["person_ids"])  # type: ignore[call-overload]
    )


@dataclass
class Evening:
    """One run and everybody who came."""

    log: Path
    quiet_log: Path
    summary: dict[str, Any]
    steady: Subscriber
    returning: Subscriber
    killed: Subscriber
    silent: Subscriber
    late: Subscriber

    @property
    def recorded(self) -> list[Message]:
        return list(LogReader(self.log).messages())


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Evening:
    folder = tmp_path_factory.mktemp("subscribers")
    stage = Stage()
    silence_over = threading.Event()

    def returns(sub: Subscriber) -> None:
        sub.listen(until=is_window)
        stage.wait(lambda now: now.windows >= 3)  # two windows are committed without it
        sub.listen(until=is_window)  # and leaves again on the first of them
        sub.listen(until=lambda e: isinstance(e, Message) and e.window == 2)
        sub.listen()

    def falls_silent(sub: Subscriber) -> None:
        with socket.create_connection((sub.address.host, sub.address.port)) as sock:
            sock.sendall(sub.talk.open())
            sub.welcomed.set()
            silence_over.wait(PATIENCE_S)

    def comes_late(sub: Subscriber) -> None:
        stage.wait(lambda now: now.frames >= 90)
        sub.listen()

    steady, late = Subscriber(Subscriber.listen), Subscriber(comes_late)
    returning, silent = Subscriber(returns), Subscriber(falls_silent)
    killed = Subscriber(lambda sub: sub.listen(until=is_window))
    everybody = (steady, returning, killed, silent, late)

    def started(_info: object, address: str, _networks: object) -> None:
        for sub in everybody:
            sub.begin(address)
        for sub in everybody[:-1]:
            assert sub.welcomed.wait(PATIENCE_S)

    quiet = make_plan(folder, "inline", log="quiet.cslog")
    run_engine(quiet, workers=SCRIPTED)  # also compiles what is compiled once
    plan = make_plan(folder, "inline", "runtime.speed=1.5", "publish.listen=tcp://127.0.0.1:0")
    summary = run_engine(plan, RunHooks(started=started, progress=stage.note), SCRIPTED)
    silence_over.set()
    for sub in everybody:
        sub.end()
    assert plan.record is not None and quiet.record is not None
    return Evening(plan.record, quiet.record, summary, steady, returning, killed, silent, late)


def test_the_engine_does_not_notice_who_listens_and_how(evening: Evening) -> None:
    """Nor how fast the recording is played: the log is that of a run alone, byte by byte."""
    assert evening.log.read_bytes() == evening.quiet_log.read_bytes()
    assert evening.summary["frames"] == CROWD.frames
    assert set(evening.summary["drops"]) <= {"slow_subscriber"}


def test_a_steady_subscriber_gets_what_is_recorded_in_order(evening: Evening) -> None:
    got = [(m.topic, m.seq) for m in evening.steady.messages]
    for topic in {m.topic for m in evening.recorded}:
        assert [seq for t, seq in got if t == topic] == [m.seq for m in evening.recorded if m.topic == topic]
    assert isinstance(evening.steady.events[-1], Bye)


def test_whoever_returns_has_every_committed_window_once(evening: Evening) -> None:
    assert evening.returning.connections == 4
    wanted = rows_of(evening.recorded)
    assert len({window for _, window, _, _ in wanted}) == evening.summary["windows"]
    assert set(wanted.values()) == {1}
    assert rows_of(evening.returning.messages) == wanted


def test_whoever_returns_is_told_what_it_missed_of_the_rest(evening: Evening) -> None:
    """Every number of every topic arrived, or lies in an announced gap; none did twice."""
    got = [(m.topic, m.seq) for m in evening.returning.messages if m.kind is not Kind.SCHEMA]
    assert len(got) == len(set(got))
    gaps = {
        (event.topic, seq)
        for event in evening.returning.events
        if isinstance(event, Gap)
        for seq in range(event.first, event.last + 1)
    }
    missing = {(m.topic, m.seq) for m in evening.recorded if m.kind is not Kind.SCHEMA} - set(got) - gaps
    assert not missing


def test_a_killed_subscriber_had_its_window(evening: Evening) -> None:
    assert any(is_window(event) for event in evening.killed.events)
    assert not any(isinstance(event, Bye) for event in evening.killed.events)


def test_a_late_one_gets_schema_and_state_and_then_everything(evening: Evening) -> None:
    first = evening.late.events[:2]
    assert isinstance(first[0], Welcome) and first[0].new_session
    assert isinstance(first[1], Message) and first[1].kind is Kind.SCHEMA
    state = {event.topic: event for event in evening.late.events if isinstance(event, Snapshot)}
    assert any(tier_of(topic) is Tier.WINDOW for topic in state)
    for topic in {m.topic for m in evening.recorded if tier_of(m.topic) in DURABLE | {Tier.LIVE}}:
        seqs = [m.seq for m in evening.late.messages if m.topic == topic]
        ahead = state[topic].count if topic in state else 0
        begins = state[topic].seq + 1 if topic in state else seqs[0]
        last = max(m.seq for m in evening.recorded if m.topic == topic)
        assert seqs[ahead:] == list(range(begins, last + 1)), topic
        assert begins > 1, "it did not come late"


# --- the log, cut -----------------------------------------------------------------------------------------


def test_wherever_the_log_is_cut_everything_committed_before_is_there(
    evening: Evening, tmp_path: Path
) -> None:
    data = evening.log.read_bytes()
    records = list(LogReader(evening.log).records())
    rng = np.random.default_rng(7)
    edges = [record.end + step for record in records[::40] for step in (-1, 0, 1)]
    for cut in [*edges, *rng.integers(1, len(data), 20).tolist()]:
        part = tmp_path / "cut.cslog"
        part.write_bytes(data[:cut])
        whole = [decode(m) for record in records if record.end <= cut for m in record.messages]
        committed = [m for m in whole if isinstance(m, Message)]
        if not committed:
            with pytest.raises(CrowdstreamError):
                Recording(part)
            continue
        recording = Recording(part)
        found = Counter(
            (recording.sid, w.window, w.rev, int(p)) for w in recording.windows() for p in w.person_ids
        )
        assert found == rows_of(committed), cut
        frames = [m for m in committed if tier_of(m.topic) is Tier.LIVE]
        assert len(list(recording.frames())) == len(frames), cut


@pytest.mark.parametrize("share", [0.35, 0.7, 0.999])
@pytest.mark.parametrize("form", ["mot", "csv", "amass"])
def test_a_cut_log_exports(
    share: float, form: str, evening: Evening, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = evening.log.read_bytes()
    part = tmp_path / "cut.cslog"
    part.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SystemExit) as caught:
        main(["export", str(part), "-f", form, "-o", str(tmp_path / "out")])
    assert caught.value.code == 0
    assert any(file.stat().st_size for file in (tmp_path / "out").iterdir())
    assert "unfinished" in capsys.readouterr().err  # the user is told that the log ends in the middle
