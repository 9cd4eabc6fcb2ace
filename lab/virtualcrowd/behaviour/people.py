"""Who the people are: statures, paces, and the parties they come in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHILD_M = (0.95, 1.45)
"""Shortest and tallest child."""
ADULT_M = (1.52, 1.96)
"""The same of adults."""
WOMEN_M, MEN_M = (1.647, 0.065), (1.784, 0.070)
"""Mean and spread of stature (the mean of algorithms 2.6)."""
WALK_MPS = (0.8, 1.8)
JOG_MPS = (2.5, 3.5)

ROLES = {
    "solo": "commuter", "group": "stroller", "talker": "talker", "queuer": "queuer", "waiting": "waiter",
    "jogger": "jogger", "returner": "returner", "stopper": "stopper", "turner": "turner",
}  # fmt: skip
"""Role by kind of party; families are of parents and children."""
TOGETHER = ("family", "group", "talker")
"""Kinds of party that come in twos and more."""


@dataclass(frozen=True)
class Person:
    """One body's measures."""

    stature_m: float
    speed_mps: float
    """Wanted walking (or jogging) speed."""
    role: str


@dataclass(frozen=True)
class Party:
    """People who come, walk and leave together; the first leads."""

    kind: str
    members: tuple[Person, ...]
    beside_m: tuple[tuple[float, float], ...]
    """Place of each relative to the first: forwards, to the left."""


def draw_party(kind: str, room: int, rng: np.random.Generator) -> Party:
    """A party of at most `room` people."""
    if kind == "family":
        return _family(room, rng)
    if kind in TOGETHER:
        count = min(int(rng.choice([2, 3, 4, 5], p=[0.55, 0.25, 0.13, 0.07])), room)
        speed = rng.uniform(0.95, 1.4)
        members = tuple(Person(_adult(rng), speed, ROLES[kind]) for _ in range(count))
        return Party(kind, members, _rows(count, rng))
    if kind == "jogger":
        speed = rng.uniform(*JOG_MPS)
    else:
        speed = float(np.clip(rng.normal(1.34, 0.24), *WALK_MPS))
    return Party(kind, (Person(_adult(rng), speed, ROLES[kind]),), ((0.0, 0.0),))


def _family(room: int, rng: np.random.Generator) -> Party:
    """One or two adults with one or two children between or beside them."""
    adults = 1 if room < 3 else int(rng.choice([1, 2], p=[0.4, 0.6]))
    children = min(int(rng.choice([1, 2], p=[0.6, 0.4])), room - adults)
    statures = [float(rng.uniform(*CHILD_M)) for _ in range(children)]
    # the shortest legs set the pace
    speed = float(np.clip(0.75 * min(statures) + rng.uniform(-0.05, 0.25), 0.75, 1.25))
    young = [Person(s, speed, "child") for s in statures]
    old = [Person(_adult(rng), speed, "parent") for _ in range(adults)]
    members = (old[0], *young, *old[1:])
    return Party("family", members, _rows(len(members), rng, 0.85))


def _rows(count: int, rng: np.random.Generator, close: float = 1.0) -> tuple[tuple[float, float], ...]:
    """Side by side, up to three in the first row; the leader on its left or right end."""
    gap = close * rng.uniform(0.68, 0.82)
    side = 1.0 if rng.random() < 0.5 else -1.0
    front = count if count <= 3 else (count + 1) // 2
    places = []
    for k in range(count):
        row, column = (0, k) if k < front else (1, k - front)
        ragged = 0.0 if k == 0 else rng.uniform(-0.1, 0.1)
        places.append((-1.05 * row + ragged, side * gap * (column + (0.3 if row else 0.0))))
    return tuple(places)


def _adult(rng: np.random.Generator) -> float:
    mean, spread = WOMEN_M if rng.random() < 0.5 else MEN_M
    return float(np.clip(rng.normal(mean, spread), *ADULT_M))
