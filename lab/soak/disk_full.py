"""The disk of the log fills up during a run, and has space again: live results go on, flagged as not recorded.

A subscriber counts what it gets in each of three stretches - space, none, space again - and reads the flag
`recorded` of every message; at the end the log must be readable, and hold again what was published since.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...stream.errors import ProtocolError, PublishError
from ...stream.wire.client import Reconnect, subscribe
from ...stream.wire.messages import Message, Tier, tier_of
from .engine import Engine, free_port
from .figures import Figure, Figures
from .recording import EASY, Recording, has_grown_to, looped, size_of
from .same_log import digest
from .small_disk import SmallDisk

_LEFT = 4096
"""A page is left free; what its own last page still takes comes on top."""


@dataclass(frozen=True)
class Received:
    """One live or window message."""

    at_s: float
    tier: Tier
    recorded: bool


class Listener:
    """Takes everything from one engine and remembers when."""

    def __init__(self, url: str) -> None:
        self.received: list[Received] = []
        self._thread = threading.Thread(target=self._follow, args=(url,), daemon=True)
        self._thread.start()

    def _follow(self, url: str) -> None:
        patience = Reconnect(first_visit_s=900.0, give_up_s=3.0)
        try:
            for event in subscribe(url, ("live", "window"), reconnect=patience):
                if isinstance(event, Message) and (tier := tier_of(event.topic)) is not None:
                    flag = bool(event.quality.get("recorded", True))
                    self.received.append(Received(time.monotonic(), tier, flag))
        except (PublishError, ProtocolError, OSError):
            pass  # the engine's end

    def within(self, begin_s: float, end_s: float, tier: Tier = Tier.LIVE) -> list[Received]:
        return [r for r in list(self.received) if begin_s <= r.at_s < end_s and r.tier is tier]

    def join(self) -> None:
        self._thread.join(10.0)


def run(seconds: float, out: Path, recording: Recording | None = None) -> Figures:
    """One run: a third with space, a third without, a third with."""
    begin_s = time.monotonic()
    third_s = max(6.0, seconds / 3)
    with SmallDisk(out) as disk:
        plain = recording or Recording(runtime="ray" if disk.real else "inline", settings=EASY)
        # longer than all three thirds: the run is stopped, as a live one would be; half as fast as it was filmed, so
        # that rates compare disks and not how busy the machine is
        played = looped(replace(plain, pace="0.5"), 6 * third_s + 20.0, out)
        log = disk.folder / "full.cslog"
        port = free_port()
        listener = Listener(f"tcp://127.0.0.1:{port}")
        arguments = played.arguments(log, listen=f"tcp://127.0.0.1:{port}")
        with Engine(arguments, out, "full", before=disk.before) as engine:
            engine.wait_for(has_grown_to(log, 50_000), played.patience_s, "the first commits")
            marks = [time.monotonic()]
            _stretch(engine, third_s, marks)
            disk.fill(engine.pid, log, left=_LEFT)
            full_at = size_of(log)
            _stretch(engine, third_s, marks)
            stood_at = size_of(log)
            disk.clear(engine.pid)
            _stretch(engine, third_s, marks)
            grew_to = size_of(log)
            engine.terminate()
            summary = engine.finish(played.patience_s)
        listener.join()
        written = digest(log)
        figures = _figures(listener, marks, (full_at, stood_at, grew_to), written.damaged, summary)
        how = "a file system of its own, filled" if disk.real else "a limit on the size of files"
    return Figures("disk_full", time.monotonic() - begin_s, figures, notes=(how,), details={
        "log_bytes": [full_at, stood_at, grew_to], "summary": summary,
    })  # fmt: skip


def _stretch(engine: Engine, seconds: float, marks: list[float]) -> None:
    end_s = time.monotonic() + seconds
    engine.wait_for(lambda: time.monotonic() >= end_s, seconds + 30.0, "the end of a stretch")
    marks.append(time.monotonic())


def _figures(
    listener: Listener,
    marks: Sequence[float],
    sizes: tuple[int, int, int],
    damaged: int,
    summary: dict[str, Any],
) -> tuple[Figure, ...]:
    """Rates and flags of the three stretches; a second after each change is nobody's."""
    spans = [(begin + 1.0, end) for begin, end in pairwise(marks)]
    live = [listener.within(*span) for span in spans]
    rates = [len(got) / (end - begin) for got, (begin, end) in zip(live, spans, strict=True)]
    flagged = [sum(not r.recorded for r in got) / max(1, len(got)) for got in live]
    first = next((r.at_s for r in listener.received if r.at_s > marks[1] and not r.recorded), None)
    again = next(
        (r.at_s for r in listener.received if r.at_s > marks[2] and r.recorded and r.tier is Tier.LIVE), None
    )
    return (
        Figure("live messages a second with space", rates[0], "1/s"),
        Figure("share of that rate without space", rates[1] / max(rates[0], 1e-9), at_least=0.9),
        Figure("share of that rate with space again", rates[2] / max(rates[0], 1e-9), at_least=0.9),
        Figure("flagged not recorded with space", flagged[0], at_most=0),
        Figure("flagged not recorded without", flagged[1], at_least=0.95),
        Figure("flagged not recorded with space again", flagged[2], at_most=0),
        Figure("from full to the first flag", None if first is None else first - marks[1], "s"),
        Figure(
            "from space to the first recorded", None if again is None else again - marks[2], "s", at_most=5.0
        ),
        Figure("log bytes grown while full", sizes[1] - sizes[0], "B", at_most=2 * _LEFT),
        Figure("log bytes grown with space again", sizes[2] - sizes[1], "B", at_least=1),
        Figure("commits refused, as told", summary.get("drops", {}).get("not_recorded", 0), at_least=1),
        Figure("damaged records", damaged, at_most=0),
    )
