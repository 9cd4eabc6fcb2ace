"""The engine's own stages over a clip's observations, without processes: SiteStage -> Reconstructor -> RefineStage.

The very classes that the engine runs, fed in the same order; what they give is kept with the time from which on a
subscriber could have had it (`server_clock`). Nothing waits for the refiner: it is a server of its own that takes each
window once it is solved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ...configs.schema import EngineConfig
from ...kernels.body.data import BodyData
from ...kernels.solve.problem import MODEL_RATE_HZ, SolveStatus, WindowProblem, WindowSolution
from ...stream.body_files import load_body
from ...stream.calibration_file import Calibration
from ...stream.identity import IdentityEvent
from ...stream.reconstruct import make_reconstructor
from ...stream.records import Observation
from ...stream.refine.records import RefineInput, RefineReport, Revision
from ...stream.refine.stage import RefineStage, make_refiner
from ...stream.site import SiteOutput, SiteStage
from .published import LiveVersion, Published, WindowVersion, take_people
from .server_clock import Costs, Server, StageMeter


@dataclass(frozen=True)
class Clip:
    """What the stages are given."""

    camera: str
    size_px: tuple[int, int]
    num_frames: int
    observations: Iterable[Observation]
    calibration: Calibration | None
    """None: the engine calibrates itself."""


def run_stages(
    clip: Clip,
    config: EngineConfig,
    costs: Costs = "processor",
    progress: Callable[[int, int], None] | None = None,
    body: BodyData | None = None,
) -> Published:
    """Everything that the engine would publish of a clip.

    Args:
        costs: what the clock of availability takes a stage's work to cost.
        progress: called with frames done and frames in all.
        body: the body to solve with; None for the one that ships.
    """
    runner = _Runner(clip, config, costs, body or load_body())
    began = time.perf_counter()
    for done, observation in enumerate(clip.observations, start=1):
        runner.step(observation)
        if progress is not None:
            progress(done, clip.num_frames)
    published = runner.finish()
    runner.close()
    return Published(**{**vars(published), "wall_s": time.perf_counter() - began})


class _Runner:
    """One run; tracking, solver and refiner each have a queue of their own."""

    def __init__(self, clip: Clip, config: EngineConfig, costs: Costs, body: BodyData) -> None:
        self._clip = clip
        self._site = SiteStage(
            clip.camera,
            clip.size_px,
            config.track,
            config.calibrate,
            config.window,
            clip.calibration,
            config.stitch,
        )
        self._config, self._body = config.solve, body
        self._solver = make_reconstructor(config.solve, body)
        self._refiner = _refiner_of(config, body)
        live = config.solve.preset == "live"
        self._meters = {
            "tracking": StageMeter(1, costs),
            "solve": StageMeter(config.solve.live.threads if live else 1, costs),
        }
        if self._refiner is not None:
            self._meters["refine"] = StageMeter(config.refine.threads, costs)
        self._tracking, self._solving, self._refining = Server(), Server(), Server()
        self._live: list[LiveVersion] = []
        self._late: list[LiveVersion] = []
        self._windows: list[WindowVersion] = []
        self._identity: list[IdentityEvent] = []
        self._untold: list[IdentityEvent] = []  # to the refiner
        self._failed = 0
        self._warm = not live
        self._last_ns = 0

    def step(self, observation: Observation) -> None:
        """One frame further."""
        meter = self._meters["tracking"]
        with meter.measure():
            output = self._site.step(observation)
        self._last_ns = max(self._last_ns, observation.t_capture_ns)
        self._take(output, self._tracking.done_ns(self._last_ns, meter.last_s))

    def finish(self) -> Published:
        """The end of the clip."""
        meter = self._meters["tracking"]
        with meter.measure():
            output = self._site.finish()
        self._take(output, self._tracking.done_ns(self._last_ns, meter.last_s))
        self._finish_refining()
        return Published(
            live=tuple(self._live), late=tuple(self._late), windows=tuple(self._windows),
            calibration=self._site.calibration, given_calibration=self._clip.calibration is not None,
            seconds={name: meter.seconds for name, meter in self._meters.items()},
            drops=dict(self._site.stats.drops), failed=self._failed, identity=tuple(self._identity),
            refiner=RefineReport() if self._refiner is None else self._refiner.report(),
        )  # fmt: skip

    def close(self) -> None:
        """Let the threads of solver and refiner go."""
        self._solver.close()
        if self._refiner is not None:
            self._refiner.close()

    def _take(self, output: SiteOutput, ready_ns: int) -> None:
        self._live += [LiveVersion(tracked, ready_ns, len(self._identity)) for tracked in output.tracked]
        self._identity += output.identity
        self._untold += output.identity
        self._late += [LiveVersion(rows, ready_ns, len(self._identity)) for rows in output.late]
        for problem in output.problems:
            self._warm_up(problem)
            meter = self._meters["solve"]
            with meter.measure():
                solution = self._solver.solve(problem)
            done_ns = self._solving.done_ns(ready_ns, meter.last_s)
            self._windows.append(self._version(self._solved(solution), done_ns))
            self._refine(problem, solution, done_ns)

    def _refine(self, problem: WindowProblem, solution: WindowSolution, come_ns: int) -> None:
        if self._refiner is None:
            return
        given = RefineInput(problem, solution, tuple(self._untold))
        self._untold = []
        with self._meters["refine"].measure():
            revisions = self._refiner.step(given)
        self._revise(revisions, come_ns)

    def _finish_refining(self) -> None:
        if self._refiner is None:
            return
        come_ns = max((v.ready_ns for v in self._windows), default=self._last_ns)
        with self._meters["refine"].measure():
            revisions = self._refiner.finish(tuple(self._untold))
        self._revise(revisions, come_ns)

    def _revise(self, revisions: list[Revision], come_ns: int) -> None:
        done_ns = self._refining.done_ns(come_ns, self._meters["refine"].last_s)
        self._windows += [self._version(revision.solution, done_ns, revision) for revision in revisions]

    def _version(
        self, solution: WindowSolution, ready_ns: int, revision: Revision | None = None
    ) -> WindowVersion:
        return WindowVersion(solution, ready_ns, revision, len(self._identity))

    def _warm_up(self, problem: WindowProblem) -> None:
        """Load what is compiled, cold and warm path, before anything is measured."""
        if self._warm:
            return
        self._warm = True
        throwaway = make_reconstructor(self._config, self._body)
        throwaway.solve(problem)
        throwaway.solve(problem)
        throwaway.close()

    def _solved(self, solution: WindowSolution) -> WindowSolution:
        """Without the people whose solve failed: they are not published."""
        good = solution.status != SolveStatus.FAILED
        self._failed += int((~good).sum())
        return solution if good.all() else take_people(solution, np.flatnonzero(good))


def _refiner_of(config: EngineConfig, body: BodyData) -> RefineStage | None:
    return make_refiner(config.refine, config.solve, body, config.window) if config.refine.enabled else None


def person_frames_of(published: Published) -> int:
    """Person-frames of the 30 Hz timeline with a body, each once, however many windows solve it."""
    keys = [np.zeros(0, np.int64)]
    for version in published.windows:
        rows, slots = np.nonzero(version.solution.provenance)
        keys.append((version.solution.person_ids[rows] << 32) + slots + version.solution.slot0)
    return len(np.unique(np.concatenate(keys)))


def duration_s(clip: Clip, published: Published) -> float:
    """Seconds of capture time from the first to the last frame, one slot included."""
    times = [version.tracked.t_capture_ns for version in published.live]
    return (max(times) - min(times)) / 1e9 + 1.0 / MODEL_RATE_HZ if times else 0.0
