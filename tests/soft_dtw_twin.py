"""Soft-DTW as its equations say, in plain loops and float64."""

from __future__ import annotations

import math

import numpy as np


def soft_dtw_twin(cost: np.ndarray, gamma: float) -> tuple[float, np.ndarray]:
    """Value and alignment of one pair (n, m), by the recursions of Cuturi and Blondel 2017, algorithms 1 and 2."""
    n, m = cost.shape
    r = np.full((n + 2, m + 2), np.inf)
    r[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            before = (r[i - 1, j - 1], r[i - 1, j], r[i, j - 1])
            least = min(before)
            r[i, j] = (
                cost[i - 1, j - 1]
                + least
                - gamma * math.log(sum(math.exp((least - x) / gamma) for x in before))
            )
    value = float(r[n, m])
    e = np.zeros((n + 2, m + 2))
    e[n, m] = 1.0
    for i in range(n, 0, -1):
        for j in range(m, 0, -1):
            for y, x in ((i + 1, j), (i, j + 1), (i + 1, j + 1)):
                if y <= n and x <= m:
                    e[i, j] += e[y, x] * math.exp((r[y, x] - r[i, j] - cost[y - 1, x - 1]) / gamma)
    return value, e[1 : n + 1, 1 : m + 1]


def hard_dtw(cost: np.ndarray) -> float:
    """DTW: the cheapest path."""
    n, m = cost.shape
    r = np.full((n + 1, m + 1), np.inf)
    r[0, 0] = 0.0
    for i in range(n):
        for j in range(m):
            r[i + 1, j + 1] = cost[i, j] + min(r[i, j], r[i, j + 1], r[i + 1, j])
    return float(r[n, m])


def number_of_paths(n: int, m: int) -> int:
    """Ways from corner to corner with steps down, right and both (Delannoy numbers)."""
    ways = np.ones((n, m), dtype=object)
    for i in range(1, n):
        for j in range(1, m):
            ways[i, j] = ways[i - 1, j - 1] + ways[i - 1, j] + ways[i, j - 1]
    return int(ways[-1, -1])
