"""The clock as an argument: what waits or stamps takes one, so that tests own time."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Time of the host, and a way to let it pass."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch; never goes back within a session."""
        ...

    def sleep(self, seconds: float) -> None:
        """Returns after `seconds`; at once for zero and less."""
        ...


class WallClock:
    """The host's clock, read once and carried on by the monotonic counter.

    A step of the system time (NTP, an operator) therefore never makes a latency negative.
    """

    def __init__(self) -> None:
        self._epoch_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        return self._epoch_ns + time.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


class FakeClock:
    """A clock that only moves when told to: sleeping is instant and is remembered."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns
        self.slept_s: list[float] = []

    def now_ns(self) -> int:
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.slept_s.append(seconds)
            self._now_ns += round(seconds * 1e9)

    def advance(self, seconds: float) -> None:
        """Lets time pass, as work between two calls would."""
        self._now_ns += round(seconds * 1e9)
