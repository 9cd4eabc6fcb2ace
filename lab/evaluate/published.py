"""What an engine gave to the world, version after version, each with the time from which on it could be had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Int

from ...kernels.solve.problem import MODEL_RATE_HZ, WindowSolution
from ...stream.calibration_file import Calibration
from ...stream.identity import IdentityEvent, IdentityMap
from ...stream.records import TrackedFrame
from ...stream.refine.records import RefineReport, Revision
from ...stream.track_backfill import merge_backfill

Array = np.ndarray


@dataclass(frozen=True)
class LiveVersion:
    """One frame of the `live` tier, or late rows of one."""

    tracked: TrackedFrame
    ready_ns: int
    """On the clock of capture times."""


@dataclass(frozen=True)
class WindowVersion:
    """One revision of one window: of tracks as solved (`rev` 0), of persons as refined (`rev` 1 and up)."""

    solution: WindowSolution
    ready_ns: int
    """On the clock of capture times."""
    revision: Revision | None = None
    """What the refiner said of it; None where it is not refined, or nobody knows."""

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
    """Of both tiers, `window` and `refined`."""
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
    identity: tuple[IdentityEvent, ...] = ()
    """Tracks joined and taken apart again, in order of publication."""
    refiner: RefineReport = field(default_factory=RefineReport)
    """What the refiner counted; empty for a recorded log."""

    def who(self) -> IdentityMap:
        """Who every track is in the end."""
        return IdentityMap(self.identity)

    def final_frames(self) -> list[TrackedFrame]:
        """The live tier with the late rows in their places, persons for tracks: what an export holds."""
        who = self.who()
        return [who.frame(frame) for frame in self.final_tracks()]

    def final_tracks(self) -> list[TrackedFrame]:
        """The same of the tracker's own tracks, as if nothing had been joined."""
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
        """What stands in the end, persons for tracks, in order of the timeline, as `merge_windows` wants it."""
        who = self.who()
        return standing(who.window(version.solution) for version in self.windows)


def standing(solutions: Iterable[WindowSolution]) -> list[WindowSolution]:
    """Of every person of a window only the row with the highest revision; ordered by slot, window and revision."""
    found = sorted(solutions, key=lambda s: (s.slot0, s.window, s.rev))
    highest: dict[tuple[int, int], int] = {}
    for s in found:
        for person in s.person_ids.tolist():
            highest[s.window, person] = max(s.rev, highest.get((s.window, person), 0))
    out = []
    for s in found:
        keep = np.array([highest[s.window, person] == s.rev for person in s.person_ids.tolist()], bool)
        if keep.all():
            out.append(s)
        elif keep.any():
            out.append(take_people(s, np.flatnonzero(keep)))
    return out


ROWS = ("person_ids", "pose_rotvec", "betas", "transl_m", "joints_m", "ground_m", "confidence", "provenance",
        "reprojection_px", "status")  # fmt: skip
"""Per-person arrays of a `WindowSolution`."""


def take_people(solution: WindowSolution, rows: Int[Array, "M"]) -> WindowSolution:
    """A window with some of its people."""
    return replace(solution, **{name: getattr(solution, name)[rows] for name in ROWS})
