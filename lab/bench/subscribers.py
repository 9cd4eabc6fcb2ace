"""Many subscribers of one server, one of them stuck: how old a message is when it has been read by the others.

    server (one process, 200 people, 30 Hz) -> 50 subscribers in a few processes, asyncio, decoding everything
                                            -> one that stops reading for seconds, again and again
                                            -> one that never reads at all

Age is taken from `t_pub`, set before the message is packed, to the moment when the subscriber has it decoded; both
on one machine's clock. The stuck one must be told exactly what it missed; the deaf one must be let go; of the others
nobody may miss anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import numpy as np

from ...kernels.errors import CrowdstreamError
from ...stream.errors import ProtocolError
from ...stream.wire.address import Address
from ...stream.wire.client import Reconnect, subscribe_async
from ...stream.wire.conversation import Bye, Conversation, Event, Welcome
from ...stream.wire.messages import Gap, Message, Tier, tier_of
from .metric import Direction, Metric
from .wire_host import HostFigures, HostPlan, WireHost

SAMPLE_S = 1.0
STUCK_S = 6.0
"""How long the stuck one reads nothing at a time; less than the three pings after which it would be let go."""
WARM_UP_S = 15.0
"""The rings are full by then: from here on memory is to be flat and latencies count."""
LEAST_S = 30.0
"""A shorter run shows neither: the deaf one is let go after three pings, 15 to 20 s."""
LIVE = (Tier.LIVE.value,)


@dataclass
class Heard:
    """What some subscribers have received."""

    ages_ms: list[float] = field(default_factory=list)
    messages: int = 0
    gaps: int = 0
    """Numbers that they were told they miss."""
    unannounced: int = 0
    """Numbers that they miss and were told nothing of."""
    fewest: int = 0
    """Messages of the subscriber that got least."""
    joined: int = 0
    processor_s: float = 0.0


def run_subscribers(
    seconds: float = 60.0,
    subscribers: int = 50,
    people: int = 200,
    rate_hz: float = 30.0,
    processes: int = 2,
    note: Callable[[str], None] = lambda line: None,
) -> list[Metric]:
    """All figures.

    Args:
        seconds: of the run, without start-up; at least `LEAST_S`.
        processes: that the well-behaved subscribers are spread over.

    Raises:
        CrowdstreamError: a process that died.
    """
    seconds = max(LEAST_S, seconds)
    plan = HostPlan(people, rate_hz, max_clients=subscribers + 8)
    with WireHost(plan) as host:
        crowd = _Crowd(host.url, subscribers, processes)
        stuck, deaf = StuckSubscriber(host.url), DeafSubscriber(host.url)
        try:
            crowd.wait_until_joined()
            stuck.start()
            deaf.start()
            note(f"{subscribers} subscribers in {processes} processes for {seconds:g} s, one stuck, one deaf")
            samples = _watch(host, seconds)
            heard = crowd.end(WARM_UP_S)
        finally:
            stuck.finish()
            deaf.finish()
            crowd.kill()
        last = host.figures()
    return _metrics(samples, heard, stuck, deaf, last, seconds)


def _watch(host: WireHost, seconds: float) -> list[tuple[float, HostFigures]]:
    """The server's figures, once a second."""
    begin_s = time.monotonic()
    samples = []
    while (passed_s := time.monotonic() - begin_s) < seconds:
        samples.append((passed_s, host.figures()))
        time.sleep(SAMPLE_S)
    return samples


def _metrics(
    samples: list[tuple[float, HostFigures]],
    heard: Heard,
    stuck: StuckSubscriber,
    deaf: DeafSubscriber,
    last: HostFigures,
    seconds: float,
) -> list[Metric]:
    p50, p95, p99, most = np.percentile(heard.ages_ms, [50, 95, 99, 100])
    warm = [(t, f) for t, f in samples if t >= WARM_UP_S]
    times, sizes = (
        np.array(column) for column in zip(*((t, f.resident_bytes) for t, f in warm), strict=True)
    )
    slope = float(np.polyfit(times, sizes, 1)[0])
    first = samples[0][1]
    cores = (samples[-1][1].processor_s - first.processor_s) / max(1e-9, samples[-1][0] - samples[0][0])
    sent = samples[-1][1].stats.bytes - first.stats.bytes
    lower, key = Direction.LOWER, "wire.subscribers"
    exact = {"rel_tol": 0.0}
    return [
        Metric(f"{key}.age_p50_ms", float(p50), "ms"),
        Metric(f"{key}.age_p95_ms", float(p95), "ms", lower, rel_tol=1.0, abs_tol=20.0),
        Metric(f"{key}.age_p99_ms", float(p99), "ms"),
        Metric(f"{key}.age_max_ms", float(most), "ms"),
        Metric(f"{key}.missed", float(heard.gaps + heard.unannounced), "", lower, **exact),
        Metric(f"{key}.messages_s", heard.messages / seconds, "1/s"),
        Metric(f"{key}.sent_mb_s", sent / 1e6 / max(1e-9, samples[-1][0]), "MB/s"),
        Metric(f"{key}.server_cores", cores, ""),
        Metric(f"{key}.reader_cores", heard.processor_s / seconds, ""),
        Metric(f"{key}.late_frame_ms", max(f.late_ms for _, f in warm), "ms"),
        Metric(f"{key}.rss_mb", last.resident_bytes / 1e6, "MB"),
        Metric(
            f"{key}.rss_growth", float(sizes.max() / sizes[0] - 1.0), "", lower, rel_tol=0.0, abs_tol=0.05
        ),
        Metric(f"{key}.rss_slope_mb_h", slope * 3600 / 1e6, "MB/h"),
        Metric(f"{key}.stuck.announced", float(stuck.announced), ""),
        Metric(f"{key}.stuck.unannounced", float(stuck.unannounced), "", lower, **exact),
        Metric(f"{key}.deaf.let_go", float(deaf.let_go), "", Direction.HIGHER, **exact),
        Metric(f"{key}.joined", float(heard.joined), "", Direction.HIGHER, **exact),
        Metric(f"{key}.fewest", heard.fewest * heard.joined / max(1, heard.messages), ""),
    ]


class _Crowd:
    """The well-behaved ones, in processes of their own."""

    def __init__(self, url: str, subscribers: int, processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.subscribers = subscribers
        self._pipes: list[Connection] = []
        self._processes = []
        for number in range(processes):
            share = subscribers // processes + (number < subscribers % processes)
            ours, theirs = context.Pipe()
            process = context.Process(target=_listen_in_child, args=(url, share, theirs), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def wait_until_joined(self) -> None:
        for pipe in self._pipes:
            self._hear(pipe)

    def end(self, warm_s: float) -> Heard:
        """What all of them have received; the first `warm_s` of latencies are left out."""
        for pipe in self._pipes:
            pipe.send(warm_s)
        parts = [self._hear(pipe) for pipe in self._pipes]
        whole = Heard(fewest=min(part.fewest for part in parts))
        for part in parts:
            whole.ages_ms += part.ages_ms
            whole.messages += part.messages
            whole.gaps += part.gaps
            whole.unannounced += part.unannounced
            whole.joined += part.joined
            whole.processor_s += part.processor_s
        return whole

    def _hear(self, pipe: Connection) -> Heard:
        try:
            if pipe.poll(60.0):
                found = pipe.recv()
                assert isinstance(found, Heard)
                return found
        except (OSError, EOFError):
            pass
        raise CrowdstreamError("a process of subscribers has died or says nothing; see its output above")

    def kill(self) -> None:
        for process, pipe in zip(self._processes, self._pipes, strict=True):
            if process.is_alive():
                process.kill()
            process.join()
            process.close()
            pipe.close()


def _listen_in_child(url: str, count: int, pipe: Connection) -> None:
    asyncio.run(_listen(url, count, pipe))


async def _listen(url: str, count: int, pipe: Connection) -> None:
    ages: list[tuple[float, float]] = []
    tallies = [Counter[str]() for _ in range(count)]
    jobs = [asyncio.ensure_future(_follow(url, tally, ages)) for tally in tallies]
    while not all(tally["messages"] for tally in tallies):
        await asyncio.sleep(0.05)
    ages.clear()
    for tally in tallies:
        tally.clear()
        tally["joined"] = 1
    begin_s, spent_s = time.monotonic(), time.process_time()
    pipe.send(Heard(joined=count))
    while not pipe.poll():
        await asyncio.sleep(0.05)
    warm_s = pipe.recv()
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    pipe.send(
        Heard(
            [age for at_s, age in ages if at_s - begin_s >= warm_s],
            sum(t["messages"] for t in tallies),
            sum(t["gaps"] for t in tallies),
            sum(t["unannounced"] for t in tallies),
            min(t["messages"] for t in tallies),
            sum(t["joined"] for t in tallies),
            time.process_time() - spent_s,
        )
    )


async def _follow(url: str, tally: Counter[str], ages: list[tuple[float, float]]) -> None:
    async for event in subscribe_async(url, LIVE, reconnect=Reconnect(first_visit_s=20.0)):
        if isinstance(event, Message) and tier_of(event.topic) is Tier.LIVE:
            tally["messages"] += 1
            ages.append((time.monotonic(), (time.time_ns() - event.t_publish_ns) / 1e6))
        else:
            note_event(event, tally)


def note_event(event: Event, tally: Counter[str]) -> None:
    """Counts what is no message: gaps that were announced and those that were not, and hellos."""
    if isinstance(event, Gap):
        tally["unannounced" if event.cause == "unannounced" else "gaps"] += event.last - event.first + 1
    elif isinstance(event, Welcome):
        tally["welcomes"] += 1


class StuckSubscriber(threading.Thread):
    """Reads nothing for seconds, then everything, again and again; keeps count of what it was told it missed."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._address = Address.parse(url)
        self._end = threading.Event()
        self.tally: Counter[str] = Counter()
        self.failure = ""

    @property
    def announced(self) -> int:
        return self.tally["gaps"]

    @property
    def unannounced(self) -> int:
        return self.tally["unannounced"]

    def run(self) -> None:
        talk = Conversation(LIVE)
        try:
            with socket.create_connection((self._address.host, self._address.port), 10.0) as sock:
                sock.sendall(talk.open())
                while not self._end.wait(STUCK_S):
                    self._catch_up(sock, talk)
                self._catch_up(sock, talk)
        except (OSError, ProtocolError) as exc:
            self.failure = str(exc)

    def _catch_up(self, sock: socket.socket, talk: Conversation) -> None:
        until_s = time.monotonic() + 1.0
        sock.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < until_s and (data := sock.recv(1 << 18)):
                for event in talk.feed(data):
                    note_event(event, self.tally)
                    self.tally["messages"] += isinstance(event, Message)
                sock.sendall(talk.outgoing())

    def finish(self) -> None:
        self._end.set()
        if self.is_alive():
            self.join(5.0)


class DeafSubscriber(threading.Thread):
    """Says hello and never reads a byte; whether the server lets it go."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._address = Address.parse(url)
        self._end = threading.Event()
        self.let_go = False

    def run(self) -> None:
        with contextlib.suppress(OSError):
            with socket.create_connection((self._address.host, self._address.port), 10.0) as sock:
                sock.sendall(Conversation(LIVE).open())
                self._end.wait()
                self.let_go = self._is_over(sock)

    @staticmethod
    def _is_over(sock: socket.socket) -> bool:
        """Reads what the kernel holds; the end, a goodbye or a reset says that it was let go."""
        talk, until_s = Conversation(LIVE), time.monotonic() + 2.0
        sock.settimeout(1.0)
        try:
            while time.monotonic() < until_s:
                data = sock.recv(1 << 18)
                if not data or any(isinstance(event, Bye) for event in talk.feed(data)):
                    return True
        except TimeoutError:
            return False
        except (OSError, ProtocolError):
            return True
        return False

    def finish(self) -> None:
        self._end.set()
        if self.is_alive():
            self.join(5.0)
