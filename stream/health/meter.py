"""What fills a health report, cheaply: rates from counts, percentiles of the last minutes, memory from /proc."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

SPAN_S = 5.0
"""Rates are those of the last seconds: long enough to read, short enough to be about now."""
MOST_SAMPLES = 64
"""Of a rate: beyond, samples nearer together than the span over this number replace one another."""
MOST_PROCESSES = 8192
"""Processes of the machine looked at for children; one `stat` costs some 15 us."""
FAMILY_S = 30.0
"""How long the list of children is good for: looking for them takes some milliseconds."""


class Rate:
    """How fast a count grows, over the last seconds.

    A count that fell belongs to a worker that was started anew: the rate begins again with it.
    """

    def __init__(self, span_s: float = SPAN_S) -> None:
        self._span_s = span_s
        self._samples: deque[tuple[float, int]] = deque()

    def note(self, total: int, now_s: float) -> None:
        """The count so far. O(1), whatever the rate."""
        samples = self._samples
        if samples and total < samples[-1][1]:
            samples.clear()
        if len(samples) > 1 and now_s - samples[-2][0] < self._span_s / MOST_SAMPLES:
            samples[-1] = (now_s, total)
        else:
            samples.append((now_s, total))
        self._forget(now_s)

    def per_s(self, now_s: float) -> float:
        """A second; falls to 0 by itself once nothing more is noted."""
        self._forget(now_s)
        if len(self._samples) < 2:
            return 0.0
        (first_s, first), (_, last) = self._samples[0], self._samples[-1]
        return (last - first) / max(now_s - first_s, 1e-3)

    def _forget(self, now_s: float) -> None:
        while len(self._samples) > 1 and self._samples[1][0] <= now_s - self._span_s:
            self._samples.popleft()
        if self._samples and self._samples[-1][0] <= now_s - self._span_s:
            newest = self._samples[-1]
            self._samples.clear()
            self._samples.append((now_s - self._span_s, newest[1]))


class Percentiles:
    """Percentiles of the values of the last minutes; bounded in time and in number."""

    def __init__(self, span_s: float = 300.0, most: int = 4096) -> None:
        self._span_s = span_s
        self._values: deque[tuple[float, float]] = deque(maxlen=most)

    def push(self, value: float, now_s: float) -> None:
        if math.isfinite(value):
            self._values.append((now_s, value))

    def at(self, *shares: float, now_s: float) -> tuple[float, ...]:
        """The value that each share (0..1) of them is at most; empty without values. O(n log n)."""
        while self._values and self._values[0][0] <= now_s - self._span_s:
            self._values.popleft()
        ordered = sorted(value for _, value in self._values)
        if not ordered:
            return ()
        return tuple(ordered[max(0, math.ceil(share * len(ordered)) - 1)] for share in shares)

    def p50_p95(self, now_s: float) -> dict[str, float]:
        """As `HealthReport.latency_ms` has them; empty without values."""
        return dict(zip(("p50", "p95"), self.at(0.5, 0.95, now_s=now_s), strict=False))


class ResidentMemory:
    """Physical memory of this process, its descendants, and others it is told of.

    What processes share (libraries, the ring of frames) must not be counted for each of them: the sum of what is
    each one's own, and once the largest share of what is not. The list of descendants is kept for some seconds.
    """

    def __init__(self, others: Callable[[], Iterable[int]] = tuple, proc: Path = Path("/proc")) -> None:
        """Args:
        others: further process ids of the engine (workers that a cluster's daemon started).
        """
        self._others = others
        self._proc = proc
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._family: tuple[int, ...] = ()
        self._family_s = -math.inf

    def total_bytes(self, now_s: float) -> int:
        """0 where the system does not tell."""
        if now_s - self._family_s >= FAMILY_S:
            self._family, self._family_s = self._descendants(), now_s
        own = largest_shared = 0
        for pid in {*self._family, *self._others()}:
            resident, shared = self._statm(pid)
            own += resident - shared
            largest_shared = max(largest_shared, shared)
        return (own + largest_shared) * self._page

    def _statm(self, pid: int) -> tuple[int, int]:
        """Resident and shared pages; zeros of a process that has gone."""
        try:
            words = (self._proc / str(pid) / "statm").read_text().split()
            return int(words[1]), min(int(words[1]), int(words[2]))
        except (OSError, ValueError, IndexError):
            return 0, 0

    def _descendants(self) -> tuple[int, ...]:
        """This process and all that it, or a child of it, has started."""
        children: dict[int, list[int]] = {}
        try:
            names = [name for name in os.listdir(self._proc) if name.isdigit()]
        except OSError:
            return ()
        for name in names[-MOST_PROCESSES:]:
            try:
                stat = (self._proc / name / "stat").read_bytes()
                parent = int(stat.rpartition(b")")[2].split()[1])  # the name in brackets may hold anything
            except (OSError, ValueError, IndexError):
                continue
            children.setdefault(parent, []).append(int(name))
        family, waiting = [], [os.getpid()]
        while waiting:
            pid = waiting.pop()
            family.append(pid)
            waiting += children.pop(pid, [])
        return tuple(family)
