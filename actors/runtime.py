"""The contract of the runtimes: the same workers, the same bytes, other places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from .plan import EnginePlan, SourceInfo
from .workers import Workers


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for a line on a terminal."""

    frames: int
    num_frames: int | None
    people: int
    windows: int
    latency_s: float = 0.0
    """Of this frame: from its arrival at this machine until its tracks were handed to the publisher."""


@dataclass(frozen=True)
class RunHooks:
    """What a runtime tells its caller, and asks."""

    started: Callable[[SourceInfo, str, dict[str, Any]], None] = lambda info, address, networks: None
    """Everything is open: source, address for subscribers, networks in use."""
    progress: Callable[[Progress], None] = lambda progress: None
    note: Callable[[str], None] = lambda text: None
    """Something an operator should read."""
    stop_asked: Callable[[], bool] = lambda: False
    """True from Ctrl-C on: finish the window at hand, commit, end."""


class Runtime(Protocol):
    """Runs a plan to its end; returns the summary."""

    def __call__(
        self, plan: EnginePlan, hooks: RunHooks, workers: Workers | None = None
    ) -> dict[str, Any]: ...
