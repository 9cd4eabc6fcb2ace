"""The degradation ladder: what the stages may spend, from how full the buffers are.

    Load -> pressed, spare or between, for frames and for windows -> a rung each (`climb`) -> Effort (`rungs`)

The loop is closed: it looks at what waits, never at announced or measured rates. Rates that are measured behind a
drop rule are what the rule lets through, and a rule fed with them can lock an engine at a fraction of its frames.
A buffer that is full and empties is being cured, and costs no further rung.
"""

from __future__ import annotations

from .climb import Climb, Press
from .config import PressureConfig
from .records import FULL_EFFORT, Effort, Load
from .rungs import Rung, both, frame_rungs, window_rungs

_TREND_S = 1.0
"""Time constant of the mean that a buffer's fullness is held against."""
_EMPTIES = 0.04
"""A buffer this far below its mean is emptying."""


class Ladder:
    """Where the engine stands between everything and little. One caller, some times a second."""

    def __init__(self, config: PressureConfig) -> None:
        self._config = config
        self._frames = _Side("frames", frame_rungs(config), config)
        self._windows = _Side("windows", window_rungs(config), config)
        self._effort = FULL_EFFORT
        self._why = ""
        self._changes = 0
        self._came_ns: int | None = None

    @property
    def effort(self) -> Effort:
        """What holds now."""
        return self._effort

    @property
    def why(self) -> str:
        """Why it is not everything, or why it changed last; empty before the first change."""
        return self._why

    @property
    def changes(self) -> int:
        """Rungs stepped since the start, down and up."""
        return self._changes

    def step(self, load: Load, now_ns: int) -> Effort:
        """One sample of the buffers; what the stages shall spend from now on."""
        if not self._config.enabled:
            return self._effort
        if load.arrived or self._came_ns is None:
            self._came_ns = now_ns
        silent = (now_ns - self._came_ns) / 1e9 > self._config.silent_s
        dropped_frames = max(0, load.dropped - load.dropped_windows)
        told = [
            self._frames.step(
                load.frames, dropped_frames, silent, now_ns, f", the oldest {load.age_s:.2f} s old"
            ),
            self._windows.step(load.windows, load.dropped_windows, silent, now_ns, ""),
        ]
        reasons = [text for text in told if text]
        if reasons:
            self._changes += len(reasons)
            self._effort = both(self._frames.effort, self._windows.effort)
            self._why = "; ".join(reasons)
        return self._effort


class _Side:
    """One buffer and the rungs that relieve it."""

    def __init__(self, name: str, rungs: tuple[Rung, ...], config: PressureConfig) -> None:
        self._name, self._rungs, self._config = name, rungs, config
        self._climb = Climb(config, len(rungs))
        self._mean = 0.0
        self._last_ns: int | None = None
        self._dropped = 0

    @property
    def effort(self) -> Effort:
        return self._rungs[self._climb.level].effort

    def step(self, full: float, dropped: int, silent: bool, now_ns: int, oldest: str) -> str:
        """One sample; the reason in words when the rung changes, else nothing."""
        self._dropped += dropped
        waited_s = self._climb.wait_s
        moved = self._climb.step(self._press(full, dropped, silent, now_ns), now_ns)
        if moved == 0:
            return ""
        lost, self._dropped = self._dropped, 0
        level = self._climb.level
        if moved > 0:
            gone = f", {lost} dropped" if lost else ""
            return f"{self._name} wait: buffer {full:.0%} full{oldest}{gone}; now {self._rungs[level].text}"
        return f"{self._name}: time to spare for {waited_s:.0f} s; no longer {self._rungs[level + 1].text}"

    def _press(self, full: float, dropped: int, silent: bool, now_ns: int) -> Press:
        dt_s = 0.0 if self._last_ns is None else max(0.0, (now_ns - self._last_ns) / 1e9)
        self._last_ns = now_ns
        self._mean += (full - self._mean) * min(1.0, dt_s / _TREND_S)
        if full >= self._config.high:
            empties = full < self._mean - _EMPTIES
            return Press.BETWEEN if empties and not dropped else Press.PRESSED
        if dropped:  # from a buffer that is not full any more: a burst too large for it, or the end of a jam
            return Press.PRESSED if full > self._config.low else Press.BETWEEN
        if full > self._config.low:
            return Press.BETWEEN
        return Press.SILENT if silent else Press.SPARE
