"""A recorded log as what was published: live and late rows, windows, revisions and who came back, each with its time.

A recording's capture times start where the run was told; they are put on the clip's own clock by the frames' numbers.
Publishing times are the machine's wall clock: the first live message is taken to have gone out as it was captured, so
latencies are those above the first one's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from ...stream.calibration_file import Calibration
from ...stream.errors import ProtocolError
from ...stream.export.recording import Recording
from ...stream.identity import IdentityEvent
from ...stream.records import TrackedFrame
from ...stream.wire.identity import identity_record
from ...stream.wire.log import LogReader
from ...stream.wire.messages import Message, Tier, tier_of
from ...stream.wire.revision import revision_record
from ...stream.wire.schema import SiteSchema
from ...stream.wire.tiers import WindowAssembler, live_record, window_record
from .errors import EvaluateError
from .published import LiveVersion, Published, WindowVersion

Array = np.ndarray

_SAME_FRAME_NS = 20_000_000
"""A frame's time may be this far from that of the clip's frame of the same number: containers round."""


def published_in(path: Path) -> Published:
    """The last session of a log, on the log's own clocks.

    Raises:
        LogError: no log there.
        ExportError: nothing was published in it.
    """
    session = Recording(path).sid
    reading = _Reading()
    for message in LogReader(path).messages():
        if message.sid == session:
            reading.push(message)
    return reading.published()


def on_clip(published: Published, t_ns: Int[Array, "F"], size_px: tuple[int, int], what: str) -> Published:
    """The same on the clock of the clip whose frames have these times.

    Raises:
        EvaluateError: the frames are not those of the clip.
    """
    first = next((v.tracked for v in published.live if v.tracked.index < len(t_ns)), None)
    if first is None:
        raise EvaluateError(f"{what} has no frame of the clip's {len(t_ns)}; is it of another clip?")
    offset = first.t_capture_ns - int(t_ns[first.index])
    for version in published.live:
        frame = version.tracked
        if frame.size_px != size_px:
            raise EvaluateError(
                f"{what} is of pictures of {frame.size_px[0]}x{frame.size_px[1]}, the truth of "
                f"{size_px[0]}x{size_px[1]}; it is of another clip"
            )
        off = np.inf
        if frame.index < len(t_ns):
            off = abs(frame.t_capture_ns - offset - int(t_ns[frame.index]))
        if off > _SAME_FRAME_NS:
            raise EvaluateError(
                f"{what}: frame {frame.index} is not where the clip of {len(t_ns)} frames has it; it is of another clip"
            )

    def snap(frame: TrackedFrame) -> TrackedFrame:
        return replace(frame, t_capture_ns=int(t_ns[frame.index]))

    return replace(
        published,
        live=tuple(replace(v, tracked=snap(v.tracked), ready_ns=v.ready_ns - offset) for v in published.live),
        late=tuple(
            replace(v, tracked=snap(v.tracked), ready_ns=v.ready_ns - offset)
            for v in published.late
            if v.tracked.index < len(t_ns)
        ),
        windows=tuple(_earlier_window(v, offset) for v in published.windows),
        identity=tuple(_earlier_event(event, offset) for event in published.identity),
    )


def _earlier_window(version: WindowVersion, by_ns: int) -> WindowVersion:
    solution = replace(version.solution, t0_ns=version.solution.t0_ns - by_ns)
    revision = None if version.revision is None else replace(version.revision, solution=solution)
    return replace(version, solution=solution, ready_ns=version.ready_ns - by_ns, revision=revision)


def _earlier_event(event: IdentityEvent, by_ns: int) -> IdentityEvent:
    return replace(
        event,
        t_capture_ns=event.t_capture_ns - by_ns,
        lost_ns=event.lost_ns - by_ns,
        found_ns=event.found_ns - by_ns,
    )


@dataclass
class _Reading:
    """What has been read of one session."""

    live: list[LiveVersion] = field(default_factory=list)
    late: list[LiveVersion] = field(default_factory=list)
    windows: list[WindowVersion] = field(default_factory=list)
    identity: list[IdentityEvent] = field(default_factory=list)
    calibration: Calibration | None = None
    failed: int = 0
    _assembler: WindowAssembler = field(default_factory=WindowAssembler)
    _lag_ns: int | None = None

    def push(self, message: Message) -> None:
        tier = tier_of(message.topic)
        try:
            if tier is Tier.SCHEMA:
                self._schema(SiteSchema.from_message(message))
            elif tier in (Tier.LIVE, Tier.LATE):
                into = self.live if tier is Tier.LIVE else self.late
                into.append(LiveVersion(live_record(message), self._ready(message), len(self.identity)))
            elif tier in (Tier.WINDOW, Tier.REFINED):
                parts = self._assembler.parts(message)
                if parts is not None:
                    failed = message.quality.get("failed", 0)
                    self.failed += failed if isinstance(failed, int) else 0
                    version = WindowVersion(
                        window_record(parts), self._ready(message), revision_record(parts), len(self.identity)
                    )
                    self.windows.append(version)
            elif tier is Tier.IDENTITY:
                event = identity_record(message)
                self.identity += [event] if event is not None else []
        except ProtocolError:
            return  # damage is the log's own business; what is whole counts

    def published(self) -> Published:
        drops: dict[str, int] = {}
        for version in self.live:
            for cause, count in version.tracked.drops.items():
                drops[cause] = drops.get(cause, 0) + count
        return Published(
            live=tuple(self.live), late=tuple(self.late), windows=tuple(self.windows),
            calibration=self.calibration, given_calibration=False, drops=drops, failed=self.failed,
            identity=tuple(self.identity),
        )  # fmt: skip

    def _schema(self, schema: SiteSchema) -> None:
        camera = schema.cameras[0].model if schema.cameras else None
        if camera is not None and schema.ground is not None:
            self.calibration = Calibration(camera, schema.ground, "file")

    def _ready(self, message: Message) -> int:
        if self._lag_ns is None:
            self._lag_ns = message.t_publish_ns - message.t_capture_ns
        return message.t_publish_ns - self._lag_ns
