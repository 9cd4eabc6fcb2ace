"""The supervisor: owns every worker of a run, is the only one that waits, and replaces who is lost.

    camera -> perception -> tracking -> (live, late, identity) publisher
                               \\-> solver -> (window) publisher
                                        \\-> refiner -> (refined) publisher

Every arrow carries a bounded number of questions. A recording therefore holds up its camera instead of dropping; a live
camera drops the oldest frames at its own buffer, counted. One turn of the loop asks what can be asked, waits a moment
for anything to be answered, and hands on what was. What is done about losses stands in `recovery.py`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..configs.array import CameraEntry, CameraRole
from ..kernels.errors import CrowdstreamError
from ..kernels.solve.problem import MODEL_RATE_HZ, WindowProblem
from ..stream.clock import WallClock
from ..stream.site import SiteNote, SiteOutput
from ..stream.sources import is_live
from .camera import FrameBatch
from .checkpoints import Checkpoints, GoesOn
from .crew import Crew
from .faults import StoppedEarly
from .lane import Batch, Closing, Entry, Lane, Stretch, Unsolved
from .operator import Operator
from .outbox import Outbox
from .overview import Overview
from .place import Place, Post, Ticket, WorkerLost
from .plan import EnginePlan, SourceInfo
from .pressing import Pressing
from .recovery import Recovery
from .refiner_place import RefinerOfSite, RefinerPost
from .refining import Given, Refining, Revised
from .runtime import Progress, RunHooks
from .summary import summarise
from .workers import Workers

_TURN_S = 0.05
"""How long a turn waits for something to happen."""
_IDLE_S = 0.004
"""The same where answers take no time and nothing came."""
_STOP_TIMEOUT_S = 20.0
"""A worker that does not answer `stop` by then is ended."""
_LOOK_S = 0.25
"""How often a wish to stop is looked for while workers start."""
_PEOPLE_PER_MB = 7
"""Rows of windows kept for a refiner to come, by megabytes of the shared store: two fifths of it."""


class Supervisor:
    """One run; `run` is its life."""

    def __init__(self, plan: EnginePlan, hooks: RunHooks, workers: Workers, place: Place) -> None:
        self.plan, self.hooks, self.workers, self.place = plan, hooks, workers, place
        self.config = plan.config.runtime
        self.clock = WallClock()
        self.lanes: list[Lane] = []
        self.crews: list[Crew] = []
        self.refiner: RefinerPost | None = None
        self.recovery = Recovery(self)
        self.outbox = Outbox(place, workers.publisher, plan, self.recovery.may_replace, self.tell)
        self.networks: dict[str, Any] = {}
        self.options: dict[str, object] = {}
        """Settings of perception that were changed while it ran."""
        self.refines = True
        self.stopping = False
        self.pressing = Pressing(self)
        self.overview = Overview(self)
        self.operator = Operator(self)
        self.checkpoints = Checkpoints(self)
        self._goes_on: GoesOn | None = None
        self._stop_timeout_s = _STOP_TIMEOUT_S
        self._reports: dict[str, list[dict[str, Any]]] = {}

    # --- life ---------------------------------------------------------------------------------------------

    def run(self) -> dict[str, Any]:
        """Start in two phases, turn until all cameras have ended or somebody asks to stop, drain, stop."""
        start_s = time.perf_counter()
        try:
            self._place()
            self._start()
            start_s = time.perf_counter()
            while not (all(lane.finished for lane in self.lanes) and (self.stopping or not self._stays)):
                self.turn()
            self.outbox.settle(0)
            self.checkpoints.write(stopped=True)
        except BaseException:
            self._salvage()
            raise
        finally:
            elapsed_s = time.perf_counter() - start_s
            self._stop()
            self.overview.close()
        return self._summary(elapsed_s)

    def turn(self) -> None:
        """One round: ask, wait a moment, hand on."""
        if not self.stopping and self.hooks.stop_asked():
            self.stopping = True
        self.recovery.look()
        self.operator.look()
        self.pressing.look()
        self.overview.look()
        self.checkpoints.look()
        for lane in self.lanes:
            self._feed(lane)
        waited_for = self._waited_for()
        ready = self.place.ready(waited_for, _TURN_S) if waited_for else []
        moved = False
        for lane in self.lanes:
            moved |= self._advance(lane, ready)
        self.outbox.settle(self.config.results_in_flight)
        if not moved and not (self.place.waits and waited_for):
            self.clock.sleep(_IDLE_S)

    def _waited_for(self) -> list[Ticket]:
        tickets: list[Ticket] = [self.outbox.oldest]
        for lane in self.lanes:
            tickets += [lane.starting, lane.fetch]
            tickets += [lane.batches[0].outputs] if lane.batches else []
            tickets += [lane.solving[0].done] if lane.solving else []
        return [ticket for ticket in tickets if ticket is not None]

    @property
    def _stays(self) -> bool:
        """Nothing is left to do, but an operator may add cameras: only if one was ever asked for by name."""
        return any(lane.removed for lane in self.lanes) and not any(not lane.live for lane in self.lanes)

    # --- starting -----------------------------------------------------------------------------------------

    def _place(self) -> None:
        """Phase one: cheap constructors, so that placement fails before anything is opened."""
        nodes = self.place.nodes()
        count = min(self.config.crews or len(nodes), len(self.plan.cameras))
        self.crews = [
            Crew(self.place, self.workers, self.plan, number, nodes[number % len(nodes)] if count > 1 else "")
            for number in range(count)
        ]
        for crew in self.crews:
            crew.open_all()
        if self.plan.config.refine.enabled:
            self.refiner = RefinerPost(self.place, self.workers.refiner, self.plan)
        for number, entry in enumerate(self.plan.cameras):
            self.lanes.append(self.make_lane(entry, number % count))

    def make_lane(self, entry: CameraEntry, crew: int) -> Lane:
        """A camera's way, before anything is opened."""
        live = is_live(entry.source) or self.config.drop_late
        return Lane(entry, live, crew, entry.name)

    def _start(self) -> None:
        """Phase two: open sources, load networks, compile kernels, bind sockets; slow ones side by side.

        Raises:
            CrowdstreamError: what a worker that cannot start says.
        """
        self._goes_on = self.checkpoints.read()
        for lane in self.lanes:
            if self._goes_on is not None:
                lane.last_index = self.checkpoints.last_index(lane, self._goes_on)
            self.open_camera(lane)
        # a recording that cannot be opened ends the run before minutes of loading
        recordings = [lane for lane in self.lanes if not is_live(lane.entry.source)]
        self._answers([lane.starting for lane in recordings])
        loading = [ticket for crew in self.crews for ticket in crew.start_all()]
        if self.refiner is not None:
            loading.append(self.refiner.start())
        for lane in recordings:
            self._opened(lane)
        answers = self._answers(loading)
        self.networks = next((a for a in answers if isinstance(a, dict)), {})
        if self._goes_on is None:
            self.outbox.start()
        else:
            for note in self._goes_on.notes:
                self.hooks.note(note)
            self.outbox.start(self._goes_on.point.session, self.checkpoints.published(self._goes_on))
        for lane in self.lanes:
            if lane.info is not None:
                self.open_site(lane, lane.info)
                self._answers(lane.opening)
                lane.opening.clear()
        self.outbox.settle(0)
        for note in self.place.take(self.outbox.ask("notes")):
            self.hooks.note(note)
        self.hooks.started(self._described(), self.outbox.address, self.networks)

    def _answers(self, tickets: Sequence[Ticket]) -> list[Any]:
        """All of them; compiling takes a minute, and nobody shall wait for that who wants to leave.

        Raises:
            StoppedEarly: asked to stop meanwhile. CrowdstreamError: what a worker raised, as soon as it did.
        """
        waiting, found = list(tickets), dict[Ticket, Any]()
        while waiting:
            for ticket in self.place.ready(waiting, _LOOK_S):
                found[ticket] = self._answer(ticket)
                waiting.remove(ticket)
            if self.hooks.stop_asked():
                self._stop_timeout_s = 1.0
                raise StoppedEarly("stopped before the first frame; nothing was recorded")
        return [found[ticket] for ticket in tickets]

    def _answer(self, ticket: Ticket) -> Any:
        try:
            return self.place.take(ticket)
        except WorkerLost as lost:
            if lost.cause is None or isinstance(lost.cause, CrowdstreamError):
                raise self.recovery.fault(lost) from lost
            raise lost.cause from lost

    def open_camera(self, lane: Lane) -> None:
        """Place a camera's worker and let it open its source, behind the last frame that is known."""
        crew = self.crews[lane.crew]
        make = self.workers.camera_for(lane.entry.name)
        lane.camera = self.place.open("camera", make, self.plan, 1, crew.node)
        slots = self.config.ring_slots if self.place.waits else 0
        lane.starting = self.place.ask(lane.camera, "start", slots, lane.last_index)
        lane.reopen_at_s = None

    def _opened(self, lane: Lane) -> None:
        info = self._answer(lane.starting)
        lane.starting = None
        if info is not None:
            lane.info, lane.name = info, info.camera

    def add_camera(self, entry: CameraEntry) -> None:
        """One more, while the engine runs; the crew with the fewest takes it.

        One that was removed may come again under its name: its numbers go on.
        """
        used = [
            sum(lane.crew == crew.number and not lane.finished for lane in self.lanes) for crew in self.crews
        ]
        lane = self.make_lane(entry, used.index(min(used)))
        for old in [old for old in self.lanes if old.finished and old.name == entry.name]:
            lane.last_index, lane.next_window, lane.people_seen = (
                old.last_index, old.next_window, old.people_seen,
            )  # fmt: skip
            self.lanes.remove(old)
        others = [other for other in self.plan.cameras if other.name != entry.name]
        self.plan = replace(self.plan, array=(*others, entry))
        self.lanes.append(lane)
        self.open_camera(lane)

    def open_site(self, lane: Lane, info: SourceInfo) -> None:
        """Make a site for a camera whose size is known."""
        lane.info, lane.name = info, info.camera
        crew = self.crews[lane.crew]
        lane.opening = [crew.ask("tracking", "open", info), crew.ask("perception", "open", info)]
        self.outbox.push("open", info, None)
        if lane.next_window or lane.people_seen:  # not the first site of this name
            self.tell_tracking(lane, "move_on", lane.next_window, lane.people_seen)
        refine, bodies = self.plan.config.refine, info.role is CameraRole.BODIES
        if self.refiner is not None and bodies and lane.refining is None:
            place = RefinerOfSite(self.refiner, lane.name)
            kept = self.config.object_store_mb * _PEOPLE_PER_MB
            window = self.plan.config.window
            lane.refining = Refining(place, refine, window, not lane.live, self.tell, kept, snapshots=True)
        if self._goes_on is not None and lane.frames == 0:
            self.checkpoints.restore(lane, self._goes_on)

    def _described(self) -> SourceInfo:
        """What is run, for a line on a terminal."""
        known = [lane.info for lane in self.lanes if lane.info is not None]
        if len(self.lanes) == 1 and known:
            return known[0]
        counts = [info.num_frames for info in known]
        total = sum(c for c in counts if c) if len(known) == len(self.lanes) and None not in counts else None
        name = f"{len(self.lanes)} cameras" if len(self.lanes) > 1 else self.lanes[0].entry.name
        return SourceInfo(name, (0, 0), max((i.fps for i in known), default=0.0), 0, total)

    # --- frames -------------------------------------------------------------------------------------------

    def _feed(self, lane: Lane) -> None:
        """Ask the camera for its next frames, if there is room for them."""
        if self.stopping and lane.fetch is None:
            lane.ended = True
        if lane.ended or lane.fetch is not None or lane.camera is None or lane.starting is not None:
            return
        if self.checkpoints.pausing and not lane.live:
            return
        if len(lane.batches) >= (self.config.batches_in_flight if self.place.waits else 1):
            return
        if not lane.live and len(lane.solving) > self.config.windows_in_flight:
            return
        if len(self.outbox) > self.config.results_in_flight:
            return
        wait_s = _TURN_S if self.place.waits else 0.0
        done, lane.done = tuple(lane.done), []
        lane.fetch = self.place.ask(lane.camera, "next_batch", self._at_once(lane), wait_s, done)
        lane.fetch_asked_s = time.monotonic()

    def _at_once(self, lane: Lane) -> int:
        """Frames of one batch."""
        if self.place.waits:
            return self.config.batch_frames
        # in one process a recording is read ahead by as many frames as there are cores; a live view is not
        paced = self.config.speed is not None or lane.live
        return 1 if paced else self.plan.config.perception.threads

    def _advance(self, lane: Lane, ready: Sequence[Ticket]) -> bool:
        """Hand on what has been answered; whether anything was."""
        moved = False
        if lane.starting is not None and lane.starting in ready:
            moved |= self.recovery.camera_started(lane)
        if lane.fetch is not None and lane.fetch in ready:
            moved |= self._take_fetched(lane)
        while lane.batches and self._settled(lane.batches[0].outputs, lane.batches[0].observed):
            moved = True
            if not self._take_oldest(lane):
                break
        moved |= self._publish_solved(lane)
        self._publish_revised(lane, 1)
        if lane.ended and not lane.finished and not lane.batches and lane.fetch is None:
            moved |= self._close(lane)
        return moved

    def _settled(self, *tickets: Ticket) -> bool:
        """All of them are answered, and here."""
        return len(self.place.ready(list(tickets), 0)) == len(tickets)

    def _take_fetched(self, lane: Lane) -> bool:
        try:
            fetched: FrameBatch = self.place.take(lane.fetch)
        except WorkerLost as lost:
            self.recovery.camera_lost(lane, lost)
            return True
        lane.fetch = None
        lane.ended = lane.ended or fetched.ended
        lane.source_counts, lane.received = fetched.counts, fetched.received
        lane.waiting, lane.age_s, lane.reconnects = fetched.waiting, fetched.age_s, fetched.reconnects
        for state in fetched.states:
            self.note_state(lane, state)
        lane.drift_ppm = fetched.drift_ppm
        if fetched.info is not None:
            self._meet(lane, fetched.info)
        if not fetched.frames:
            return bool(fetched.states) or fetched.ended
        for frame, arrival_ns in zip(fetched.frames, fetched.arrival_ns, strict=True):
            lane.arrivals.add(frame.t_capture_ns, arrival_ns)
        self.overview.pair(lane, fetched.frames)
        lane.last_index = fetched.frames[-1].index
        lane.newest_arrival_ns = fetched.arrival_ns[-1]
        lane.late_s = fetched.late_s
        if lane.entry.role is CameraRole.WATCH:
            lane.done.extend(fetched.frames)
            lane.frames += len(fetched.frames)
            return True
        self._perceive(lane, Batch(fetched.frames, fetched.late_s, time.monotonic()))
        return True

    def _meet(self, lane: Lane, info: SourceInfo) -> None:
        """A live camera says what it is: its site is made, or made anew when its pictures have another size."""
        if lane.info is None:
            self.open_site(lane, info)
        elif info.size_px != lane.info.size_px and lane.entry.role is not CameraRole.WATCH:
            self.deliver(lane, self.recovery.insist(lane, "finish", lane.name))
            lane.journal.clear()
            lane.journal.append(Stretch())
            self.open_site(lane, info)
            self.tell("resolution", f"{lane.name}: pictures are {info.size_px[0]}x{info.size_px[1]} now")

    def note_state(self, lane: Lane, state: Any) -> None:
        """A camera says how it is."""
        lane.state = state
        self.hooks.note(str(state))
        self.outbox.push("push_note", SiteNote("camera", str(state), state.since_ns), "")
        self.overview.hasten()

    def _perceive(self, lane: Lane, batch: Batch) -> None:
        """Send frames down the line."""
        lane.batches.append(batch)
        self.ask_perception(lane, batch)
        self.ask_tracking(lane, batch)
        stretch = lane.journal[-1]
        stretch.entries.append(Entry("step", (), batch))
        stretch.frames += len(batch.frames)
        if stretch.frames >= self.config.snapshot_frames:
            crew = self.crews[lane.crew]
            snapshot, _, whole = crew.ask_remembering("tracking", "snapshot", lane.name)
            lane.journal.append(Stretch(snapshot, whole))

    def ask_perception(self, lane: Lane, batch: Batch) -> None:
        """What is seen in a batch."""
        crew = self.crews[lane.crew]
        batch.observed, batch.memory, batch.seen = crew.ask_remembering("perception", "step", batch.frames)

    def ask_tracking(self, lane: Lane, batch: Batch) -> None:
        """Who it is."""
        batch.outputs = self.crews[lane.crew].ask("tracking", "step", batch.observed)

    def _take_oldest(self, lane: Lane) -> bool:
        """Deliver the results of the oldest batch; False when somebody was lost instead."""
        batch = lane.batches[0]
        try:
            outputs: list[SiteOutput] = self.place.take(batch.outputs)
        except WorkerLost as lost:
            self.recovery.batch_lost(lane, lost)
            return False
        lane.raised.clear()
        lane.batches.popleft()
        batch.delivered, batch.outputs, lane.memory = True, None, batch.memory
        lane.delivered_index = batch.frames[-1].index
        for frame, output in zip(batch.frames, outputs, strict=True):
            if output.calibration is not None:
                lane.geometry = (output.calibration, frame.index + self.config.ring_slots)
                self.tell_perception(lane)
            self._count(lane, output)
            self.deliver(lane, output, batch.late_s)
            self._tell_progress(lane, frame)
        lane.done.extend(batch.frames)
        batch.frames = ()
        self._trim(lane)
        return True

    def tell_tracking(self, lane: Lane, verb: str, *args: Any) -> None:
        """A word that shapes a site, for whoever tracks it now or later."""
        words = (lane.name, *args)
        lane.opening.append(self.crews[lane.crew].ask("tracking", verb, *words))
        lane.journal[-1].entries.append(Entry(verb, words))

    def tell_perception(self, lane: Lane) -> None:
        """From which frame on the ground is as it is now known to be."""
        if lane.geometry is not None:
            calibration, from_index = lane.geometry
            self.crews[lane.crew].ask("perception", "set_geometry", lane.name, calibration, from_index)

    def _trim(self, lane: Lane) -> None:
        """Forget what came before the newest snapshot that is whole, once all of it is delivered."""
        while len(lane.journal) > 1 and self._settled(lane.journal[1].whole, lane.journal[1].snapshot):
            if not all(entry.batch is None or entry.batch.delivered for entry in lane.journal[0].entries):
                return
            try:
                self.place.take(lane.journal[1].whole)
            except WorkerLost:  # this one was never made; the stretches before and after it are one
                lost = lane.journal[1]
                lane.journal[0].entries += lost.entries
                del lane.journal[1]
                continue
            lane.journal.popleft()

    def _count(self, lane: Lane, output: SiteOutput) -> None:
        for tracked in output.tracked:
            lane.frames += 1
            lane.frame_drops.update(tracked.drops)
            lane.people = int(tracked.confirmed.sum())
            lane.people_seen = max([lane.people_seen, *(tracked.person_ids + 1).tolist()])
            lane.first_ns = tracked.t_capture_ns if lane.first_ns is None else lane.first_ns
            lane.last_ns = tracked.t_capture_ns
            lane.clock = tracked.clock.value
            lane.skew_ns = tracked.skew_ns

    def _tell_progress(self, lane: Lane, frame: Any) -> None:
        latency_s = (self.clock.now_ns() - lane.arrivals.at(frame.t_capture_ns)) / 1e9
        totals = [other.info.num_frames if other.info else None for other in self.lanes]
        total = None if None in totals else sum(t for t in totals if t is not None)
        frames = sum(other.frames for other in self.lanes)
        people = sum(other.people for other in self.lanes)
        windows = sum(other.windows for other in self.lanes)
        self.hooks.progress(Progress(frames, total, people, windows, latency_s))

    # --- results ------------------------------------------------------------------------------------------

    def deliver(self, lane: Lane, output: SiteOutput, late_s: float = 0.0) -> None:
        """Send one step's results to solver and publisher."""
        push = self.outbox.push
        if output.calibration is not None:
            lane.calibration = output.calibration
            push("push_calibration", lane.name, output.calibration)
        for note in output.notes:
            push("push_note", note, lane.name)
            self.overview.tell(note.kind, note.text, lane.name)
            self.hooks.note(f"{note.kind}: {note.text}")
        for tracked in output.tracked:
            push("push_live", tracked, lane.arrivals.at(tracked.t_capture_ns))
        if output.identity:
            push("push_identity", lane.name, output.identity)
            lane.identity.extend(output.identity)
        if output.late:
            push("push_late", output.late)
        if lane.entry.role is CameraRole.BODIES:
            for problem in output.problems:
                self._solve(lane, problem)
        self._publish_solved(lane)

    def _solve(self, lane: Lane, problem: WindowProblem) -> None:
        """Queue a window; a live view that cannot keep up leaves it out (the next one overlaps it), counted."""
        lane.next_window = max(lane.next_window, problem.window + 1)
        if lane.live and len(lane.solving) >= self.config.windows_in_flight:
            lane.drops["solver_busy"] += 1
            return
        newest_ns = problem.t0_ns + round((problem.num_frames - 0.5) / MODEL_RATE_HZ * 1e9)
        reference = self.place.put(problem)  # once, for the solver and for the refiner
        identity, lane.identity = tuple(lane.identity), []
        window = Unsolved(
            reference, lane.arrivals.at(newest_ns), problem.num_people, identity, time.monotonic()
        )
        self.ask_solver(lane, window)
        lane.solving.append(window)

    def ask_solver(self, lane: Lane, window: Unsolved) -> None:
        """The bodies of a window."""
        crew = self.crews[lane.crew]
        window.solved, window.memory, window.done = crew.ask_remembering("solver", "solve", window.problem)

    def _publish_solved(self, lane: Lane) -> bool:
        """Hand solved windows to the publisher, in order; one still being solved never holds up the live tier."""
        moved = False
        while lane.solving and self._settled(lane.solving[0].done, lane.solving[0].memory):
            window = lane.solving[0]
            moved = True
            try:
                self.place.take(window.done)
            except WorkerLost as lost:
                self.recovery.window_lost(lane, lost)
                break
            lane.solving.popleft()
            lane.raised["solver"] = 0
            lane.solver_memory = window.memory
            self.outbox.push("push_window", window.solved, window.arrival_ns)
            lane.windows += 1
            self._refine(lane, window)
        return moved

    def _refine(self, lane: Lane, window: Unsolved) -> None:
        if lane.refining is None:
            return
        late = not self.place.waits and lane.late_s > self.config.max_age_s / 2
        busy = lane.live and (late or not self.pressing.refines or not self.refines)
        lane.refining.give(Given(window.problem, window.solved, window.people, window.identity), busy)
        self._note_revised(lane, lane.refining.take())

    def _note_revised(self, lane: Lane, found: Sequence[Revised]) -> None:
        lane.revised.extend(
            (answer.ticket, which) for answer in found for which in range(len(answer.revisions))
        )

    def _publish_revised(self, lane: Lane, most: int) -> None:
        """Hand revisions to the publisher, in order and a few at a time: live messages wait for each commit."""
        if lane.refining is None:
            return
        self._note_revised(lane, lane.refining.take())
        most = max(most, len(lane.revised) - self.config.results_in_flight)
        for _ in range(min(most, len(lane.revised))):
            revisions, which = lane.revised.popleft()
            self.outbox.push("push_revision", lane.name, revisions, which)

    # --- ends ---------------------------------------------------------------------------------------------

    def _close(self, lane: Lane) -> bool:
        """One step towards the end of a camera: its last windows are solved, refined and published; nobody waits."""
        if lane.closing is Closing.NO:
            if lane.camera is not None and (lane.live or lane.removed) and not self.stopping:
                self._retire(lane.camera)
                lane.camera = None
            lane.closing = Closing.TRACKED
            if lane.info is not None and lane.entry.role is not CameraRole.WATCH:
                self.deliver(lane, self.recovery.insist(lane, "finish", lane.name))
            return True
        if lane.solving:
            return False
        if lane.closing is Closing.TRACKED and lane.refining is not None:
            lane.refining.end(lane.identity)
            lane.closing = Closing.REFINED
        self._publish_revised(lane, self.config.results_in_flight)
        if lane.revised or (lane.refining is not None and not lane.refining.settled):
            return False
        if lane.removed:
            self.crews[lane.crew].ask("solver", "forget", lane.name)
        lane.finished = True
        self.overview.buckets.remove(lane.name)
        return True

    def tell(self, kind: str, text: str) -> None:
        """Something an operator should know."""
        newest_ns = max((lane.last_ns or 0 for lane in self.lanes), default=0)
        self.outbox.push("push_note", SiteNote(kind, text, newest_ns), "")
        self.overview.tell(kind, text)
        self.hooks.note(f"{kind}: {text}")

    def _salvage(self) -> None:
        """After something that ends the run: windows that can still be solved are committed; nothing is refined."""
        for lane in self.lanes:
            lane.refining = None
        with suppress(CrowdstreamError):
            for lane in self.lanes:
                while lane.solving and self.place.ready([lane.solving[0].done], _LOOK_S):
                    self.place.take(lane.solving[0].done)
                    window = lane.solving.popleft()
                    self.outbox.push("push_window", window.solved, window.arrival_ns)
        with suppress(CrowdstreamError):
            if self.outbox.post is not None:
                self.outbox.settle(0)

    def _stop(self) -> None:
        """Stop every worker in the order of the frames; one that hangs is ended, the rest still reports."""
        posts = [lane.camera for lane in self.lanes if lane.camera is not None]
        for crew in self.crews:
            posts += crew.posts()
        posts += [self.refiner.post] if self.refiner is not None else []
        posts += [self.outbox.post] if self.outbox.post is not None else []
        deadline_s = time.monotonic() + self._stop_timeout_s
        for post in posts:
            self._retire(post, max(deadline_s - time.monotonic(), 0.1))

    def _retire(self, post: Post, patience_s: float = 5.0) -> None:
        """Let a worker close what it holds, and end it."""
        ticket = self.place.ask(post, "stop")
        with suppress(WorkerLost):
            if self.place.ready([ticket], patience_s):
                self._reports.setdefault(post.name, []).append(self.place.take(ticket) or {})
        self.place.end(post)

    def _summary(self, elapsed_s: float) -> dict[str, Any]:
        captured_s = 0.0
        for lane in self.lanes:
            if lane.first_ns is not None and lane.last_ns is not None and lane.info is not None:
                seconds = (lane.last_ns - lane.first_ns) / 1e9 + 1 / max(lane.info.fps, 1e-3)
                captured_s = max(captured_s, seconds)
        return summarise(
            self._reports, elapsed_s, captured_s, self.place.kind, self.outbox.address, self.lanes,
            self.recovery.lost,
        ) | {"stopped": self.stopping}  # fmt: skip
