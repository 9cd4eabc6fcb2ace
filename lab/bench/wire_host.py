"""A server in a process of its own that publishes a made-up crowd at a steady rate, and says how it is.

The parent asks over a pipe; memory and processor time are the child's own, read by itself.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

from ...kernels.errors import CrowdstreamError
from ...stream.control.records import Reply
from ...stream.wire.codec import encode
from ...stream.wire.hub import Hub, HubLimits
from ...stream.wire.messages import Kind, Message, Tier, topic_of
from ...stream.wire.server import Address, ServerSettings, WireServer, WireStats
from ...stream.wire.tiers import Stamp, live_message, window_messages
from .wire_cases import walkers_frame, walkers_schema, walkers_window

SITE = "hall"
SID = "bench"
FRAMES = 8
"""Different frames that are sent in turn; making one costs more than sending it."""
ANSWER_S = 30.0
"""A child that has not answered by then has gone wrong."""


@dataclass(frozen=True)
class HostPlan:
    """What is published, and to whom."""

    people: int = 200
    rate_hz: float = 30.0
    listen: str = "tcp://127.0.0.1:0"
    token: str = ""
    control_token: str = ""
    max_clients: int = 64
    hello_timeout_s: float = 5.0
    ping_interval_s: float = 5.0
    window_every_s: float = 0.0
    """A small window so often; 0 for none."""
    ring_messages: int = 256
    """Of each topic kept in memory."""


@dataclass(frozen=True)
class HostFigures:
    """The child at one moment."""

    resident_bytes: int
    processor_s: float
    """User and system, since its start."""
    published: int
    """Newest number of the live topic."""
    late_ms: float
    """The longest that a frame left later than it should have, since the last question."""
    files: int
    """Open file descriptors."""
    threads: int
    stats: WireStats
    requests: int = field(default=0)
    """Answered."""


class WireHost:
    """A server in a child process, as a context manager."""

    def __init__(self, plan: HostPlan) -> None:
        self.plan = plan
        self.url = ""
        context = multiprocessing.get_context("spawn")
        self._pipe, self._theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(plan, self._theirs), daemon=True)

    def __enter__(self) -> WireHost:
        self._process.start()
        self._theirs.close()
        self.url = str(self._hear())
        return self

    def figures(self) -> HostFigures:
        """Raises CrowdstreamError where the child is dead or silent."""
        found = self._ask("figures")
        assert isinstance(found, HostFigures)
        return found

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def _ask(self, what: str) -> object:
        try:
            self._pipe.send(what)
        except OSError as exc:
            raise CrowdstreamError(
                f"the server's process has ended (exit code {self._process.exitcode})"
            ) from exc
        return self._hear()

    def _hear(self) -> object:
        try:
            if self._pipe.poll(ANSWER_S):
                return self._pipe.recv()
        except (OSError, EOFError):
            self._process.join(1.0)
        raise CrowdstreamError(
            f"the server's process says nothing (exit code {self._process.exitcode}); see its output above"
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.is_alive():
            try:
                self._ask("stop")
            except CrowdstreamError:
                self._process.kill()
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()
        self._process.close()


def _serve(plan: HostPlan, pipe: Connection) -> None:
    """The child: publishes on time, answers the pipe and what subscribers ask in between."""
    server = WireServer(
        Hub(SID, HubLimits(ring_items=plan.ring_messages), wall_ns=time.time_ns),
        ServerSettings(
            Address.parse(plan.listen),
            plan.token,
            plan.hello_timeout_s,
            plan.ping_interval_s,
            plan.max_clients,
            control_token=plan.control_token,
        ),
    )
    server.start()
    try:
        pipe.send(str(server.address))
        _Publisher(plan, server, pipe).run()
    finally:
        server.stop()
        pipe.close()


class _Publisher:
    """The child's main thread."""

    def __init__(self, plan: HostPlan, server: WireServer, pipe: Connection) -> None:
        self.plan, self.server, self.pipe = plan, server, pipe
        self.seq = {tier: 0 for tier in Tier}
        self.late_s = 0.0
        self.requests = 0
        self._frames = [walkers_frame(plan.people, index) for index in range(FRAMES)]
        self._window = walkers_window(10, 0, frames=8)

    def run(self) -> None:
        body = walkers_schema(SITE).to_body()
        topic = topic_of(Tier.SCHEMA, SITE)
        schema = Message(SID, topic, 1, Kind.SCHEMA, 0, "host", 0, {"recorded": False}, body)
        self.server.publish(schema, encode(schema))
        due_s = window_s = time.monotonic()
        while self._talk(due_s):
            now_s = time.monotonic()
            self.late_s = max(self.late_s, now_s - due_s)
            self._frame()
            if self.plan.window_every_s and now_s >= window_s:
                window_s += self.plan.window_every_s
                self._bodies()
            due_s = max(due_s + 1.0 / self.plan.rate_hz, now_s - 1.0)  # after a long pause, no flood

    def _talk(self, until_s: float) -> bool:
        """Answers who asks until it is time for the next frame; False: it is time to end."""
        for request in self.server.take_requests():
            self.requests += 1
            self.server.reply(Reply(request.ticket, True, "noted", {"args": len(request.args)}))
        while self.pipe.poll(max(0.0, until_s - time.monotonic())):
            asked = self.pipe.recv()
            self.pipe.send(self._figures())
            if asked == "stop":
                return False
        return True

    def _frame(self) -> None:
        seq = self.seq[Tier.LIVE] = self.seq[Tier.LIVE] + 1
        now_ns = time.time_ns()
        frame = replace(self._frames[seq % FRAMES], index=seq - 1, t_capture_ns=now_ns)
        message = live_message(frame, SITE, Stamp(SID, seq, now_ns, recorded=False))
        self.server.publish(message, encode(message))

    def _bodies(self) -> None:
        seq = self.seq[Tier.WINDOW] = self.seq[Tier.WINDOW] + 1
        window = replace(self._window, window=seq, slot0=16 * seq)
        for message in window_messages(window, SITE, Stamp(SID, seq, time.time_ns(), recorded=False)):
            self.server.publish(message, encode(message))

    def _figures(self) -> HostFigures:
        late_s, self.late_s = self.late_s, 0.0
        times = os.times()
        status = Path("/proc/self/status").read_text()
        return HostFigures(
            resident_bytes=int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
            processor_s=times.user + times.system,
            published=self.seq[Tier.LIVE],
            late_ms=late_s * 1e3,
            files=len(os.listdir("/proc/self/fd")),
            threads=int(status.partition("Threads:")[2].split()[0]),
            stats=self.server.stats(),
            requests=self.requests,
        )
