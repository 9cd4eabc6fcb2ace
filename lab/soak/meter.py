"""Samples of a tree of processes every second or so, from a thread beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

from .process_tree import Held, Holdings, ProcessTree
from .slope import Slope, slope


@dataclass(frozen=True)
class Sample:
    """What the tree held at one moment."""

    t_s: float
    """Since the meter started."""
    holds: Holdings


@dataclass
class Meter:
    """Measures from `with` to its end; the samples stay."""

    tree: ProcessTree
    every_s: float = 1.0
    """A sample costs some milliseconds a process."""
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter")
        self.begin_s = time.monotonic()
        """Monotonic; of the first sample."""

    def __enter__(self) -> Meter:
        self.begin_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.is_set():
            holds = self.tree.holdings()
            if holds.processes:
                self.samples.append(Sample(time.monotonic() - self.begin_s, holds))
            self._done.wait(self.every_s)

    def growth(self, of: str, warm_up_s: float) -> Slope | None:
        """Slope of one field of `Holdings` (megabytes or a count a second)."""
        return slope(
            [sample.t_s for sample in self.samples],
            [float(getattr(sample.holds, of)) for sample in self.samples],
            warm_up_s,
        )

    def after(self, warm_up_s: float) -> list[Holdings]:
        """Samples after the warm-up."""
        return [sample.holds for sample in self.samples if sample.t_s >= warm_up_s]

    def staying(self, warm_up_s: float) -> list[tuple[float, Held]]:
        """(t_s, what they hold together) of the processes that live in every sample after the warm-up."""
        samples = [sample for sample in self.samples if sample.t_s >= warm_up_s]
        if not samples:
            return []
        members = set.intersection(*(set(sample.holds.of) for sample in samples))
        return [(sample.t_s, _together([sample.holds.of[m] for m in members])) for sample in samples]


def _together(held: Sequence[Held]) -> Held:
    return Held(sum(h.own_mb for h in held), sum(h.fds for h in held), sum(h.threads for h in held))
