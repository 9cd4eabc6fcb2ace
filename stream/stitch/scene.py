"""What the scene has taught: where new people come from, and where those who are lost come back from.

A birth is a track that continues nobody, a return a lost track that was joined, a loss one that never was. How many
there are around a place is a Gamma-Poisson (births a second and m^2) and a Beta-binomial (share that returns) estimate:
what was counted within `REACH_M`, drawn towards the mean of its kind (at the border of the picture, or inside), which
is itself drawn towards what was measured beforehand. So gates and doors show after a few people, and a short clip
falls back on what clips are like.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

Array = np.ndarray

REACH_M = 2.5
_REMEMBERED = 2048
"""Events kept; the oldest go first."""
_CELL_M = 2.0
_CELLS = 20_000


@dataclass(frozen=True)
class Rates:
    """What is expected before anything was counted."""

    births: float
    """A second and m^2."""
    returns: float
    """Share of the lost who come back."""


INSIDE = Rates(births=4e-4, returns=0.6)
BORDER = Rates(births=4e-3, returns=0.05)
"""Measured on made-up crowds of 40 (docs/tracking.md)."""
_WEIGHT = 4.0
"""Events that the expectation of a kind is worth."""
_LOCAL_WEIGHT = 3.0
"""Events that a kind's mean is worth at a place."""


class SceneMemory:
    """Counts what came and went. Bounded."""

    def __init__(self) -> None:
        self._births: deque[tuple[float, float, bool]] = deque(maxlen=_REMEMBERED)
        self._ends: deque[tuple[float, float, bool, bool]] = deque(maxlen=_REMEMBERED)
        self._cells: tuple[set[tuple[int, int]], set[tuple[int, int]]] = (set(), set())
        self._seconds = 0.0

    def watch(self, places_m: Float[Array, "K 2"], border: Bool[Array, "K"], seconds: float) -> None:
        """Time has gone on; these places were seen occupied."""
        self._seconds += seconds
        for (x, y), at_border in zip(
            np.floor(places_m / _CELL_M).astype(np.int64).tolist(), border.tolist(), strict=True
        ):
            cells = self._cells[int(at_border)]
            if len(cells) < _CELLS:
                cells.add((x, y))

    def born(self, place_m: Float[Array, "2"], border: bool) -> None:
        """Somebody new came here."""
        self._births.append((float(place_m[0]), float(place_m[1]), border))

    def ended(self, place_m: Float[Array, "2"], border: bool, returned: bool) -> None:
        """Somebody was lost here and came back, or did not in time."""
        self._ends.append((float(place_m[0]), float(place_m[1]), border, returned))

    def birth_rate(self, place_m: Float[Array, "2"], border: bool) -> float:
        """New people a second and m^2."""
        prior = (BORDER if border else INSIDE).births
        rows = np.array([b[:2] for b in self._births if b[2] == border]).reshape(-1, 2)
        area = _CELL_M**2 * max(len(self._cells[int(border)]), 1)
        mean = (_WEIGHT + len(rows)) / (_WEIGHT / prior + area * self._seconds)
        near = int((np.linalg.norm(rows - place_m, axis=1) <= REACH_M).sum())
        local_area = min(np.pi * REACH_M**2, area)
        return float((_LOCAL_WEIGHT + near) / (_LOCAL_WEIGHT / mean + local_area * self._seconds))

    def return_share(self, place_m: Float[Array, "2"], border: bool) -> float:
        """Share of those lost here who come back."""
        prior = (BORDER if border else INSIDE).returns
        rows = np.array([e for e in self._ends if e[2] == border], np.float64).reshape(-1, 4)
        mean = (_WEIGHT * prior + rows[:, 3].sum()) / (_WEIGHT + len(rows))
        near = rows[np.linalg.norm(rows[:, :2] - place_m, axis=1) <= REACH_M]
        return float((_LOCAL_WEIGHT * mean + near[:, 3].sum()) / (_LOCAL_WEIGHT + len(near)))
