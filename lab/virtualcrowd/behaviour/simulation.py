"""The life of a crowd: parties come, run their errands and leave, step by step.

Decisions are made here, a few a step, by seed alone; the steering of everybody is one compiled call a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
from jaxtyping import Float

from ..config import CrowdConfig
from ..plan import Activity
from ..scene import Scene
from .arrivals import Shares, at_gate, distance_to_gate, exit_place, gate_inward
from .errands import Bookings, Circle, Errand, Leave, Queue, Stand, draw_errands
from .first_moment import GLANCE_S, TALK_GAP_M, populate
from .live import NOBODY, STEP_HZ, LiveCrowd
from .people import Party, Person, draw_party
from .places import find_places
from .queues import Line
from .routes import RouteMap

Array = np.ndarray

EXIT_M = 0.5
"""People are gone this near to their gate."""
QUEUERS_A_LINE = 5.0
"""One queue is open for so many who want to queue."""


@dataclass
class Outing:
    """A party in the scene."""

    number: int
    party: Party
    kind: str
    """Of the party at first; those who are done with what they came for just walk."""
    group: int
    """Index of the group; -1 for one person."""
    errands: list[Errand]
    variant: int
    """Of the routes."""
    slots: list[int] = field(default_factory=list)
    """Places in the live crowd, the leader's first; those who left are gone from it."""
    until: int = NOBODY
    """Step at which they stop standing or talking."""
    gathering: bool = False
    """On the last steps to their places in a circle."""
    glance: int = 0


@dataclass(frozen=True)
class History:
    """What happened, S steps of `STEP_HZ`, C places."""

    person: Array
    """(S, C) int64, -1 for nobody."""
    place_m: Array
    """(S, C, 2)."""
    heading_rad: Array
    """(S, C)."""
    activity: Array
    """(S, C) uint8."""
    people: tuple[Person, ...]
    group: tuple[int, ...]


class Simulation:
    """One crowd in one scene."""

    def __init__(self, scene: Scene, config: CrowdConfig) -> None:
        self.scene, self.config = scene, config
        self.rng = np.random.default_rng([config.seed, 1])
        self.routes_of_queuers = RouteMap(scene, config.seed)
        walls = self.routes_of_queuers.walls
        self.places = find_places(scene, walls)
        wanted = int(np.ceil(config.queuers * config.people / QUEUERS_A_LINE))
        lines = self.places.queues[: max(wanted, 1)] if config.queuers > 0 else ()
        self.lines = [Line(i, line) for i, line in enumerate(lines)]
        self.routes = RouteMap(scene, config.seed, [line.strip_m() for line in lines])
        """Of everybody else: around the queues."""
        self.bookings = Bookings(self.places, queues_open=len(lines))
        self.live = LiveCrowd(int(1.2 * config.people) + 8, walls, self.routes.walls, scene.outline_m)
        self.shares = Shares(config)
        self.people: list[Person] = []
        self.group: list[int] = []
        self.groups = 0
        self.outings: dict[int, Outing] = {}
        self.of_slot: dict[int, Outing] = {}
        self.now = 0

    def run(self, steps: int, progress: Callable[[int, int], None] | None = None) -> History:
        """Live for a number of steps.

        Raises:
            CrowdError: the scene has no room for so many people.
        """
        populate(self)
        c = len(self.live.person)
        person = np.full((steps, c), NOBODY, np.int64)
        place, heading = np.zeros((steps, c, 2)), np.zeros((steps, c))
        activity = np.zeros((steps, c), np.uint8)
        for k in range(steps):
            self.now = k
            person[k], place[k], heading[k] = self.live.person, self.live.w.place, self.live.w.heading
            activity[k] = self.live.activity()
            self.live.step()
            self._exits()
            self._arrived()
            self._queues()
            self._standing()
            if k % 8 == 0:
                self._unstick()
            self._admit()
            if progress is not None and (k % 30 == 0 or k == steps - 1):
                progress(k + 1, steps)
        return History(person, place, heading, activity, tuple(self.people), tuple(self.group))

    # --- who is there -------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Parties for those who left, as long as gates have room."""
        most = int(np.ceil(1.08 * self.config.people))
        tries = 0
        while self.live.count < self.config.people and tries < 6:
            tries += 1
            drawn = self.draw(most - self.live.count)
            if drawn is None:
                continue
            party, errands, gate = drawn
            for g in [gate, *self.rng.permutation(len(self.scene.gates)).tolist()]:
                places = at_gate(self.scene, g, party, self.live, self.rng)
                if places is not None:
                    break
            else:
                self.undo(errands)
                continue
            inward = gate_inward(self.scene, g)
            outing = self.enter(party, errands, places, float(np.arctan2(inward[1], inward[0])))
            self.next(outing)
            for k in outing.slots:
                self.live.w.velocity[k] = self.live.w.speed[k] * inward

    def draw(self, room: int) -> tuple[Party, list[Errand], int] | None:
        """A party that is short, its errands and its gate."""
        refused: set[str] = set()
        for _ in range(4):
            kind = self.shares.draw(room, refused, self.rng)
            party = draw_party(kind, room, self.rng)
            gate = int(self.rng.integers(len(self.scene.gates)))
            errands = draw_errands(
                kind, len(party.members), gate, self.scene, self.routes, self.bookings, self.rng
            )
            if errands is not None:
                if isinstance(errands[0], Queue):
                    self.bookings.queued[errands[0].line] += 1
                return party, errands, gate
            refused.add(kind)
        return None

    def undo(self, errands: list[Errand]) -> None:
        """Give back what a party that could not come in had booked."""
        for errand in errands:
            if isinstance(errand, (Stand, Circle)):
                self.bookings.release(errand.booking)
            elif isinstance(errand, Queue):
                self.bookings.queued[errand.line] -= 1

    def enter(
        self, party: Party, errands: list[Errand], places: Float[Array, "K 2"], heading: float
    ) -> Outing:
        """Put a party at its places."""
        group = NOBODY
        if len(party.members) > 1:
            group, self.groups = self.groups, self.groups + 1
        outing = Outing(len(self.outings), party, party.kind, group, errands, int(self.rng.integers(4)))
        for member, place in zip(party.members, places, strict=True):
            k = self.live.add(len(self.people), place, heading, member.speed_mps, group)
            self.people.append(member)
            self.group.append(group)
            outing.slots.append(k)
            self.of_slot[k] = outing
        self.outings[outing.number] = outing
        self.shares.present[party.kind] += len(party.members)
        return outing

    def _exits(self) -> None:
        w = self.live.w
        leaving = np.flatnonzero(w.alive & (self.live.exit_gate >= 0))
        if len(leaving) == 0:
            return
        gone = leaving[distance_to_gate(self.scene, self.live.exit_gate[leaving], w.place[leaving]) < EXIT_M]
        for k in gone.tolist():
            outing, gate = self.of_slot.pop(k), int(self.live.exit_gate[k])
            led = outing.slots[0] == k
            outing.slots.remove(k)
            self.live.remove(k)
            self.shares.present[outing.kind] -= 1
            if led:  # the others go out on their own, each straight ahead
                for other in outing.slots:
                    self._go(other, exit_place(self.scene, gate, self.rng), False, outing.variant)
                    self.live.exit_gate[other] = gate

    # --- errands ------------------------------------------------------------------------------------------

    def next(self, outing: Outing) -> None:
        """Set out for the first errand of the list."""
        leader, errand = outing.slots[0], outing.errands[0]
        if isinstance(errand, Stand):
            self._go(leader, errand.place_m, True, outing.variant)
        elif isinstance(errand, Circle):
            self._go(leader, errand.middle_m, False, outing.variant)
        elif isinstance(errand, Queue):
            self._go(leader, self.lines[errand.line].tail_m(), False, outing.variant)
        elif isinstance(errand, Leave):
            self._go(leader, exit_place(self.scene, errand.gate, self.rng), False, outing.variant)
            for k in outing.slots:
                self.live.exit_gate[k] = errand.gate
        else:
            self._go(leader, errand.place_m, False, outing.variant)
        for rank, k in enumerate(outing.slots[1:], 1):
            self._follow(outing, k, rank)

    def _follow(self, outing: Outing, k: int, rank: int) -> None:
        member = self.live.person[k] - self.live.person[outing.slots[0]]
        self.live.follow(k, outing.slots[0], outing.slots[rank - 1], rank, outing.party.beside_m[member])

    def _go(self, k: int, goal: Float[Array, "2"], brakes: bool, variant: int) -> None:
        """Send someone along a route (straight where there is none)."""
        queues = isinstance(self.of_slot[k].errands[0], Queue)
        start = self.live.w.place[k]
        way = None if queues else self.routes.route(start, goal, variant)
        if way is None:  # out of a queue, or out of somebody's way
            way = self.routes_of_queuers.route(start, goal, variant)
        self.live.send(k, goal[None] if way is None else way, brakes)

    def _arrived(self) -> None:
        """What those do who have come to where they went."""
        w = self.live.w
        for k in np.flatnonzero(w.alive & w.moving & w.arrived & (w.leader < 0)).tolist():
            outing = self.of_slot[k]
            errand = outing.errands[0]
            if outing.gathering and isinstance(errand, Circle):
                to = errand.middle_m - w.place[k]
                self.live.halt(k, float(np.arctan2(to[1], to[0])), Activity.TALK)
            elif isinstance(errand, Circle):
                self.gather(outing, errand)
            elif isinstance(errand, Stand):
                face = float(w.heading[k]) if errand.face_rad is None else errand.face_rad
                self.live.halt(k, face, errand.activity)
                outing.until = self.now + int(STEP_HZ * errand.seconds)
                outing.glance = self.later(GLANCE_S)
            elif isinstance(errand, Queue):
                line = self.lines[errand.line]
                if k not in line.members:
                    line.join(k, self.live, self.rng)
                    self.live.send(k, line.stands_m(k)[None], brakes=True)
            elif isinstance(errand, Leave):
                w.arrived[k] = False
            else:
                outing.errands.pop(0)
                self.next(outing)

    def gather(self, outing: Outing, circle: Circle) -> None:
        """Everybody to a place in the circle, so that ways cross least."""
        count = len(outing.slots)
        radius = 0.5 * TALK_GAP_M / np.sin(np.pi / count)
        places = [self.live.w.place[k] for k in outing.slots]
        toward = places[0] - circle.middle_m
        angle = np.arctan2(toward[1], toward[0]) + 2 * np.pi * np.arange(count) / count
        ring = circle.middle_m + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        cost = np.linalg.norm(np.array(places)[:, None] - ring, axis=-1)
        order = min(permutations(range(count)), key=lambda p: sum(cost[i, p[i]] for i in range(count)))
        for k, spot in zip(outing.slots, order, strict=True):
            self.live.send(k, ring[spot][None], brakes=True)
            self.live.rest[k] = int(Activity.TALK)
        self.live.rings[outing.group] = np.array([*circle.middle_m, radius, outing.group])
        outing.gathering = True
        outing.until = self.now + int(STEP_HZ * (circle.seconds + 3.0))
        outing.glance = self.later(GLANCE_S)

    def _standing(self) -> None:
        """Glances of those who stand, and the end of standing."""
        w = self.live.w
        for outing in [o for o in self.outings.values() if o.until != NOBODY]:
            errand = outing.errands[0]
            if self.now >= outing.until:
                self._resume(outing)
            elif self.now >= outing.glance:
                outing.glance = self.later(GLANCE_S)
                k = outing.slots[int(self.rng.integers(len(outing.slots)))]
                if w.moving[k]:
                    continue
                if isinstance(errand, Circle):
                    to = errand.middle_m - w.place[k]
                    w.face[k] = np.arctan2(to[1], to[0]) + self.rng.uniform(-0.3, 0.3)
                elif isinstance(errand, Stand) and errand.seconds > 2.0:
                    base = w.face[k] if errand.face_rad is None else errand.face_rad
                    w.face[k] = base + self.rng.uniform(-0.8, 0.8)

    def _resume(self, outing: Outing) -> None:
        """Go on after standing or talking."""
        errand = outing.errands[0]
        outing.until, outing.gathering = NOBODY, False
        if isinstance(errand, (Stand, Circle)):
            self.bookings.release(errand.booking)
        self.live.rings.pop(outing.group, None)
        for k in outing.slots:
            self.live.rest[k] = int(Activity.STAND)
        self._done(outing)

    def _done(self, outing: Outing) -> None:
        """The errand is over; shares count the party among those who walk from now on."""
        outing.errands.pop(0)
        if outing.kind != "family":
            self.shares.present[outing.kind] -= len(outing.slots)
            outing.kind = "group" if outing.group >= 0 else "solo"
            self.shares.present[outing.kind] += len(outing.slots)
        self.next(outing)

    def _queues(self) -> None:
        for line in self.lines:
            if line.step(self.now, STEP_HZ, self.live, self.rng) is None:
                continue
            k = line.leave(self.now, STEP_HZ, self.live, self.rng)
            self.bookings.queued[line.index] -= 1
            outing = self.of_slot[k]
            self._done(outing)
            w = self.live.w
            first = line.way_out_m(self.rng)
            way = w.way[k, : w.way_count[k]].copy()
            onward = self.routes.route(first, way[-1], outing.variant)
            if onward is not None:
                self.live.send(k, np.concatenate([first[None], onward]), bool(w.brakes[k]))
            for other in self.of_slot.values():  # those on the way to it aim at the new tail
                to = other.errands[0]
                if isinstance(to, Queue) and to.line == line.index and other.slots[0] not in line.members:
                    self._go(other.slots[0], line.tail_m(), False, other.variant)

    def _unstick(self) -> None:
        """New routes for those who lost sight of theirs, other plans for those who do not get on."""
        w = self.live.w
        for k in np.flatnonzero(w.alive & w.moving & ((w.lost > 8) | (w.stuck > 40))).tolist():
            outing = self.of_slot[k]
            errand = outing.errands[0]
            if w.leader[k] >= 0:
                way = self.routes.route(w.place[k], w.place[w.leader[k]], outing.variant)
                if way is not None:
                    self.live.guide(k, way)
                continue
            goal = w.way[k, w.way_count[k] - 1].copy()
            in_line = isinstance(errand, Queue) and k in self.lines[errand.line].members
            if w.stuck[k] > 40 and not in_line:
                outing.variant += 1
                if isinstance(errand, (Stand, Circle)) and np.linalg.norm(goal - w.place[k]) < 1.0:
                    w.arrived[k] = True
                    continue
            self._go(k, goal, bool(w.brakes[k]), outing.variant)

    def later(self, seconds: tuple[float, float]) -> int:
        return self.now + int(STEP_HZ * self.rng.uniform(*seconds))
