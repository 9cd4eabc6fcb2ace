"""SIGTERM at random moments, from the first second of a start to the end: a clean end, soon, with nothing left.

As often as the time allows, under both runtimes in turns. What a run had said of its windows must stand in its log.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .engine import Engine, SoakFault
from .figures import Figure, Figures
from .recording import Recording, has_grown_to, summary_in
from .same_log import digest

CLEAN_S = 5.0
"""From the signal to the end (streaming test 20)."""
_LATEST_S = 60.0
"""Whoever has not ended by then is counted as hanging, and killed."""


@dataclass(frozen=True)
class Stop:
    """One end."""

    runtime: str
    after_s: float
    """Since the first commit; negative: while it started."""
    took_s: float
    code: int
    hung: bool
    processes: int
    """Still there a second after the end."""
    segments: int
    damaged: int
    windows_told: int | None
    windows_logged: int | None


def run(seconds: float, out: Path, recording: Recording | None = None, seed: int = 3) -> Figures:
    """Four stops at least."""
    begin_s = time.monotonic()
    rng = np.random.default_rng(seed)
    plain = replace(recording or Recording(), pace="1.0")
    kinds = ("ray", "inline") if recording is None else (recording.runtime,)
    stops: list[Stop] = []
    while len(stops) < 4 or time.monotonic() - begin_s < seconds:
        runtime = kinds[len(stops) % len(kinds)]
        # every third while it starts; the others anywhere in the clip
        after_s = -8.0 * rng.random() if len(stops) % 3 == 2 else 0.8 * plain.seconds * rng.random()
        stops.append(_stop(replace(plain, runtime=runtime), out, after_s, len(stops)))
    return Figures("stop", time.monotonic() - begin_s, _figures(stops), details={
        "stops": [vars(stop) for stop in stops]
    })  # fmt: skip


def _stop(recording: Recording, out: Path, after_s: float, number: int) -> Stop:
    log = out / "stopped.cslog"
    log.unlink(missing_ok=True)
    with Engine(recording.arguments(log), out, f"stopped-{number}") as engine:
        if after_s < 0:
            time.sleep(-after_s)
        else:
            engine.wait_for(has_grown_to(log, 20_000), recording.patience_s, "the first commits", 0.05)
            time.sleep(after_s)
        engine.tree.holdings()
        engine.terminate(signal.SIGTERM)
        told_s = time.monotonic()
        try:
            code, hung = engine.wait(_LATEST_S), False
        except SoakFault:
            code, hung = -1, True
        took_s = time.monotonic() - told_s
        time.sleep(1.0)
        left, segments = engine.tree.left_over(), engine.tree.segments_left()
        summary = summary_in(engine.out.read_text("utf-8"))
    written = digest(log) if log.exists() else None
    logged = None if written is None else len({(key[0], key[1]) for key in written.windows if key[2] == 0})
    return Stop(
        recording.runtime, after_s, took_s, code, hung, len(left), len(segments),
        0 if written is None else written.damaged, summary.get("windows"), logged,
    )  # fmt: skip


def _figures(stops: Sequence[Stop]) -> tuple[Figure, ...]:
    rows: list[Figure] = [Figure("stops", len(stops), at_least=1)]
    for runtime in sorted({stop.runtime for stop in stops}):
        running = [s.took_s for s in stops if s.runtime == runtime and s.after_s >= 0]
        if running:
            rows.append(Figure(f"end after SIGTERM, {runtime}, median", float(np.median(running)), "s"))
            rows.append(Figure(f"end after SIGTERM, {runtime}, longest", max(running), "s", at_most=CLEAN_S))
    starting = [stop.took_s for stop in stops if stop.after_s < 0]
    rows.append(
        Figure("end after SIGTERM while starting, longest", max(starting) if starting else None, "s",
               at_most=CLEAN_S)
    )  # fmt: skip
    wrong = [stop for stop in stops if stop.after_s >= 0 and stop.code != 0]
    unlogged = [
        s for s in stops if s.windows_told is not None and s.windows_logged is not None
        and s.windows_logged < s.windows_told
    ]  # fmt: skip
    return (
        *rows,
        Figure(
            "ends that were not clean",
            len(wrong),
            at_most=0,
            note="exit code other than 0, not while starting",
        ),
        Figure("processes left", sum(stop.processes for stop in stops), at_most=0),
        Figure("shared memory left", sum(stop.segments for stop in stops), at_most=0),
        Figure("runs with windows told of and not in the log", len(unlogged), at_most=0),
        Figure("damaged records", sum(stop.damaged for stop in stops), at_most=0),
    )
