"""What hides what: triangles of bodies and things into a depth buffer and an id buffer.

    1/z is linear in the picture:  w(x, y) = (E_a w_a + E_b w_b + E_c w_c) / (E_a + E_b + E_c)

with edge functions E of corners snapped to 1/256 px, in whole numbers: neighbours that share an edge leave no
gap, and the plain loop of the tests agrees bit for bit. The buffer holds 1/z (0 = nothing, inf = outside the
picture), so that the larger value is the nearer. Pixel centres lie on whole numbers.

Every body is drawn once. A pixel carries the stamp of the last body that touched it, which counts the pixels a body
would have on its own; the pixels it keeps are counted as they are won and lost. Points of interest (`probes`) are
tested against the body's own triangles exactly, whatever the resolution.
O(pixels of bodies + triangles + probes x triangles).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

Array = np.ndarray

SUBPIXELS = 256
LIMIT_PX = float(1 << 20)
"""Corners further out are pulled to here: edge functions stay within 64 bits."""

NOTHING = -1
"""Id of a pixel that shows ground or sky."""
THING = -2
"""Id of a pixel that shows an obstacle, a wall or a step of the ground."""

OUTSIDE, OCCLUDED, SELF_OCCLUDED, VISIBLE = 0, 1, 2, 3

compiled = njit(cache=True, nogil=True, error_model="numpy")
"""No fast-math: results are the same on every machine and in the tests' plain loops."""


class Lens(NamedTuple):
    """World to the buffer's pixels, without distortion."""

    R: Array
    """(3, 3) float64, world -> camera."""
    t: Array
    """(3,) float64, metres."""
    K: Array
    """(3, 3) float64 of the buffer, not of the camera."""
    near_m: float


class Skin(NamedTuple):
    """The drawn skin of N people, float32 unless said."""

    rest: Array
    """(N, V, 3) vertices of each shape in the rest pose."""
    joints_rest: Array
    """(N, 24, 3)."""
    bones: Array
    """(V, 4) int64 joints that carry a vertex."""
    shares: Array
    """(V, 4) their weights, summing to 1."""
    faces: Array
    """(F, 3) int64, counter-clockwise from outside."""
    part: Array
    """(F,) int64, the joint that carries most of a face."""


class Sheet(NamedTuple):
    """Buffers of one thread."""

    inv_depth: Array
    """(H, W) float32, 1/m."""
    ids: Array
    """(H, W) int32: row of a person, NOTHING or THING."""
    stamp: Array
    """(H, W) int32."""
    pixels: Array
    """(N,) int64 pixels each person keeps."""
    dirty: Array
    """(N, 4) int64 x0, y0, x1, y1 drawn on by each person; x1 <= x0 for none."""
    turn: Array
    """(1,) int64, the last stamp given."""


class Probes(NamedTuple):
    """Points of one person, in the buffer's subpixels, and the nearest own skin over each."""

    at: Array
    """(P, 2) int64."""
    inv_depth: Array
    """(P,) float32, 0 for none."""
    part: Array
    """(P,) int64."""


@compiled
def pose_skin(skin: Skin, n: int, lens: Lens, R_world: Array, joints_m: Array, out: Array) -> None:
    """Linear blend skinning of person n into camera axes, metres.

    Args:
        R_world: (24, 3, 3) float64, joint axes in the world; joints_m: (24, 3) float64, world.
        out: (V, 3) float32, written.
    """
    A = np.empty((24, 3, 4), np.float32)
    for j in range(24):
        for r in range(3):
            shift = lens.t[r]
            for k in range(3):
                shift += lens.R[r, k] * joints_m[j, k]
            for c in range(3):
                turn = 0.0
                for k in range(3):
                    turn += lens.R[r, k] * R_world[j, k, c]
                A[j, r, c] = turn
                shift -= turn * skin.joints_rest[n, j, c]
            A[j, r, 3] = shift
    for v in range(skin.bones.shape[0]):
        x, y, z = skin.rest[n, v, 0], skin.rest[n, v, 1], skin.rest[n, v, 2]
        for r in range(3):
            total = np.float32(0.0)
            for b in range(4):
                a = A[skin.bones[v, b], r]
                total += skin.shares[v, b] * (a[0] * x + a[1] * y + a[2] * z + a[3])
            out[v, r] = total


@compiled
def snap(value: float) -> int:
    """Pixels to whole subpixels."""
    return int(np.floor(min(max(value, -LIMIT_PX), LIMIT_PX) * SUBPIXELS + 0.5))


@compiled
def to_corner(K: Array, x: float, y: float, z: float, corner: Array) -> None:
    """(subpixel x, subpixel y) of a point in camera axes, z > 0."""
    corner[0] = snap((K[0, 0] * x + K[0, 1] * y) / z + K[0, 2])
    corner[1] = snap(K[1, 1] * y / z + K[1, 2])


@compiled
def fill(
    a: Array, b: Array, c: Array, wa: float, wb: float, wc: float, who: int, token: int, cull: bool,
    sheet: Sheet, probes: Probes, part: int,
) -> int:  # fmt: skip
    """One triangle in front of the near plane; returns how many pixels it touches that the token had not.

    Args:
        a, b, c: (2,) subpixel corners; wa, wb, wc: their 1/z.
        who: id to write; token: stamp of this body in this frame; cull: leave out faces seen from behind.
    """
    doubled = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    # rows grow downwards, yet y of the camera does so too: an outward face seen from outside turns negative
    if doubled == 0 or (cull and doubled > 0):
        return 0
    if doubled < 0:
        b, c = c, b
        wb, wc = wc, wb
        doubled = -doubled
    low_x, high_x = min(a[0], b[0], c[0]), max(a[0], b[0], c[0])
    low_y, high_y = min(a[1], b[1], c[1]), max(a[1], b[1], c[1])
    scale = 1.0 / doubled
    abx, aby, bcx, bcy, cax, cay = (
        b[0] - a[0],
        b[1] - a[1],
        c[0] - b[0],
        c[1] - b[1],
        a[0] - c[0],
        a[1] - c[1],
    )
    for p in range(probes.at.shape[0]):
        px, py = probes.at[p, 0], probes.at[p, 1]
        if px < low_x or px > high_x or py < low_y or py > high_y:
            continue
        e_c = abx * (py - a[1]) - aby * (px - a[0])
        e_a = bcx * (py - b[1]) - bcy * (px - b[0])
        e_b = cax * (py - c[1]) - cay * (px - c[0])
        if e_a >= 0 and e_b >= 0 and e_c >= 0:
            w = np.float32((e_a * wa + e_b * wb + e_c * wc) * scale)
            if w > probes.inv_depth[p]:
                probes.inv_depth[p] = w
                probes.part[p] = part
    height, width = sheet.ids.shape
    x0 = max((low_x + SUBPIXELS - 1) // SUBPIXELS, 0)
    x1 = min(high_x // SUBPIXELS, width - 1)
    y0 = max((low_y + SUBPIXELS - 1) // SUBPIXELS, 0)
    y1 = min(high_y // SUBPIXELS, height - 1)
    fresh = 0
    for y in range(y0, y1 + 1):
        py = y * SUBPIXELS
        px = x0 * SUBPIXELS
        e_c = abx * (py - a[1]) - aby * (px - a[0])
        e_a = bcx * (py - b[1]) - bcy * (px - b[0])
        e_b = cax * (py - c[1]) - cay * (px - c[0])
        for x in range(x0, x1 + 1):
            if e_a >= 0 and e_b >= 0 and e_c >= 0:
                if sheet.stamp[y, x] != token:
                    sheet.stamp[y, x] = token
                    fresh += 1
                w = np.float32((e_a * wa + e_b * wb + e_c * wc) * scale)
                if w > sheet.inv_depth[y, x]:
                    sheet.inv_depth[y, x] = w
                    old = sheet.ids[y, x]
                    if old != who:
                        if old >= 0:
                            sheet.pixels[old] -= 1
                        if who >= 0:
                            sheet.pixels[who] += 1
                        sheet.ids[y, x] = who
            e_c -= aby * SUBPIXELS
            e_a -= bcy * SUBPIXELS
            e_b -= cay * SUBPIXELS
    return fresh


@compiled
def draw(
    points: Array, faces: Array, part: Array, lens: Lens, who: int, token: int, cull: bool, sheet: Sheet,
    probes: Probes,
) -> int:  # fmt: skip
    """A mesh in camera axes; returns how many pixels it would have on its own.

    Triangles that cross the near plane are cut there (Sutherland & Hodgman 1974), into two at most.

    Args:
        points: (V, 3) camera axes, metres; faces: (F, 3) int64; part: (F,) int64.
    """
    count = len(points)
    corners = np.empty((count, 2), np.int64)
    w = np.empty(count)
    for v in range(count):
        z = float(points[v, 2])
        w[v] = 0.0
        if z >= lens.near_m:
            w[v] = 1.0 / z
            to_corner(lens.K, float(points[v, 0]), float(points[v, 1]), z, corners[v])
    alone = 0
    cut = np.empty((4, 3))
    cut_corner = np.empty((4, 2), np.int64)
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        behind = int(w[i] == 0.0) + int(w[j] == 0.0) + int(w[k] == 0.0)
        if behind == 0:
            alone += fill(
                corners[i], corners[j], corners[k], w[i], w[j], w[k], who, token, cull, sheet, probes, part[f]
            )  # fmt: skip
        elif behind < 3:
            size = cut_near(points, faces[f], lens.near_m, cut)
            for v in range(size):
                to_corner(lens.K, cut[v, 0], cut[v, 1], cut[v, 2], cut_corner[v])
            for v in range(1, size - 1):
                alone += fill(
                    cut_corner[0], cut_corner[v], cut_corner[v + 1], 1.0 / cut[0, 2], 1.0 / cut[v, 2],
                    1.0 / cut[v + 1, 2], who, token, cull, sheet, probes, part[f],
                )  # fmt: skip
    return alone


@compiled
def cut_near(points: Array, face: Array, near_m: float, out: Array) -> int:
    """The part of a triangle beyond the near plane, 3 or 4 corners in the same turn."""
    size = 0
    for side in range(3):
        p, q = points[face[side]], points[face[(side + 1) % 3]]
        pz, qz = float(p[2]), float(q[2])
        if pz >= near_m:
            for r in range(3):
                out[size, r] = p[r]
            size += 1
        if (pz >= near_m) != (qz >= near_m):
            share = (near_m - pz) / (qz - pz)
            for r in range(2):
                out[size, r] = p[r] + share * (float(q[r]) - float(p[r]))
            out[size, 2] = near_m
            size += 1
    return size
