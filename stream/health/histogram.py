"""Latency as counts in fixed buckets: cheap to take in, mergeable, and what Prometheus reads.

Bucket i counts what lies in (bound[i-1], bound[i]]; a last one takes everything above. The bounds are the same
everywhere, so the histograms of several workers, or of a worker and of the one that replaced it, add up.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

BOUNDS_S = (0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 3.5, 5.0, 10.0)
"""10 ms to 10 s, finest around what is promised: 50 ms to a subscriber, 300 ms live."""


@dataclass(frozen=True)
class Counts:
    """A histogram at one moment."""

    buckets: tuple[int, ...]
    """One count for each of `BOUNDS_S` and one for what is above; not cumulative."""
    sum_s: float = 0.0
    """Of everything taken in, s."""

    def __post_init__(self) -> None:
        if len(self.buckets) != len(BOUNDS_S) + 1:
            raise ValueError(f"{len(self.buckets) = }, expected {len(BOUNDS_S) + 1}")

    @property
    def count(self) -> int:
        return sum(self.buckets)

    def __add__(self, other: Counts) -> Counts:
        """Both together."""
        both = zip(self.buckets, other.buckets, strict=True)
        return Counts(tuple(a + b for a, b in both), self.sum_s + other.sum_s)

    def cumulative(self) -> list[tuple[float, int]]:
        """(upper bound in s, how many were at most that), the last bound infinite."""
        out, total = [], 0
        for bound_s, number in zip((*BOUNDS_S, math.inf), self.buckets, strict=True):
            total += number
            out.append((bound_s, total))
        return out

    def quantile(self, share: float) -> float:
        """Where about `share` (0..1) of the values are at most: read off linearly inside its bucket, s.

        NaN of nothing; the last bound for what lies above it.
        """
        wanted, below, low_s = share * self.count, 0, 0.0
        if not self.count:
            return math.nan
        for bound_s, number in zip(BOUNDS_S, self.buckets, strict=False):
            if number and below + number >= wanted:
                return low_s + (bound_s - low_s) * max(0.0, wanted - below) / number
            below, low_s = below + number, bound_s
        return BOUNDS_S[-1]


NOTHING = Counts((0,) * (len(BOUNDS_S) + 1))


def merged(histograms: Iterable[Counts]) -> Counts:
    """All together; of none, an empty one."""
    return sum(histograms, NOTHING)


class Histogram:
    """Takes in one value at a time. One thread writes; any may read `counts`."""

    def __init__(self, start: Counts = NOTHING) -> None:
        self._buckets = list(start.buckets)
        self._sum_s = start.sum_s

    def observe(self, value_s: float) -> None:
        """O(log buckets). What is negative (a clock stepped) counts as 0, what is no number not at all."""
        if not math.isfinite(value_s):
            return
        value_s = max(0.0, value_s)
        self._buckets[bisect_left(BOUNDS_S, value_s)] += 1
        self._sum_s += value_s

    def counts(self) -> Counts:
        """As it stands."""
        return Counts(tuple(self._buckets), self._sum_s)
