"""What becomes known later: the first frames of people just confirmed, and the way of those who were hidden.

Works on the tracked frames alone. A row handed out here replaces the row with the same frame index and
person id, if there was one; nothing is handed out twice for the same reason. Memory: the frames of the
longest gap that is bridged, and one row a person.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from .records import TrackedFrame

Array = np.ndarray

_ROWS = ("person_ids", "confirmed", "seen", "boxes_px", "scores", "keypoints_px", "confidence",
         "position_m", "covariance_m2", "velocity_mps")  # fmt: skip


@dataclass(frozen=True)
class _Sighting:
    """A row of a frame: only looked up when it turns out to be needed."""

    frame: TrackedFrame
    row: int

    @property
    def confirmed(self) -> bool:
        return bool(self.frame.confirmed[self.row])

    def alone(self) -> TrackedFrame:
        """The frame's header with this one row."""
        return take_rows(self.frame, np.array([self.row]))


class Backfill:
    """Collects late rows; `push` every frame in order, `drain` whenever wanted."""

    def __init__(self, bridge_s: float, horizon_s: float, speed_sigma_mps: float) -> None:
        self._bridge_ns = int(bridge_s * 1e9)
        self._horizon_ns = int(max(horizon_s, bridge_s) * 1e9)
        self._speed_sigma = speed_sigma_mps
        self._headers: deque[TrackedFrame] = deque()
        self._unconfirmed: dict[int, list[_Sighting]] = {}
        self._last: dict[int, _Sighting] = {}
        self._previous: TrackedFrame | None = None
        self._late: list[TrackedFrame] = []

    def push(self, frame: TrackedFrame) -> None:
        """Takes the next frame and works out which earlier rows it settles."""
        now = {int(frame.person_ids[row]): _Sighting(frame, int(row)) for row in np.flatnonzero(frame.seen)}
        for person, sighting in now.items():
            last = self._last.get(person)
            if not sighting.confirmed:
                self._unconfirmed.setdefault(person, []).append(sighting)
                continue
            for earlier in self._unconfirmed.pop(person, []):
                self._late.append(replace(earlier.alone(), confirmed=np.ones(1, bool)))
            if last is not None and last.confirmed and last.frame is not self._previous:
                self._bridge(last.alone(), sighting.alone())
        for person, last in self._last.items():
            if person not in now and last.frame is self._previous:
                now[person] = _Sighting(last.alone(), 0)  # lets go of the rest of the frame
            elif person not in now:
                now[person] = last
        self._last, self._previous = now, frame
        self._headers.append(take_rows(frame, np.zeros(0, np.int64)))
        self._trim(frame.t_capture_ns)

    def drain(self) -> list[TrackedFrame]:
        """The late rows since the last call: one record a frame, oldest first."""
        late, self._late = self._late, []
        by_index: dict[int, list[TrackedFrame]] = {}
        for each in late:
            by_index.setdefault(each.index, []).append(each)
        return [join_rows(by_index[index]) for index in sorted(by_index)]

    def _bridge(self, last: TrackedFrame, now: TrackedFrame) -> None:
        span = now.t_capture_ns - last.t_capture_ns
        if span <= 0 or span > self._bridge_ns:
            return
        for header in reversed(self._headers):
            if header.t_capture_ns <= last.t_capture_ns:
                break
            share = (header.t_capture_ns - last.t_capture_ns) / span
            self._late.append(_between(last, now, header, share, span / 1e9, self._speed_sigma))

    def _trim(self, now_ns: int) -> None:
        oldest = now_ns - self._horizon_ns
        while self._headers and self._headers[0].t_capture_ns < oldest:
            self._headers.popleft()
        for person in [p for p, s in self._last.items() if s.frame.t_capture_ns < oldest]:
            del self._last[person]
            self._unconfirmed.pop(person, None)


def take_rows(frame: TrackedFrame, rows: Int[Array, "R"]) -> TrackedFrame:
    """The frame with some of its rows."""
    columns: dict[str, Any] = {name: getattr(frame, name)[rows] for name in _ROWS}
    return replace(frame, drops={}, **columns)


def join_rows(parts: list[TrackedFrame]) -> TrackedFrame:
    """One record of rows of the same frame, by person id; the last one given wins."""
    joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in _ROWS}
    _, last = np.unique(joined["person_ids"][::-1], return_index=True)
    keep = len(joined["person_ids"]) - 1 - last
    columns: dict[str, Any] = {name: value[keep] for name, value in joined.items()}
    return replace(parts[0], **columns)


def merge_backfill(frame: TrackedFrame, late: TrackedFrame) -> TrackedFrame:
    """The frame with its late rows put in (or in place of those of the same person)."""
    return replace(join_rows([frame, late]), drops=frame.drops)


def _between(
    a: TrackedFrame, b: TrackedFrame, header: TrackedFrame, share: float, span_s: float, speed_sigma: float
) -> TrackedFrame:
    """The row of a hidden person: straight from a to b. Its variance is that of a walk of unknown speed."""

    def mix(name: str) -> Float[Array, "1 ..."]:
        return np.asarray((1.0 - share) * getattr(a, name) + share * getattr(b, name))

    wander = (speed_sigma * span_s * share * (1.0 - share)) ** 2
    ends = (1.0 - share) ** 2 * a.covariance_m2 + share**2 * b.covariance_m2
    return replace(
        header,
        person_ids=a.person_ids, confirmed=np.ones(1, bool), seen=np.zeros(1, bool),
        boxes_px=mix("boxes_px").astype(np.float32), scores=np.zeros(1, np.float32),
        keypoints_px=np.zeros((1, 17, 2), np.float32), confidence=np.zeros((1, 17), np.float32),
        position_m=mix("position_m"), covariance_m2=ends + wander * np.eye(2),
        velocity_mps=(b.position_m - a.position_m)[:, :2] / span_s,
    )  # fmt: skip
