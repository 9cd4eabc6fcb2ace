"""Playing a recording at a given speed, as a live camera would deliver it.

`--pace max` hands frames on as fast as they are asked for and never drops one. `--pace X` holds every
frame until its capture time, X times as fast as it was recorded; what happens to frames that are late
because the consumer is slow is a policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

from ..clock import Clock
from ..pressure.policies import DropOldest, Wait
from ..records import Frame
from .base import Source, SourceStats

_JUMP_S = 5.0
"""A step of the capture time beyond this (or backwards) starts the pacing anew instead of waiting it out."""


class LatePolicy(Protocol):
    """Decides about a frame that is handed out later than it was due. Every `pressure.policies.Policy` is one."""

    def keep(self, late_s: float, /) -> bool: ...


KeepAll = Wait
"""Late frames are late; none is lost. For recordings."""

DropStale = DropOldest
"""Drops the oldest frames first, until the next one is young enough. For everything live."""


class PacedSource:
    """A source whose frames come no earlier than they are due. Takes over the source it wraps."""

    def __init__(self, source: Source, speed: float | None, clock: Clock, late: LatePolicy) -> None:
        self._source, self._speed, self._clock, self._late = source, speed, clock, late
        self._anchor: tuple[int, int] | None = None  # (capture ns, clock ns) of one and the same moment
        self._last_ns = 0
        self.late_s = 0.0
        """How late the newest frame was handed out."""

    @property
    def camera(self) -> str:
        return self._source.camera

    @property
    def size_px(self) -> tuple[int, int]:
        return self._source.size_px

    @property
    def fps(self) -> float:
        return self._source.fps

    @property
    def start_ns(self) -> int:
        return self._source.start_ns

    @property
    def num_frames(self) -> int | None:
        return self._source.num_frames

    @property
    def stats(self) -> SourceStats:
        return self._source.stats

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        while True:
            frame = next(self._source)
            if self._speed is None:
                return frame
            late_s = self._wait_until_due(frame.t_capture_ns, self._speed)
            if self._late.keep(late_s):
                self.late_s = late_s
                return frame
            self.stats.skipped += 1

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait_until_due(self, t_capture_ns: int, speed: float) -> float:
        """Sleeps until the frame is due; returns by how many seconds it is late (0 if in time)."""
        step_s = (t_capture_ns - self._last_ns) / 1e9
        self._last_ns = t_capture_ns
        now_ns = self._clock.now_ns()
        if self._anchor is None or step_s < 0 or step_s > _JUMP_S:
            self._anchor = (t_capture_ns, now_ns)
        due_ns = self._anchor[1] + round((t_capture_ns - self._anchor[0]) / speed)
        if now_ns >= due_ns:
            return (now_ns - due_ns) / 1e9
        self._clock.sleep((due_ns - now_ns) / 1e9)
        return 0.0


def paced(source: Source, speed: float | None, clock: Clock, late: LatePolicy | None = None) -> PacedSource:
    """`source` at `speed` times its own time (None: as fast as it is read, and no frame is ever dropped).

    Raises:
        ValueError: a speed that is not positive.
    """
    if speed is not None and not speed > 0:
        raise ValueError(f"pace must be positive or None for max, got {speed}")
    return PacedSource(source, speed, clock, late or KeepAll())
