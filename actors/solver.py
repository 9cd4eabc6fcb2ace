"""The solver worker: window problems in, bodies out, warm state kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kernels.solve.problem import WindowProblem, WindowSolution
from ..stream.body_files import load_body
from ..stream.prior_files import load_pose_prior
from ..stream.reconstruct import Reconstructor
from .plan import EnginePlan
from .stopwatch import Stopwatch

Array = np.ndarray


@dataclass(frozen=True)
class SolvedWindow:
    """A window's bodies, and what the next solve needs beside them; the log keeps both in one record."""

    solution: WindowSolution
    state: dict[str, Array]
    """person_ids (N,) int64 and betas_weight (N,) float32: poses, places and betas stand in the solution."""


class SolverWorker:
    """start -> solve ... -> stop."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._stage: Reconstructor | None = None
        self.watch = Stopwatch()

    def start(self) -> None:
        """Load body and prior."""
        body = load_body(self._plan.body)
        self._stage = Reconstructor(self._plan.config.solve, body, load_pose_prior())

    def solve(self, problem: WindowProblem) -> SolvedWindow:
        """The bodies of one window."""
        assert self._stage is not None
        with self.watch.measure("solve"):
            solution = self._stage.solve(problem)
        known = self._stage.export_state()
        ids = np.array([p for p in solution.person_ids.tolist() if p in known], np.int64)
        weights = np.array([known[p].betas_weight for p in ids.tolist()], np.float32)
        return SolvedWindow(solution, {"person_ids": ids, "betas_weight": weights})

    def stop(self) -> dict[str, object]:
        """Let the threads go; the seconds spent."""
        if self._stage is not None:
            self._stage.close()
        return {"seconds": dict(self.watch.seconds)}
