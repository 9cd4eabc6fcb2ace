"""A recorded log published again: the same bytes, session and numbers, at any speed.

Unlike an engine, a replay waits for its readers: nothing is dropped because it ran ahead of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import LogError, ProtocolError
from .codec import decode
from .hub import Hub, HubLimits
from .ledger import before_of
from .log import LogHistory, LogReader
from .messages import Message
from .server import ServerSettings, WireServer

LONGEST_WAIT_S = 10.0
"""A reader that takes nothing for so long is not waited for; it gets gaps like any slow one."""


@dataclass(frozen=True)
class Replayed:
    """What a replay did."""

    messages: int
    elapsed_s: float
    recorded_s: float
    """Span of publish times in the log."""
    health: str
    """Damage found in the log, one line; empty for none."""


class Replay:
    """start -> address; run -> everything published; stop -> address free."""

    def __init__(self, path: Path, settings: ServerSettings, limits: HubLimits | None = None) -> None:
        self.reader = LogReader(path)
        self.history = LogHistory(self.reader)
        if not self.history.index.sessions:
            self.history.close()
            raise LogError(f"{path} holds no published message; there is nothing to replay")
        self.hub = Hub(self.history.index.sessions[0], limits, self.history, time.time_ns)
        for (sid, topic), seq in self.history.index.first_seq.items():
            if sid == self.hub.sid:
                self.hub.declare(topic, seq - 1)
        self.server = WireServer(self.hub, settings)

    def start(self) -> str:
        """Listens; the address."""
        return str(self.server.start())

    def wait_for_subscriber(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Returns once somebody listens."""
        while self.server.num_subscribers == 0 and not stop():
            time.sleep(0.02)

    def run(self, speed: float = 1.0, stop: Callable[[], bool] = lambda: False) -> Replayed:
        """Publishes the whole log.

        Args:
            speed: times real time; 0 for as fast as the readers take it.
            stop: asked between messages.
        """
        begin_s, count = time.monotonic(), 0
        first_ns: int | None = None
        newest_ns = 0
        for record in self.reader.records():
            known = before_of(record) is not None  # published long before this log began
            for data in record.messages:
                try:
                    message = decode(data)
                except ProtocolError:
                    continue
                if not isinstance(message, Message) or stop():
                    continue
                if not known:
                    first_ns = message.t_publish_ns if first_ns is None else first_ns
                    newest_ns = max(newest_ns, message.t_publish_ns)
                if speed > 0 and first_ns is not None:
                    due_s = begin_s + (newest_ns - first_ns) / 1e9 / speed
                    _sleep_until(due_s, stop)
                self._wait_for_readers()
                self.server.publish(message, data)
                count += 1
        elapsed_s = time.monotonic() - begin_s
        return Replayed(count, elapsed_s, (newest_ns - (first_ns or 0)) / 1e9, self.reader.health.describe())

    def stop(self, drain_s: float = 30.0) -> None:
        """Lets the readers finish, says goodbye, frees the address."""
        self.server.stop("end", drain_s)
        self.history.close()

    def _wait_for_readers(self) -> None:
        deadline_s = time.monotonic() + LONGEST_WAIT_S
        while self.server.backlog() > 0.5 and time.monotonic() < deadline_s:
            time.sleep(0.001)


def _sleep_until(due_s: float, stop: Callable[[], bool]) -> None:
    while (left_s := due_s - time.monotonic()) > 0 and not stop():
        time.sleep(min(left_s, 0.1))
