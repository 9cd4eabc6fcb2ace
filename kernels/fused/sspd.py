"""Symmetric segment path distance of many planar paths at once (Besse et al. 2015, the distance of traj-dist).

    d(p, B)    = distance of the point p to the nearest straight piece of the path B
    SPD(A, B)  = mean of d(p, B) over the points p of A
    SSPD(A, B) = (SPD(A, B) + SPD(B, A)) / 2

Pieces are the outer loop and points the inner one, as structure of arrays: one instruction holds 4 to 8 points
against a piece, and the nearest piece of each point so far stays in the first cache. Only squares are compared; one
root a point. Single precision inside: for paths of some metres that start near the origin it errs by micrometres.
Plain IEEE arithmetic: a pair gives the same bits in whichever call, and either way round. O(A B P^2) for A x B paths
of P points.
"""

from __future__ import annotations

import numpy as np
from numba import njit

Array = np.ndarray

exact = njit(cache=True, nogil=True, error_model="numpy")

ZERO, ONE = np.float32(0.0), np.float32(1.0)


@exact
def lay_out(paths: Array) -> Array:
    """Paths (S, P, 2) as rows (S, 7, P): points x, y; pieces x, y of the start, x and y to the end, 1 / length^2.

    The last place of the rows of pieces is not used; a piece of no length has 0 for 1 / length^2, so that its start
    is the nearest of it.
    """
    count, points = paths.shape[0], paths.shape[1]
    rows = np.zeros((count, 7, points), np.float32)
    for s in range(count):
        for i in range(points):
            rows[s, 0, i] = paths[s, i, 0]
            rows[s, 1, i] = paths[s, i, 1]
        for i in range(points - 1):
            dx = np.float32(paths[s, i + 1, 0] - paths[s, i, 0])
            dy = np.float32(paths[s, i + 1, 1] - paths[s, i, 1])
            length2 = dx * dx + dy * dy
            rows[s, 2, i] = paths[s, i, 0]
            rows[s, 3, i] = paths[s, i, 1]
            rows[s, 4, i] = dx
            rows[s, 5, i] = dy
            # below a nanometre the inverse would overflow and the direction is noise
            rows[s, 6, i] = ONE / length2 if length2 > 1e-18 else ZERO
    return rows


@exact
def path_to_path(points: Array, pieces: Array, nearest: Array) -> float:
    """SPD of two laid out paths (7, P) and (7, Q): the points of the first to the pieces of the second.

    Args:
        nearest: (P,) scratch.
    """
    x, y = points[0], points[1]
    nearest[:] = np.inf
    for k in range(pieces.shape[1] - 1):
        x0, y0 = pieces[2, k], pieces[3, k]
        dx, dy, inverse = pieces[4, k], pieces[5, k], pieces[6, k]
        for i in range(x.shape[0]):
            ox, oy = x[i] - x0, y[i] - y0
            along = (ox * dx + oy * dy) * inverse
            along = ZERO if along < ZERO else along
            along = ONE if along > ONE else along
            ex, ey = ox - along * dx, oy - along * dy
            square = ex * ex + ey * ey
            so_far = nearest[i]
            nearest[i] = square if square < so_far else so_far
    total = 0.0
    for i in range(x.shape[0]):
        total += np.sqrt(nearest[i])
    mean: float = total / x.shape[0]
    return mean


@exact
def sspd_rows(new: Array, bank: Array) -> Array:
    """Distances (A, B) of new paths (A, P, 2) to those of a bank (B, Q, 2), in their unit; P and Q at least 2."""
    ours, theirs = lay_out(new), lay_out(bank)
    near_ours, near_theirs = np.empty(new.shape[1], np.float32), np.empty(bank.shape[1], np.float32)
    out = np.empty((new.shape[0], bank.shape[0]))
    for a in range(new.shape[0]):
        for b in range(bank.shape[0]):
            there = path_to_path(ours[a], theirs[b], near_ours)
            out[a, b] = 0.5 * (there + path_to_path(theirs[b], ours[a], near_theirs))
    return out


@exact
def sspd_pairs(paths: Array) -> Array:
    """All distances (S, S) of paths (S, P, 2) among themselves, each pair once; the diagonal is 0."""
    rows = lay_out(paths)
    nearest = np.empty(paths.shape[1], np.float32)
    out = np.zeros((paths.shape[0], paths.shape[0]))
    for a in range(paths.shape[0]):
        for b in range(a):
            there = path_to_path(rows[a], rows[b], nearest)
            out[a, b] = 0.5 * (there + path_to_path(rows[b], rows[a], nearest))
            out[b, a] = out[a, b]
    return out
