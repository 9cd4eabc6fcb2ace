"""The solver worker: window problems in, bodies out, warm state kept."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..kernels.body.data import BodyData
from ..kernels.camera import CameraModel
from ..kernels.ground import Ground
from ..kernels.solve.problem import WINDOW_FRAMES, WindowProblem
from ..stream.body_files import load_body
from ..stream.pressure.records import FULL_EFFORT, Effort
from ..stream.reconstruct import Reconstructor, make_reconstructor
from ..stream.reconstruct_config import ReconstructConfig
from ..stream.warm_state import state_of
from .kernels_cached import kernels_are_cached
from .plan import EnginePlan
from .solved import SolvedWindow
from .stopwatch import Stopwatch

Array = np.ndarray

_COMPILE_TIMEOUT_S = 900.0
"""Ten times what one slow core takes."""


class SolverWorker:
    """start -> solve ... -> stop. Windows of several sites may come, of each in order."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._body: BodyData | None = None
        self._stages: dict[str, Reconstructor] = {}
        self._solved = ""
        self._spare: Reconstructor | None = None
        self._effort = FULL_EFFORT
        self.watch = Stopwatch()

    def start(self) -> None:
        """Load body and priors, and compile what is compiled: the first window shall not wait for it."""
        self._body = load_body(self._plan.body)
        stage = make_reconstructor(self._plan.config.solve, self._body)
        if self._plan.config.solve.preset == "live":
            compile_in_another_process()
            _exercise(stage)
        self._spare = stage

    def _stage_of(self, site: str) -> Reconstructor:
        if site not in self._stages:
            assert self._body is not None
            stage = self._spare or make_reconstructor(self._plan.config.solve, self._body)
            self._spare = None
            stage.set_effort(self._effort)
            self._stages[site] = stage
        return self._stages[site]

    def solve(self, problem: WindowProblem) -> SolvedWindow:
        """The bodies of one window."""
        stage = self._stage_of(problem.site)
        self._solved = problem.site
        began_s = time.perf_counter()
        with self.watch.measure("solve"):
            solution = stage.solve(problem)
        seconds = time.perf_counter() - began_s
        return SolvedWindow(solution, state_of(stage.export_state()), problem.site, seconds)

    def set_effort(self, effort: Effort) -> None:
        """How much is spent on the windows from now on."""
        self._effort = effort
        for stage in self._stages.values():
            stage.set_effort(effort)

    def memory(self) -> bytes:
        """What a successor must know of the site solved last."""
        return self._stage_of(self._solved).snapshot()

    def recall(self, site: str, memory: bytes) -> None:
        """A site goes on from what another solver remembered."""
        self._stage_of(site).restore(memory)

    def forget(self, site: str) -> None:
        """No more windows of a site will come."""
        stage = self._stages.pop(site, None)
        if stage is not None:
            stage.close()

    def stop(self) -> dict[str, object]:
        """Let the threads go; the seconds spent."""
        for stage in self._stages.values():
            stage.close()
        return {"seconds": dict(self.watch.seconds)}


def compile_in_another_process() -> None:
    """Have the kernels in their cache before this process loads them; at once when they are.

    Code compiled in a process and the same code loaded from the cache round differently: the compiler inlines
    across functions only when it compiles them together. Everybody loading what a child compiled is what makes
    two runs of one replay equal to the last digit. Where there is no cache to write to, this process compiles.
    """
    if not kernels_are_cached():
        run_elsewhere(f"from {__name__} import compile_kernels; compile_kernels()")


def run_elsewhere(command: str) -> None:
    """Run a line of Python in a process of its own and wait for it; what goes wrong there costs nothing here."""
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            (sys.executable, "-P", "-c", command),
            check=False,
            timeout=_COMPILE_TIMEOUT_S,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def compile_kernels() -> None:
    """Compile everything a live solve runs, into the cache; who comes second waits for the first."""
    with one_at_a_time():
        if kernels_are_cached():
            return
        config = ReconstructConfig(motion_prior=False, lifter=False)  # networks are not compiled
        reconstructor = make_reconstructor(config, load_body())
        _exercise(reconstructor)
        reconstructor.close()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Holds a lock of this user; without one where no file can be made."""
    path = Path(tempfile.gettempdir()) / f"crowdstream-compile-{os.getuid()}.lock"
    try:
        handle = path.open("w")
    except OSError:
        yield
        return
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _exercise(stage: Reconstructor) -> None:
    """A cold and a warm window, forgotten afterwards: all compiled code is loaded then."""
    problem = smallest_problem()
    stage.solve(problem)
    stage.solve(replace(problem, window=1, slot0=16))
    stage.import_state({})


def smallest_problem() -> WindowProblem:
    """One person in front of one camera; its answer is thrown away."""
    t = WINDOW_FRAMES
    R = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    K = np.array([[500.0, 0.0, 320.0], [0.0, 500.0, 240.0], [0.0, 0.0, 1.0]])
    camera = CameraModel(K=K, R_cam_world=R, t_cam_world_m=np.array([0.0, 1.5, 8.0]), size_px=(640, 480))
    spread = np.linspace(-40.0, 40.0, 17, dtype=np.float32)
    keypoints = np.stack([320.0 + spread, 240.0 + 2.0 * spread], axis=1)
    return WindowProblem(
        window=0, slot0=0, t0_ns=0, person_ids=np.zeros(1, np.int64), cameras=(camera,), ground=Ground(),
        present=np.ones((1, t), bool),
        keypoints_px=np.broadcast_to(keypoints.astype(np.float32), (1, 1, t, 17, 2)).copy(),
        confidence=np.full((1, 1, t, 17), 0.5, np.float32),
        box_px=np.broadcast_to(np.array([270.0, 150.0, 370.0, 340.0], np.float32), (1, 1, t, 4)).copy(),
        hvip_px=np.full((1, 1, t, 2), 330.0, np.float32), hvip_sigma_px=np.full((1, 1, t), 4.0, np.float32),
        track_m=np.zeros((1, t, 3), np.float32),
    )  # fmt: skip
