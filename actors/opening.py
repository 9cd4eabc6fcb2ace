"""How a run begins: workers are placed, sources opened, networks loaded; and how cameras and sites are opened later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..configs.array import CameraEntry, CameraRole
from ..kernels.errors import CrowdstreamError
from ..stream.sources.live.address import is_live
from .checkpoints import GoesOn
from .crew import Crew
from .faults import StoppedEarly
from .lane import Lane
from .place import Ticket, WorkerLost
from .plan import SourceInfo
from .refiner_place import RefinerOfSite, RefinerPost
from .refining import Refining

if TYPE_CHECKING:
    from .supervisor import Supervisor

_LOOK_S = 0.25
"""How often a wish to stop is looked for while workers start."""
_PEOPLE_PER_MB = 7
"""Rows of windows kept for a refiner to come, by megabytes of the shared store: two fifths of it."""


class Opening:
    """Makes what the supervisor then owns."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._s = supervisor
        self._goes_on: GoesOn | None = None

    def place_all(self) -> None:
        """Phase one: cheap constructors, so that placement fails before anything is opened."""
        nodes = self._s.place.nodes()
        count = min(self._s.config.crews or len(nodes), len(self._s.plan.cameras))
        self._s.crews = [
            Crew(
                self._s.place,
                self._s.workers,
                self._s.plan,
                number,
                nodes[number % len(nodes)] if count > 1 else "",
            )
            for number in range(count)
        ]
        for crew in self._s.crews:
            crew.open_all()
        if self._s.plan.config.refine.enabled:
            self._s.refiner = RefinerPost(self._s.place, self._s.workers.refiner, self._s.plan)
        for number, entry in enumerate(self._s.plan.cameras):
            self._s.lanes.append(self.make_lane(entry, number % count))

    def make_lane(self, entry: CameraEntry, crew: int) -> Lane:
        """A camera's way, before anything is opened."""
        live = is_live(entry.source) or self._s.config.drop_late
        return Lane(entry, live, crew, entry.name)

    def start_all(self) -> None:
        """Phase two: open sources, load networks, compile kernels, bind sockets; slow ones side by side.

        Raises:
            CrowdstreamError: what a worker that cannot start says.
        """
        self._goes_on = self._s.checkpoints.read()
        for lane in self._s.lanes:
            if self._goes_on is not None:
                lane.last_index = self._s.checkpoints.last_index(lane, self._goes_on)
            self.open_camera(lane)
        # a recording that cannot be opened ends the run before minutes of loading
        recordings = [lane for lane in self._s.lanes if not is_live(lane.entry.source)]
        self._answers([lane.starting for lane in recordings])
        loading = [ticket for crew in self._s.crews for ticket in crew.start_all()]
        if self._s.refiner is not None:
            loading.append(self._s.refiner.start())
        for lane in recordings:
            self._opened(lane)
        answers = self._answers(loading)
        self._s.networks = next((a for a in answers if isinstance(a, dict)), {})
        if self._goes_on is None:
            self._s.outbox.start()
        else:
            for note in self._goes_on.notes:
                self._s.hooks.note(note)
            self._s.outbox.start(self._goes_on.point.session, self._s.checkpoints.published(self._goes_on))
        for lane in self._s.lanes:
            if lane.info is not None:
                self.open_site(lane, lane.info)
                self._answers(lane.opening)
                lane.opening.clear()
        self._s.outbox.settle(0)
        for note in self._s.place.take(self._s.outbox.ask("notes")):
            self._s.hooks.note(note)
        self._s.hooks.started(self._described(), self._s.outbox.address, self._s.networks)

    def _answers(self, tickets: Sequence[Ticket]) -> list[Any]:
        """All of them; compiling takes a minute, and nobody shall wait for that who wants to leave.

        Raises:
            StoppedEarly: asked to stop meanwhile. CrowdstreamError: what a worker raised, as soon as it did.
        """
        waiting, found = list(tickets), dict[Ticket, Any]()
        while waiting:
            for ticket in self._s.place.ready(waiting, _LOOK_S):
                found[ticket] = self._answer(ticket)
                waiting.remove(ticket)
            if self._s.hooks.stop_asked():
                self._s.stop_timeout_s = 1.0
                raise StoppedEarly("stopped before the first frame; nothing was recorded")
        return [found[ticket] for ticket in tickets]

    def _answer(self, ticket: Ticket) -> Any:
        try:
            return self._s.place.take(ticket)
        except WorkerLost as lost:
            if lost.cause is None or isinstance(lost.cause, CrowdstreamError):
                raise self._s.recovery.fault(lost) from lost
            raise lost.cause from lost

    def open_camera(self, lane: Lane) -> None:
        """Place a camera's worker and let it open its source, behind the last frame that is known."""
        crew = self._s.crews[lane.crew]
        make = self._s.workers.camera_for(lane.entry.name)
        lane.camera = self._s.place.open("camera", make, self._s.plan, 1, crew.node)
        slots = self._s.config.ring_slots if self._s.place.waits else 0
        lane.starting = self._s.place.ask(lane.camera, "start", slots, lane.last_index)
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
            sum(lane.crew == crew.number and not lane.finished for lane in self._s.lanes)
            for crew in self._s.crews
        ]
        lane = self.make_lane(entry, used.index(min(used)))
        for old in [old for old in self._s.lanes if old.finished and old.name == entry.name]:
            lane.last_index, lane.next_window, lane.people_seen = (
                old.last_index, old.next_window, old.people_seen,
            )  # fmt: skip
            self._s.lanes.remove(old)
        others = [other for other in self._s.plan.cameras if other.name != entry.name]
        self._s.plan = replace(self._s.plan, array=(*others, entry))
        self._s.lanes.append(lane)
        self.open_camera(lane)

    def open_site(self, lane: Lane, info: SourceInfo) -> None:
        """Make a site for a camera whose size is known."""
        lane.info, lane.name = info, info.camera
        crew = self._s.crews[lane.crew]
        lane.opening = [crew.ask("tracking", "open", info), crew.ask("perception", "open", info)]
        self._s.outbox.push("open", info, None)
        if lane.next_window or lane.people_seen:  # not the first site of this name
            self._s.tell_tracking(lane, "move_on", lane.next_window, lane.people_seen)
        refine, bodies = self._s.plan.config.refine, info.role is CameraRole.BODIES
        if self._s.refiner is not None and bodies and lane.refining is None:
            place = RefinerOfSite(self._s.refiner, lane.name)
            kept = self._s.config.object_store_mb * _PEOPLE_PER_MB
            window = self._s.plan.config.window
            lane.refining = Refining(place, refine, window, not lane.live, self._s.tell, kept, snapshots=True)
        if self._goes_on is not None and lane.frames == 0:
            self._s.checkpoints.restore(lane, self._goes_on)

    def _described(self) -> SourceInfo:
        """What is run, for a line on a terminal."""
        known = [lane.info for lane in self._s.lanes if lane.info is not None]
        if len(self._s.lanes) == 1 and known:
            return known[0]
        counts = [info.num_frames for info in known]
        total = (
            sum(c for c in counts if c) if len(known) == len(self._s.lanes) and None not in counts else None
        )
        name = f"{len(self._s.lanes)} cameras" if len(self._s.lanes) > 1 else self._s.lanes[0].entry.name
        return SourceInfo(name, (0, 0), max((i.fps for i in known), default=0.0), 0, total)
