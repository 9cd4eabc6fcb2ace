"""When the frames arrived whose results are being published: what latencies are counted from."""

from __future__ import annotations

import bisect
from array import array

_KEPT = 4096
"""Frames remembered; more than any window and queue can span."""


class Arrivals:
    """Capture time -> arrival at this machine."""

    def __init__(self) -> None:
        self._captured_ns = array("q")
        self._arrived_ns = array("q")

    def add(self, captured_ns: int, arrived_ns: int) -> None:
        """Remember a frame; frames come in order, a step backwards is put where it belongs."""
        at = bisect.bisect_right(self._captured_ns, captured_ns)
        self._captured_ns.insert(at, captured_ns)
        self._arrived_ns.insert(at, arrived_ns)
        if len(self._captured_ns) > _KEPT:
            del self._captured_ns[: _KEPT // 2], self._arrived_ns[: _KEPT // 2]

    def at(self, captured_ns: int) -> int:
        """Arrival of the last frame captured up to a time; of the first one known when it is older."""
        if not self._captured_ns:
            return 0
        at = bisect.bisect_right(self._captured_ns, captured_ns) - 1
        return self._arrived_ns[max(at, 0)]

    @property
    def span_ns(self) -> tuple[int, int]:
        """Capture times of the oldest and newest frame remembered."""
        return (self._captured_ns[0], self._captured_ns[-1]) if self._captured_ns else (0, 0)
