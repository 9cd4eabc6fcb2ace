"""What is spent follows from what waits: the ladder, fed with the lanes' buffers, told to the stages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..stream.pressure.ladder import Ladder
from ..stream.pressure.records import FULL_EFFORT, Load

if TYPE_CHECKING:
    from .supervisor import Supervisor

_LOOK_S = 0.25
_WANT_OF_TIME = ("stale", "buffer_full", "ring_full")
"""Causes of dropped frames that less work would have saved."""


class Pressing:
    """Looks at the buffers some times a second."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._s = supervisor
        self._ladder = Ladder(supervisor.plan.config.pressure)
        self.effort = FULL_EFFORT
        self._due_s = 0.0
        self._seen: tuple[int, int, int] = (0, 0, 0)

    @property
    def why(self) -> str:
        """Why it is not everything, or why it changed last."""
        return self._ladder.why

    def look(self) -> None:
        """Step, if it is time and anything may be dropped at all."""
        now_s = time.monotonic()
        if now_s < self._due_s or not any(lane.live and not lane.finished for lane in self._s.lanes):
            return
        self._due_s = now_s + _LOOK_S
        effort = self._ladder.step(self._load(now_s), self._s.clock.now_ns())
        if effort != self.effort:
            before, self.effort = self.effort, effort
            self.tell_all()
            direction = "less" if effort.level > before.level else "more"
            self._s.tell("effort", f"rung {effort.level}: {direction} work a frame; {self.why}")

    def _load(self, now_s: float) -> Load:
        s = self._s
        live = [lane for lane in s.lanes if lane.live]
        frames_dropped = sum(lane.source_counts.get(cause, 0) for lane in live for cause in _WANT_OF_TIME)
        windows_dropped = sum(lane.drops["solver_busy"] for lane in live)
        received = sum(lane.received for lane in live)
        before, self._seen = self._seen, (frames_dropped, windows_dropped, received)
        full, age_s = 0.0, 0.0
        for lane in live:
            paced = lane.late_s / s.config.max_age_s if lane.received and not lane.waiting else 0.0
            full = max(full, lane.waiting, min(paced, 1.0))
            age_s = max(age_s, lane.age_s, lane.late_s)
        windows = max((len(lane.solving) / s.config.windows_in_flight for lane in live), default=0.0)
        dropped_windows = max(0, windows_dropped - before[1])
        return Load(
            full, min(windows, 1.0), age_s, max(0, frames_dropped - before[0]) + dropped_windows,
            dropped_windows, max(0, received - before[2]),
        )  # fmt: skip

    def tell_all(self) -> None:
        """Every stage that can spend less."""
        for crew in self._s.crews:
            self.tell(crew.number, "perception")
            self.tell(crew.number, "solver")

    def tell(self, crew: int, stage: str) -> None:
        """One stage, also when it is a new one."""
        if stage in ("perception", "solver") and self.effort is not FULL_EFFORT:
            self._s.crews[crew].ask(stage, "set_effort", self.effort)

    @property
    def refines(self) -> bool:
        """Whether windows go to the refiner now."""
        return self.effort.refine
