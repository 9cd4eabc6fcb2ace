"""The camera worker: opens a source, decodes, hands frames on in batches.

A recording is decoded here and never drops a frame unless it is played at a pace; a live camera is decoded by a
process of its own (`stream.sources.live`), and what it gives depends on what it has. In one process a batch of a
recording holds the frames themselves; otherwise it holds tokens of a shared-memory ring, and pixels never travel. Slots
stay taken until the supervisor says what became of them, so that frames can be looked at again when perception is lost.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..configs.array import CameraEntry
from ..stream.clock import WallClock
from ..stream.errors import SourceError
from ..stream.records import Frame
from ..stream.ring import FrameRing, RingError, SlotToken, sweep
from ..stream.sources.base import Source, SourceConfig
from ..stream.sources.live.address import is_live
from ..stream.sources.live.open import open_live
from ..stream.sources.live.records import CameraState
from ..stream.sources.live.source import LiveSource
from ..stream.sources.open import open_source
from ..stream.sources.pace import DropStale, KeepAll, PacedSource, paced
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
    info: SourceInfo | None = None
    """Of a live camera, with its first frames."""
    states: tuple[CameraState, ...] = ()
    """What has changed with a live camera since the last batch."""
    waiting: float = 0.0
    """How full the buffer of a live camera is, 0..1."""
    age_s: float = 0.0
    """Of the oldest frame in it."""
    counts: dict[str, int] = field(default_factory=dict)
    """Frames left out so far, by cause."""
    received: int = 0
    """Frames that came so far."""
    reconnects: int = 0
    drift_ppm: float | None = None
    """Of the camera's clock against the host's."""


class CameraWorker:
    """start -> next_batch ... -> stop. One camera."""

    def __init__(self, plan: EnginePlan, camera: str = "") -> None:
        self._plan = plan
        self._entry = plan.entry(camera)
        self._recording: Recording | None = None
        self._live: LiveSource | None = None
        self._clock = WallClock()
        self.watch = Stopwatch()

    def start(self, ring_slots: int = 0, after: int = -1) -> SourceInfo | None:
        """Open the source; with `ring_slots`, also the ring its frames will lie in.

        Args:
            after: number of the last frame that is known already: a recording goes on behind it, a live camera
                counts on from it.

        Returns:
            What the source says of itself; None for a live camera, which says so with its first frames.
        """
        sweep()  # rings of processes that were killed
        if is_live(self._entry.source):
            config = self._plan.config
            settings = source_settings(self._plan, self._entry)
            self._live = open_live(self._entry, config.live, settings, first_index=after + 1)
            return None
        self._recording = Recording(self._plan, self._entry, self._clock, ring_slots, after)
        return self._recording.info

    def next_batch(
        self, count: int, wait_s: float = 0.0, done: Sequence[Frame | SlotToken] = ()
    ) -> FrameBatch:
        """Up to `count` frames: of a recording fewer only at its end, of a live camera what there is after `wait_s`.

        Args:
            done: frames that nobody will look at again.
        """
        for token in done:
            self._release(token)
        with self.watch.measure("decode"):
            if self._recording is not None:
                return self._recording.next_batch(count)
            return self._look(count, wait_s)

    def _release(self, token: Frame | SlotToken) -> None:
        if not isinstance(token, SlotToken):
            return
        if self._live is not None:
            self._live.release(token)
        elif self._recording is not None:
            self._recording.release(token)

    def _look(self, count: int, wait_s: float) -> FrameBatch:
        assert self._live is not None
        live = self._live
        tokens = live.poll(count, wait_s)
        now_ns = self._clock.now_ns()
        # under the host's clock the capture time is when the frame came
        arrivals = tuple(min(now_ns, token.t_capture_ns) for token in tokens)
        known = live.info
        info = None
        if known is not None:
            info = SourceInfo(
                self._entry.name, known.size_px, known.fps, known.start_ns, None, self._entry.role, live=True
            )
        return FrameBatch(
            tuple(tokens), arrivals, ended=live.ended, info=info, states=tuple(live.changes()),
            waiting=live.fullness, age_s=live.oldest_age_s, counts=dict(live.counts), received=live.received,
            reconnects=live.reconnects, drift_ppm=live.drift_ppm,
        )  # fmt: skip

    def command(self, verb: str) -> None:
        """`pause` or `resume` a live camera."""
        if self._live is not None:
            (self._live.pause if verb == "pause" else self._live.resume)()

    def stop(self) -> dict[str, Any]:
        """Close everything; what the source counted, and the seconds it took."""
        report: dict[str, Any] = {"seconds": dict(self.watch.seconds)}
        if self._recording is not None:
            report |= self._recording.close()
            self._recording = None
        if self._live is not None:
            self._live.close()
            report |= {"source": self._live.stats.as_dict(), "left_out": dict(self._live.counts)}
            self._live = None
        return report


def open_recording(camera: CameraWorker) -> SourceInfo:
    """Start the worker of a recording, in this process.

    Raises:
        SourceError: it cannot be opened, or is a live camera.
    """
    info = camera.start()
    if info is None:
        raise SourceError("this command reads recordings; give it a video file or a folder of images")
    return info


def source_settings(plan: EnginePlan, entry: CameraEntry) -> SourceConfig:
    """How the source of one camera is read: its own settings over those of all."""
    changes = {**entry.source_options, **({"camera": entry.name} if entry.name else {})}
    return SourceConfig.model_validate({**plan.config.source.model_dump(), **changes})


class Recording:
    """A source that has an end, decoded in this process."""

    def __init__(
        self, plan: EnginePlan, entry: CameraEntry, clock: WallClock, ring_slots: int, after: int = -1
    ) -> None:
        config = plan.config
        settings = source_settings(plan, entry)
        source = open_source(entry.source, settings)
        speed = config.runtime.speed
        self._clock = clock
        self._late: KeepAll | DropStale = KeepAll()
        if speed is not None:
            self._late = DropStale(config.runtime.max_age_s) if config.runtime.drop_late else KeepAll()
            source = paced(source, speed, clock, self._late)
        self._source: Source = source
        num_frames = source.num_frames
        frames: Iterator[Frame] = iter(source)
        if settings.seconds is not None:
            end_ns = source.start_ns + round(settings.seconds * 1e9)
            frames = itertools.takewhile(lambda frame: frame.t_capture_ns < end_ns, frames)
            most = math.ceil(settings.seconds * source.fps)
            num_frames = most if num_frames is None else min(num_frames, most)
        self._frames = itertools.dropwhile(lambda frame: frame.index <= after, frames)
        self._ring: FrameRing | None = None
        if ring_slots:
            width, height = source.size_px
            self._ring = FrameRing(slot_bytes=width * height * 3, num_slots=ring_slots)
        self.info = SourceInfo(
            source.camera, source.size_px, source.fps, source.start_ns, num_frames, entry.role
        )

    def next_batch(self, count: int) -> FrameBatch:
        """Up to `count` frames; fewer only at the end."""
        frames: list[Frame | SlotToken] = []
        arrivals: list[int] = []
        for frame in self._frames:
            arrivals.append(self._clock.now_ns())
            frames.append(frame if self._ring is None else self._write(self._ring, frame))
            if len(frames) == count:
                break
        late_s = self._source.late_s if isinstance(self._source, PacedSource) else 0.0
        counts = {"stale": self._late.dropped} if isinstance(self._late, DropStale) else {}
        received = self._source.stats.decoded
        return FrameBatch(
            tuple(frames), tuple(arrivals), len(frames) < count, late_s, counts=counts, received=received
        )

    def _write(self, ring: FrameRing, frame: Frame) -> SlotToken:
        """Put a frame into the ring; the supervisor asks for no more than there are slots."""
        for _ in range(_SLOT_WAITS):
            token = ring.write(frame)
            if token is not None:
                return token
            self._clock.sleep(_SLOT_WAIT_S)
        raise RingError(
            f"no slot of {ring.num_slots} was freed within {_SLOT_WAITS * _SLOT_WAIT_S:.0f} s; "
            "perception is stuck or gone"
        )

    def release(self, token: SlotToken) -> None:
        """Nobody looks at this frame again."""
        if self._ring is not None:
            self._ring.free(token)

    def close(self) -> dict[str, Any]:
        """Free decoder and ring; what was counted."""
        report: dict[str, Any] = {"source": self._source.stats.as_dict()}
        self._source.close()
        if isinstance(self._late, DropStale):
            report["stale"] = self._late.dropped
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        return report
