"""What the stitcher remembers of a track: its two ends as they were seen, where it went, and what it looks like.

The ends are kept as pixels (boxes and keypoints), so that they can be placed on the ground with all that is known of
the person when the question comes, and on a ground that was found only later. Bounded: the ends hold `end_s` each, the
places `max_gap_s` and a little, and a track is forgotten when nobody can ask for it any more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ...kernels.hvip import TORSO_HEIGHT_M
from ...kernels.tracking.plane_motion import Motion
from ...kernels.tracking.table import TrackTable
from ..records import TrackedFrame
from ..track_backfill import take_rows

Array = np.ndarray

_ROWS_S = 0.099
"""Rows nearer to each other say the same again: errors of neighbouring frames are alike."""
_PLACES_S = 0.199


@dataclass(frozen=True)
class Sighting:
    """A row of a frame; only looked at when somebody asks."""

    frame: TrackedFrame
    row: int

    @property
    def t_ns(self) -> int:
        """Its capture time."""
        return self.frame.t_capture_ns

    def alone(self) -> TrackedFrame:
        """The frame's header with this one row."""
        return take_rows(self.frame, np.array([self.row]))


@dataclass(frozen=True)
class Place:
    """Where a track was at some time, as the tracker had it."""

    t_ns: int
    position_m: Float[Array, "2"]
    velocity_mps: Float[Array, "2"]


@dataclass
class Portrait:
    """What tells a person from others wherever they stand."""

    torso_m: float = TORSO_HEIGHT_M
    """Learnt torso height, drawn towards the population's while few sightings say it."""
    torso_count: float = 0.0
    appearance: Float[Array, "A"] = field(default_factory=lambda: np.zeros(0))
    appearance_count: float = 0.0


@dataclass
class Tracklet:
    """One track. Grows with every sighting; an end that was worked out is kept until it changes."""

    track: int
    first_ns: int
    last_ns: int
    hits: int = 0
    confirmed: bool = False
    head: list[Sighting] = field(default_factory=list)
    tail: deque[Sighting] = field(default_factory=deque)
    places: deque[Place] = field(default_factory=deque)
    portrait: Portrait = field(default_factory=Portrait)
    came_by_border: bool = False
    """First seen at the border of the picture."""
    left_by_border: bool = False
    """Last seen there."""
    settled: bool = False
    """Nobody asks any more whose it is."""
    begin: Motion | None = None
    """State at the first sighting, from what followed (one row); worked out when asked for."""
    end: Motion | None = None
    """State at the last sighting, from what came before."""
    beside: tuple[int, list[int]] = (-1, [])
    """Time of the last sighting at which it was worked out, and who walked beside it then."""
    begun_whole: bool = False
    """The head is as long as it gets, and `begin` rests on all of it."""

    @property
    def age_s(self) -> float:
        """From the first to the last sighting."""
        return (self.last_ns - self.first_ns) / 1e9

    def see(self, frame: TrackedFrame, row: int, end_s: float, places_s: float) -> None:
        """Takes a sighting."""
        t_ns, seen = frame.t_capture_ns, Sighting(frame, row)
        self.last_ns, self.hits, self.end = t_ns, self.hits + 1, None
        self.confirmed = bool(frame.confirmed[row])
        if t_ns - self.first_ns <= end_s * 1e9 and _is_due(self.head, t_ns, _ROWS_S):
            self.head.append(seen)
        if len(self.tail) > 1 and t_ns - self.tail[-2].t_ns < _ROWS_S * 1e9:
            self.tail[-1] = seen  # the very last sighting always stands at the end
        else:
            self.tail.append(seen)
        while t_ns - self.tail[0].t_ns > end_s * 1e9:
            self.tail.popleft()
        if np.isfinite(frame.position_m[row, 0]) and _is_due(self.places, t_ns, _PLACES_S):
            self.places.append(Place(t_ns, frame.position_m[row, :2].copy(), frame.velocity_mps[row].copy()))
        while self.places and t_ns - self.places[0].t_ns > places_s * 1e9:
            self.places.popleft()

    def look(self, table: TrackTable, row: int) -> None:
        """Takes what the tracker knows of the person by now."""
        self.portrait = Portrait(
            float(table.torso_m[row]), float(table.torso_count[row]), table.appearance[row],
            float(table.appearance_count[row]),
        )  # fmt: skip

    def place_at(self, t_ns: int, within_s: float) -> Place | None:
        """The sighting nearest to a time, None where there is none near."""
        if not self.places:
            return None
        after = bisect_left(self.places, t_ns, key=lambda place: place.t_ns)
        around = [self.places[k] for k in (after - 1, after) if 0 <= k < len(self.places)]
        nearest = min(around, key=lambda place: abs(place.t_ns - t_ns))
        return nearest if abs(nearest.t_ns - t_ns) <= within_s * 1e9 else None


def _is_due(rows: list[Sighting] | deque[Sighting] | deque[Place], t_ns: int, every_s: float) -> bool:
    return not rows or t_ns - rows[-1].t_ns >= every_s * 1e9
