"""The symmetric segment path distance as traj-dist publishes it, written out as plain loops: yardstick and slow twin.

The algorithm of its Euclidean `e_sspd`, step by step: all distances between the points of the two paths and all
lengths of their pieces first; then for each point and piece the foot of the perpendicular, which counts if it lies on
the piece (0.00001 <= u <= 1), and else the nearer end; a root for each. traj-dist compiles such loops with Cython to
scalar machine code, one thread; the benchmark compiles these with numba, without fast-math, one thread.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

Array = np.ndarray


def distances(paths: Float[Array, "S P 2"], others: Float[Array, "R Q 2"]) -> Float[Array, "S R"]:
    """SSPD of every path to every other one."""

    def apart(ax: float, ay: float, bx: float, by: float) -> float:
        return math.sqrt((ax - bx) * (ax - bx) + (ay - by) * (ay - by))

    out = np.empty((len(paths), len(others)))
    for s in range(len(paths)):
        for r in range(len(others)):
            total = 0.0
            for way in range(2):
                a, b = (paths[s], others[r]) if way == 0 else (others[r], paths[s])
                between = np.empty((len(a), len(b)))
                for i in range(len(a)):
                    for k in range(len(b)):
                        between[i, k] = apart(a[i, 0], a[i, 1], b[k, 0], b[k, 1])
                length = np.empty(len(b) - 1)
                for k in range(len(b) - 1):
                    length[k] = apart(b[k, 0], b[k, 1], b[k + 1, 0], b[k + 1, 1])
                mean = 0.0
                for i in range(len(a)):
                    nearest = 9e100
                    for k in range(len(b) - 1):
                        x0, y0, x1, y1 = b[k, 0], b[k, 1], b[k + 1, 0], b[k + 1, 1]
                        if x0 == x1 and y0 == y1:
                            found = between[i, k]
                        else:
                            u = ((a[i, 0] - x0) * (x1 - x0) + (a[i, 1] - y0) * (y1 - y0)) / (
                                length[k] * length[k]
                            )
                            if u < 0.00001 or u > 1.0:
                                found = min(between[i, k], between[i, k + 1])
                            else:
                                found = apart(a[i, 0], a[i, 1], x0 + u * (x1 - x0), y0 + u * (y1 - y0))
                        nearest = min(nearest, found)
                    mean += nearest
                total += mean / len(a)
            out[s, r] = 0.5 * total
    return out
