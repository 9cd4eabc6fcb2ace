"""The model's timeline: slots of 1/30 s, whatever the cameras' rates."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Timeline:
    """Slots by capture time from one anchor on: an epoch, in which no clock jumps.

    Anchored at the first frame, so that the frames of a 30 Hz camera fall on slot centres and not between.
    """

    anchor_ns: int
    """Capture time of the centre of slot `base`."""
    base: int
    """First slot of the epoch; slots of different epochs never overlap."""
    rate_hz: float

    def slot_of(self, t_ns: int) -> int:
        """The slot whose centre is nearest, at most half a slot away."""
        return self.base + math.floor((t_ns - self.anchor_ns) * self.rate_hz / 1e9 + 0.5)

    def time_ns(self, slot: int) -> int:
        """Capture time of a slot's centre."""
        return self.anchor_ns + round((slot - self.base) * 1e9 / self.rate_hz)

    def off_ns(self, t_ns: int) -> int:
        """How far a time is from the centre of its slot."""
        return abs(t_ns - self.time_ns(self.slot_of(t_ns)))
