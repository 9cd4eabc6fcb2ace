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


INSIDE = Rates(births=5e-4, returns=0.6)
BORDER = Rates(births=1.5e-3, returns=0.05)
"""Measured on made-up crowds of 40 (docs/tracking.md)."""
_WEIGHT = 20.0
"""Events that the expectation of a kind is worth."""
_LOCAL_WEIGHT = 8.0
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

    def birth_rates(self, places_m: Float[Array, "P 2"], border: Bool[Array, "P"]) -> Float[Array, "P"]:
        """New people a second and m^2 at each place."""
        known = np.array(self._births, np.float64).reshape(-1, 3)
        out = np.zeros(len(places_m))
        for kind, prior in ((False, INSIDE.births), (True, BORDER.births)):
            rows, asked = known[known[:, 2] == kind], border == kind
            area = _CELL_M**2 * max(len(self._cells[int(kind)]), 1)
            mean = (_WEIGHT + len(rows)) / (_WEIGHT / prior + area * self._seconds)
            near = _near(places_m[asked], rows[:, :2]).sum(axis=1)
            local_area = min(np.pi * REACH_M**2, area)
            out[asked] = (_LOCAL_WEIGHT + near) / (_LOCAL_WEIGHT / mean + local_area * self._seconds)
        return out

    def return_shares(self, places_m: Float[Array, "P 2"], border: Bool[Array, "P"]) -> Float[Array, "P"]:
        """Share of those lost at each place who come back."""
        known = np.array(self._ends, np.float64).reshape(-1, 4)
        out = np.zeros(len(places_m))
        for kind, prior in ((False, INSIDE.returns), (True, BORDER.returns)):
            rows, asked = known[known[:, 2] == kind], border == kind
            mean = (_WEIGHT * prior + rows[:, 3].sum()) / (_WEIGHT + len(rows))
            near = _near(places_m[asked], rows[:, :2])
            out[asked] = (_LOCAL_WEIGHT * mean + near @ rows[:, 3]) / (_LOCAL_WEIGHT + near.sum(axis=1))
        return out


def _near(places_m: Float[Array, "P 2"], events_m: Float[Array, "E 2"]) -> Float[Array, "P E"]:
    """1 where an event lies within reach of a place, else 0."""
    off = places_m[:, None] - events_m[None]
    return np.asarray(((off**2).sum(axis=-1) <= REACH_M**2).astype(np.float64))
