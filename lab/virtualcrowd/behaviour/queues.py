"""Queues: who stands where, who is served, and how the rest moves up one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ..plan import Activity
from .live import NOBODY, LiveCrowd
from .places import QUEUE_SPACING_M, QueueLine

Array = np.ndarray

SERVICE_S = (5.0, 13.0)
REACTION_S = (0.3, 0.8)
"""From when the person ahead moves up to when one does so too."""
QUEUE_COMPANY = 1_000_000
"""Companies from here on are queues: people in one do not dodge each other."""


@dataclass
class Line:
    """One queue and its people, the first in front."""

    index: int
    line: QueueLine
    members: list[int] = field(default_factory=list)
    """Places in the live crowd."""
    sway: dict[int, Array] = field(default_factory=dict)
    """How far each stands beside the ideal line, metres."""
    moves: list[tuple[int, int]] = field(default_factory=list)
    """(step, place in the live crowd) of those who will move up."""
    served_until: int = NOBODY
    """Step at which the first is done; -1: not begun."""

    def tail_m(self) -> Float[Array, "2"]:
        """Where the next to come will stand."""
        return self.line.place_m(len(self.members))

    def stands_m(self, k: int) -> Float[Array, "2"]:
        return np.asarray(self.line.place_m(self.members.index(k)) + self.sway[k])

    @property
    def face_rad(self) -> float:
        return float(np.arctan2(-self.line.away[1], -self.line.away[0]))

    def join(self, k: int, live: LiveCrowd, rng: np.random.Generator) -> None:
        """Stand last."""
        side = np.array([-self.line.away[1], self.line.away[0]])
        self.members.append(k)
        self.sway[k] = rng.uniform(-0.1, 0.1) * side + rng.uniform(-0.06, 0.06) * self.line.away
        live.w.company[k] = QUEUE_COMPANY + self.index
        live.rest[k] = int(Activity.QUEUE)

    def step(self, now: int, hz: int, live: LiveCrowd, rng: np.random.Generator) -> int | None:
        """Halt who arrived, start who moves up; returns the person whose turn is over."""
        for k in self.members:
            if live.w.moving[k] and live.w.arrived[k]:
                live.halt(k, self.face_rad + rng.uniform(-0.25, 0.25), Activity.QUEUE)
        for entry in [m for m in self.moves if m[0] <= now]:
            self.moves.remove(entry)
            if entry[1] in self.members:
                live.send(entry[1], self.stands_m(entry[1])[None], brakes=True)
        if not self.members or live.w.moving[self.members[0]]:
            return None
        if self.served_until == NOBODY:
            if any(k == self.members[0] for _, k in self.moves):
                return None
            self.served_until = now + int(hz * rng.uniform(*SERVICE_S))
        return self.members[0] if now >= self.served_until else None

    def leave(self, now: int, hz: int, live: LiveCrowd, rng: np.random.Generator) -> int:
        """Take the first out; the others follow up in a wave."""
        first = self.members.pop(0)
        self.sway.pop(first)
        self.served_until = NOBODY
        live.w.company[first] = NOBODY
        live.rest[first] = int(Activity.STAND)
        delay = 0.6
        for k in self.members:
            delay += rng.uniform(*REACTION_S)
            self.moves.append((now + int(hz * delay), k))
        return first

    def way_out_m(self, rng: np.random.Generator) -> Float[Array, "2"]:
        """To the side of the counter, past the queue."""
        side = np.array([-self.line.away[1], self.line.away[0]]) * (1.0 if rng.random() < 0.5 else -1.0)
        return np.asarray(self.line.head_m + 1.3 * side + QUEUE_SPACING_M * self.line.away)
