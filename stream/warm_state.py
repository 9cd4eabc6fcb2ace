"""What the solver remembers, in the window log: poses stand in the windows themselves, the rest rides beside them.

    state of a record:  person_ids i8 (P)    everybody remembered after this window
                        windows i8 (P)       the window that each of them comes from: this one, or one shortly before
                        betas_weight f4 (P)  observed person-frames that their betas rest on

So the last few windows of a log give the solver back to the bit, those who were not in the last one included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..kernels.solve.problem import Provenance, WindowSolution

Array = np.ndarray


@dataclass(frozen=True)
class PersonState:
    """What is carried of one person: their bodies in the last window they were in."""

    slot0: int
    """Timeline index of the first slot."""
    window: int
    """The window they come from."""
    known: Array
    """(T,) bool: slots with a body."""
    pose_rotvec: Float[Array, "T 24 3"]
    """Radians; joint 0 in the world."""
    transl_m: Float[Array, "T 3"]
    betas: Float[Array, "10"]
    betas_weight: float
    """Observed person-frames that the betas rest on."""

    def __repr__(self) -> str:
        return f"PersonState(window={self.window}, slot0={self.slot0}, known={int(self.known.sum())})"


def state_of(people: Mapping[int, PersonState]) -> dict[str, Array]:
    """What a window's record holds beside the window, of `Reconstructor.export_state` after it."""
    ids = sorted(people)
    return {
        "person_ids": np.array(ids, np.int64),
        "windows": np.array([people[person].window for person in ids], np.int64),
        "betas_weight": np.array([people[person].betas_weight for person in ids], np.float32),
    }


def people_of(records: Iterable[tuple[WindowSolution, Mapping[str, object]]]) -> dict[int, PersonState]:
    """What the solver remembered after the last of these windows, for `Reconstructor.import_state`.

    Args:
        records: windows of one site with the states of their records, in order; as many of the last ones as people
            are remembered for (`forget_windows`). States without `windows` (logs of before) speak of their own only.
    """
    by_window: dict[int, WindowSolution] = {}
    state: Mapping[str, object] = {}
    for solution, state in records:  # noqa: B007 - the last one counts
        by_window[solution.window] = solution
    if not by_window:
        return {}
    last = next(reversed(by_window))
    ids, weights = _column(state, "person_ids"), _column(state, "betas_weight")
    windows = _column(state, "windows") if "windows" in state else np.full(len(ids), last)
    people: dict[int, PersonState] = {}
    for person, window, weight in zip(ids.tolist(), windows.tolist(), weights.tolist(), strict=False):
        found = by_window.get(int(window))
        rows = [] if found is None else np.flatnonzero(found.person_ids == person).tolist()
        if found is None or not rows:
            continue  # their window is not among the records: they begin anew
        row = rows[0]
        people[int(person)] = PersonState(
            slot0=found.slot0, window=found.window, known=found.provenance[row] != Provenance.ABSENT,
            pose_rotvec=found.pose_rotvec[row], transl_m=found.transl_m[row], betas=found.betas[row],
            betas_weight=float(weight),
        )  # fmt: skip
    return people


def _column(state: Mapping[str, object], name: str) -> Array:
    value = state.get(name)
    return value if isinstance(value, np.ndarray) and value.ndim == 1 else np.zeros(0)
