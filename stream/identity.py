"""Who a track is: joined tracklets, as events and as a map.

Tracks keep their ids on every tier that the tracker feeds (`live`, `late`, `window`). When evidence says that a track
is somebody who was lost earlier, a `merge` event gives the track that person; from then on `IdentityMap` shows one
person where there were two tracks. A `split` takes a merge back. Tier `refined` speaks of persons, not of tracks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from jaxtyping import Int

from ..kernels.solve.problem import Provenance, WindowSolution
from .records import TrackedFrame

Array = np.ndarray


MOST_TRACKS = 65_536
"""Merged tracks whose newest event an engine keeps; beyond, the one decided longest ago is let go."""


class IdentityChange(StrEnum):
    """What an identity event does."""

    MERGE = "merge"
    """The track is an earlier person who has come back."""
    SPLIT = "split"
    """It was not: the track is a person of its own again."""


@dataclass(frozen=True)
class IdentityEvent:
    """One change of who a track is. Later events of a track replace earlier ones."""

    change: IdentityChange
    track: int
    """The later tracklet."""
    person: int
    """Who it is from now on: the earliest tracklet of the same person; of a split the track itself."""
    previous: int
    """The tracklet that it follows directly: the one that was lost last."""
    t_capture_ns: int
    """Of the newest frame when this was decided."""
    lost_ns: int
    """Last sighting of `previous`."""
    found_ns: int
    """First sighting of `track`."""
    probability: float
    """That it is the same person, 0..1."""
    evidence: Mapping[str, float] = field(default_factory=dict)
    """Log likelihood ratio of each cue that spoke (motion, appearance, stature, group, exit): above 0 for the join."""
    reason: str = ""
    """One line for people."""

    @property
    def gap_s(self) -> float:
        """How long nobody saw the person."""
        return (self.found_ns - self.lost_ns) / 1e9


class IdentityMap:
    """Track -> person, as the events so far say. Grows with the tracks that were ever merged, unless it is bounded."""

    def __init__(self, events: Iterable[IdentityEvent] = (), most: int | None = None) -> None:
        """Args:
        most: merged tracks that are kept; those decided longest ago are forgotten. None: all.
        """
        self._most = most
        self._previous: dict[int, int] = {}
        for event in events:
            self.apply(event)

    def __len__(self) -> int:
        return len(self._previous)

    def apply(self, event: IdentityEvent) -> None:
        """Takes an event; the same one twice does no harm."""
        self._previous.pop(event.track, None)  # so that the oldest stands first
        if event.change is IdentityChange.MERGE and event.previous != event.track:
            self._previous[event.track] = event.previous
        if self._most is not None and len(self._previous) > self._most:
            del self._previous[next(iter(self._previous))]

    def person_of(self, track: int) -> int:
        """Who a track is: the first of the chain of tracklets that it continues."""
        seen = {track}
        while track in self._previous and self._previous[track] not in seen:
            track = self._previous[track]
            seen.add(track)
        return track

    def persons_of(self, tracks: Int[Array, "N"]) -> Int[Array, "N"]:
        """The same for many."""
        return np.array([self.person_of(int(track)) for track in tracks], np.int64).reshape(len(tracks))

    def frame(self, frame: TrackedFrame) -> TrackedFrame:
        """The frame with persons for tracks; of a person's rows the one that was seen stays, then the later track."""
        persons = self.persons_of(frame.person_ids)
        if np.array_equal(persons, frame.person_ids):
            return frame
        order = np.lexsort((-frame.person_ids, ~frame.seen, persons))
        return _take_frame(frame, _first_of_each(persons, order), persons)

    def window(self, solution: WindowSolution) -> WindowSolution:
        """The window with persons for tracks; two rows of one person become one, slot by slot the better known."""
        persons = self.persons_of(solution.person_ids)
        if np.array_equal(persons, solution.person_ids):
            return solution
        return _join_rows(solution, persons)


_FRAME_ROWS = ("confirmed", "seen", "boxes_px", "scores", "keypoints_px", "confidence", "position_m",
               "covariance_m2", "velocity_mps")  # fmt: skip
_SLOTS = ("pose_rotvec", "transl_m", "joints_m", "ground_m", "confidence", "provenance")
_WORTH = {
    Provenance.ABSENT: 0, Provenance.INFILLED: 1, Provenance.GUIDED: 2, Provenance.INTERPOLATED: 3,
    Provenance.OBSERVED: 4,
}  # fmt: skip


def _first_of_each(persons: Int[Array, "N"], order: Int[Array, "N"]) -> Int[Array, "M"]:
    """The first row of every person in a sorted order."""
    sorted_ids = persons[order]
    first = np.concatenate([[True], sorted_ids[1:] != sorted_ids[:-1]]) if len(order) else np.zeros(0, bool)
    return np.asarray(order[first])


def _take_frame(frame: TrackedFrame, rows: Int[Array, "M"], persons: Int[Array, "N"]) -> TrackedFrame:
    columns: dict[str, Any] = {name: getattr(frame, name)[rows] for name in _FRAME_ROWS}
    return replace(frame, person_ids=persons[rows], **columns)


def _join_rows(solution: WindowSolution, persons: Int[Array, "N"]) -> WindowSolution:
    """One row a person: each slot from the row that knows it better, shape and misfit from the one with more slots."""
    worth = np.vectorize(lambda p: _WORTH[Provenance(p)], otypes=[np.int64])(solution.provenance)
    ids, heads, picks = [], [], []
    for person in np.unique(persons):
        rows = np.flatnonzero(persons == person)
        rows = rows[np.argsort(-(solution.provenance[rows] != 0).sum(axis=1), kind="stable")]
        ids.append(person)
        heads.append(rows[0])
        picks.append(rows[worth[rows].argmax(axis=0)])
    head, pick = np.array(heads), np.stack(picks)
    slots = np.arange(solution.provenance.shape[1])
    columns: dict[str, Any] = {name: getattr(solution, name)[pick, slots] for name in _SLOTS}
    columns |= {name: getattr(solution, name)[head] for name in ("betas", "reprojection_px", "status")}
    return replace(solution, person_ids=np.array(ids, np.int64), **columns)
