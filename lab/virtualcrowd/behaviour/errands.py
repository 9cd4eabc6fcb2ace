"""What a party does between its gates: a list of errands, the last of which is to leave."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ..plan import Activity
from ..scene import Scene
from .places import Places
from .routes import RouteMap, clearance_m

Array = np.ndarray


@dataclass(frozen=True)
class Walk:
    """Pass by a place."""

    place_m: Float[Array, "2"]


@dataclass(frozen=True)
class Stand:
    """Stand at a place for a while."""

    place_m: Float[Array, "2"]
    seconds: float
    face_rad: float | None = None
    """None: as one came."""
    activity: Activity = Activity.STAND
    booking: tuple[str, int] | None = None
    """The place of `Places` in use: (kind, index)."""


@dataclass(frozen=True)
class Circle:
    """Stand in a circle and talk."""

    middle_m: Float[Array, "2"]
    seconds: float
    booking: tuple[str, int]


@dataclass(frozen=True)
class Queue:
    """Join a queue, move up, be served."""

    line: int


@dataclass(frozen=True)
class Leave:
    """Go out through a gate."""

    gate: int


Errand = Walk | Stand | Circle | Queue | Leave


@dataclass
class Bookings:
    """Which places are taken, so that two parties do not stand in one another."""

    places: Places
    taken: dict[str, set[int]] = field(
        default_factory=lambda: {"wait": set(), "hide": set(), "circle": set()}
    )
    queues_open: int = 0
    """The first so many queues of `Places` are in use."""
    queued: list[int] = field(default_factory=list)
    """People in or on the way to each queue."""

    def __post_init__(self) -> None:
        self.queued = [0] * self.queues_open

    def book(self, kind: str, rng: np.random.Generator) -> int | None:
        """A free place of that kind, or None."""
        count = {
            "wait": len(self.places.waits_m), "hide": len(self.places.hides_m), "circle": len(self.places.circles_m),
        }[kind]  # fmt: skip
        free = [i for i in range(count) if i not in self.taken[kind]]
        if not free:
            return None
        index = int(free[rng.integers(len(free))])
        self.taken[kind].add(index)
        return index

    def release(self, booking: tuple[str, int] | None) -> None:
        if booking is not None:
            self.taken[booking[0]].discard(booking[1])

    def popular_queue(self, rng: np.random.Generator) -> int | None:
        """A queue with room, rather one where others stand already."""
        room = np.array([q.capacity for q in self.places.queues[: self.queues_open]], int) - np.array(
            self.queued, int
        )
        weight = np.where(room > 0, (0.3 + np.array(self.queued)) ** 1.5, 0.0)
        if weight.sum() == 0.0:
            return None
        return int(rng.choice(len(weight), p=weight / weight.sum()))


def draw_errands(
    kind: str, size: int, gate_in: int, scene: Scene, routes: RouteMap, bookings: Bookings, rng: np.random.Generator
) -> list[Errand] | None:  # fmt: skip
    """Errands of a party of that kind; None where the scene has no room for such a party now."""
    leave = Leave(_far_gate(gate_in, scene, rng))
    places = bookings.places
    if kind == "talker" or (kind in ("group", "family") and rng.random() < 0.25):
        index = bookings.book("circle", rng) if size > 1 else None
        if index is not None:
            seconds = rng.uniform(15.0, 70.0) if kind == "talker" else rng.uniform(6.0, 20.0)
            return [Circle(places.circles_m[index], seconds, ("circle", index)), leave]
        if kind == "talker":
            return None
    if kind == "queuer":
        line = bookings.popular_queue(rng)
        return None if line is None else [Queue(line), leave]
    if kind == "waiting":
        index = bookings.book("wait", rng)
        if index is None:
            return None
        face = float(places.waits_face_rad[index] + rng.uniform(-0.5, 0.5))
        return [
            Stand(places.waits_m[index], rng.uniform(8.0, 50.0), face, Activity.STAND, ("wait", index)), leave
        ]  # fmt: skip
    if kind == "returner":
        index = bookings.book("hide", rng)
        if index is None:
            return None
        face = float(np.pi / 2 + rng.uniform(-0.6, 0.6))
        return [
            Stand(places.hides_m[index], rng.uniform(2.0, 6.0), face, Activity.STAND, ("hide", index)), leave
        ]  # fmt: skip
    if kind in ("stopper", "turner"):
        place = _on_the_way(gate_in, leave.gate, scene, routes, rng)
        if place is None:
            return None
        if kind == "turner":
            return [Stand(place, rng.uniform(0.4, 1.5)), Leave(gate_in)]
        return [Stand(place, rng.uniform(2.5, 9.0)), leave]
    by = _on_the_way(gate_in, leave.gate, scene, routes, rng, 3.0) if rng.random() < 0.5 else None
    return [leave] if by is None else [Walk(by), leave]


def _far_gate(gate_in: int, scene: Scene, rng: np.random.Generator) -> int:
    """Another gate, rather one across the scene."""
    if len(scene.gates) == 1:
        return gate_in
    middles = np.array([g.ends_m.mean(axis=0) for g in scene.gates])
    far = np.linalg.norm(middles - middles[gate_in], axis=1)
    weight = np.where(np.arange(len(far)) == gate_in, 0.0, np.maximum(far - 18.0, 1.0))
    return int(rng.choice(len(far), p=weight / weight.sum()))


def _on_the_way(
    gate_in: int, gate_out: int, scene: Scene, routes: RouteMap, rng: np.random.Generator,
    spread_m: float = 1.0,
) -> Float[Array, "2"] | None:  # fmt: skip
    """An open place about half way between two gates."""
    start, goal = (scene.gates[g].ends_m.mean(axis=0) for g in (gate_in, gate_out))
    way = routes.route(start, goal)
    if way is None:
        return None
    for _ in range(20):
        place, _ = along(np.concatenate([start[None], way]), rng.uniform(0.3, 0.7))
        place = place + rng.normal(0.0, spread_m, 2)
        if clearance_m(routes.walls, place[None])[0] > 1.0:
            return place
    return None


def along(way_m: Float[Array, "K 2"], share: float) -> tuple[Float[Array, "2"], int]:
    """The place at a share of a polyline's length, and the index of the corner before it."""
    length = np.linalg.norm(np.diff(way_m, axis=0), axis=1)
    end = np.cumsum(length)
    at = share * end[-1]
    k = min(int(np.searchsorted(end, at)), len(length) - 1)
    part = 1.0 - (end[k] - at) / max(length[k], 1e-9)
    return np.asarray(way_m[k] + part * (way_m[k + 1] - way_m[k])), k
