"""When a result is there: the simplest model of a busy machine.

One server works through jobs in order; a job begins when it has come and the one before is done,

    done_k = max(come_k, done_(k-1)) + cost_k                       (Lindley's recursion)

Stages follow each other like Ray's workers do, each a server of its own. Jobs come at capture time, so what a camera,
a decoder and the networks take is not in it; costs are what the stage was measured to need.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Costs = Literal["processor", "none"]
"""processor: processor time over the threads a stage uses, which a loaded machine does not falsify.
none: everything is there at once; the same every time."""


class Server:
    """One stage's queue on the clock of capture times."""

    def __init__(self) -> None:
        self.free_ns: int | None = None

    def done_ns(self, come_ns: int, cost_s: float) -> int:
        """When a job that came then, and costs so much, is done."""
        begin_ns = come_ns if self.free_ns is None else max(come_ns, self.free_ns)
        self.free_ns = begin_ns + round(cost_s * 1e9)
        return self.free_ns


class StageMeter:
    """Measures what blocks of one stage cost."""

    def __init__(self, threads: int, costs: Costs) -> None:
        self._threads = max(1, min(threads, os.cpu_count() or 1))
        self._costs = costs
        self.seconds = 0.0
        """Processor time of all blocks so far."""
        self.last_s = 0.0
        """What the last block costs on the modelled clock."""

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Counts the processor time of the block."""
        began = time.process_time()
        yield
        spent = time.process_time() - began
        self.seconds += spent
        self.last_s = spent / self._threads if self._costs == "processor" else 0.0
