"""The Ray runtime: one actor a stage, frames in a shared-memory ring, at most a few batches on the way.

    camera -> [ring] -> perception -> tracking -> (live, identity) publisher
                                            \\-> solver -> (window) publisher
                                                     \\-> refiner -> (refined) publisher

The supervisor below owns every handle and is the only one that waits. Each arrow carries a bounded number of
batches (`runtime.batches_in_flight`); a recording therefore blocks its camera instead of dropping, and a live
source drops at the camera, counted. Actors never retry a call (`max_task_retries=0`): a retry could repeat or
reorder frames; an actor that dies ends the run with its cause, and what is committed stays committed. The refiner
alone is replaced when it dies (`refining.py`): nobody waits for it, so nobody need end with it.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from ..kernels.errors import CrowdstreamError
from ..kernels.solve.problem import MODEL_RATE_HZ, WindowProblem
from ..stream.clock import WallClock
from ..stream.identity import IdentityEvent
from ..stream.site import SiteNote, SiteOutput
from .arrivals import Arrivals
from .camera import FrameBatch
from .plan import EnginePlan, SourceInfo
from .refiner_process import Away
from .refining import Given, Refining, Revised
from .runtime import Progress, RunHooks
from .summary import summarise
from .workers import Workers


class EngineFault(CrowdstreamError):
    """A worker process died or could not be reached."""


class StoppedEarly(CrowdstreamError):
    """Asked to stop before the first frame."""


_STOP_TIMEOUT_S = 20.0
"""A worker that does not answer `stop` by then is killed."""
_STOP_EARLY_TIMEOUT_S = 1.0
"""The same while workers are still starting: nothing of theirs is worth waiting for."""
_PEOPLE_PER_MB = 7
"""Rows of windows kept for a refiner to come, by megabytes of the shared store: two fifths of it."""
_LOOK_S = 0.25
"""How often a wish to stop is looked for while workers start."""


def run_ray(plan: EnginePlan, hooks: RunHooks, workers: Workers | None = None) -> dict[str, Any]:
    """Run a plan on Ray: starts a private one-machine cluster, or joins `runtime.ray_address`."""
    owned = not ray.is_initialized()
    if owned:
        _init(plan)
    supervisor = Supervisor(plan, hooks, workers or Workers())
    try:
        return supervisor.run()
    except RayTaskError as exc:
        if isinstance(exc.cause, CrowdstreamError):
            raise exc.cause from None
        if isinstance(exc.cause, RayActorError):
            raise supervisor.fault(exc.cause) from exc
        raise
    except RayActorError as exc:
        raise supervisor.fault(exc) from exc
    finally:
        if owned:
            ray.shutdown()


def _init(plan: EnginePlan) -> None:
    config = plan.config.runtime
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # its new default; silences a warning
    os.environ.setdefault("RAY_worker_niceness", "0")  # its 15 is for batch jobs; a stage that waits is late
    os.environ.setdefault("HOME", tempfile.gettempdir())  # Ray keeps its token there and fails without
    if config.ray_address:
        ray.init(address=config.ray_address, log_to_driver=False, logging_level=logging.ERROR)
        return
    ray.init(
        num_cpus=max(1, os.cpu_count() or 1),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=config.object_store_mb << 20,
    )


@dataclass(frozen=True)
class _Unsolved:
    """A window at the solver."""

    problem: Any
    """Reference."""
    solved: Any
    """Reference."""
    arrival_ns: int
    people: int
    identity: tuple[IdentityEvent, ...]
    """Events since the window before."""


class Supervisor:
    """Owns the actors of one run; `run` is its life."""

    def __init__(self, plan: EnginePlan, hooks: RunHooks, workers: Workers) -> None:
        self._plan, self._hooks, self._workers = plan, hooks, workers
        self._config = plan.config.runtime
        self._actors: dict[str, Any] = {}
        self._stages: dict[str, str] = {}
        self._arrivals = Arrivals()
        self._clock = WallClock()
        self._on_the_way: deque[tuple[FrameBatch, Any]] = deque()
        self._solving: deque[_Unsolved] = deque()
        self._sent: deque[Any] = deque()
        self._away: Away | None = None
        self._refining: Refining | None = None
        self._identity: list[IdentityEvent] = []
        self._revised: deque[tuple[Any, int]] = deque()
        self._dropped_windows = 0
        self._frames = self._windows = 0
        self._stop_timeout_s = _STOP_TIMEOUT_S
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._info: SourceInfo | None = None

    def run(self) -> dict[str, Any]:
        """Start in two phases, feed until the end or until asked to stop, drain, stop."""
        reports: dict[str, dict[str, Any]] = {}
        address = ""
        start_s = time.perf_counter()
        try:
            self._place()
            address = self._start()
            start_s = time.perf_counter()
            ended = False
            while not ended and not self._hooks.stop_asked():
                ended = self._feed()
                while len(self._on_the_way) > (0 if ended else self._config.batches_in_flight - 1):
                    self._take_oldest()
            while self._on_the_way:
                self._take_oldest()
            self._deliver(ray.get(self._actors["tracking"].finish.remote()))
            self._publish_solved(0)
            self._finish_refining()
            self._settle(0)
        except RayError:
            self._salvage()
            raise
        finally:
            elapsed_s = time.perf_counter() - start_s
            refining = dict(self._refining.counts) if self._refining else {}
            dropped = {"dropped_windows": self._dropped_windows}
            reports = self._stop() | {"supervisor": dropped, "refining": refining}
        info = self._info
        captured_s = 0.0
        if info is not None and self._first_ns is not None and self._last_ns is not None:
            captured_s = (self._last_ns - self._first_ns) / 1e9 + 1 / max(info.fps, 1e-3)
        return summarise(reports, elapsed_s, captured_s, "ray", address)

    def fault(self, died: RayActorError) -> EngineFault:
        """Which worker is gone, in one line."""
        stage = next((name for key, name in self._stages.items() if key in str(died)), "a")
        return EngineFault(
            f"the {stage} worker process died (killed, out of memory, or crashed in native code); "
            "what was committed stands in the log"
        )

    def _place(self) -> None:
        """Phase one: cheap constructors, so that placement fails before anything is opened."""
        plan = ray.put(self._plan)
        refine = self._plan.config.refine
        for field in fields(self._workers):
            if field.name != "refiner":
                self._spawn(field.name, plan, self._config.worker_threads)
            elif refine.enabled:
                self._away = Away(lambda: self._spawn("refiner", plan, refine.threads))

    def _spawn(self, name: str, plan: Any, threads: int) -> Any:
        """One worker in a process of its own; not started."""
        libraries = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        options: dict[str, Any] = {
            "num_cpus": 0,  # placement is the supervisor's business; Ray shall not reserve whole cores
            "max_restarts": 0,
            "max_task_retries": 0,
            "runtime_env": {"env_vars": dict.fromkeys(libraries, str(threads))},
        }
        place: Any = ray.remote(**options)
        actor = place(getattr(self._workers, name)).remote(plan)
        self._actors[name] = actor
        self._stages[actor._actor_id.hex()] = name
        return actor

    def _start(self) -> str:
        """Phase two: open the source, load networks, compile kernels, bind sockets; slow ones side by side."""
        actors = self._actors
        self._info = info = ray.get(actors["camera"].start.remote(self._config.ring_slots))
        loading = [actors["perception"].start.remote(info), actors["solver"].start.remote()]
        loading += [self._away.start()] if self._away else []
        ray.get(actors["tracking"].start.remote(info))
        self._wait_for(loading)
        networks = ray.get(loading[0])
        if self._away:
            config, kept = self._plan.config, self._config.object_store_mb * _PEOPLE_PER_MB
            waits = not self._config.drop_late
            self._refining = Refining(self._away, config.refine, config.window, waits, self._tell, kept)
        address = str(ray.get(actors["publisher"].start.remote(info)))
        self._hooks.started(info, address, networks)
        return address

    def _wait_for(self, loading: list[Any]) -> None:
        """Until all of it is there; compiling takes a minute, and nobody shall wait for that who wants to leave.

        Raises:
            StoppedEarly: asked to stop meanwhile. RayTaskError: what a worker raised, as soon as it did.
        """
        ready: list[Any] = []
        while len(ready) < len(loading):
            ready, _ = ray.wait(loading, num_returns=len(loading), timeout=_LOOK_S)
            ray.get(ready)
            if self._hooks.stop_asked():
                self._stop_timeout_s = _STOP_EARLY_TIMEOUT_S
                raise StoppedEarly("stopped before the first frame; nothing was recorded")

    def _feed(self) -> bool:
        """Ask the camera for a batch and send it down the line; True at the end of the source."""
        batch: FrameBatch = ray.get(self._actors["camera"].next_batch.remote(self._config.batch_frames))
        if batch.frames:
            observed = self._actors["perception"].step.remote(batch.frames)
            self._on_the_way.append((batch, self._actors["tracking"].step.remote(observed)))
        return batch.ended

    def _take_oldest(self) -> None:
        batch, outputs_ref = self._on_the_way.popleft()
        for token, arrival_ns in zip(batch.frames, batch.arrival_ns, strict=True):
            self._arrivals.add(token.t_capture_ns, arrival_ns)
            self._first_ns = token.t_capture_ns if self._first_ns is None else self._first_ns
            self._last_ns = token.t_capture_ns
        for token, output in zip(batch.frames, ray.get(outputs_ref), strict=True):
            if output.calibration is not None:
                from_index = token.index + self._config.ring_slots
                self._actors["perception"].set_geometry.remote(output.calibration, from_index)
            self._deliver(output)
            self._frames += 1
            people = int(output.tracked[-1].confirmed.sum()) if output.tracked else 0
            num_frames = self._info.num_frames if self._info else None
            latency_s = (self._clock.now_ns() - self._arrivals.at(token.t_capture_ns)) / 1e9
            self._hooks.progress(Progress(self._frames, num_frames, people, self._windows, latency_s))

    def _deliver(self, output: SiteOutput) -> None:
        """Send one step's results to solver and publisher; calls of one caller keep their order."""
        publisher = self._actors["publisher"]
        if output.calibration is not None:
            publisher.push_calibration.remote(output.calibration)
        for note in output.notes:
            publisher.push_note.remote(note)
            self._hooks.note(f"{note.kind}: {note.text}")
        for tracked in output.tracked:
            arrival = self._arrivals.at(tracked.t_capture_ns)
            self._sent.append(publisher.push_live.remote(tracked, arrival))
        if output.identity:
            self._sent.append(publisher.push_identity.remote(output.identity))
            self._identity.extend(output.identity)
        if output.late:
            self._sent.append(publisher.push_late.remote(output.late))
        for problem in output.problems:
            self._solve(problem)
        self._publish_solved(self._config.windows_in_flight)
        self._publish_revised(1)
        self._settle(self._config.results_in_flight)

    def _solve(self, problem: WindowProblem) -> None:
        """Queue a window; a live view that cannot keep up leaves it out (the next one overlaps it), counted."""
        if self._config.drop_late and len(self._solving) >= self._config.windows_in_flight:
            self._dropped_windows += 1
            return
        newest_ns = problem.t0_ns + round((problem.num_frames - 0.5) / MODEL_RATE_HZ * 1e9)
        reference = ray.put(problem)  # once, for the solver and for the refiner
        solved = self._actors["solver"].solve.remote(reference)
        identity, self._identity = tuple(self._identity), []
        arrival_ns = self._arrivals.at(newest_ns)
        self._solving.append(_Unsolved(reference, solved, arrival_ns, problem.num_people, identity))

    def _publish_solved(self, allowed: int) -> None:
        """Hand solved windows to the publisher, in order; wait only while more than `allowed` are unsolved.

        They are handed over when they are ready: an actor runs the calls of one caller in order, so a window
        still being solved would hold back every live message behind it.
        """
        while self._solving:
            window = self._solving[0]
            patience_s = None if len(self._solving) > allowed else 0
            ready, _ = ray.wait([window.solved], timeout=patience_s)
            if not ready:
                return
            self._solving.popleft()
            self._sent.append(self._actors["publisher"].push_window.remote(window.solved, window.arrival_ns))
            self._windows += 1
            if self._refining is not None:
                self._refining.give(Given(window.problem, window.solved, window.people, window.identity))
                self._note_revised(self._refining.take())

    def _note_revised(self, found: Sequence[Revised]) -> None:
        self._revised.extend(
            (answer.ticket, which) for answer in found for which in range(len(answer.revisions))
        )

    def _publish_revised(self, most: int) -> None:
        """Hand revisions to the publisher, in order and a few at a time: live messages wait for each commit."""
        if self._refining is None:
            return
        self._note_revised(self._refining.take())
        most = max(most, len(self._revised) - self._config.results_in_flight)
        for _ in range(min(most, len(self._revised))):
            revisions, which = self._revised.popleft()
            self._sent.append(self._actors["publisher"].push_revision.remote(revisions, which))

    def _finish_refining(self) -> None:
        """No more windows come: wait for what the refiner still has, and publish it."""
        if self._refining is not None:
            self._note_revised(self._refining.finish(self._identity))
            self._publish_revised(len(self._revised))

    def _tell(self, kind: str, text: str) -> None:
        """Something an operator should know of the refiner."""
        self._actors["publisher"].push_note.remote(SiteNote(kind, text, self._last_ns or 0))
        self._hooks.note(f"{kind}: {text}")

    def _salvage(self) -> None:
        """After a worker's death: windows that the others can still solve are committed; nothing is refined."""
        self._refining = None
        if self._away is not None:
            self._away.close()
            self._actors.pop("refiner", None)
        with suppress(RayError, CrowdstreamError):
            self._publish_solved(0)
        with suppress(RayError, CrowdstreamError):
            self._settle(0)

    def _settle(self, allowed: int) -> None:
        """Wait until no more than `allowed` results are unpublished; raises what a worker raised."""
        while len(self._sent) > allowed:
            ray.get(self._sent.popleft())

    def _stop(self) -> dict[str, dict[str, Any]]:
        """Stop every worker in the order of the frames; one that hangs is killed, the rest still reports."""
        reports: dict[str, dict[str, Any]] = {}
        for name, actor in self._actors.items():
            try:
                reports[name] = ray.get(actor.stop.remote(), timeout=self._stop_timeout_s)
            except (RayError, GetTimeoutError, CrowdstreamError):
                reports[name] = {}
            ray.kill(actor)
        self._actors.clear()
        return reports
