"""Where a step's results go: live to the publisher at once, windows by way of the solver, and then to the refiner."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..configs.array import CameraRole
from ..kernels.solve.problem import MODEL_RATE_HZ, WindowProblem
from ..stream.site import SiteOutput
from .lane import Lane, Unsolved
from .place import WorkerLost
from .refining import Given, Revised

if TYPE_CHECKING:
    from .supervisor import Supervisor


class Results:
    """The last stretch of every camera."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._s = supervisor

    def deliver(self, lane: Lane, output: SiteOutput, late_s: float = 0.0) -> None:
        """Send one step's results to solver and publisher."""
        push = self._s.outbox.push
        if output.calibration is not None:
            lane.calibration = output.calibration
            push("push_calibration", lane.name, output.calibration)
        for note in output.notes:
            push("push_note", note, lane.name)
            self._s.overview.tell(note.kind, note.text, lane.name)
            self._s.hooks.note(f"{note.kind}: {note.text}")
        for tracked in output.tracked:
            push("push_live", tracked, lane.arrivals.at(tracked.t_capture_ns))
        if output.identity:
            push("push_identity", lane.name, output.identity)
            if (
                lane.entry.role is CameraRole.BODIES
            ):  # they ride with the next window; elsewhere none ever comes
                lane.identity.extend(output.identity)
        if output.late:
            push("push_late", output.late)
        if lane.entry.role is CameraRole.BODIES:
            for problem in output.problems:
                self._solve(lane, problem)
        self.publish_solved(lane)

    def _solve(self, lane: Lane, problem: WindowProblem) -> None:
        """Queue a window; a live view that cannot keep up leaves it out (the next one overlaps it), counted."""
        lane.next_window = max(lane.next_window, problem.window + 1)
        if lane.live and len(lane.solving) >= self._s.config.windows_in_flight:
            lane.drops["solver_busy"] += 1
            return
        newest_ns = problem.t0_ns + round((problem.num_frames - 0.5) / MODEL_RATE_HZ * 1e9)
        reference = self._s.place.put(problem)  # once, for the solver and for the refiner
        identity, lane.identity = tuple(lane.identity), []
        window = Unsolved(
            reference, lane.arrivals.at(newest_ns), problem.num_people, identity, time.monotonic()
        )
        self.ask_solver(lane, window)
        lane.solving.append(window)

    def ask_solver(self, lane: Lane, window: Unsolved) -> None:
        """The bodies of a window."""
        crew = self._s.crews[lane.crew]
        window.solved, window.memory, window.done = crew.ask_remembering("solver", "solve", window.problem)

    def publish_solved(self, lane: Lane) -> bool:
        """Hand solved windows to the publisher, in order; one still being solved never holds up the live tier."""
        moved = False
        while lane.solving and self._whole(lane.solving[0]):
            window = lane.solving[0]
            moved = True
            try:
                self._s.place.take(window.done)
            except WorkerLost as lost:
                self._s.recovery.window_lost(lane, lost)
                break
            lane.solving.popleft()
            lane.raised["solver"] = 0
            lane.solver_memory = window.memory
            self._s.outbox.push("push_window", window.solved, window.arrival_ns)
            lane.windows += 1
            self._refine(lane, window)
        return moved

    def _whole(self, window: Unsolved) -> bool:
        """All of its answer is here: it stays when the node it was solved on is lost."""
        return self._s.settled(window.done, window.memory, window.solved)

    def _refine(self, lane: Lane, window: Unsolved) -> None:
        if lane.refining is None:
            return
        late = not self._s.place.waits and lane.late_s > self._s.config.max_age_s / 2
        busy = lane.live and (late or not self._s.pressing.refines or not self._s.refines)
        lane.refining.give(Given(window.problem, window.solved, window.people, window.identity), busy)
        self._note_revised(lane, lane.refining.take())

    def _note_revised(self, lane: Lane, found: Sequence[Revised]) -> None:
        lane.revised.extend(
            (answer.ticket, which) for answer in found for which in range(len(answer.revisions))
        )

    def publish_revised(self, lane: Lane, most: int) -> None:
        """Hand revisions to the publisher, in order and a few at a time: live messages wait for each commit."""
        if lane.refining is None:
            return
        self._note_revised(lane, lane.refining.take())
        most = max(most, len(lane.revised) - self._s.config.results_in_flight)
        for _ in range(min(most, len(lane.revised))):
            revisions, which = lane.revised.popleft()
            self._s.outbox.push("push_revision", lane.name, revisions, which)
