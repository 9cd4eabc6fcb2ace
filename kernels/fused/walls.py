"""Walls: convex obstacles and the outline of a scene; who sees what, and how far it is to the nearest.

A line is clear of a convex shape grown by a margin when clipping it by the shape's half-planes leaves nothing.
Plain IEEE arithmetic (no fast-math): the same answers on every machine. O(obstacles x sides) a query.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

Array = np.ndarray

exact = njit(cache=True, nogil=True, error_model="numpy")


class Walls(NamedTuple):
    """Convex obstacles and the outline, float64."""

    corners: Array
    """(O, E, 2) counter-clockwise; the last is repeated."""
    normals: Array
    """(O, E, 2) outward unit normals of the sides."""
    offsets: Array
    """(O, E) n . p of each side."""
    counts: Array
    """(O,) int64 sides in use."""
    centres: Array
    """(O, 2) of the circles about them."""
    reach: Array
    """(O,) radii of the circles."""
    outline_normals: Array
    """(P, 2) outward."""
    outline_offsets: Array
    """(P,)."""


@exact
def sight_clear(ax: float, ay: float, bx: float, by: float, walls: Walls, margin: float) -> bool:
    """Whether the line a-b keeps clear of all obstacles grown by a margin (with mitred corners)."""
    dx, dy = bx - ax, by - ay
    length2 = max(dx * dx + dy * dy, 1e-12)
    for o in range(len(walls.counts)):
        cx, cy = walls.centres[o, 0] - ax, walls.centres[o, 1] - ay
        t = min(max((cx * dx + cy * dy) / length2, 0.0), 1.0)
        gap = walls.reach[o] + 1.5 * margin
        if (cx - t * dx) ** 2 + (cy - t * dy) ** 2 > gap * gap:
            continue
        t0, t1 = 0.0, 1.0
        for e in range(walls.counts[o]):
            nx, ny = walls.normals[o, e, 0], walls.normals[o, e, 1]
            start = nx * ax + ny * ay - walls.offsets[o, e] - margin
            along = nx * dx + ny * dy
            if abs(along) < 1e-12:
                if start >= 0.0:
                    t0 = 2.0
            elif along > 0.0:
                t1 = min(t1, -start / along)
            else:
                t0 = max(t0, -start / along)
            if t0 >= t1:
                break
        if t0 < t1 - 1e-9:
            return False
    return True


@exact
def sights(x: float, y: float, places: Array, walls: Walls, margin: float, seen: Array) -> None:
    """Which of (M, 2) places can be walked to straight from a place."""
    for m in range(len(places)):
        seen[m] = sight_clear(x, y, places[m, 0], places[m, 1], walls, margin)


@exact
def wall_vector(o: int, x: float, y: float, walls: Walls) -> tuple[float, float, float]:
    """Unit vector away from an obstacle and the distance to it (negative inside)."""
    best = -1e9
    side = 0
    for e in range(walls.counts[o]):
        s = walls.normals[o, e, 0] * x + walls.normals[o, e, 1] * y - walls.offsets[o, e]
        if s > best:
            best, side = s, e
    if best <= 1e-9:
        return walls.normals[o, side, 0], walls.normals[o, side, 1], best
    nearest2, px, py = 1e18, 0.0, 0.0
    for e in range(walls.counts[o]):
        f = (e + 1) % walls.counts[o]
        x0, y0 = walls.corners[o, e, 0], walls.corners[o, e, 1]
        ex, ey = walls.corners[o, f, 0] - x0, walls.corners[o, f, 1] - y0
        t = min(max(((x - x0) * ex + (y - y0) * ey) / (ex * ex + ey * ey), 0.0), 1.0)
        vx, vy = x - x0 - t * ex, y - y0 - t * ey
        d2 = vx * vx + vy * vy
        if d2 < nearest2:
            nearest2, px, py = d2, vx, vy
    d = np.sqrt(nearest2)
    return px / d, py / d, d


@exact
def out_of_walls(x: float, y: float, walls: Walls, radius: float, inset: float) -> tuple[float, float]:
    """The place, moved to keep `radius` from every obstacle and `inset` inside the outline."""
    for _ in range(2):
        for o in range(len(walls.counts)):
            gap = walls.reach[o] + radius
            if (x - walls.centres[o, 0]) ** 2 + (y - walls.centres[o, 1]) ** 2 > gap * gap:
                continue
            nx, ny, d = wall_vector(o, x, y, walls)
            if d < radius:
                x += (radius - d) * nx
                y += (radius - d) * ny
    for p in range(len(walls.outline_offsets)):
        nx, ny = walls.outline_normals[p, 0], walls.outline_normals[p, 1]
        over = nx * x + ny * y - walls.outline_offsets[p] + inset
        if over > 0.0:
            x -= over * nx
            y -= over * ny
    return x, y
