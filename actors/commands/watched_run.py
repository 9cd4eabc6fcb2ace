"""A run with a line that moves: people now, windows, rate and latency."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .console_output import note
from .moment import Moment

if TYPE_CHECKING:
    from ..plan import EnginePlan, SourceInfo
    from ..runtime import Progress as RunProgress

_LINE_EVERY_S = 10.0
"""Where nobody watches a terminal (a log file, a build), a plain line now and then."""


def run_with_progress(plan: EnginePlan) -> dict[str, Any]:
    """Check a plan, then run it; returns the summary.

    Raises:
        CrowdstreamError: whatever a user can mend, in one line.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from ..engine import run_engine
    from ..preflight import check
    from ..runtime import RunHooks

    check(plan)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=note, transient=True, disable=not note.is_terminal) as bars:
        task = bars.add_task(_opening(plan), total=None)
        moment = Moment()
        told_s = time.perf_counter()

        def started(info: SourceInfo, address: str, networks: dict[str, Any]) -> None:
            nonlocal moment
            moment = Moment()
            bars.reset(task, description=info.camera, total=info.num_frames)
            for role, network in networks.items():
                note.print(f"{role}: {network['name']} on {network['rung']} ({network['why']})")
            if address:
                note.print(f"publishing on {address}; follow it with: crowdstream tail {address}")

        def progress(now: RunProgress) -> None:
            nonlocal told_s
            moment.push(now)
            bars.update(task, completed=now.frames, description=moment.text(), total=now.num_frames)
            if not note.is_terminal and time.perf_counter() - told_s >= _LINE_EVERY_S:
                told_s = time.perf_counter()
                note.print(f"frame {now.frames} of {now.num_frames or '?'}: {moment.text()}")

        return run_engine(plan, RunHooks(started=started, progress=progress, note=note.print))


def _opening(plan: EnginePlan) -> str:
    """What is waited for before the first frame."""
    if plan.config.solve.preset == "live":
        from ..kernels_cached import kernels_are_cached

        if not kernels_are_cached():
            note.print("first run here: compiling the solver, about a minute; later runs find it done")
            return "compiling the solver"
    return "starting"
