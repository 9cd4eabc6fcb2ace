"""Lines that are slow, stutter, and break at any byte: never half a message, never one too few, never one twice."""

from __future__ import annotations

import random
import sys
import threading
from pathlib import Path

import pytest

from crowdstream.stream.control.client import ControlClient
from crowdstream.stream.control.records import Reply
from crowdstream.stream.errors import PublishError
from crowdstream.stream.wire.client import subscribe
from crowdstream.stream.wire.conversation import Conversation, Event, Welcome
from crowdstream.stream.wire.messages import Gap, Message
from crowdstream.stream.wire.tiers import WindowAssembler

sys.path.insert(0, str(Path(__file__).parent.parent / "rig"))
from cut_proxy import CutProxy
from wire_server import LIMIT_S, QUICK, TestServer, hello, serving, wait_for

sys.path.pop(0)

WINDOWS = 12


class Follower(threading.Thread):
    """A subscriber behind the line, until it has seen the window of this number."""

    def __init__(self, url: str, topics: tuple[str, ...], last: int) -> None:
        super().__init__(daemon=True)
        self.talk = Conversation(topics)
        self.events: list[Event] = []
        self._events = subscribe(url, reconnect=QUICK, conversation=self.talk)
        self._last = last
        self.start()

    def run(self) -> None:
        for event in self._events:
            self.events.append(event)
            if isinstance(event, Message) and event.window == self._last:
                self._events.close()  # type: ignore[attr-defined]
                return

    def seqs(self, topic: str) -> list[int]:
        return [e.seq for e in self.events if isinstance(e, Message) and e.topic == topic]

    @property
    def welcomes(self) -> int:
        return sum(isinstance(event, Welcome) for event in self.events)


def follow(server: TestServer, proxy: CutProxy, topics: tuple[str, ...]) -> tuple[Follower, dict[int, bytes]]:
    """Windows and frames are published while the line does its worst."""
    follower = Follower(proxy.url, topics, WINDOWS)
    wait_for(lambda: follower.welcomes > 0)
    want = {}
    for window in range(1, WINDOWS + 1):
        want[window] = server.window()
        for _ in range(5):
            server.live(20)
    follower.join(LIMIT_S)
    assert not follower.is_alive()
    return follower, want


def bodies(follower: Follower) -> dict[int, bytes]:
    assembler = WindowAssembler()
    messages = (e for e in follower.events if isinstance(e, Message) and e.topic == "window.hall")
    return {w.window: w.joints_m.tobytes() for m in messages if (w := assembler.push(m)) is not None}


@pytest.mark.parametrize("seed", range(3))
def test_every_window_arrives_once_and_whole_over_a_line_that_breaks_at_any_byte(seed: int) -> None:
    rng = random.Random(seed)
    cuts = [rng.randrange(1, 60_000) for _ in range(12)] + [1, 2, 3, 4, 5, 6]
    with serving() as server:
        host, port = server.address.host, server.address.port
        with CutProxy(host, port, cuts, largest_piece=5000, jitter_s=0.0005, seed=seed) as proxy:
            follower, want = follow(server, proxy, ("window",))
    assert follower.seqs("window.hall") == [*range(1, WINDOWS + 1)]
    assert bodies(follower) == want
    assert not any(isinstance(event, Gap) for event in follower.events)
    assert follower.welcomes > 1


def test_a_line_cut_within_every_byte_of_the_hello_gets_through_in_the_end() -> None:
    length = len(hello(topics=("window",))) + 40
    with serving() as server:
        host, port = server.address.host, server.address.port
        with CutProxy(host, port, up=range(1, length, 3), largest_piece=7) as proxy:
            follower = Follower(proxy.url, ("window",), 1)
            wait_for(lambda: follower.welcomes > 0)
            server.window()
            follower.join(LIMIT_S)
        assert follower.seqs("window.hall") == [1]
        wait_for(lambda: server.wire.stats().connections == 0)


def test_of_live_frames_what_came_and_what_was_announced_is_everything() -> None:
    rng = random.Random(5)
    cuts = [rng.randrange(500, 90_000) for _ in range(8)]
    with serving() as server:
        host, port = server.address.host, server.address.port
        with CutProxy(host, port, cuts, largest_piece=3000, seed=5) as proxy:
            follower, want = follow(server, proxy, ("live", "window"))
    numbers = follower.seqs("live.hall")
    assert len(numbers) == len(set(numbers))
    gaps = [e for e in follower.events if isinstance(e, Gap) and e.topic == "live.hall"]
    told = [n for gap in gaps for n in range(gap.first, gap.last + 1)]
    newest = max(numbers)
    assert sorted(numbers + [n for n in told if n <= newest]) == [*range(1, newest + 1)]
    assert bodies(follower) == want


def test_a_slow_line_delays_and_changes_nothing() -> None:
    with serving() as server:
        host, port = server.address.host, server.address.port
        with CutProxy(host, port, largest_piece=700, jitter_s=0.0002) as proxy:
            follower, want = follow(server, proxy, ("window",))
    assert bodies(follower) == want and follower.welcomes == 1


def test_a_request_is_made_once_or_not_at_all_wherever_the_line_breaks() -> None:
    """And whoever asked knows: there is an answer, or an error that says it may have been done."""
    with serving(control_token="c") as server:
        done: list[str] = []
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(0.001):
                for request in server.wire.take_requests():
                    done.append(str(request.args["camera"]))
                    server.wire.reply(Reply(request.ticket, True, "paused"))

        engine = threading.Thread(target=work)
        engine.start()
        ups = [*range(90, 330, 12)]
        host, port = server.address.host, server.address.port
        answered, lost = [], []
        with CutProxy(host, port, up=ups) as proxy:
            for number in range(len(ups)):
                try:
                    ControlClient(proxy.url, "c", timeout_s=LIMIT_S).request(
                        "pause_camera", camera=f"c{number}"
                    )
                    answered.append(f"c{number}")
                except PublishError as exc:
                    assert "pause_camera may have been done" in str(exc)
                    lost.append(f"c{number}")
        ended.set()
        engine.join(LIMIT_S)
    assert len(done) == len(set(done))  # none twice
    assert set(answered) <= set(done) <= {*answered, *lost}
    assert answered
