"""What an engine gave to the world, version after version, each with the time from which on it could be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...kernels.solve.problem import MODEL_RATE_HZ, WindowSolution
from ...stream.calibration_file import Calibration
from ...stream.records import TrackedFrame
from ...stream.track_backfill import merge_backfill


@dataclass(frozen=True)
class LiveVersion:
    """One frame of the `live` tier, or late rows of one."""

    tracked: TrackedFrame
    ready_ns: int
    """On the clock of capture times."""


@dataclass(frozen=True)
class WindowVersion:
    """One revision of one window."""

    solution: WindowSolution
    ready_ns: int
    """On the clock of capture times."""

    @property
    def newest_ns(self) -> int:
        """Capture time of its last slot with a body."""
        filled = np.flatnonzero(self.solution.provenance.any(axis=0))
        last = int(filled[-1]) if len(filled) else 0
        return self.solution.t0_ns + round(last * 1e9 / MODEL_RATE_HZ)


@dataclass(frozen=True)
class Published:
    """All versions of one clip, in order of publication."""

    live: tuple[LiveVersion, ...]
    late: tuple[LiveVersion, ...]
    windows: tuple[WindowVersion, ...]
    calibration: Calibration | None
    """The world the numbers are in; None: no ground ever stood, positions are NaN."""
    given_calibration: bool
    """The engine was given camera and ground: its world is the truth's."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Processor seconds of each stage; empty for a recorded log."""
    wall_s: float = 0.0
    drops: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    """People of windows whose solve gave no finite answer; they are not published."""

    def final_frames(self) -> list[TrackedFrame]:
        """The live tier with the late rows in their places: what an export of the recording holds."""
        late: dict[int, list[TrackedFrame]] = {}
        for version in self.late:
            late.setdefault(version.tracked.index, []).append(version.tracked)
        out = []
        for version in self.live:
            frame = version.tracked
            for rows in late.get(frame.index, ()):
                frame = merge_backfill(frame, rows)
            out.append(frame)
        return out

    def solutions(self) -> list[WindowSolution]:
        """Windows in order of the timeline, as `merge_windows` wants them."""
        return sorted((v.solution for v in self.windows), key=lambda s: (s.slot0, s.window, s.rev))
