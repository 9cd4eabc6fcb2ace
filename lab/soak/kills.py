"""kill -9 of every kind of worker in turn during a replay: nothing is lost, nothing twice, the bytes are the same.

When a worker dies is said in bytes of the log, not in seconds: at the same place of the recording on any machine, and
at another place with every round. `recovery` is the time from the kill to the next commit of the log.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .engine import Engine, SoakFault
from .figures import Figure, Figures
from .recording import Recording, Undisturbed, has_grown_to, looped, record_undisturbed, size_of
from .same_log import Difference, compare, digest

VICTIMS = ("Perception", "Solver", "Tracking", "Publisher", "Refiner", "Camera")
_COMMIT_S = 120.0
"""Nobody waits longer for the next commit: a replacement loads networks and kernels."""


@dataclass(frozen=True)
class Kill:
    """One death."""

    worker: str
    log_bytes: int
    recovery_s: float | None
    """Until the log grew again; None: it did not, because the recording was at its end."""
    found: bool = True


def run(seconds: float, out: Path, recording: Recording | None = None, seed: int = 1) -> Figures:
    """Rounds of six deaths each, until the time is up; one round at least."""
    begin_s = time.monotonic()
    plain = recording or Recording()
    used = looped(plain, 30.0, out) if seconds >= 300 else plain
    # as many deaths as a round has, of any one stage, within the budget of restarts
    used = replace(used, settings=(*used.settings, "runtime.restarts=12"))
    undisturbed = record_undisturbed(used, out)
    kills: list[Kill] = []
    differences: list[Difference] = []
    rng = np.random.default_rng(seed)
    while not differences or time.monotonic() - begin_s < seconds:
        found, difference = _round(used, undisturbed, out, rng, len(differences))
        kills += found
        differences.append(difference)
    return Figures("kills", time.monotonic() - begin_s, _figures(kills, differences), details={
        "kills": [vars(kill) for kill in kills],
        "different": [dict(difference.different) for difference in differences],
        "undisturbed": {"bytes": undisturbed.bytes, "messages": undisturbed.log.messages},
    })  # fmt: skip


def _round(
    recording: Recording, undisturbed: Undisturbed, out: Path, rng: np.random.Generator, number: int
) -> tuple[list[Kill], Difference]:
    """One run with a death of each kind, in a new order."""
    log = out / "disturbed.cslog"
    log.unlink(missing_ok=True)
    order = [VICTIMS[i] for i in rng.permutation(len(VICTIMS))]
    # evenly over the recording but for its last part, each somewhere within its share
    places = (np.arange(len(order)) + rng.random(len(order))) / (len(order) + 1)
    kills: list[Kill] = []
    with Engine(recording.arguments(log), out, f"disturbed-{number}") as engine:
        for victim, place in zip(order, places.tolist(), strict=True):
            engine.wait_for(
                has_grown_to(log, place * undisturbed.bytes),
                recording.patience_s,
                f"{place:.0%} of the log",
                look_s=0.05,
            )
            kills.append(_kill(engine, victim, log))
        engine.finish(recording.patience_s)
    return kills, compare(undisturbed.log, digest(log))


def _kill(engine: Engine, victim: str, log: Path) -> Kill:
    """kill -9, and how long the log stands still."""
    there = engine.tree.named(rf"^ray::{victim}\w*")
    before = size_of(log)
    if not there:
        return Kill(victim, before, None, found=False)
    os.kill(there[-1], signal.SIGKILL)
    died_s = time.monotonic()
    try:
        # what was on its way to the publisher may still be committed: growth counts once the process is replaced
        engine.wait_for(
            lambda: bool(set(engine.tree.named(rf"^ray::{victim}\w*")) - set(there)),
            _COMMIT_S,
            f"a new {victim}",
        )
        before = size_of(log)
        engine.wait_for(has_grown_to(log, before + 1), _COMMIT_S, f"a commit after {victim}", look_s=0.05)
    except SoakFault:
        if engine.runs or engine.process.returncode != 0:
            raise
        return Kill(victim, before, None)
    return Kill(victim, before, time.monotonic() - died_s)


def _figures(kills: list[Kill], differences: list[Difference]) -> tuple[Figure, ...]:
    died = [kill for kill in kills if kill.found]
    rows = [
        Figure("workers killed", len(died), at_least=1),
        Figure("not found to be killed", len(kills) - len(died)),
        Figure("windows lost", sum(d.lost_windows for d in differences), at_most=0),
        Figure("windows twice", sum(d.duplicate_windows for d in differences), at_most=0),
        Figure("messages that differ", sum(sum(d.different.values()) for d in differences), at_most=0),
        Figure("numbers out of order", sum(d.order for d in differences), at_most=0),
    ]
    for victim in VICTIMS:
        took = [k.recovery_s for k in died if k.worker == victim and k.recovery_s is not None]
        rows.append(
            Figure(f"recovery of {victim.lower()}, longest", max(took) if took else None, "s",
                   note=f"{len(took)} times")
        )  # fmt: skip
    return tuple(rows)
