"""The solver worker: window problems in, bodies out, warm state kept."""

from __future__ import annotations

from ..kernels.solve.problem import WindowProblem, WindowSolution
from ..stream.body_files import load_body
from ..stream.prior_files import load_pose_prior
from ..stream.reconstruct import Reconstructor
from .plan import EnginePlan
from .stopwatch import Stopwatch


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

    def solve(self, problem: WindowProblem) -> WindowSolution:
        """The bodies of one window."""
        assert self._stage is not None
        with self.watch.measure("solve"):
            return self._stage.solve(problem)

    def stop(self) -> dict[str, object]:
        """Let the threads go; the seconds spent."""
        if self._stage is not None:
            self._stage.close()
        return {"seconds": dict(self.watch.seconds)}
