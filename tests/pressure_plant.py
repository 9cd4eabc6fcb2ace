"""A made-up engine for the ladder: cameras send, one server works as fast as the rung allows, windows need solving.

Time is simulated, so ten minutes take milliseconds. Frames wait in the engine's own `FrameBuffer`; the clock is
that of the events, in nanoseconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from crowdstream.stream.pressure.buffer import FrameBuffer
from crowdstream.stream.pressure.ladder import Ladder
from crowdstream.stream.pressure.policies import Admission, DropOldest, LeaveOutWindow, Policy, Waiting
from crowdstream.stream.pressure.records import Effort, Load

S = 1_000_000_000
SAMPLE_NS = S // 4
HOP_NS = round(16 / 30 * S)


@dataclass
class Plant:
    """One run; `run` may be called again, with another cost, to go on."""

    ladder: Ladder
    frame_cost_s: Callable[[Effort], float]
    """Seconds that perception takes for a frame."""
    window_cost_s: Callable[[Effort], float] = lambda effort: 0.0
    policy: Policy = field(default_factory=lambda: DropOldest(0.5))
    capacity: int = 16
    windows_allowed: int = 4

    def __post_init__(self) -> None:
        self.buffer = FrameBuffer[int](self.capacity, self.policy)
        self.windows_policy = LeaveOutWindow()
        self.now_ns = 0
        self.sent = self.done = 0
        self.levels: list[tuple[int, int]] = []
        """(time, level) at every sample."""
        self.ages_s: list[tuple[int, float]] = []
        """(time, age since arrival) of every result."""
        self._busy_until_ns = self._solver_until_ns = self._sample_ns = 0
        self._unsolved = 0
        self._next_window_ns = HOP_NS
        self._seen = (0, 0, 0)
        self._held: int | None = None

    def run(self, seconds: float, arrivals: Iterator[int]) -> None:
        """Frames arrive at the given times (rising, ns after now) for so long."""
        start_ns, end_ns = self.now_ns, self.now_ns + round(seconds * S)
        next_ns = start_ns + next(arrivals)
        while self.now_ns < end_ns:
            if self._held is None and next_ns <= self.now_ns:
                self._held = next_ns
                next_ns = start_ns + next(arrivals)
            if self._held is not None and self.buffer.put(self._held, self.now_ns) is not Admission.WAIT:
                self.sent += 1
                self._held = None
                continue
            self._work()
            if self.now_ns >= self._sample_ns:
                self._sample()
            self._advance(next_ns)

    def _advance(self, next_ns: int) -> None:
        soon = [self._sample_ns, self._next_window_ns]
        soon += [] if self._held is not None else [next_ns]
        soon += [t for t in (self._busy_until_ns, self._solver_until_ns) if t > self.now_ns]
        self.now_ns = max(self.now_ns + 1, min(soon))

    def _work(self) -> None:
        if self._busy_until_ns <= self.now_ns:
            for arrival_ns in self.buffer.take(1, self.now_ns):
                self._busy_until_ns = self.now_ns + round(self.frame_cost_s(self.ladder.effort) * S)
                self.done += 1
                self.ages_s.append((self._busy_until_ns, (self._busy_until_ns - arrival_ns) / S))
        if self._next_window_ns <= self.now_ns:
            self._next_window_ns += HOP_NS
            if self.windows_policy.admit(Waiting(self._unsolved, self.windows_allowed)) is Admission.TAKE:
                self._unsolved += 1
        if self._unsolved and self._solver_until_ns <= self.now_ns:
            cost_ns = round(self.window_cost_s(self.ladder.effort) * S)
            self._solver_until_ns = self.now_ns + max(1, cost_ns)
            self._unsolved -= 1

    def _sample(self) -> None:
        self._sample_ns = self.now_ns + SAMPLE_NS
        counts = (self.sent, self.buffer.dropped, self.windows_policy.dropped)
        arrived, frames, windows = (a - b for a, b in zip(counts, self._seen, strict=True))
        self._seen = counts
        in_work = self._unsolved + (self._solver_until_ns > self.now_ns)
        load = Load(
            frames=self.buffer.fullness(self.now_ns), windows=min(1.0, in_work / self.windows_allowed),
            age_s=self.buffer.age_s(self.now_ns), dropped=frames + windows, dropped_windows=windows, arrived=arrived,
        )  # fmt: skip
        self.ladder.step(load, self.now_ns)
        self.levels.append((self.now_ns, self.ladder.effort.level))

    def levels_after(self, seconds: float) -> list[int]:
        return [level for t_ns, level in self.levels if t_ns >= seconds * S]

    def changes_between(self, from_s: float, to_s: float) -> int:
        levels = [level for t_ns, level in self.levels if from_s * S <= t_ns < to_s * S]
        return sum(a != b for a, b in itertools.pairwise(levels))


def steady(fps: float) -> Iterator[int]:
    """Frames at even distances."""
    k = 0
    while True:
        yield round(k * S / fps)
        k += 1


def bursts(fps: float, every_s: float = 2.0, pause_s: float = 0.5) -> Iterator[int]:
    """A camera that pauses at each I-frame and then sends what it held back at once."""
    for t_ns in steady(fps):
        within_s = t_ns / S % every_s
        held_s = pause_s - within_s if within_s < pause_s else 0.0
        yield t_ns + round(held_s * S)
