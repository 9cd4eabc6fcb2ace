"""Where the newest report hangs: the supervisor's side puts it up, other threads read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..clock import Clock, WallClock
from .records import HealthReport
from .verdict import STALE_S


class HealthBoard:
    """One writer, any number of readers; putting up and reading are one assignment each."""

    def __init__(
        self,
        wire: Callable[[], Mapping[str, object]] = dict,
        clock: Clock | None = None,
        stale_s: float = STALE_S,
    ) -> None:
        """Args:
        wire: what the sockets counted, asked for at every reading; from any thread.
        stale_s: a report older than that means that the supervisor hangs.
        """
        self.wire = wire
        self.stale_s = stale_s
        self._clock = clock or WallClock()
        self._newest: tuple[HealthReport, int] | None = None

    def push(self, report: HealthReport) -> None:
        """The newest report; its age counts from now, for the machines' clocks may differ."""
        self._newest = (report, self._clock.now_ns())

    def read(self) -> tuple[HealthReport | None, float]:
        """The newest report and its age in s; (None, 0) before the first."""
        newest = self._newest
        if newest is None:
            return None, 0.0
        return newest[0], (self._clock.now_ns() - newest[1]) / 1e9
