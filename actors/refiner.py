"""The refiner worker: solved windows in, revisions out; in the background, and as slow as it likes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..kernels.solve.problem import WindowProblem
from ..stream.body_files import load_body
from ..stream.identity import IdentityEvent
from ..stream.refine.records import RefineInput, Revision
from ..stream.refine.stage import RefineStage, make_refiner
from .plan import EnginePlan
from .refiner_kernels import compile_refiner_in_another_process
from .solver import SolvedWindow
from .stopwatch import Stopwatch


class RefinerWorker:
    """start -> (resume) -> step ... -> finish -> stop."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._stage: RefineStage | None = None
        self.watch = Stopwatch()

    def start(self, own_process: bool = False) -> None:
        """Load body and networks.

        Args:
            own_process: nothing else runs here, so the whole process may stand back for the others.

        Raises:
            RefineError: windows that segments cannot be cut from. ModelError: a file is missing or damaged.
        """
        config = self._plan.config
        if own_process:
            os.nice(config.refine.niceness)
        compile_refiner_in_another_process()
        self._stage = make_refiner(config.refine, config.solve, load_body(self._plan.body), config.window)

    def resume(self, identity: Sequence[IdentityEvent], min_rev: int) -> None:
        """Take over from a worker that is gone; some of what it was given comes again."""
        assert self._stage is not None
        self._stage.resume(identity, min_rev)

    def step(
        self, problem: WindowProblem, solved: SolvedWindow, identity: tuple[IdentityEvent, ...] = ()
    ) -> list[Revision]:
        """One window further: what can be said better now."""
        assert self._stage is not None
        with self.watch.measure("refine"), _threads(self._plan.config.refine.threads):
            return self._stage.step(RefineInput(problem, solved.solution, identity))

    def finish(self, identity: tuple[IdentityEvent, ...] = ()) -> list[Revision]:
        """The end of the windows: everything that still waited."""
        assert self._stage is not None
        with self.watch.measure("refine"), _threads(self._plan.config.refine.threads):
            return self._stage.finish(identity)

    def stop(self) -> dict[str, object]:
        """Let threads go; what was done, and the seconds spent."""
        report: dict[str, object] = {"seconds": dict(self.watch.seconds)}
        if self._stage is not None:
            counted = self._stage.report()
            report |= {"counts": dict(counted.counts), "refine_seconds": dict(counted.seconds)}
            self._stage.close()
            self._stage = None
        return report


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Holds torch to some threads: as many wherever the worker runs, because sums round by how they are shared out."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
