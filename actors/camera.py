"""The camera worker: opens a source, decodes, hands frames on in batches.

In one process a batch holds the frames themselves; across processes it holds tokens of a shared-memory ring,
and pixels never travel.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..stream.clock import WallClock
from ..stream.records import Frame
from ..stream.ring import FrameRing, RingError, SlotToken, sweep
from ..stream.sources import DropStale, KeepAll, PacedSource, Source, open_source, paced
from .plan import EnginePlan, SourceInfo
from .stopwatch import Stopwatch

_SLOT_WAIT_S = 0.005
_SLOT_WAITS = 12_000
"""A minute: longer than any perception of one batch takes."""


@dataclass(frozen=True)
class FrameBatch:
    """Frames, or their tokens, with the time each arrived at this machine."""

    frames: tuple[Frame | SlotToken, ...]
    arrival_ns: tuple[int, ...]
    ended: bool
    """The source has no more."""
    late_s: float = 0.0
    """How late a paced source handed out the last one, because nobody asked for it in time."""


class CameraWorker:
    """start -> next_batch ... -> stop."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._source: Source | None = None
        self._frames: Iterator[Frame] = iter(())
        self._ring: FrameRing | None = None
        self._late: KeepAll | DropStale = KeepAll()
        self._clock = WallClock()
        self.watch = Stopwatch()

    def start(self, ring_slots: int = 0) -> SourceInfo:
        """Open the source; with `ring_slots`, also the ring its frames will lie in."""
        config = self._plan.config
        source = open_source(self._plan.source, config.source)
        speed = config.runtime.speed
        if speed is not None:
            self._late = DropStale(config.runtime.max_age_s) if config.runtime.drop_late else KeepAll()
            source = paced(source, speed, self._clock, self._late)
        self._source = source
        self._frames = iter(source)
        num_frames, seconds = source.num_frames, config.source.seconds
        if seconds is not None:
            end_ns = source.start_ns + round(seconds * 1e9)
            self._frames = itertools.takewhile(lambda frame: frame.t_capture_ns < end_ns, self._frames)
            most = math.ceil(seconds * source.fps)
            num_frames = most if num_frames is None else min(num_frames, most)
        if ring_slots:
            width, height = source.size_px
            sweep()  # rings of engines that were killed
            self._ring = FrameRing(slot_bytes=width * height * 3, num_slots=ring_slots)
        return SourceInfo(source.camera, source.size_px, source.fps, source.start_ns, num_frames)

    def next_batch(self, count: int) -> FrameBatch:
        """Up to `count` frames; fewer only at the end."""
        frames: list[Frame | SlotToken] = []
        arrivals: list[int] = []
        with self.watch.measure("decode"):
            for frame in self._frames:
                arrivals.append(self._clock.now_ns())
                frames.append(frame if self._ring is None else self._write(self._ring, frame))
                if len(frames) == count:
                    return FrameBatch(tuple(frames), tuple(arrivals), ended=False, late_s=self._late_s())
        return FrameBatch(tuple(frames), tuple(arrivals), ended=True, late_s=self._late_s())

    def _late_s(self) -> float:
        return self._source.late_s if isinstance(self._source, PacedSource) else 0.0

    def _write(self, ring: FrameRing, frame: Frame) -> SlotToken:
        """Put a frame into the ring; waits for perception to free a slot, and gives up on one that died."""
        for _ in range(_SLOT_WAITS):
            token = ring.write(frame)
            if token is not None:
                return token
            self._clock.sleep(_SLOT_WAIT_S)
        raise RingError(
            f"no slot of {ring.num_slots} was freed within {_SLOT_WAITS * _SLOT_WAIT_S:.0f} s; "
            "perception is stuck or gone"
        )

    def stop(self) -> dict[str, object]:
        """Close everything; what the source counted, and the seconds it took."""
        report: dict[str, object] = {"seconds": dict(self.watch.seconds)}
        if self._source is not None:
            report["source"] = self._source.stats.as_dict()
            self._source.close()
            self._source = None
        if isinstance(self._late, DropStale):
            report["stale"] = self._late.dropped
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        return report
