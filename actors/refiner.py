"""The refiner worker: solved windows in, revisions out; in the background, and as slow as it likes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..kernels.body.data import BodyData
from ..kernels.solve.problem import WindowProblem
from ..stream.body_files import load_body
from ..stream.identity import IdentityEvent
from ..stream.refine.records import RefineInput, Revision
from ..stream.refine.stage import RefineStage, make_refiner
from .plan import EnginePlan
from .refiner_kernels import compile_refiner_in_another_process
from .solved import SolvedWindow
from .stopwatch import Stopwatch


class RefinerWorker:
    """start -> (restore | resume) -> step ... -> finish -> stop. Several sites' windows may come, of each in order."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._body: BodyData | None = None
        self._stages: dict[str, RefineStage] = {}
        self._spare: RefineStage | None = None
        self.watch = Stopwatch()

    def start(self, own_process: bool = False) -> None:
        """Load the body and try the networks.

        Args:
            own_process: nothing else runs here, so the whole process may stand back for the others.

        Raises:
            RefineError: windows that segments cannot be cut from. ModelError: a file is missing or damaged.
        """
        config = self._plan.config
        if own_process:
            os.nice(config.refine.niceness)
        compile_refiner_in_another_process()
        self._body = load_body(self._plan.body)
        self._spare = self._make()

    def _make(self) -> RefineStage:
        config = self._plan.config
        assert self._body is not None
        return make_refiner(config.refine, config.solve, self._body, config.window)

    def _stage_of(self, site: str) -> RefineStage:
        if site not in self._stages:
            self._stages[site] = self._spare or self._make()
            self._spare = None
        return self._stages[site]

    def resume(self, site: str, identity: Sequence[IdentityEvent], min_rev: int) -> None:
        """Take over from a worker that is gone; some of what it was given comes again."""
        self._stage_of(site).resume(identity, min_rev)

    def snapshot(self, site: str) -> bytes:
        """All that is known of a site."""
        return self._stage_of(site).snapshot()

    def restore(self, site: str, snapshot: bytes) -> None:
        """A site goes on from what another refiner has known."""
        self._stage_of(site).restore(snapshot)

    def step(
        self,
        site: str,
        problem: WindowProblem,
        solved: SolvedWindow,
        identity: tuple[IdentityEvent, ...] = (),
    ) -> list[Revision]:
        """One window further: what can be said better now."""
        with self.watch.measure("refine"), _threads(self._plan.config.refine.threads):
            return self._stage_of(site).step(RefineInput(problem, solved.solution, identity))

    def finish(self, site: str, identity: tuple[IdentityEvent, ...] = ()) -> list[Revision]:
        """The end of the windows of a site: everything that still waited."""
        with self.watch.measure("refine"), _threads(self._plan.config.refine.threads):
            return self._stage_of(site).finish(identity)

    def forget(self, site: str) -> None:
        """No more windows of a site will come."""
        stage = self._stages.pop(site, None)
        if stage is not None:
            stage.close()

    def stop(self) -> dict[str, object]:
        """Let threads go; what was done, and the seconds spent."""
        counts: Counter[str] = Counter()
        seconds: Counter[str] = Counter()
        for stage in self._stages.values():
            counted = stage.report()
            counts.update(counted.counts)
            seconds.update(counted.seconds)
            stage.close()
        self._stages.clear()
        return {"seconds": dict(self.watch.seconds), "counts": dict(counts), "refine_seconds": dict(seconds)}


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
