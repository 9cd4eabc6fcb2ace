"""kill -9 of the whole engine at random places of a recording, `--resume`, until the recording is at its end.

Everything of the engine dies at once, as when the machine resets; the log must come out equal to that of a run that
nobody disturbed. Then once the driver alone: what Ray started must end by itself, and no shared memory may stay.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from .engine import Engine, SoakFault
from .figures import Figure, Figures
from .recording import Recording, Undisturbed, has_grown_to, looped, record_undisturbed, size_of
from .same_log import compare, digest

_ORPHANS_S = 120.0
"""Ray's daemons and workers go with their driver at once, its agents when they have given up asking for their node."""


def run(seconds: float, out: Path, recording: Recording | None = None, seed: int = 2) -> Figures:
    """As many deaths as the time allows, three at least."""
    begin_s = time.monotonic()
    plain = recording or Recording()
    used = looped(plain, 60.0, out) if seconds >= 300 else plain
    undisturbed = record_undisturbed(used, out)
    deaths = max(3, min(20, int(used.seconds / 4)))
    places = np.sort(np.random.default_rng(seed).random(deaths)) * 0.95
    log = out / "resumed.cslog"
    starts, restart_s = _die_and_resume(used, undisturbed, log, out, places.tolist())
    difference = compare(undisturbed.log, digest(log))
    orphans, segments, gone_s = _driver_alone(used, out)
    figures = (
        Figure("engines killed", starts - 1, at_least=1),
        Figure("windows lost", difference.lost_windows, at_most=0),
        Figure("windows twice", difference.duplicate_windows, at_most=0),
        Figure("messages that differ", sum(difference.different.values()), at_most=0),
        Figure("numbers out of order", difference.order, at_most=0),
        Figure("from the start of a resumed engine to its first commit, longest", restart_s, "s"),
        Figure("processes left after the driver alone was killed", orphans, at_most=0),
        Figure("until they were gone", gone_s, "s"),
        Figure("shared memory of the dead after the next start", segments, at_most=0),
    )
    return Figures("engine_kill", time.monotonic() - begin_s, figures, details={
        "places": places.tolist(), "different": dict(difference.different),
    })  # fmt: skip


def _die_and_resume(
    recording: Recording, undisturbed: Undisturbed, log: Path, out: Path, places: list[float]
) -> tuple[int, float | None]:
    """Starts needed to reach the end, and the longest wait for a first commit after one.

    Raises:
        SoakFault: an engine that cannot go on, or that does not get any further.
    """
    log.unlink(missing_ok=True)
    slowest: float | None = None
    for start in range(len(places) + 1):
        again = ("--resume", str(log)) if start else ()
        arguments = recording.arguments(None if start else log, *again)
        before = size_of(log)
        with Engine(arguments, out, f"resumed-{start}") as engine:
            if start == len(places):
                engine.finish(recording.patience_s)
                return start + 1, slowest
            try:
                first_s = engine.wait_for(
                    has_grown_to(log, before + 1), recording.patience_s, "a commit", look_s=0.05
                )
                slowest = max(slowest or 0.0, first_s) if start else slowest
                there = has_grown_to(log, places[start] * undisturbed.bytes)
                engine.wait_for(there, recording.patience_s, "the next place", 0.05)
            except SoakFault:
                if engine.runs or engine.process.returncode != 0:
                    raise
                return start + 1, slowest  # it was at its end before its turn to die came
            engine.kill_all()
    return len(places) + 1, slowest


def _driver_alone(recording: Recording, out: Path) -> tuple[int, int, float | None]:
    """Processes that stay, segments that outlast the next start, and how long the processes took to go."""
    log = out / "driver.cslog"
    with Engine(recording.arguments(log), out, "driver") as engine:
        engine.wait_for(has_grown_to(log, 100_000), recording.patience_s, "the first commits", 0.05)
        engine.tree.holdings()
        os.kill(engine.pid, signal.SIGKILL)
        died_s = time.monotonic()
        while engine.tree.left_over() and time.monotonic() - died_s < _ORPHANS_S:
            engine.process.poll()
            time.sleep(0.2)
        left = engine.tree.left_over()
        gone_s = None if left else time.monotonic() - died_s
        with Engine(recording.arguments(None, "--resume", str(log)), out, "driver-again") as again:
            grown = has_grown_to(log, size_of(log) + 1)
            again.wait_for(grown, recording.patience_s, "a commit of the next engine", 0.05)
            return len(left), len(engine.tree.segments_left()), gone_s
