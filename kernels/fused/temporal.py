"""Smoothness along the slots: E = w1 |D1 x|^2 + w2 |D2 x|^2, and solves with diag + w1 D1'D1 + w2 D2'D2.

D1 x = x[t+1] - x[t],   D2 x = x[t+2] - 2 x[t+1] + x[t];  free ends, so a constant (D1) and a constant
velocity (D2) cost nothing. The matrix is pentadiagonal; L D L' costs 10 operations a slot.
"""

from __future__ import annotations

import numpy as np

from .arrays import Array, compiled

TWO = np.float32(2.0)
FOUR = np.float32(4.0)
FIVE = np.float32(5.0)
SIX = np.float32(6.0)


@compiled
def difference_energy(x: Array, w1: np.float32, w2: np.float32) -> np.float32:
    """w1 |D1 x|^2 + w2 |D2 x|^2 of one row."""
    n = x.shape[0]
    e1 = np.float32(0.0)
    e2 = np.float32(0.0)
    for t in range(n - 1):
        d = x[t + 1] - x[t]
        e1 += d * d
    for t in range(n - 2):
        d = x[t + 2] - TWO * x[t + 1] + x[t]
        e2 += d * d
    return w1 * e1 + w2 * e2


@compiled
def add_difference_product(x: Array, w1: np.float32, w2: np.float32, out: Array) -> None:
    """out += (w1 D1'D1 + w2 D2'D2) x."""
    n = x.shape[0]
    if w2 != 0.0 and n >= 4:
        for t in range(2, n - 2):
            out[t] += w2 * (x[t - 2] + x[t + 2] - FOUR * (x[t - 1] + x[t + 1]) + SIX * x[t])
        out[0] += w2 * (x[0] - TWO * x[1] + x[2])
        out[1] += w2 * (FIVE * x[1] - TWO * x[0] - FOUR * x[2] + x[3])
        out[n - 2] += w2 * (FIVE * x[n - 2] - TWO * x[n - 1] - FOUR * x[n - 3] + x[n - 4])
        out[n - 1] += w2 * (x[n - 1] - TWO * x[n - 2] + x[n - 3])
    elif w2 != 0.0 and n == 3:
        d = w2 * (x[0] - TWO * x[1] + x[2])
        out[0] += d
        out[1] -= TWO * d
        out[2] += d
    if w1 != 0.0 and n >= 2:
        for t in range(1, n - 1):
            out[t] += w1 * (TWO * x[t] - x[t - 1] - x[t + 1])
        out[0] += w1 * (x[0] - x[1])
        out[n - 1] += w1 * (x[n - 1] - x[n - 2])


@compiled
def stencil(n: int, w1: np.float32, w2: np.float32, bands: Array) -> None:
    """Diagonal, first and second side diagonal of w1 D1'D1 + w2 D2'D2 into bands (3, n)."""
    bands[:] = np.float32(0.0)
    for t in range(n - 1):
        bands[0, t] += w1
        bands[0, t + 1] += w1
        bands[1, t] -= w1
    for t in range(n - 2):
        bands[0, t] += w2
        bands[0, t + 1] += np.float32(4.0) * w2
        bands[0, t + 2] += w2
        bands[1, t] -= TWO * w2
        bands[1, t + 1] -= TWO * w2
        bands[2, t] += w2


@compiled
def factor(diagonal: Array, bands: Array, inverse: Array, l1: Array, l2: Array) -> None:
    """L D L' of diag(diagonal) + bands, for many systems side by side.

    Args:
        diagonal: (n, S) positive additions to the diagonal, one column a system.
        bands: (3, n) of `stencil`.
        inverse, l1, l2: (n, S) written: 1/D and the two side diagonals of L (row t holds L[t, t-1], L[t, t-2]).
    """
    n, systems = diagonal.shape
    for t in range(n):
        for s in range(systems):
            pivot = diagonal[t, s] + bands[0, t]
            a1 = np.float32(0.0)
            a2 = np.float32(0.0)
            if t >= 2:
                a2 = bands[2, t - 2] * inverse[t - 2, s]
                pivot -= a2 * bands[2, t - 2]
            if t >= 1:
                e = bands[1, t - 1]
                if t >= 2:
                    e -= bands[2, t - 2] * l1[t - 1, s]
                a1 = e * inverse[t - 1, s]
                pivot -= a1 * e
            l1[t, s] = a1
            l2[t, s] = a2
            inverse[t, s] = np.float32(1.0) / max(pivot, np.float32(1e-12))


@compiled
def solve(inverse: Array, l1: Array, l2: Array, z: Array) -> None:
    """z (n, S) <- (L D L')^-1 z in place."""
    n, systems = z.shape
    if n > 1:
        first, second, a1 = z[0], z[1], l1[1]
        for s in range(systems):
            second[s] -= a1[s] * first[s]
    for t in range(2, n):
        own, one, two, a1, a2 = z[t], z[t - 1], z[t - 2], l1[t], l2[t]
        for s in range(systems):
            own[s] -= a1[s] * one[s] + a2[s] * two[s]
    for t in range(n):
        own, d = z[t], inverse[t]
        for s in range(systems):
            own[s] *= d[s]
    if n > 1:
        last, before, a1 = z[n - 1], z[n - 2], l1[n - 1]
        for s in range(systems):
            before[s] -= a1[s] * last[s]
    for t in range(n - 3, -1, -1):
        own, one, two, a1, a2 = z[t], z[t + 1], z[t + 2], l1[t + 1], l2[t + 2]
        for s in range(systems):
            own[s] -= a1[s] * one[s] + a2[s] * two[s]
