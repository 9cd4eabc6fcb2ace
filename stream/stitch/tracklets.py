"""What the stitcher remembers of a track: its two ends as they were seen, where it went, and what it looks like.

The ends are kept as pixels (boxes and keypoints), so that they can be placed on the ground with all that is known of
the person when the question comes, and on a ground that was found only later. Bounded: the ends hold `end_s` each, the
places `max_gap_s` and a little, and a track is forgotten when nobody can ask for it any more.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ...kernels.hvip import TORSO_HEIGHT_M
from ...kernels.tracking.plane_motion import Motion
from ...kernels.tracking.table import TrackTable
from ..records import TrackedFrame

Array = np.ndarray

_ROWS_S = 0.099
"""Rows nearer to each other say the same again: errors of neighbouring frames are alike."""
_PLACES_S = 0.199


@dataclass(frozen=True)
class SeenRow:
    """One sighting."""

    t_ns: int
    box_px: Float[Array, "4"]
    keypoints_px: Float[Array, "17 2"]
    confidence: Float[Array, "17"]


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
    head: list[SeenRow] = field(default_factory=list)
    tail: deque[SeenRow] = field(default_factory=deque)
    places: deque[Place] = field(default_factory=deque)
    portrait: Portrait = field(default_factory=Portrait)
    came_by_border: bool = False
    """First seen at the border of the picture."""
    left_by_border: bool = False
    """Last seen there."""
    settled: bool = False
    """Nobody asks any more whose it is."""
    first_frame: TrackedFrame | None = None
    """Its row of the first and of the last sighting, alone."""
    last_frame: TrackedFrame | None = None
    begin: Motion | None = None
    """State at the first sighting, from what followed (one row); worked out when asked for."""
    end: Motion | None = None
    """State at the last sighting, from what came before."""
    begun_with: int = 0
    """Rows of the head that `begin` was worked out from."""

    @property
    def age_s(self) -> float:
        """From the first to the last sighting."""
        return (self.last_ns - self.first_ns) / 1e9

    def see(self, frame: TrackedFrame, row: int, end_s: float, places_s: float) -> None:
        """Takes a sighting."""
        t_ns = frame.t_capture_ns
        seen = SeenRow(
            t_ns, frame.boxes_px[row].astype(np.float64), frame.keypoints_px[row].astype(np.float64),
            frame.confidence[row].astype(np.float64),
        )  # fmt: skip
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
        nearest = min(self.places, key=lambda place: abs(place.t_ns - t_ns))
        return nearest if abs(nearest.t_ns - t_ns) <= within_s * 1e9 else None


def _is_due(rows: list[SeenRow] | deque[SeenRow] | deque[Place], t_ns: int, every_s: float) -> bool:
    return not rows or t_ns - rows[-1].t_ns >= every_s * 1e9
