"""Where things happen in a scene: queues before kiosks, places to hide, to wait and to talk.

Read off the scene's geometry alone, so whoever has the scene finds the same places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ....kernels.fused.walls import Walls
from ..scene import Scene
from ..scenes import box
from .routes import clearance_m

Array = np.ndarray

QUEUE_SPACING_M = 0.85
"""Between two people in a queue."""
MOST_IN_QUEUE = 7
OPENING_M = 6.5
"""Walls that stand this near to each other leave an opening between them, where nobody stops."""
OPENING_FREE_M = 4.0
CIRCLE_ROOM_M = 1.8
"""Free radius about the middle of a circle of talkers."""


@dataclass(frozen=True)
class QueueLine:
    """A straight queue before the counter of a kiosk."""

    head_m: Float[Array, "2"]
    """Place of the first person."""
    away: Float[Array, "2"]
    """Unit vector from the counter to the tail."""
    capacity: int

    def place_m(self, index: int) -> Float[Array, "2"]:
        """Place of the index-th person."""
        return np.asarray(self.head_m + QUEUE_SPACING_M * index * self.away)

    def strip_m(self) -> Float[Array, "4 2"]:
        """What others walk around: the line at its longest."""
        long = QUEUE_SPACING_M * (self.capacity - 1) + 0.6
        middle = self.head_m + (0.5 * long - 0.3) * self.away
        return box(middle, (long, 0.4), float(np.arctan2(self.away[1], self.away[0])))


@dataclass(frozen=True)
class Places:
    """All of them, in a fixed order."""

    queues: tuple[QueueLine, ...]
    hides_m: Float[Array, "H 2"]
    """Behind kiosks and pillars as seen from the front of the scene."""
    waits_m: Float[Array, "W 2"]
    """Beside benches, walls, planters and pillars."""
    waits_face_rad: Float[Array, "W"]
    """Away from what one waits beside."""
    circles_m: Float[Array, "C 2"]
    """Middles of circles of talkers."""


def find_places(scene: Scene, walls: Walls) -> Places:
    """Everything people can go to in a scene."""
    gates = np.array([g.ends_m.mean(axis=0) for g in scene.gates])
    queues = _queues(scene, walls, gates)
    openings = _openings(scene)
    hides = _hides(scene, walls)
    lines = np.concatenate([np.zeros((0, 2)), *([q.place_m(i) for i in range(q.capacity)] for q in queues)])
    taken = np.concatenate([lines, hides])
    waits, faces = _waits(scene, walls, gates, taken)
    near = np.array([np.linalg.norm(openings - w, axis=1).min(initial=np.inf) for w in waits])
    waits, faces = waits[near > OPENING_FREE_M], faces[near > OPENING_FREE_M]
    circles = _circles(scene, walls, gates, np.concatenate([taken, waits]))
    near = np.array([np.linalg.norm(openings - c, axis=1).min(initial=np.inf) for c in circles])
    circles = circles[near > OPENING_FREE_M]
    return Places(tuple(queues), hides, waits, faces, circles)


def _openings(scene: Scene) -> Float[Array, "K 2"]:
    """Middles of the gaps between walls."""
    walls = [o.outline_m for o in scene.obstacles if o.kind == "wall"]
    found = []
    for a, one in enumerate(walls):
        for other in walls[a + 1 :]:
            gap = np.linalg.norm(one[:, None] - other[None], axis=-1)
            i, j = np.unravel_index(int(gap.argmin()), gap.shape)
            if 0.5 < gap[i, j] < OPENING_M:
                found.append(0.5 * (one[i] + other[j]))
    return np.array(found).reshape(-1, 2)


def _queues(scene: Scene, walls: Walls, gates: Float[Array, "G 2"]) -> list[QueueLine]:
    """One before each kiosk, on the side (never the back) with the longest free run."""
    found: list[QueueLine] = []
    for index, kiosk in enumerate(scene.obstacles):
        if kiosk.kind != "kiosk":
            continue
        best, best_run = None, 0
        for e in range(walls.counts[index]):
            away = walls.normals[index, e]
            if away[1] > 0.5:  # the back
                continue
            following = (e + 1) % walls.counts[index]
            middle = 0.5 * (walls.corners[index, e] + walls.corners[index, following])
            head = middle + 0.6 * away
            line = head + QUEUE_SPACING_M * np.arange(14)[:, None] * away
            free = clearance_m(walls, line) > np.where(np.arange(14) == 0, 0.5, 0.9)
            free &= np.linalg.norm(line[:, None] - gates, axis=-1).min(axis=1) > 5.0
            across = 2.8 * np.array([-away[1], away[0]])  # room to pass on both sides: not on a ramp
            free[2:] &= (clearance_m(walls, line + across) > 0.2)[2:] & (
                clearance_m(walls, line - across) > 0.2
            )[2:]
            for other in found:
                places = np.array([other.place_m(i) for i in range(other.capacity)])
                free &= np.linalg.norm(line[:, None] - places, axis=-1).min(axis=1) > 1.8
            run = int(np.argmin(np.append(free, False)))
            if run > best_run:
                best, best_run = QueueLine(head, away, min(run, MOST_IN_QUEUE)), run
        if best is not None and best_run >= 3:
            found.append(best)
    return found


def _hides(scene: Scene, walls: Walls) -> Float[Array, "H 2"]:
    """Behind kiosks 0.9 m apart, and one behind each thick pillar."""
    places = []
    for index, thing in enumerate(scene.obstacles):
        middle = walls.centres[index]
        if thing.kind == "pillar":
            places.append(middle + np.array([0.0, walls.reach[index] + 0.5]))
        if thing.kind != "kiosk":
            continue
        for e in range(walls.counts[index]):
            if walls.normals[index, e, 1] > 0.5:
                a = walls.corners[index, e]
                b = walls.corners[index, (e + 1) % walls.counts[index]]
                half = 0.45 * max(int((np.linalg.norm(b - a) - 1.0) / 0.9), 0)
                for along in np.arange(-half, half + 0.01, 0.9):
                    side = (b - a) / np.linalg.norm(b - a)
                    places.append(0.5 * (a + b) + along * side + 0.55 * walls.normals[index, e])
    out = np.array(places).reshape(-1, 2)
    return out[clearance_m(walls, out) > 0.42] if len(out) else out


def _waits(
    scene: Scene, walls: Walls, gates: Float[Array, "G 2"], taken: Float[Array, "K 2"]
) -> tuple[Float[Array, "W 2"], Float[Array, "W"]]:
    """0.6 m beside low things, where there is room in front."""
    places: list[Array] = []
    faces: list[float] = []
    for index, thing in enumerate(scene.obstacles):
        if thing.kind == "kiosk":
            continue
        for e in range(walls.counts[index]):
            a = walls.corners[index, e]
            b = walls.corners[index, (e + 1) % walls.counts[index]]
            away, long = walls.normals[index, e], float(np.linalg.norm(b - a))
            for along in np.arange(0.5, max(long - 0.4, 0.6), 1.3):
                place = a + min(along / long, 0.5 if long < 1 else 1.0) * (b - a) + 0.6 * away
                # room before it too: nobody waits on a ramp or in an opening
                room = clearance_m(walls, place + np.array([0.0, 1.2, 3.4])[:, None] * away)
                apart = np.concatenate([taken, np.array(places).reshape(-1, 2)])
                if np.any(room < (0.5, 0.9, 1.7)) or np.linalg.norm(gates - place, axis=1).min() < 4.5:
                    continue
                if len(apart) == 0 or np.linalg.norm(apart - place, axis=1).min() > 1.2:
                    places.append(place)
                    faces.append(float(np.arctan2(away[1], away[0])))
    return np.array(places).reshape(-1, 2), np.array(faces)


def _circles(
    scene: Scene, walls: Walls, gates: Float[Array, "G 2"], taken: Float[Array, "K 2"]
) -> Float[Array, "C 2"]:
    """Open places 3.4 m apart."""
    low, high = scene.outline_m.min(axis=0), scene.outline_m.max(axis=0)
    x, y = np.meshgrid(np.arange(low[0], high[0], 0.5), np.arange(low[1], high[1], 0.5))
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    grid = grid[clearance_m(walls, grid) > CIRCLE_ROOM_M]
    grid = grid[np.linalg.norm(grid[:, None] - gates, axis=-1).min(axis=1) > 5.5]
    if len(taken):
        grid = grid[np.linalg.norm(grid[:, None] - taken, axis=-1).min(axis=1) > 1.7]
    kept: list[Array] = []
    while len(grid):
        kept.append(grid[0])
        grid = grid[np.linalg.norm(grid - grid[0], axis=1) > 3.4]
    return np.array(kept).reshape(-1, 2)
