"""What every policy of a full buffer answers: may one more come in, and is one that waited still worth the work.

A policy decides and counts; whoever holds the buffer acts (`stream.pressure.buffer`, `stream.sources.pace`).
Nothing here reads a clock: ages come in as numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Admission(StrEnum):
    """What becomes of one more."""

    TAKE = "take"
    """There is room."""
    MAKE_ROOM = "make_room"
    """The oldest that waits goes, then there is room."""
    WAIT = "wait"
    """It stays with who brought it, to be offered again: nothing is lost."""
    LEAVE_OUT = "leave_out"
    """It is lost, and counted."""


@dataclass(frozen=True)
class Waiting:
    """What waits, before one more is let in."""

    count: int
    capacity: int

    @property
    def full(self) -> bool:
        return self.count >= self.capacity


class Policy(Protocol):
    """One rule of a full buffer. Counts what it gives up; holds nothing else that changes."""

    @property
    def max_age_s(self) -> float | None:
        """Nothing waits for longer; None: however long it takes."""
        ...

    @property
    def drops(self) -> Mapping[str, int]:
        """What was given up since the start, by cause."""
        ...

    def admit(self, waiting: Waiting) -> Admission:
        """One more has come. What MAKE_ROOM and LEAVE_OUT cost is counted here."""
        ...

    def keep(self, age_s: float) -> bool:
        """Whether one that has waited for `age_s` is still worth the work; if not, it is counted here."""
        ...


def fullness(count: int, capacity: int, age_s: float = 0.0, max_age_s: float | None = None) -> float:
    """How near a buffer is to dropping (or to making its source wait): 0 empty, 1 there.

    Count and age of the oldest both bound it; the nearer bound speaks.
    """
    by_count = count / max(1, capacity)
    by_age = age_s / max_age_s if max_age_s and count else 0.0
    return min(1.0, max(0.0, by_count, by_age))
