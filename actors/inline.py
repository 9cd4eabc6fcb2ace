"""The inline runtime: every stage in this process, one after the other.

    camera -> perception -> tracking -> (live) publisher
                                   \\-> solver -> (window) publisher

For tests, debugging and small machines; perception and solver use several threads inside.
"""

from __future__ import annotations

import time
from typing import Any

from ..kernels.solve.problem import MODEL_RATE_HZ
from ..stream.clock import WallClock
from ..stream.site import SiteOutput
from .arrivals import Arrivals
from .plan import EnginePlan
from .publisher import PublisherWorker
from .runtime import Progress, RunHooks
from .solver import SolverWorker
from .summary import summarise
from .workers import Workers


def run_inline(plan: EnginePlan, hooks: RunHooks, workers: Workers | None = None) -> dict[str, Any]:
    """Run a plan in this process."""
    chosen = workers or Workers()
    camera, perception, tracking = chosen.camera(plan), chosen.perception(plan), chosen.tracking(plan)
    solver, publisher = chosen.solver(plan), chosen.publisher(plan)
    reports: dict[str, dict[str, Any]] = {}
    arrivals, clock = Arrivals(), WallClock()
    address = ""
    start_s = time.perf_counter()
    first_ns = last_ns = None
    try:
        info = camera.start()
        tracking.start(info)
        networks = perception.start(info)
        solver.start()
        address = publisher.start(info)
        hooks.started(info, address, networks)
        start_s = time.perf_counter()
        frames = windows = 0
        ended = False
        # A recording is read ahead by as many frames as there are lanes; a live view is not.
        together = 1 if plan.config.runtime.speed is not None else plan.config.perception.threads
        while not ended and not hooks.stop_asked():
            batch = camera.next_batch(together)
            ended = batch.ended
            for observation, arrival in zip(perception.step(batch.frames), batch.arrival_ns, strict=True):
                arrivals.add(observation.t_capture_ns, arrival)
                first_ns = observation.t_capture_ns if first_ns is None else first_ns
                last_ns = observation.t_capture_ns
                output = tracking.step([observation])[0]
                if output.calibration is not None:
                    perception.set_geometry(
                        output.calibration, observation.index + plan.config.runtime.ring_slots
                    )
                windows += publish(output, solver, publisher, arrivals, hooks)
                frames += 1
                people = int(output.tracked[-1].confirmed.sum()) if output.tracked else 0
                latency_s = (clock.now_ns() - arrival) / 1e9
                hooks.progress(Progress(frames, info.num_frames, people, windows, latency_s))
        windows += publish(tracking.finish(), solver, publisher, arrivals, hooks)
    finally:
        elapsed_s = time.perf_counter() - start_s
        for name, worker in (
            ("camera", camera), ("perception", perception), ("tracking", tracking), ("solver", solver),
            ("publisher", publisher),
        ):  # fmt: skip
            reports[name] = worker.stop()
    captured_s = (
        0.0 if first_ns is None or last_ns is None else (last_ns - first_ns) / 1e9 + 1 / max(info.fps, 1e-3)
    )
    return summarise(reports, elapsed_s, captured_s, "inline", address)


def publish(
    output: SiteOutput, solver: SolverWorker, publisher: PublisherWorker, arrivals: Arrivals, hooks: RunHooks
) -> int:
    """Send one step's results on; returns how many windows were solved."""
    if output.calibration is not None:
        publisher.push_calibration(output.calibration)
    for note in output.notes:
        publisher.push_note(note)
        hooks.note(f"{note.kind}: {note.text}")
    for tracked in output.tracked:
        publisher.push_live(tracked, arrivals.at(tracked.t_capture_ns))
    if output.late:
        publisher.push_late(output.late)
    for problem in output.problems:
        solved = solver.solve(problem)
        newest_ns = problem.t0_ns + round((problem.num_frames - 0.5) / MODEL_RATE_HZ * 1e9)
        publisher.push_window(solved, arrivals.at(newest_ns))
    return len(output.problems)
