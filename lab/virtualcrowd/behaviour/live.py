"""The people who are in the scene now, as arrays that the steering kernel steps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ....kernels.fused.steering import CELL_M, Walkers, step
from ....kernels.fused.walls import Walls
from ..plan import Activity
from .routes import MAX_WAY

Array = np.ndarray

STEP_HZ = 15
"""Rate of the simulation; plans have twice as many slots."""
DT_S = 1.0 / STEP_HZ
NOBODY = -1


class LiveCrowd:
    """Places for `capacity` people, taken and given back as they come and go."""

    def __init__(self, capacity: int, walls: Walls, detours: Walls, outline_m: Float[Array, "P 2"]) -> None:
        c = capacity

        def zero(*shape: int) -> Array:
            return np.zeros((c, *shape))

        def index() -> Array:
            return np.full(c, NOBODY, np.int64)

        self.walls, self.detours = walls, detours
        self.w = Walkers(
            alive=np.zeros(c, bool), moving=np.zeros(c, bool), place=zero(2), velocity=zero(2), heading=zero(),
            spin=zero(), way=zero(MAX_WAY, 2), way_at=np.zeros(c, np.int64), way_count=np.zeros(c, np.int64),
            brakes=np.zeros(c, bool), speed=zero(), company=index(), leader=index(), ahead=index(),
            rank=np.zeros(c, np.int64), beside=zero(2), course=zero(), spread=np.ones(c), lag=zero(), face=zero(),
            arrived=np.zeros(c, bool), stuck=np.zeros(c, np.int64), lost=np.zeros(c, np.int64),
        )  # fmt: skip
        self.person = index()
        """(C,) int64 who is there."""
        self.rest = np.full(c, int(Activity.STAND), np.uint8)
        """(C,) activity when not walking."""
        self.exit_gate = index()
        """(C,) int64 gate through which they leave, once on the way there."""
        self.rings: dict[int, Array] = {}
        """Circles of talkers by company: x, y, radius, company."""
        low, high = outline_m.min(axis=0) - 1.0, outline_m.max(axis=0) + 1.0
        self._low = low
        self._shape = np.ceil((high - low) / CELL_M).astype(np.int64)
        self._cells, self._order = np.zeros(c, np.int64), np.zeros(c, np.int64)
        self._starts = np.zeros(int(self._shape.prod()) + 1, np.int64)
        self._fresh, self._before = np.zeros((c, 2)), np.zeros((c, 2))
        self._narrow, self._eager = np.zeros(c, bool), np.zeros(c, bool)

    @property
    def count(self) -> int:
        return int(self.w.alive.sum())

    def add(self, person: int, place_m: Float[Array, "2"], heading: float, speed: float, company: int) -> int:
        """Take a place in the arrays; the person stands."""
        k = int(np.argmin(self.w.alive))
        w = self.w
        w.alive[k], w.moving[k], w.place[k], w.velocity[k] = True, False, place_m, 0.0
        w.heading[k] = w.face[k] = w.course[k] = heading
        w.spin[k] = w.lag[k] = 0.0
        w.spread[k], w.speed[k], w.company[k] = 1.0, speed, company
        w.leader[k] = w.ahead[k] = NOBODY
        w.rank[k] = w.way_at[k] = w.way_count[k] = w.stuck[k] = w.lost[k] = 0
        w.arrived[k] = w.brakes[k] = False
        self.person[k], self.rest[k], self.exit_gate[k] = person, int(Activity.STAND), NOBODY
        return k

    def remove(self, k: int) -> None:
        self.w.alive[k] = self.w.moving[k] = False
        self.person[k] = NOBODY

    def send(self, k: int, way_m: Float[Array, "K 2"], brakes: bool) -> None:
        """Set on the way; stops at the end of it, or passes through."""
        w = self.w
        self.guide(k, way_m)
        w.brakes[k], w.moving[k], w.arrived[k], w.leader[k], w.stuck[k] = brakes, True, False, NOBODY, 0

    def guide(self, k: int, way_m: Float[Array, "K 2"]) -> None:
        """Give a way; a follower takes it only as long as its place is out of sight."""
        w = self.w
        way = way_m[: MAX_WAY - 1]
        if len(way) < len(way_m):
            way = np.concatenate([way, way_m[-1:]])
        w.way[k, : len(way)] = way
        w.way_at[k], w.way_count[k], w.lost[k] = 0, len(way), 0

    def follow(self, k: int, leader: int, ahead: int, rank: int, beside_m: tuple[float, float]) -> None:
        """Walk beside or behind a leader."""
        w = self.w
        w.leader[k], w.ahead[k], w.rank[k], w.beside[k] = leader, ahead, rank, beside_m
        w.moving[k], w.arrived[k], w.way_count[k], w.stuck[k] = True, False, 0, 0

    def halt(self, k: int, face_rad: float, activity: Activity) -> None:
        """Stop here and turn to a heading."""
        w = self.w
        w.moving[k], w.arrived[k], w.face[k] = False, False, face_rad
        self.rest[k] = int(activity)

    def free(self, place_m: Float[Array, "2"], apart_m: float) -> bool:
        """Whether nobody is nearer than that."""
        others = self.w.place[self.w.alive]
        return len(others) == 0 or float(np.min(((others - place_m) ** 2).sum(axis=1))) > apart_m**2

    def activity(self) -> Array:
        """(C,) uint8 `Activity` of everybody now."""
        w = self.w
        fast = np.hypot(w.velocity[:, 0], w.velocity[:, 1])
        walking = np.where(fast > 2.0, int(Activity.JOG), int(Activity.WALK))
        return np.where(w.alive, np.where(w.moving, walking, self.rest), int(Activity.ABSENT)).astype(
            np.uint8
        )

    def step(self) -> None:
        rings = np.array(list(self.rings.values())).reshape(-1, 4)
        step(
            self.w, self.walls, self.detours, rings, self._low, self._shape, DT_S,
            self._cells, self._order, self._starts, self._fresh, self._before, self._narrow, self._eager,
        )  # fmt: skip
