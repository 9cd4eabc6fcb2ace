"""Packing, log and loopback: what publishing costs.

Every figure is the best of a few rounds, as the machine is shared; the sizes are exact.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ...stream.wire.client import Reconnect, subscribe
from ...stream.wire.codec import decode, encode, glance
from ...stream.wire.hub import Hub, HubLimits
from ...stream.wire.log import LogReader, LogWriter
from ...stream.wire.messages import Gap, Message
from ...stream.wire.server import Address, ServerSettings, WireServer
from ...stream.wire.tiers import Stamp, live_message, live_record, window_messages, window_record
from .metric import Direction, Metric
from .wire_cases import walkers_frame, walkers_window

LIVE_PEOPLE = 100
WINDOW_PEOPLE = 40
CROWD_PEOPLE = 20
STAMP = Stamp("bench", 1, 0, recorded=True)


def run_wire() -> list[Metric]:
    """All figures; some seconds."""
    return [*_packing(), *_log(), *_recovery(), *_loopback()]


def _best_s(work: Callable[[], object], rounds: int, repeats: int) -> float:
    """Seconds of one call: the fastest of several rounds."""
    work()
    best = float("inf")
    for _ in range(rounds):
        begin_s = time.perf_counter()
        for _ in range(repeats):
            work()
        best = min(best, (time.perf_counter() - begin_s) / repeats)
    return best


def _packing() -> list[Metric]:
    frame = walkers_frame(LIVE_PEOPLE, 1)
    window = walkers_window(WINDOW_PEOPLE, 1)
    live = encode(live_message(frame, "hall", STAMP))
    parts = [encode(message) for message in window_messages(window, "hall", STAMP)]
    work: dict[str, Callable[[], object]] = {
        "live.pack_us": lambda: encode(live_message(frame, "hall", STAMP)),
        "live.unpack_us": lambda: live_record(decode(live)),  # type: ignore[arg-type]
        "window.pack_us": lambda: [encode(m) for m in window_messages(window, "hall", STAMP)],
        "window.unpack_us": lambda: window_record([decode(part) for part in parts]),  # type: ignore[misc]
    }
    figures = [Metric(f"wire.{key}", _best_s(call, 5, 40) * 1e6, "us") for key, call in work.items()]
    figures.append(Metric("wire.live.bytes", float(len(live)), "B", Direction.LOWER, rel_tol=0.05))
    figures.append(
        Metric("wire.window.bytes", float(sum(map(len, parts))), "B", Direction.LOWER, rel_tol=0.05)
    )
    return figures


def _log() -> list[Metric]:
    messages = window_messages(walkers_window(WINDOW_PEOPLE, 1), "hall", STAMP)
    packed = [encode(message) for message in messages]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.cslog"
        with LogWriter(path) as log:

            def commit() -> None:
                log.append(messages, packed)
                log.sync()

            commit_s = _best_s(commit, 3, 10)
        begin_s = time.perf_counter()
        for _ in LogReader(path).records():
            pass
        read_s = time.perf_counter() - begin_s
        size = path.stat().st_size
    record_bytes = sum(map(len, packed))
    return [
        Metric("wire.log.commit_ms", commit_s * 1e3, "ms"),
        Metric("wire.log.write_mb_s", record_bytes / commit_s / 1e6, "MB/s"),
        Metric("wire.log.read_mb_s", size / read_s / 1e6, "MB/s"),
    ]


def _recovery(frames: int = 1500) -> list[Metric]:
    """Going on with a log of live frames, as a new publisher does; and what a glance costs of a whole decoding."""
    live = [
        live_message(walkers_frame(CROWD_PEOPLE, i), "hall", Stamp("bench", i + 1, 0, True))
        for i in range(frames)
    ]
    packed = [encode(message) for message in live]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.cslog"
        with LogWriter(path) as log:
            for message, data in zip(live, packed, strict=True):
                log.append([message], [data])
        size = path.stat().st_size
        recover_s = _best_s(lambda: LogWriter(path, append=True).close(), 3, 1)
    decode_s = _best_s(lambda: [decode(data) for data in packed], 3, 1)
    glance_s = _best_s(lambda: [glance(data) for data in packed], 3, 1)
    return [
        Metric("wire.log.recover_mb_s", size / recover_s / 1e6, "MB/s"),
        Metric("wire.log.glance_of_decode", glance_s / decode_s, "", Direction.LOWER, rel_tol=0.5),
    ]


def _loopback(count: int = 4000) -> list[Metric]:
    """One publisher, one subscriber, 100 people; the publisher waits so that nothing is dropped."""
    server = WireServer(
        Hub("bench", HubLimits(live_items=512)), ServerSettings(Address.parse("tcp://127.0.0.1:0"))
    )
    url = str(server.start())
    received: list[int] = [0, 0]

    def follow() -> None:
        for event in subscribe(url, reconnect=Reconnect()):
            received[0] += isinstance(event, Message)
            received[1] += isinstance(event, Gap)

    thread = threading.Thread(target=follow)
    thread.start()
    while server.num_subscribers == 0:
        time.sleep(0.001)
    frame = walkers_frame(LIVE_PEOPLE, 1)
    begin_s = time.perf_counter()
    for seq in range(1, count + 1):
        message = live_message(frame, "hall", Stamp("bench", seq, 0, True))
        server.publish(message, encode(message))
        while server.backlog() > 0.5:
            time.sleep(0.0005)
    server.stop(drain_s=10.0)
    thread.join()
    elapsed_s = time.perf_counter() - begin_s
    return [
        Metric("wire.loopback.messages_s", received[0] / elapsed_s, "1/s"),
        Metric("wire.loopback.gaps", float(received[1]), "", Direction.LOWER),
    ]
