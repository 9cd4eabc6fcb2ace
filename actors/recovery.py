"""What the supervisor does about losses: who follows, what they are told, and what is asked again.

    lost          what a new one is told
    camera        the number of the last frame that came: a recording goes on behind it, a live camera with what comes
    perception    its memory after the last delivered batch; batches on the way are looked at again, as their slots
                  are still taken
    tracking      the last snapshot of each site, and what was observed since
    solver        its memory after the last window; windows on the way go again
    publisher     what is out for certain; all else goes again (`outbox.py`)
    refiner       snapshot, and windows since (`refining.py`)

A worker that raises is still there: the one question is given up and counted; after three in a row it is replaced like
one that died. Replacements come from a budget; when that is used up, the run ends with the cause.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..kernels.errors import CrowdstreamError
from ..stream.sources.live.records import CameraPhase, CameraState, SourceFault
from .faults import EngineFault
from .lane import Lane
from .place import Ticket, WorkerLost
from .refining import RestartBudget

if TYPE_CHECKING:
    from .supervisor import Supervisor

_RAISED_IN_A_ROW = 3
_BACKOFF_MOST_S = 30.0
_NODE_PATIENCE_S = 16.0
"""How long a cluster with its own settings may take to say that a node is gone."""


class Recovery:
    """The supervisor's hand for bad days."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._s = supervisor
        config = supervisor.config
        self._budgets: dict[str, RestartBudget] = {}
        self._most, self._within_s = config.restarts, config.restarts_within_s
        self.lost: dict[str, int] = {}
        """Workers lost, by stage."""

    # --- budget -------------------------------------------------------------------------------------------

    def may_replace(self, stage: str, lost: WorkerLost) -> None:
        """Counts a loss, and says so.

        Raises:
            EngineFault: there have been too many.
        """
        self.lost[stage] = self.lost.get(stage, 0) + 1
        budget = self._budgets.setdefault(stage, RestartBudget(self._most, self._within_s))
        if self._s.stopping or not budget.take(time.monotonic()):
            raise self.fault(lost)
        text = f"{lost}; a new one goes on from where it was"
        self._s.hooks.note(f"worker_replaced: {text}")
        if stage != "publisher":
            self._s.tell("worker_replaced", text)

    def fault(self, lost: WorkerLost) -> CrowdstreamError:
        """What ends the run, in one line."""
        if isinstance(lost.cause, CrowdstreamError):
            return lost.cause
        if not lost.died:
            return EngineFault(str(lost))
        return EngineFault(f"{lost}; what was committed stands in the log")

    # --- looking --------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Who is stuck, which replacement could not start, which camera is due to be opened again."""
        now_s = time.monotonic()
        for crew in self._s.crews:
            for stage, ticket in list(crew.starting.items()):
                if self._s.place.ready([ticket], 0):
                    del crew.starting[stage]
                    try:
                        self._s.place.take(ticket)
                    except WorkerLost as lost:
                        self._replace(crew.number, stage, lost)
        for lane in self._s.lanes:
            self._check_opening(lane)
            self._check_again(lane)
            if lane.reopen_at_s is not None and now_s >= lane.reopen_at_s and not lane.batches:
                self._s.opening.open_camera(lane)
            self._end_stuck(lane, now_s)

    def _check_opening(self, lane: Lane) -> None:
        """A live camera whose site cannot be made (a calibration of another picture) has failed; the others go on."""
        while lane.opening and self._s.place.ready([lane.opening[0]], 0):
            try:
                self._s.place.take(lane.opening.pop(0))
            except WorkerLost as lost:
                if lost.died:
                    continue  # whoever follows is told again
                lane.ended = lane.removed = True
                now_ns = self._s.clock.now_ns()
                self._s.note_state(lane, CameraState(lane.name, CameraPhase.FAILED, now_ns, None, str(lost)))

    def _check_again(self, lane: Lane) -> None:
        """Answers that nobody needs twice: only that the new worker could give them matters."""
        while lane.again and self._s.place.ready([lane.again[0]], 0):
            try:
                self._s.place.take(lane.again.pop(0))
            except WorkerLost as lost:
                if lost.died and lost.post is not None:
                    lane.again.clear()
                    self._replace_if_current(lane.crew, lost)

    def _end_stuck(self, lane: Lane, now_s: float) -> None:
        """Whoever has not answered for too long is ended; what follows is as if it had died."""
        stuck_s = self._s.config.stuck_s
        crew = self._s.crews[lane.crew]
        if lane.batches and now_s - lane.batches[0].asked_s > stuck_s and not crew.starting:
            seen = bool(self._s.place.ready([lane.batches[0].seen], 0))
            self._s.place.end(crew.post("tracking" if seen else "perception"))
            lane.batches[0].asked_s = now_s
        if lane.solving and now_s - lane.solving[0].asked_s > stuck_s and not crew.starting:
            self._s.place.end(crew.post("solver"))
            lane.solving[0].asked_s = now_s
        if lane.fetch is not None and lane.camera is not None and now_s - lane.fetch_asked_s > stuck_s:
            self._s.place.end(lane.camera)
            lane.fetch_asked_s = now_s

    # --- cameras --------------------------------------------------------------------------------------------

    def camera_started(self, lane: Lane) -> bool:
        """The worker of a camera has opened its source, or could not."""
        ticket, lane.starting = lane.starting, None
        try:
            info = self._s.place.take(ticket)
        except WorkerLost as lost:
            self.camera_lost(lane, lost)
            return True
        if info is not None and lane.info is None:
            self._s.opening.open_site(lane, info)
        return True

    def camera_lost(self, lane: Lane, lost: WorkerLost) -> None:
        """Open it again when what is on the way has been looked at: a new worker has a new ring."""
        if lane.camera is not None:
            self._s.place.end(lane.camera)
        lane.fetch = lane.starting = lane.camera = None
        lane.done.clear()
        if self._s.stopping:
            lane.ended = True
            return
        self.lost["camera"] = self.lost.get("camera", 0) + 1
        lane.reopened += 1
        pause_s = 0.0 if lane.reopened == 1 else min(2.0 ** (lane.reopened - 2), _BACKOFF_MOST_S)
        if not lane.live:
            budget = self._budgets.setdefault(
                f"camera {lane.entry.name}", RestartBudget(self._most, self._within_s)
            )
            if not budget.take(time.monotonic()):
                raise self.fault(lost)
        lane.reopen_at_s = time.monotonic() + pause_s
        state = CameraState(
            lane.name or lane.entry.name, CameraPhase.RECONNECTING, self._s.clock.now_ns(),
            SourceFault.DECODER_DIED, str(lost), lane.reopened, pause_s,
        )  # fmt: skip
        self._s.note_state(lane, state)

    # --- perception and tracking ----------------------------------------------------------------------------

    def batch_lost(self, lane: Lane, lost: WorkerLost) -> None:
        """The oldest batch of a lane will have no results from whoever was asked."""
        stage = lost.post.name if lost.post is not None else "perception"
        if not lost.died:
            self._give_up_batch(lane, stage, lost)
            return
        if not self._replace_if_current(lane.crew, lost):
            self._ask_batches_again(lane, wait=False)

    def _give_up_batch(self, lane: Lane, stage: str, lost: WorkerLost) -> None:
        batch = lane.batches.popleft()
        batch.delivered = True
        lane.drops[f"{stage}_failed"] += len(batch.frames)
        lane.done.extend(batch.frames)
        batch.frames = ()
        for stretch in lane.journal:
            stretch.entries = [entry for entry in stretch.entries if entry.batch is not batch]
        lane.raised[stage] += 1
        self._s.tell(f"{stage}_failed", f"{lane.name}: {lost}; these frames are left out")
        if lane.raised[stage] >= _RAISED_IN_A_ROW:
            lane.raised[stage] = 0
            self._replace(lane.crew, stage, lost)

    def _replace_if_current(self, crew: int, lost: WorkerLost) -> bool:
        """Replace who was lost, unless somebody has followed already."""
        if self._node_is_gone(crew, lost):
            self._replace_crew(crew, lost)
            return True
        if lost.post is None:
            raise self.fault(lost)
        stage = lost.post.name
        if stage not in ("perception", "tracking", "solver"):
            raise self.fault(lost)
        if self._s.crews[crew].post(stage) is not lost.post:
            return False
        self._replace(crew, stage, lost)
        return True

    def _node_is_gone(self, crew: int, lost: WorkerLost) -> bool:
        """Whether everybody was lost together; a cluster needs some seconds to be sure of that."""
        node = self._s.crews[crew].node
        if not node:
            return False
        until_s = time.monotonic() + (_NODE_PATIENCE_S if lost.unsure or lost.post is None else 0.0)
        while node in self._s.place.nodes():
            if time.monotonic() >= until_s:
                return False
            time.sleep(0.2)
        return True

    def _replace_crew(self, number: int, lost: WorkerLost) -> None:
        """A node is gone, with workers, cameras and the pixels of frames on the way: all go on somewhere else."""
        self.may_replace("node", lost)
        crew = self._s.crews[number]
        crew.move()
        for lane in self._s.lanes:
            if lane.crew != number or lane.finished:
                continue
            if lane.camera is not None:
                self._s.place.end(lane.camera)
            lane.camera = lane.fetch = lane.starting = None
            lane.done.clear()
            if lane.live:
                lane.drops["node_lost"] += sum(len(batch.frames) for batch in lane.batches)
            else:
                lane.last_index = lane.delivered_index
            gone = set(map(id, lane.batches))
            for stretch in lane.journal:
                stretch.entries = [entry for entry in stretch.entries if id(entry.batch) not in gone]
            lane.batches.clear()
            lane.reopen_at_s = time.monotonic()
            if lane.info is not None:
                self._tell_perception(lane)
                self._tell_tracking(lane)
                self._tell_solver(lane)

    def _replace(self, crew: int, stage: str, lost: WorkerLost) -> None:
        self.may_replace(stage, lost)
        self._s.crews[crew].replace(stage)
        self._s.pressing.tell(crew, stage)
        for lane in self._s.lanes:
            if lane.crew == crew and lane.info is not None and not lane.finished:
                {"perception": self._tell_perception, "tracking": self._tell_tracking, "solver": self._tell_solver}[
                    stage
                ](lane)  # fmt: skip

    def _tell_perception(self, lane: Lane) -> None:
        """What a new perception must know of a camera, and the batches that were on the way."""
        crew = self._s.crews[lane.crew]
        crew.ask("perception", "open", lane.info)
        if lane.memory is not None:
            crew.ask("perception", "recall", lane.memory)
        self._s.tell_perception(lane)
        if self._s.options:
            crew.ask("perception", "set_options", dict(self._s.options))
        self._ask_batches_again(lane)

    def _ask_batches_again(self, lane: Lane, wait: bool = True) -> None:
        """Those that were not seen.

        Args:
            wait: whoever was to see them is gone, so that what is still to come comes within moments.
        """
        self._void_snapshots(lane)
        for batch in lane.batches:
            if self._is_lost(batch.seen, wait):
                self._s.ask_perception(lane, batch)
                self._s.ask_tracking(lane, batch)
            elif self._is_lost(batch.outputs, wait=False):
                self._s.ask_tracking(lane, batch)

    def _void_snapshots(self, lane: Lane) -> None:
        """Snapshots asked for behind a batch that was never tracked do not hold what the journal says they do."""
        first = next(
            (
                i
                for i, stretch in enumerate(lane.journal)
                if any(entry.batch is not None and not entry.batch.delivered for entry in stretch.entries)
            ),
            len(lane.journal),
        )
        while len(lane.journal) > first + 1:
            later = lane.journal.pop()
            lane.journal[-1].entries += later.entries
            lane.journal[-1].frames += later.frames

    def _tell_tracking(self, lane: Lane) -> None:
        """A new tracker goes on from the newest snapshot that was made, and what was observed since."""
        crew = self._s.crews[lane.crew]
        crew.ask("tracking", "open", lane.info)
        start = next(
            (
                i
                for i in range(len(lane.journal) - 1, -1, -1)
                if lane.journal[i].snapshot is not None and not self._is_lost(lane.journal[i].whole)
            ),
            0,
        )
        if lane.journal[start].snapshot is not None:
            crew.ask("tracking", "restore", lane.name, lane.journal[start].snapshot)
        lane.again.clear()
        for stretch in list(lane.journal)[start:]:
            for entry in stretch.entries:
                if entry.batch is None:
                    lane.again.append(crew.ask("tracking", entry.verb, *entry.args))
                elif entry.batch.delivered:
                    lane.again.append(crew.ask("tracking", "step", entry.batch.observed))
                else:
                    self._s.ask_tracking(lane, entry.batch)

    def insist(self, lane: Lane, verb: str, *args: Any) -> Any:
        """Ask tracking something that must be answered, whoever answers it."""
        while True:
            crew = self._s.crews[lane.crew]
            ticket = crew.ask("tracking", verb, *args)
            if not self._s.place.ready([ticket], self._s.config.stuck_s):
                self._s.place.end(crew.post("tracking"))
            try:
                return self._s.place.take(ticket)
            except WorkerLost as lost:
                if not lost.died:
                    raise self.fault(lost) from lost
                self._replace_if_current(lane.crew, lost)

    # --- solver ---------------------------------------------------------------------------------------------

    def window_lost(self, lane: Lane, lost: WorkerLost) -> None:
        """The oldest window of a lane will have no solution from whoever was asked."""
        if lost.died:
            if not self._replace_if_current(lane.crew, lost):
                self._ask_windows_again(lane, wait=False)
            return
        window = lane.solving.popleft()
        lane.identity[:0] = window.identity
        lane.drops["solve_failed"] += 1
        lane.raised["solver"] += 1
        self._s.tell("solve_failed", f"{lane.name}: {lost}; this window is left out")
        if lane.raised["solver"] >= _RAISED_IN_A_ROW:
            lane.raised["solver"] = 0
            self._replace(lane.crew, "solver", lost)

    def _tell_solver(self, lane: Lane) -> None:
        if lane.solver_memory is not None:
            self._s.crews[lane.crew].ask("solver", "recall", lane.name, lane.solver_memory)
        self._ask_windows_again(lane)

    def _ask_windows_again(self, lane: Lane, wait: bool = True) -> None:
        for window in lane.solving:
            if self._is_lost(window.done, wait):
                self._s.results.ask_solver(lane, window)

    def _is_lost(self, ticket: Ticket, wait: bool = True) -> bool:
        """Whether an answer will never come; of somebody who is gone that is known within moments."""
        if ticket is None or (not wait and not self._s.place.ready([ticket], 0)):
            return False
        with suppress(WorkerLost):
            self._s.place.take(ticket)
            return False
        return True
