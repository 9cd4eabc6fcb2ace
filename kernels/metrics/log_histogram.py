"""Counts of positive numbers in bins of equal ratio: percentiles of a stream of any length in fixed memory.

240 bins a decade from 0.01 to 10^7, so a percentile is right to 0.5 % of its value, whatever the unit (milliseconds,
millimetres). What lies below 0.01 is kept as zero. Histograms of parts add up to that of the whole.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

Array = np.ndarray

LEAST, MOST = 1e-2, 1e7
PER_DECADE = 240
_BINS = round(np.log10(MOST / LEAST)) * PER_DECADE
_BATCH = 1 << 14
"""Values that wait to be sorted in together: a call a value would cost more than the value."""


class LogHistogram:
    """A count of zeros and of every bin.

    >>> h = LogHistogram()
    >>> h.add(np.array([1.0, 2.0, 3.0, 4.0, 100.0]))
    >>> round(h.quantile(0.5), 1), round(h.quantile(0.95)), len(h)
    (3.0, 100, 5)
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS + 1, np.int64)
        self._waiting: list[Float[Array, "_"]] = []
        self._num_waiting = 0

    def __len__(self) -> int:
        return int(self.counts.sum())

    def add(self, values: Float[Array, "*any"]) -> None:
        """Counts the values; those that are not finite are left out, those above `MOST` go into the last bin."""
        self._waiting.append(np.array(values, np.float64).ravel())
        self._num_waiting += values.size
        if self._num_waiting > _BATCH:
            self._sort_in()

    @property
    def counts(self) -> Int[Array, "_"]:
        """Of zero, then of each bin."""
        self._sort_in()
        return self._counts

    def _sort_in(self) -> None:
        if not self._waiting:
            return
        values = np.concatenate(self._waiting)
        self._waiting, self._num_waiting = [], 0
        place = np.log10(np.maximum(values[np.isfinite(values)], LEAST / 10) / LEAST) * PER_DECADE
        index = np.clip(np.floor(place + 1e-9) + 1, 0, _BINS).astype(np.int64)
        self._counts += np.bincount(index, minlength=_BINS + 1)

    def quantile(self, q: float) -> float:
        """The smallest value that a share q of all does not exceed (within 0.5 %); NaN for nothing counted."""
        total = len(self)
        if total == 0:
            return float("nan")
        rank = max(int(np.ceil(q * total - 1e-9)), 1)
        index = int(np.searchsorted(np.cumsum(self.counts), rank))
        return 0.0 if index == 0 else float(LEAST * 10 ** ((index - 0.5) / PER_DECADE))

    def coarse(self, per_decade: int = 8) -> tuple[Float[Array, "E"], Int[Array, "B"]]:
        """Edges (B + 1) and counts of wider bins, for a drawing: from the first that holds something to the last.

        The first edge is 0 where there are zeros. `per_decade` must divide 240.
        """
        width = PER_DECADE // per_decade
        counts = self.counts[1:].reshape(-1, width).sum(axis=1)
        edges = LEAST * 10 ** (np.arange(len(counts) + 1) / per_decade)
        held = np.flatnonzero(counts)
        low, high = (held[0], held[-1] + 1) if len(held) else (0, 0)
        edges, counts = edges[low : high + 1], counts[low:high]
        if self.counts[0]:
            edges, counts = np.append(0.0, edges), np.append(self.counts[0], counts)
        return edges, counts
