"""A bare server for tests of the wire: no engine, a schema, and messages as they are asked for."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from crowdstream.lab.bench.wire_cases import walkers_frame, walkers_schema, walkers_window
from crowdstream.stream.records import TrackedFrame
from crowdstream.stream.wire.address import Address
from crowdstream.stream.wire.client import Reconnect, subscribe
from crowdstream.stream.wire.codec import Deframer, decode, encode, framed
from crowdstream.stream.wire.hub import Hub, HubLimits
from crowdstream.stream.wire.messages import Control, Hello, Kind, Message, Tier, tier_of
from crowdstream.stream.wire.server import ServerSettings, WireServer
from crowdstream.stream.wire.tiers import Stamp, live_message, window_messages

LIMIT_S = 40.0
"""A test that waits longer has failed."""
QUICK = Reconnect(first_s=0.01, longest_s=0.05, give_up_s=LIMIT_S, first_visit_s=LIMIT_S)
SID = "test"


class TestServer:
    """A server, and who publishes on it."""

    __test__ = False

    def __init__(self, settings: ServerSettings, limits: HubLimits | None = None) -> None:
        hub = Hub(SID, limits, wall_ns=time.time_ns)
        for topic in ("live.hall", "window.hall"):
            hub.declare(topic)  # as an engine does, so that nobody who is cut off by then begins anew
        self.wire = WireServer(hub, settings)
        self.address = self.wire.start()
        self.url = str(self.address)
        self._seq: dict[str, int] = {}
        self._frames: dict[int, TrackedFrame] = {}
        body = walkers_schema().to_body()
        self._send([Message(SID, "schema.hall", 1, Kind.SCHEMA, 0, "host", 0, {"recorded": False}, body)])

    def live(self, people: int = 2) -> None:
        seq = self._seq.get("live.hall", 0) + 1
        if people not in self._frames:  # making one takes longer than sending it
            self._frames[people] = walkers_frame(people, 0)
        frame = replace(self._frames[people], index=seq)
        self._send([live_message(frame, "hall", Stamp(SID, seq, 0, True))])

    def window(self, people: int = 1) -> bytes:
        """Publishes one; the joints of its people, to compare."""
        seq = self._seq.get("window.hall", 0) + 1
        solution = walkers_window(people, seq)
        self._send(window_messages(solution, "hall", Stamp(SID, seq, 0, True)))
        return solution.joints_m.tobytes()

    def _send(self, messages: list[Message]) -> None:
        for message in messages:
            self._seq[message.topic] = message.seq
            self.wire.publish(message, encode(message))

    def connect(self, source: str = "") -> socket.socket:
        """A raw connection; `source` is the address it comes from."""
        if self.address.scheme == "unix":
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(self.address.path)
        else:
            where = (self.address.host, self.address.port)
            sock = socket.create_connection(where, source_address=(source, 0) if source else None)
        sock.settimeout(LIMIT_S)
        return sock

    def assert_alive(self, token: str = "") -> None:
        """A new subscriber is welcomed and served."""
        with contextlib.closing(subscribe(self.url, ("live",), token, reconnect=QUICK)) as events:  # type: ignore[type-var]
            for event in events:
                if isinstance(event, Message) and tier_of(event.topic) is Tier.SCHEMA:
                    self.live()
                elif isinstance(event, Message):
                    return
        raise AssertionError("said goodbye instead of serving")


@contextlib.contextmanager
def serving(
    listen: str = "tcp://127.0.0.1:0", limits: HubLimits | None = None, **settings: object
) -> Iterator[TestServer]:
    server = TestServer(ServerSettings(Address.parse(listen), **settings), limits)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.wire.stop()


def hello(**settings: object) -> bytes:
    return framed(encode(Hello(**settings).control()))  # type: ignore[arg-type]


def goodbye(sock: socket.socket) -> str:
    """Reads to the end; the reason of the goodbye, empty where there was none."""
    deframer, reason = Deframer(), ""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(1 << 16):
            for item in deframer.feed(data):
                message = decode(item)
                if isinstance(message, Control) and message.kind is Kind.BYE:
                    reason = str(message.body["reason"])
    return reason


def wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "waited too long"
        time.sleep(0.002)
