"""The row of one camera in the health report, filled from what the supervisor sees anyway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..records import ClockOrigin
from ..sources.live.records import CameraPhase, CameraState
from .meter import Rate
from .records import CameraHealth


class CameraMeter:
    """Fed with counts and changes of state; knows no clock."""

    def __init__(self, name: str, source: str = "", calibrated: bool = False) -> None:
        """Args:
        source: where it comes from, without credentials.
        """
        self.name = name
        self.source = source
        self.calibrated = calibrated
        self.state = CameraState(name, CameraPhase.STARTING, 0)
        self.reconnects = 0
        self.clock = ""
        self.skew_s: float | None = None
        self.drift_ppm: float | None = None
        self.people = 0
        self.tracks = 0
        self.dropped: Counter[str] = Counter()
        """Frames left out, by cause; add to it."""
        self._came = 0
        self._tracked = 0
        self._in, self._out = Rate(), Rate()
        self._newest_s: float | None = None

    def change(self, state: CameraState) -> None:
        """The camera is in another state. Each time it was lost counts once, however often it is tried."""
        lost = state.phase is CameraPhase.RECONNECTING
        if lost and self.state.phase is not CameraPhase.RECONNECTING:
            self.reconnects += 1
        self.state = state

    def came(self, frames: int, now_s: float) -> None:
        """So many frames more came from it."""
        if frames > 0:
            self._newest_s = now_s
        self._came += frames
        self._in.note(self._came, now_s)

    def tracked(self, frames: int, people: int, now_s: float) -> None:
        """So many more went through tracking; `people` are in the newest of them."""
        self._tracked += frames
        self.people = people
        self._out.note(self._tracked, now_s)

    def timed(self, clock: ClockOrigin, skew_ns: int | None, drift_ppm: float | None = None) -> None:
        """What its newest capture time rests on."""
        self.clock = clock.value
        self.skew_s = None if skew_ns is None else skew_ns / 1e9
        self.drift_ppm = drift_ppm

    def drop(self, counts: Mapping[str, int]) -> None:
        """Frames of it that were left out, by cause, since the last call."""
        self.dropped.update(counts)

    def health(self, now_s: float) -> CameraHealth:
        """Its row. Nobody is seen by a camera that gives no frames."""
        running = self.state.phase is CameraPhase.RUNNING
        return CameraHealth(
            name=self.name,
            phase=self.state.phase.value,
            fault="" if self.state.fault is None else self.state.fault.value,
            text=self.state.text,
            source=self.source,
            frames=self._came,
            dropped=dict(self.dropped),
            fps_in=round(self._in.per_s(now_s), 2),
            fps_out=round(self._out.per_s(now_s), 2),
            frame_age_s=None if self._newest_s is None else round(max(0.0, now_s - self._newest_s), 3),
            reconnects=self.reconnects,
            clock=self.clock,
            skew_s=self.skew_s,
            drift_ppm=self.drift_ppm,
            calibrated=self.calibrated,
            people=self.people if running else 0,
            tracks=self.tracks,
        )
