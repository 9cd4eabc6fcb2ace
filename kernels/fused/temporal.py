"""Smoothness along the slots: E = w1 |D1 x|^2 + w2 |D2 x|^2, and solves with diag + w1 D1'D1 + w2 D2'D2.

D1 x = x[t+1] - x[t],   D2 x = x[t+2] - 2 x[t+1] + x[t];  free ends, so a constant (D1) and a constant
velocity (D2) cost nothing. The matrix is pentadiagonal; L D L' costs 10 operations a slot.
"""

from __future__ import annotations

import numpy as np

from .arrays import Array, compiled

TWO = np.float32(2.0)


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
def add_difference_product(x: Array, w1: np.float32, w2: np.float32, tmp: Array, out: Array) -> None:
    """out += (w1 D1'D1 + w2 D2'D2) x; tmp is scratch as long as x."""
    n = x.shape[0]
    if w2 != 0.0:
        for t in range(n - 2):
            tmp[t] = w2 * (x[t + 2] - TWO * x[t + 1] + x[t])
        for t in range(n - 2):
            out[t] += tmp[t]
        for t in range(n - 2):
            out[t + 1] -= TWO * tmp[t]
        for t in range(n - 2):
            out[t + 2] += tmp[t]
    if w1 != 0.0:
        for t in range(n - 1):
            tmp[t] = w1 * (x[t + 1] - x[t])
        for t in range(n - 1):
            out[t + 1] += tmp[t]
        for t in range(n - 1):
            out[t] -= tmp[t]


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
    for t in range(1, n):
        for s in range(systems):
            z[t, s] -= l1[t, s] * z[t - 1, s]
        if t >= 2:
            for s in range(systems):
                z[t, s] -= l2[t, s] * z[t - 2, s]
    for t in range(n):
        for s in range(systems):
            z[t, s] *= inverse[t, s]
    for t in range(n - 2, -1, -1):
        for s in range(systems):
            z[t, s] -= l1[t + 1, s] * z[t + 1, s]
        if t + 2 < n:
            for s in range(systems):
                z[t, s] -= l2[t + 2, s] * z[t + 2, s]
