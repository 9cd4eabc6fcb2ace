"""What `make soak` runs, how long, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import absent, camera_array, disk_full, engine_kill, kills, listeners, replay_hour, stop
from .figures import Figures


@dataclass(frozen=True)
class Scenario:
    """One course of events."""

    run: Callable[[float, Path], Figures]
    short_s: float
    long_s: float
    words: str
    """Its heading on the page."""


SCENARIOS: dict[str, Scenario] = {
    "kills": Scenario(kills.run, 1, 1800, "kill -9 of every worker in turn during a replay"),
    "engine_kill": Scenario(engine_kill.run, 1, 1200, "kill -9 of the whole engine, and `--resume`"),
    "stop": Scenario(stop.run, 1, 900, "SIGTERM at any moment"),
    "disk_full": Scenario(disk_full.run, 24, 180, "A full disk, and space again"),
    "cameras": Scenario(camera_array.run, 60, 1800, "Four cameras live, one of them flapping"),
    "absent": Scenario(absent.run, 30, 1800, "A thousand tries of cameras that are not there"),
    "subscribers": Scenario(listeners.run_subscribers, 30, 600, "50 subscribers, one of them stuck"),
    "fuzz": Scenario(listeners.run_fuzz, 10, 600, "A listener under attack"),
    "replay_hour": Scenario(replay_hour.run, 20, 3600, "A replay of an hour"),
}
