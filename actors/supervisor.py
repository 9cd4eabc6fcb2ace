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
from typing import Any

from ..configs.array import CameraRole
from ..kernels.errors import CrowdstreamError
from ..stream.clock import WallClock
from ..stream.site import SiteOutput
from ..stream.site_note import SiteNote
from .camera import FrameBatch
from .checkpoints import Checkpoints
from .crew import Crew
from .lane import Batch, Closing, Entry, Lane, Stretch
from .opening import Opening
from .operator import Operator
from .outbox import Outbox
from .overview import Overview
from .place import Place, Post, Ticket, WorkerLost
from .plan import EnginePlan, SourceInfo
from .pressing import Pressing
from .recovery import Recovery
from .refiner_place import RefinerPost
from .results import Results
from .runtime import Progress, RunHooks
from .summary import summarise
from .workers import Workers

_TURN_S = 0.05
"""How long a turn waits for something to happen."""
_IDLE_S = 0.004
"""The same where answers take no time and nothing came."""
_STOP_TIMEOUT_S = 20.0
"""A worker that does not answer `stop` by then is ended."""
_REFINE_STOP_S = 1.5
"""So long after it was asked to stop a run still waits for refinements."""
_LOOK_S = 0.25
"""Patience with a window that may still be solved when a run ends with a fault."""


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
        self._stopping_s: float | None = None
        self.pressing = Pressing(self)
        self.overview = Overview(self)
        self.operator = Operator(self)
        self.checkpoints = Checkpoints(self)
        self.opening = Opening(self)
        self.results = Results(self)
        self.stop_timeout_s = _STOP_TIMEOUT_S
        self._reports: dict[str, list[dict[str, Any]]] = {}

    # --- life ---------------------------------------------------------------------------------------------

    def run(self) -> dict[str, Any]:
        """Start in two phases, turn until all cameras have ended or somebody asks to stop, drain, stop."""
        start_s = time.perf_counter()
        try:
            self.opening.place_all()
            self.opening.start_all()
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
        if self.stopping and self._stopping_s is None:
            self._stopping_s = time.monotonic()
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
        config, paced = self.config, self.config.speed is not None or lane.live
        if not self.place.waits:
            # in one process a recording is read ahead by as many frames as there are cores; a live view is not
            return 1 if paced else self.plan.config.perception.threads
        # what is on its way is delay, before a picture is seen and before a stop is over: of a view, one batch in all
        return max(1, config.batch_frames // config.batches_in_flight) if paced else config.batch_frames

    def _advance(self, lane: Lane, ready: Sequence[Ticket]) -> bool:
        """Hand on what has been answered; whether anything was."""
        moved = False
        if lane.starting is not None and lane.starting in ready:
            moved |= self.recovery.camera_started(lane)
        if lane.fetch is not None and lane.fetch in ready:
            moved |= self._take_fetched(lane)
        while lane.batches and self.settled(lane.batches[0].outputs, lane.batches[0].observed):
            moved = True
            if not self._take_oldest(lane):
                break
        moved |= self.results.publish_solved(lane)
        self.results.publish_revised(lane, 1)
        if lane.ended and not lane.finished and not lane.batches and lane.fetch is None:
            moved |= self._close(lane)
        return moved

    def settled(self, *tickets: Ticket) -> bool:
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
            self.opening.open_site(lane, info)
        elif info.size_px != lane.info.size_px and lane.entry.role is not CameraRole.WATCH:
            self.results.deliver(lane, self.recovery.insist(lane, "finish", lane.name))
            lane.journal.clear()
            lane.journal.append(Stretch())
            lane.calibration = lane.geometry = None  # of the other pictures
            self.opening.open_site(lane, info)
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
            self.results.deliver(lane, output, batch.late_s)
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
        while len(lane.journal) > 1 and self.settled(lane.journal[1].whole, lane.journal[1].snapshot):
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

    # --- ends ---------------------------------------------------------------------------------------------

    def _close(self, lane: Lane) -> bool:
        """One step towards the end of a camera: its last windows are solved, refined and published; nobody waits."""
        if lane.closing is Closing.NO:
            if lane.camera is not None and (lane.live or lane.removed) and not self.stopping:
                self._retire(lane.camera)
                lane.camera = None
            lane.closing = Closing.TRACKED
            if lane.info is not None and lane.entry.role is not CameraRole.WATCH:
                self.results.deliver(lane, self.recovery.insist(lane, "finish", lane.name))
            return True
        if lane.solving:
            return False
        if lane.closing is Closing.TRACKED and lane.refining is not None:
            lane.refining.end(lane.identity)
            lane.closing = Closing.REFINED
        self.results.publish_revised(lane, self.config.results_in_flight)
        if lane.refining is not None and self._is_awaited:
            lane.refining.abandon()
        if lane.revised or (lane.refining is not None and not lane.refining.settled):
            return False
        if lane.removed:
            for stage in ("perception", "solver"):
                self.crews[lane.crew].ask(stage, "forget", lane.name)
        lane.finished = True
        self.overview.buckets.remove(lane.name)
        return True

    @property
    def _is_awaited(self) -> bool:
        """Somebody asked for the end some time ago: what only makes results better is left."""
        return self._stopping_s is not None and time.monotonic() - self._stopping_s > _REFINE_STOP_S

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
        deadline_s = time.monotonic() + self.stop_timeout_s
        refiner = self.refiner.post if self.refiner is not None else None
        for post in posts:
            patience_s = max(deadline_s - time.monotonic(), 0.1)
            self._retire(post, min(patience_s, 0.5) if post is refiner and self._is_awaited else patience_s)

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
