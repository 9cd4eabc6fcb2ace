"""Window solutions -> completed 64-slot segments, one a person: what the refiner works on.

Segment i covers slots [64 i, 64 i + 64) for everybody, so that people can be compared slot by slot. Windows
overlap four times; each slot of a person is taken from the window in which it is most central (both
neighbourhoods known), the later one of equals. A segment is complete once no later window can give one of its slots
a better place; it is then handed out, never to change: what the refiner finds replaces it under its key.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float, Int, UInt8

from ..kernels.errors import ShapeError
from ..kernels.solve.problem import MODEL_RATE_HZ, WINDOW_FRAMES, Provenance, SolveStatus, WindowSolution

Array = np.ndarray


@dataclass(frozen=True)
class Segment:
    """A completed stretch of one person. Its key is (person, index); its arrays are read-only."""

    person: int
    index: int
    slot0: int
    t0_ns: int
    """Capture time of the first slot."""
    pose_rotvec: Float[Array, "T 24 3"]
    """Axis-angle, radians, SMPL order; joint 0 in the world."""
    betas: Float[Array, "10"]
    """Of the latest window that gave a slot: it has seen the most."""
    transl_m: Float[Array, "T 3"]
    joints_m: Float[Array, "T 24 3"]
    ground_m: Float[Array, "T 3"]
    confidence: Float[Array, "T"]
    """0..1; 0 where absent."""
    provenance: UInt8[Array, "T"]
    """`Provenance` values; where ABSENT the other numbers are zero."""
    window: Int[Array, "T"]
    """The window each slot was taken from; -1 where absent."""

    def __post_init__(self) -> None:
        t = len(self.provenance)
        for name in ("pose_rotvec", "transl_m", "joints_m", "ground_m", "confidence", "window"):
            if len(getattr(self, name)) != t:
                raise ShapeError(f"Segment.{name}: got {len(getattr(self, name))} slots, expected {t}")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    @property
    def num_present(self) -> int:
        return int((self.provenance != Provenance.ABSENT).sum())

    def __repr__(self) -> str:
        return f"Segment(person={self.person}, index={self.index}, present={self.num_present})"


_PER_SLOT = ("pose_rotvec", "transl_m", "joints_m", "ground_m", "confidence", "provenance")


class _Open:
    """A segment while windows still come in."""

    def __init__(self, frames: int, t0_ns: int) -> None:
        self.t0_ns = t0_ns
        self.betas = np.zeros(10, np.float32)
        self.betas_of = (-1, -1)
        self.rank = np.full((frames, 3), -(2**62), np.int64)  # (centrality, window, rev) of what a slot holds
        self.arrays: dict[str, Array] = {
            "pose_rotvec": np.zeros((frames, 24, 3), np.float32),
            "transl_m": np.zeros((frames, 3), np.float32),
            "joints_m": np.zeros((frames, 24, 3), np.float32),
            "ground_m": np.zeros((frames, 3), np.float32),
            "confidence": np.zeros(frames, np.float32),
            "provenance": np.full(frames, Provenance.ABSENT, np.uint8),
        }

    def take(self, solution: WindowSolution, row: int, here: Array, there: Array, rank: Array) -> None:
        """Fills slots `here` from the window's slots `there` wherever those stand better."""
        old = self.rank[here]
        better = np.zeros(len(here), bool)
        for k in reversed(range(3)):  # lexicographic
            better = (rank[:, k] > old[:, k]) | ((rank[:, k] == old[:, k]) & better)
        here, there = here[better], there[better]
        # absent counts too: the better window knows that a track which seemed to go on had ended
        present = solution.provenance[row, there] != Provenance.ABSENT
        for name in _PER_SLOT:
            value = getattr(solution, name)[row, there]
            self.arrays[name][here] = np.where(present.reshape(-1, *[1] * (value.ndim - 1)), value, 0)
        self.rank[here] = rank[better]
        if len(here) and (solution.window, solution.rev) > self.betas_of:
            self.betas_of = (solution.window, solution.rev)
            self.betas = np.array(solution.betas[row], np.float32)


@dataclass
class SegmentStats:
    """Counters; only ever count up."""

    completed: int = 0
    late: int = 0
    """Windows that came when all their segments were complete."""


class SegmentCollector:
    """Collects one site's window solutions. Memory: the segments that the last windows still touch."""

    def __init__(self, frames: int = WINDOW_FRAMES, rate_hz: float = MODEL_RATE_HZ) -> None:
        self.stats = SegmentStats()
        self._frames, self._rate_hz = frames, rate_hz
        self._open: dict[int, dict[int, _Open]] = {}  # index -> person
        self._first_open = 0

    @property
    def num_open(self) -> int:
        """Person-segments still being filled."""
        return sum(len(people) for people in self._open.values())

    def push(self, solution: WindowSolution) -> list[Segment]:
        """Takes a solution; returns the segments that it completes, by index and person."""
        length = solution.provenance.shape[1]
        first, last = solution.slot0 // self._frames, (solution.slot0 + length - 1) // self._frames
        if last < self._first_open:
            self.stats.late += 1
            return []
        for index in range(max(first, self._first_open), last + 1):
            self._take(solution, index, length)
        # slots up to the middle of this window will not stand better in a later one
        return self._complete_before((solution.slot0 + length // 2) // self._frames)

    def flush(self) -> list[Segment]:
        """The end of the input: everything that has someone in it, filled or not."""
        return self._complete_before(max(self._open, default=-1) + 1)

    def _take(self, solution: WindowSolution, index: int, length: int) -> None:
        base = index * self._frames
        slots = np.arange(max(base, solution.slot0), min(base + self._frames, solution.slot0 + length))
        here, there = slots - base, slots - solution.slot0
        rank = np.stack(
            [
                -np.abs(2 * there + 1 - length),
                np.full(len(slots), solution.window),
                np.full(len(slots), solution.rev),
            ],
            axis=1,
        )
        t0_ns = solution.t0_ns + round((base - solution.slot0) * 1e9 / self._rate_hz)
        people = self._open.setdefault(index, {})
        for row, person in enumerate(solution.person_ids.tolist()):
            if solution.status[row] != SolveStatus.FAILED:
                people.setdefault(person, _Open(self._frames, t0_ns)).take(solution, row, here, there, rank)

    def _complete_before(self, index: int) -> list[Segment]:
        done = []
        for at in sorted(i for i in self._open if i < index):
            for person, entry in sorted(self._open.pop(at).items()):
                window = np.where(entry.arrays["provenance"] != Provenance.ABSENT, entry.rank[:, 1], -1)
                segment = Segment(
                    person=person,
                    index=at,
                    slot0=at * self._frames,
                    t0_ns=entry.t0_ns,
                    betas=entry.betas,
                    window=window,
                    **entry.arrays,
                )
                if segment.num_present:
                    done.append(segment)
        self._first_open = max(self._first_open, index)
        self.stats.completed += len(done)
        return done
