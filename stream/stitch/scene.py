"""What the scene has taught: where new people come from, and where those who are lost come back from.

A birth is a track that continues nobody, a return a lost track that was joined. How many births a second and m^2 there
are as a rule was measured beforehand, at the border of the picture and inside; a stitcher that counted them itself
would take every join that it misses for a birth, and miss the next one for that. What it does count is where they are
more or fewer than elsewhere, and so gates and doors show after a few people:

    rate(x) = rate of its kind * (w + births within reach) / (w + births expected there if they were spread evenly)

The share of the lost who come back is a Beta-binomial estimate of the same kind: those lost within reach, drawn towards
all of that kind, drawn towards what was measured.
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
    """What is expected of an average place."""

    births: float
    """A second and m^2."""
    returns: float
    """Share of the lost who come back."""


INSIDE = Rates(births=5e-4, returns=0.6)
BORDER = Rates(births=1.5e-3, returns=0.05)
"""Measured on made-up crowds of 40 (docs/tracking.md)."""
_KIND_WEIGHT, _LOCAL_WEIGHT = 20.0, 4.0
"""Events that the expectation is worth: of a kind as a whole, of a place."""


class SceneMemory:
    """Counts what came and went. Bounded."""

    def __init__(self) -> None:
        self._births: deque[tuple[float, float, bool]] = deque(maxlen=_REMEMBERED)
        self._ends: deque[tuple[float, float, bool, bool]] = deque(maxlen=_REMEMBERED)
        self._cells: tuple[set[tuple[int, int]], set[tuple[int, int]]] = (set(), set())

    def watch(self, places_m: Float[Array, "K 2"], border: Bool[Array, "K"]) -> None:
        """These places were seen occupied."""
        corners = np.floor(places_m / _CELL_M).astype(np.int64).tolist()
        for (x, y), at_border in zip(corners, border.tolist(), strict=True):
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
            expected = len(rows) * min(np.pi * REACH_M**2 / area, 1.0)
            near = _near(places_m[asked], rows[:, :2]).sum(axis=1)
            out[asked] = prior * (_LOCAL_WEIGHT + near) / (_LOCAL_WEIGHT + expected)
        return out

    def return_shares(self, places_m: Float[Array, "P 2"], border: Bool[Array, "P"]) -> Float[Array, "P"]:
        """Share of those lost at each place who come back."""
        known = np.array(self._ends, np.float64).reshape(-1, 4)
        out = np.zeros(len(places_m))
        for kind, prior in ((False, INSIDE.returns), (True, BORDER.returns)):
            rows, asked = known[known[:, 2] == kind], border == kind
            mean = (_KIND_WEIGHT * prior + rows[:, 3].sum()) / (_KIND_WEIGHT + len(rows))
            near = _near(places_m[asked], rows[:, :2])
            out[asked] = (_LOCAL_WEIGHT * mean + near @ rows[:, 3]) / (_LOCAL_WEIGHT + near.sum(axis=1))
        return out


def _near(places_m: Float[Array, "P 2"], events_m: Float[Array, "E 2"]) -> Float[Array, "P E"]:
    """1 where an event lies within reach of a place, else 0."""
    off = places_m[:, None] - events_m[None]
    return np.asarray(((off**2).sum(axis=-1) <= REACH_M**2).astype(np.float64))
