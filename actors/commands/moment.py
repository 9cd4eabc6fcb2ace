"""What a run is doing at this moment: people, rate and latency for the line that moves."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..runtime import Progress

SPAN_S = 4.0
"""Rate and latency are those of the last seconds: long enough to read, short enough to be about now."""


class Moment:
    """Fed with every frame that has gone through."""

    def __init__(self, now_s: Callable[[], float] = time.perf_counter) -> None:
        self._now_s = now_s
        self._recent: deque[tuple[float, int, float]] = deque()
        self._start_s = now_s()
        self.people = 0
        self.windows = 0

    def push(self, progress: Progress) -> None:
        """Take in where the run stands."""
        now_s = self._now_s()
        self.people, self.windows = progress.people, progress.windows
        self._recent.append((now_s, progress.frames, progress.latency_s))
        while len(self._recent) > 2 and self._recent[1][0] <= now_s - SPAN_S:
            self._recent.popleft()

    @property
    def rate_hz(self) -> float:
        """Frames a second."""
        if not self._recent:
            return 0.0
        end_s, frames, _ = self._recent[-1]
        if len(self._recent) == 1 or self._recent[0][1] == self._recent[-1][1]:
            return frames / max(end_s - self._start_s, 1e-3)
        begin_s, before, _ = self._recent[0]
        return (frames - before) / max(end_s - begin_s, 1e-3)

    @property
    def latency_s(self) -> float:
        """From a frame's arrival to its tracks: the median."""
        return median(latency_s for _, _, latency_s in self._recent) if self._recent else 0.0

    def text(self) -> str:
        """For a line on a terminal."""
        if not self._recent:
            return "waiting for the first frame"
        return (
            f"{self.people} people now, {self.windows} windows, {self.rate_hz:.1f} frames/s, "
            f"latency {self.latency_s:.1f} s"
        )
