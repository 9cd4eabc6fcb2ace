"""Robust straight line through noisy offsets of two clocks: how far apart, and how fast they drift.

    min_{a,b}  sum_i w_i (y_i - a - b (x_i - c))^2 / s^2  +  (b / s_b)^2

w_i are Huber's weights (k = 1.345 s; P. J. Huber, 1964), then, from there, Tukey's (c = 4.685 s), under which what is
far off counts nothing at all; s is the spread of the residuals by their median, c the weighted mean of x, and s_b what
crystals drift at most: with one point the line is flat, with a few it is nearly so, and only what the data can carry
tilts it. The standard error of b is that of the same posterior.

O(points) when a point comes, O(1) to read. Times are whole nanoseconds; the fit works relative to the newest point,
in seconds and float64, so that nothing is lost to the size of ns since 1970.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

HUBER, TUKEY = 1.345, 4.685
"""Each 95 % as good as least squares on normal noise."""
ROUNDS = 3
"""Of reweighting with Huber's weights; with Tukey's until nothing moves, three times as many at most."""
_STILL_S = 1e-7
CRYSTAL_PPM = 100.0
"""Quartz of cheap cameras is within this of its rate."""


@dataclass(frozen=True)
class Line:
    """y(x) = y0 + slope (x - x0)."""

    x0_ns: int
    y0_ns: int
    slope: float
    """Seconds a second."""
    slope_se: float
    """Standard error of the slope."""
    spread_ns: int
    """Of the points about the line: 1.48 x median deviation."""
    points: int

    @property
    def ppm(self) -> float:
        return self.slope * 1e6

    @property
    def ppm_se(self) -> float:
        return self.slope_se * 1e6

    def at(self, x_ns: int) -> int:
        """y at x, ns."""
        return self.y0_ns + round(self.slope * (x_ns - self.x0_ns))


class DriftFit:
    """The line through the last points. Memory: `max_points` pairs of numbers."""

    def __init__(
        self, max_points: int = 32, noise_s: float = 0.002, slope_sigma_ppm: float = CRYSTAL_PPM
    ) -> None:
        """
        Args:
            noise_s: least spread of a point: what is believed even when the points agree better.
            slope_sigma_ppm: spread of drifts expected before anything is seen.
        """
        self._points: deque[tuple[int, int]] = deque(maxlen=max_points)
        self._noise_s = noise_s
        self._slope_sigma = slope_sigma_ppm * 1e-6
        self._line: Line | None = None

    def __len__(self) -> int:
        return len(self._points)

    @property
    def line(self) -> Line | None:
        """None before the first point."""
        return self._line

    def push(self, x_ns: int, y_ns: int) -> Line:
        """One more point; the oldest goes when there are too many."""
        self._points.append((x_ns, y_ns))
        self._line = fit_line(list(self._points), self._noise_s, self._slope_sigma)
        return self._line

    def clear(self) -> None:
        self._points.clear()
        self._line = None


def fit_line(points: list[tuple[int, int]], noise_s: float, slope_sigma: float) -> Line:
    """The line through (x ns, y ns); at least one point. Deterministic, and the same for points in any order."""
    x_ns, y_ns = max(points)
    x = np.array([p[0] - x_ns for p in points], np.float64) * 1e-9
    y = np.array([p[1] - y_ns for p in points], np.float64) * 1e-9
    # whoever starts from least squares may start from an outlier's line: medians cannot be led astray
    residual = y - np.sort(y)[len(y) // 2]
    slope = se = spread = at_newest = 0.0
    for turn in range(4 * ROUNDS):
        far = np.abs(residual)
        spread = max(noise_s, 1.4826 * float(np.sort(far)[len(far) // 2]))
        far /= spread
        if turn < ROUNDS:
            weight = np.minimum(1.0, HUBER / np.maximum(far, 1e-9))
        else:
            weight = np.square(1.0 - np.square(np.minimum(far / TUKEY, 1.0)))
        centre = float(weight @ x / weight.sum())
        mean = float(weight @ y / weight.sum())
        precision = float(weight @ (x - centre) ** 2) + (spread / slope_sigma) ** 2
        slope = float(weight @ ((x - centre) * (y - mean))) / precision
        se = spread / precision**0.5
        residual = y - mean - slope * (x - centre)
        before, at_newest = at_newest, mean - slope * centre
        if turn >= ROUNDS and abs(at_newest - before) < _STILL_S:
            break
    return Line(x_ns, y_ns + round(at_newest * 1e9), slope, se, round(spread * 1e9), len(points))
