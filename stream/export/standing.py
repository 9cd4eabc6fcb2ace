"""What of a log's windows stands in the end, and whose it is.

Windows speak of tracks, revisions of persons, and identity events say from when on a track was which person. At the
end of a log:

1. Of an id in a window the highest revision stands. A revision stands for all its slots: it takes back every lower
   one of that id there, in whatever window; so a person who is ABSENT in a revision is nowhere in those slots.
2. A revision of a person who has lost a track again (`split`) rested on that track from its loss on. It counts no
   longer, and what stood before it stands again; the refiner's own retraction, coming after the split, does count.
3. A revision of a track that is somebody else by then, with nothing in it, withdraws the track's own revisions for as
   long as it is joined so; what was solved of the track stays with the person.
4. Ids become persons. Two revisions of joined tracks: of what both have, the one published last for both. Where the
   person's revision has nothing, the windows of joined tracks stand: it was made before they were joined.

What then still overlaps is merged slot by slot (`merge.py`), refined over solved.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from ...kernels.solve.problem import Provenance, WindowSolution
from ..identity import IdentityChange, IdentityEvent, IdentityMap

Array = np.ndarray

ROWS = ("person_ids", "pose_rotvec", "betas", "transl_m", "joints_m", "ground_m", "confidence", "provenance",
        "reprojection_px", "status")  # fmt: skip
"""Per-person arrays of a window."""


class IdentityHistory:
    """Who every track was at every point of a log. Points are numbers that rise with publication."""

    def __init__(self, events: Iterable[tuple[int, IdentityEvent]] = ()) -> None:
        self.events: list[tuple[int, IdentityEvent]] = []
        self._now = IdentityMap()
        self._after: dict[int, set[int]] = {}
        self._previous: dict[int, int] = {}
        self._lost_ns: dict[int, int] = {}
        self._changes: dict[int, list[tuple[int, int, int]]] = {}
        self._members: dict[int, set[int]] = {}
        for order, event in events:
            self.apply(order, event)

    def apply(self, order: int, event: IdentityEvent) -> None:
        """Takes the next event; O(tracks joined to this one)."""
        self.events.append((order, event))
        self._now.apply(event)
        track = event.track
        self._after.get(self._previous.pop(track, -1), set()).discard(track)
        if event.change is IdentityChange.MERGE and event.previous != track:
            self._previous[track] = event.previous
            self._after.setdefault(event.previous, set()).add(track)
            self._lost_ns[track] = event.lost_ns
        for joined in self._from(track):
            person = self._now.person_of(joined)
            self._changes.setdefault(joined, []).append((order, person, self._lost_ns.get(joined, 0)))
            self._members.setdefault(person, set()).add(joined)

    def _from(self, track: int) -> set[int]:
        """The track and all that follow it."""
        found, waiting = {track}, [track]
        while waiting:
            fresh = self._after.get(waiting.pop(), set()) - found
            found |= fresh
            waiting += fresh
        return found

    def map(self) -> IdentityMap:
        """Who everybody is in the end."""
        return IdentityMap(event for _, event in self.events)

    def person_at(self, track: int, order: int) -> tuple[int, int]:
        """Who a track was after the events up to a point, and when the tracklet before it was last seen, ns."""
        changes = self._changes.get(track, [])
        i = bisect_right(changes, order, key=lambda change: change[0])
        return changes[i - 1][1:] if i else (track, 0)

    def ever_of(self, person: int) -> set[int]:
        """The other tracks that were this person's at any time."""
        return self._members.get(person, set()) - {person}


@dataclass(frozen=True)
class RevisedRow:
    """One person of one revision, as it was published."""

    id: int
    """Of the person, as it was then."""
    window: int
    rev: int
    order: int
    """Point of publication."""
    slot0: int
    present: Bool[Array, "T"]
    end_ns: int
    """Capture time of its last slot."""
    guide: int = -1
    """Who helped; -1: nobody."""

    @property
    def stop(self) -> int:
        """One past its last slot."""
        return self.slot0 + len(self.present)


class Standing:
    """Decides for every window of a recording what of it stands."""

    def __init__(self, rows: Iterable[RevisedRow], history: IdentityHistory, who: IdentityMap) -> None:
        """
        Args:
            rows: every row of every revision.
            who: the persons asked for: those of the end, or an empty map for tracks as they are.
        """
        self._history, self._who = history, who
        best: dict[tuple[int, int], RevisedRow] = {}
        for row in rows:
            if not self._is_void(row):
                last = best.get((row.id, row.window))
                if last is None or (row.rev, row.order) >= (last.rev, last.order):
                    best[row.id, row.window] = row
        self._rows: dict[int, list[RevisedRow]] = {}
        for row in sorted(best.values(), key=lambda r: (r.slot0, r.rev, r.order)):
            self._rows.setdefault(row.id, []).append(row)
        self._ids: dict[int, list[int]] = {}
        for each in self._rows:
            self._ids.setdefault(who.person_of(each), []).append(each)
        self._longest = max((len(row.present) for row in best.values()), default=0)

    def window(self, solution: WindowSolution, order: int) -> WindowSolution | None:
        """What stands of a published window or revision, by person; None for nothing."""
        provenance = solution.provenance.copy()
        for row, track in enumerate(solution.person_ids.tolist()):
            provenance[row, self._taken_back(track, solution, order)] = Provenance.ABSENT
        left = np.flatnonzero((provenance != Provenance.ABSENT).any(axis=1))
        if not len(left) and len(provenance):
            return None
        return self._who.window(_take_people(replace(solution, provenance=provenance), left))

    def guides(self, person: int) -> Iterator[RevisedRow]:
        """Revisions of a person that somebody else helped with, in order of the timeline."""
        rows = [row for each in self._ids.get(person, []) for row in self._rows[each] if row.guide >= 0]
        return iter(sorted(rows, key=lambda row: (row.slot0, row.rev, row.order)))

    def _is_void(self, row: RevisedRow) -> bool:
        """It rested on a track, or on being one, that is somebody else now."""
        person = self._who.person_of(row.id)
        if self._withdraws(row) and self._history.person_at(row.id, row.order)[0] != person:
            return True
        for track in self._history.ever_of(row.id):
            then, lost_ns = self._history.person_at(track, row.order)
            if then == row.id and row.end_ns > lost_ns and self._who.person_of(track) != person:
                return True
        return False

    def _withdraws(self, row: RevisedRow) -> bool:
        """Rule 3."""
        return not row.present.any() and self._history.person_at(row.id, row.order)[0] != row.id

    def _taken_back(self, track: int, solution: WindowSolution, order: int) -> Bool[Array, "T"]:
        """Slots of one row that a revision has replaced."""
        slot0, rev = solution.slot0, solution.rev
        gone = np.zeros(solution.provenance.shape[1], bool)
        own = self._overlapping(track, slot0, slot0 + len(gone))
        if rev and not any((r.window, r.rev, r.order) == (solution.window, rev, order) for r in own):
            return ~gone  # void, or another revision of this window stands
        for row in own:
            if row.rev > rev and not (rev == 0 and self._withdraws(row)):
                gone[max(0, row.slot0 - slot0) : row.stop - slot0] = True
        if rev:
            for row in self._later_of_others(track, slot0, slot0 + len(gone), order):
                a, b = max(slot0, row.slot0), min(slot0 + len(gone), row.stop)
                gone[a - slot0 : b - slot0] |= row.present[a - row.slot0 : b - row.slot0]
        return gone

    def _later_of_others(self, track: int, start: int, stop: int, order: int) -> Iterator[RevisedRow]:
        """Revisions that were published later, for the person that the track then was."""
        for other in self._ids.get(self._who.person_of(track), []):
            if other != track:
                for row in self._overlapping(other, start, stop):
                    if row.order > order and self._history.person_at(track, row.order)[0] == other:
                        yield row

    def _overlapping(self, track: int, start: int, stop: int) -> list[RevisedRow]:
        rows = self._rows.get(track, [])
        first = bisect_left(rows, start - self._longest, key=lambda row: row.slot0)
        last = bisect_left(rows, stop, key=lambda row: row.slot0)
        return [row for row in rows[first:last] if row.stop > start]


def _take_people(solution: WindowSolution, rows: Int[Array, "M"]) -> WindowSolution:
    if len(rows) == len(solution.person_ids):
        return solution
    columns: dict[str, Any] = {name: getattr(solution, name)[rows] for name in ROWS}
    return replace(solution, **columns)
