"""Run a plan under the runtime its configuration names, with a clean way out.

First Ctrl-C (or SIGTERM): no new frames, the window at hand is finished and committed, everything is closed.
Second: at once.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import cv2

from .faults import RayUnavailable
from .inline import run_inline
from .plan import EnginePlan
from .runtime import RunHooks, Runtime
from .workers import Workers


def run_engine(
    plan: EnginePlan, hooks: RunHooks | None = None, workers: Workers | None = None
) -> dict[str, Any]:
    """Run to the end of the source, or until a signal; returns the summary.

    `stopped` in it says whether the run was asked to end before the source did.

    Raises:
        CrowdstreamError: whatever a user can mend, in one line.
    """
    cv2.setNumThreads(1)  # the stages share the cores between themselves
    asked = hooks or RunHooks()
    with _signals() as stopping:
        both = replace(asked, stop_asked=lambda: stopping.is_set() or asked.stop_asked())
        try:
            figures = _runtime(plan.config.runtime.kind)(plan, both, workers)
        except RayUnavailable as exc:
            if plan.config.runtime.ray_address:
                raise  # somebody meant that cluster
            both.note(f"runtime: {exc}; everything runs in this process instead")
            figures = run_inline(plan, both, workers)
        return figures | {"stopped": bool(figures["stopped"] or both.stop_asked())}


def _runtime(kind: str) -> Runtime:
    if kind == "inline":
        return run_inline
    from .cluster import run_ray  # importing Ray takes a second that the inline runtime need not pay

    return run_ray


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the second one ends the process."""
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping  # signals belong to the main thread; the caller stops us by its own hook
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
