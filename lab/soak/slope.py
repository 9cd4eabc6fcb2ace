"""How fast a figure grows, and how sure that is: Theil-Sen's slope with the bounds of Sen (1968).

The slope is the median of the slopes of all pairs of samples: up to 29 % of wild samples do not move it, where a
least-squares line follows a single collection of garbage. The bounds come from the order statistics of the same slopes
(Kendall's S is close to normal for ten samples and more). Samples that follow each other closely say almost the
same thing, so they are put into bins first, by their median: the bounds would be far too narrow otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_Z_95 = 1.959964
MOST_BINS = 60
"""Enough for a slope; what lies in one bin counts once."""


@dataclass(frozen=True)
class Slope:
    """Growth per second, with bounds that hold the true one 95 times of 100."""

    per_s: float
    low_per_s: float
    high_per_s: float
    samples: int

    @property
    def per_h(self) -> float:
        return 3600.0 * self.per_s

    @property
    def error_per_h(self) -> float:
        """Half the width of the bounds."""
        return 1800.0 * (self.high_per_s - self.low_per_s)

    def __str__(self) -> str:
        return f"{self.per_h:+.2f} +- {self.error_per_h:.2f} per hour"


def slope(t_s: Sequence[float], values: Sequence[float], warm_up_s: float = 0.0) -> Slope | None:
    """Theil-Sen over the samples after the warm-up; None with fewer than four of them.

    Args:
        t_s: times, rising.
        warm_up_s: counted from the first sample.
    """
    t, y = _binned(np.asarray(t_s, float), np.asarray(values, float), warm_up_s)
    n = len(t)
    if n < 4:
        return None
    i, j = np.triu_indices(n, 1)
    apart = t[j] - t[i]
    slopes = np.sort(((y[j] - y[i]) / apart)[apart > 0])
    deviation = np.sqrt(n * (n - 1) * (2 * n + 5) / 18.0)  # of Kendall's S under no trend, no ties
    half = _Z_95 * deviation / 2.0
    # as many slopes are left out below as above
    outside = int(np.clip(np.floor(len(slopes) / 2.0 - half), 0, (len(slopes) - 1) // 2))
    low, high = slopes[outside], slopes[len(slopes) - 1 - outside]
    return Slope(float(np.median(slopes)), float(low), float(high), n)


def _binned(t: np.ndarray, y: np.ndarray, warm_up_s: float) -> tuple[np.ndarray, np.ndarray]:
    keep = t >= (t[0] + warm_up_s if len(t) else 0.0)
    t, y = t[keep], y[keep]
    if len(t) <= MOST_BINS:
        return t, y
    parts = np.array_split(np.arange(len(t)), MOST_BINS)
    return np.array([t[p].mean() for p in parts]), np.array([np.median(y[p]) for p in parts])
