"""What the refiner is given, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int, UInt8

from ...kernels.errors import ShapeError
from ...kernels.solve.problem import WindowProblem, WindowSolution
from ..identity import IdentityEvent

Array = np.ndarray


class RevisionCause(IntEnum):
    """Why a person's segment was published again."""

    GAP_FILLED = 0
    """Nobody saw the person; the motion between two sightings was put in."""
    GUIDED = 1
    """Badly seen; somebody who moves alike helped."""
    REFINED = 2
    """Solved again with what is known on both sides."""
    RETRACTED = 3
    """A join was undone: what rested on it is taken back (its slots are ABSENT)."""


@dataclass(frozen=True)
class RefineInput:
    """One solved window with what changed since the last one."""

    problem: WindowProblem
    """Tracks, not persons."""
    solution: WindowSolution
    identity: tuple[IdentityEvent, ...] = ()
    """Events since the last window, in order."""


@dataclass(frozen=True)
class Revision:
    """Bodies of one segment, published as `refined`. Persons, not tracks; people who did not change are not in it.

    The segment's key on the wire is that of the window with the same slots; every slot that the person has there is in
    it, changed or not, so that a revision stands alone.
    """

    solution: WindowSolution
    """`rev` >= 1."""
    cause: UInt8[Array, "N"]
    """`RevisionCause` values."""
    guide_person: Int[Array, "N"]
    """Who helped; -1: nobody."""
    guide_slot0: Int[Array, "N"]
    """First slot of the segment that helped; -1: none."""
    changed_m: Float[Array, "N"]
    """Mean distance that the joints have moved against what was published, metres; NaN where nothing was."""
    groups: Int[Array, "N"] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Group of each, -1 for none; empty: not grouped."""

    def __post_init__(self) -> None:
        n = len(self.solution.person_ids)
        for name in ("cause", "guide_person", "guide_slot0", "changed_m"):
            if len(getattr(self, name)) != n:
                raise ShapeError(f"Revision.{name}: got {len(getattr(self, name))} rows, expected {n}")

    def __repr__(self) -> str:
        s = self.solution
        return f"Revision(window={s.window}, rev={s.rev}, N={len(s.person_ids)})"


@dataclass(frozen=True)
class RefineReport:
    """Counters of the refiner; only ever count up."""

    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
