"""What an engine gave to the world, version after version, each with the time from which on it could be had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Int

from ...kernels.solve.problem import MODEL_RATE_HZ, Provenance, WindowSolution
from ...stream.calibration_file import Calibration
from ...stream.export.recording import UndoneGap, undone_gaps
from ...stream.export.standing import ROWS, IdentityHistory, RevisedRow, Standing
from ...stream.identity import IdentityEvent, IdentityMap
from ...stream.records import TrackedFrame
from ...stream.refine.records import RefineReport, Revision
from ...stream.track_backfill import merge_backfill, take_rows

Array = np.ndarray


@dataclass(frozen=True)
class LiveVersion:
    """One frame of the `live` tier, or late rows of one."""

    tracked: TrackedFrame
    ready_ns: int
    """On the clock of capture times."""
    known_events: int = 0
    """Identity events published before it."""


@dataclass(frozen=True)
class WindowVersion:
    """One revision of one window: of tracks as solved (`rev` 0), of persons as refined (`rev` 1 and up)."""

    solution: WindowSolution
    ready_ns: int
    """On the clock of capture times."""
    revision: Revision | None = None
    """What the refiner said of it; None where it is not refined, or nobody knows."""
    known_events: int = 0
    """Identity events published before it."""

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
        return [who.frame(frame) for frame in self._frames(undone_gaps(self._history(), who))]

    def final_tracks(self) -> list[TrackedFrame]:
        """The same of the tracker's own tracks, as if nothing had been joined."""
        return self._frames(undone_gaps(self._history(), IdentityMap()))

    def solutions(self) -> list[WindowSolution]:
        """What stands in the end, by person, in order of the timeline, as `merge_windows` wants it."""
        orders = [self._order(v.known_events, k + 1) for k, v in enumerate(self.windows)]
        revised = [
            row
            for v, order in zip(self.windows, orders, strict=True)
            for row in (_revised_rows(v, order) if v.solution.rev else ())
        ]
        standing = Standing(revised, self._history(), self.who())
        found = sorted(
            zip(self.windows, orders, strict=True),
            key=lambda each: (each[0].solution.slot0, each[0].solution.window, each[0].solution.rev, each[1]),
        )
        left = (standing.window(v.solution, order) for v, order in found)
        return [solution for solution in left if solution is not None]

    def _frames(self, undone: Mapping[int, Sequence[UndoneGap]]) -> list[TrackedFrame]:
        late: dict[int, list[TrackedFrame]] = {}
        for version in self.late:
            rows = version.tracked
            keep = [
                seen or not any(
                    gap.holds(rows.t_capture_ns, self._order(version.known_events, 1))
                    for gap in undone.get(track, ())
                )
                for track, seen in zip(rows.person_ids.tolist(), rows.seen.tolist(), strict=True)
            ]  # fmt: skip
            late.setdefault(rows.index, []).append(take_rows(rows, np.flatnonzero(keep)))
        out = []
        for version in self.live:
            frame = version.tracked
            for rows in late.get(frame.index, ()):
                frame = merge_backfill(frame, rows)
            out.append(frame)
        return out

    def _history(self) -> IdentityHistory:
        return IdentityHistory(
            (self._order(known, 0), event) for known, event in enumerate(self.identity, start=1)
        )

    def _order(self, known_events: int, place: int) -> int:
        """A point of publication: after so many events, and at that place among what came before the next one."""
        return known_events * (len(self.windows) + 2) + place


def _revised_rows(version: WindowVersion, order: int) -> Iterator[RevisedRow]:
    solution = version.solution
    slots = solution.provenance.shape[1]
    end_ns = solution.t0_ns + round((slots - 1) * 1e9 / MODEL_RATE_HZ)
    for row, person in enumerate(solution.person_ids.tolist()):
        present = solution.provenance[row] != Provenance.ABSENT
        yield RevisedRow(person, solution.window, solution.rev, order, solution.slot0, present, end_ns)


def take_people(solution: WindowSolution, rows: Int[Array, "M"]) -> WindowSolution:
    """A window with some of its people."""
    return replace(solution, **{name: getattr(solution, name)[rows] for name in ROWS})
