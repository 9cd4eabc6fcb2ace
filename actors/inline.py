"""The inline runtime: every stage in this process, one after the other.

    camera -> perception -> tracking -> (live, identity) publisher
                                   \\-> solver -> (window) publisher
                                            \\-> refiner -> (refined) publisher

For tests, debugging and small machines; perception and solver use several threads inside.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kernels.solve.problem import MODEL_RATE_HZ
from ..stream.clock import WallClock
from ..stream.identity import IdentityEvent
from ..stream.site import SiteNote, SiteOutput
from .arrivals import Arrivals
from .plan import EnginePlan
from .publisher import PublisherWorker
from .refining import Given, Here, Refining, Revised
from .runtime import Progress, RunHooks
from .solver import SolverWorker
from .summary import summarise
from .workers import Workers


def run_inline(plan: EnginePlan, hooks: RunHooks, workers: Workers | None = None) -> dict[str, Any]:
    """Run a plan in this process."""
    chosen = workers or Workers()
    camera, perception, tracking = chosen.camera(plan), chosen.perception(plan), chosen.tracking(plan)
    solver, publisher = chosen.solver(plan), chosen.publisher(plan)
    refiner = Here(lambda: chosen.refiner(plan)) if plan.config.refine.enabled else None
    reports: dict[str, dict[str, Any]] = {}
    clock = WallClock()
    results = Results(plan, solver, publisher, refiner, hooks)
    address = ""
    start_s = time.perf_counter()
    first_ns = last_ns = None
    try:
        info = camera.start()
        tracking.start(info)
        networks = perception.start(info)
        solver.start()
        if refiner is not None:
            refiner.worker.start()
        address = publisher.start(info)
        hooks.started(info, address, networks)
        start_s = time.perf_counter()
        frames = 0
        ended = False
        runtime = plan.config.runtime
        # A recording is read ahead by as many frames as there are lanes; a live view is not.
        together = 1 if runtime.speed is not None else plan.config.perception.threads
        while not ended and not hooks.stop_asked():
            batch = camera.next_batch(together)
            ended = batch.ended
            for observation, arrival in zip(perception.step(batch.frames), batch.arrival_ns, strict=True):
                results.arrivals.add(observation.t_capture_ns, arrival)
                first_ns = observation.t_capture_ns if first_ns is None else first_ns
                last_ns = observation.t_capture_ns
                output = tracking.step([observation])[0]
                if output.calibration is not None:
                    perception.set_geometry(output.calibration, observation.index + runtime.ring_slots)
                age_s = batch.late_s + (clock.now_ns() - arrival) / 1e9
                results.publish(output, busy=runtime.drop_late and age_s > runtime.max_age_s / 2)
                frames += 1
                people = int(output.tracked[-1].confirmed.sum()) if output.tracked else 0
                latency_s = (clock.now_ns() - arrival) / 1e9
                hooks.progress(Progress(frames, info.num_frames, people, results.windows, latency_s))
        results.publish(tracking.finish())
        results.finish()
    finally:
        elapsed_s = time.perf_counter() - start_s
        workers_here = {"camera": camera, "perception": perception, "tracking": tracking, "solver": solver}
        workers_here |= {"refiner": refiner.worker} if refiner is not None else {}
        for name, worker in (workers_here | {"publisher": publisher}).items():
            reports[name] = worker.stop()
        reports["refining"] = dict(results.refining.counts) if results.refining else {}
    captured_s = (
        0.0 if first_ns is None or last_ns is None else (last_ns - first_ns) / 1e9 + 1 / max(info.fps, 1e-3)
    )
    return summarise(reports, elapsed_s, captured_s, "inline", address)


@dataclass
class Results:
    """Where the results of a step go: to solver, refiner and publisher, in the order of the other runtime."""

    plan: EnginePlan
    solver: SolverWorker
    publisher: PublisherWorker
    refiner: Here | None
    hooks: RunHooks
    arrivals: Arrivals = field(default_factory=Arrivals)
    windows: int = 0
    """Published."""

    def __post_init__(self) -> None:
        self._identity: tuple[IdentityEvent, ...] = ()
        self._last_ns = 0
        self.refining: Refining | None = None
        config = self.plan.config
        if self.refiner is not None:
            waits = not config.runtime.drop_late
            self.refining = Refining(self.refiner, config.refine, config.window, waits, self._tell)

    def publish(self, output: SiteOutput, busy: bool = False) -> None:
        """Send one step's results on.

        Args:
            busy: frames are waiting: nothing is done that can be left.
        """
        publisher = self.publisher
        if output.calibration is not None:
            publisher.push_calibration(output.calibration)
        for note in output.notes:
            publisher.push_note(note)
            self.hooks.note(f"{note.kind}: {note.text}")
        for tracked in output.tracked:
            publisher.push_live(tracked, self.arrivals.at(tracked.t_capture_ns))
            self._last_ns = tracked.t_capture_ns
        if output.identity:
            publisher.push_identity(output.identity)
            self._identity = (*self._identity, *output.identity)
        if output.late:
            publisher.push_late(output.late)
        solved = []
        for problem in output.problems:
            window = self.solver.solve(problem)
            newest_ns = problem.t0_ns + round((problem.num_frames - 0.5) / MODEL_RATE_HZ * 1e9)
            publisher.push_window(window, self.arrivals.at(newest_ns))
            solved.append(Given(problem, window, problem.num_people, self._identity))
            self._identity = ()
            self.windows += 1
        if self.refining is not None:
            for given in solved:
                self.refining.give(given, busy)
                self._publish_revised(self.refining.take())

    def finish(self) -> None:
        """No more windows come: what the refiner still has."""
        if self.refining is not None:
            self._publish_revised(self.refining.finish(self._identity))

    def _publish_revised(self, found: Sequence[Revised]) -> None:
        for answer in found:
            for which in range(len(answer.revisions)):
                self.publisher.push_revision(answer.revisions, which)

    def _tell(self, kind: str, text: str) -> None:
        """Something an operator should know of the refiner."""
        self.publisher.push_note(SiteNote(kind, text, self._last_ns))
        self.hooks.note(f"{kind}: {text}")
