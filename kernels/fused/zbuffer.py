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

SHIFT = 8
SUBPIXELS = 1 << SHIFT
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
def to_corner(K: Array, x: float, y: float, z: float) -> tuple[int, int]:
    """(subpixel x, subpixel y) of a point in camera axes, z > 0."""
    return snap((K[0, 0] * x + K[0, 1] * y) / z + K[0, 2]), snap(K[1, 1] * y / z + K[1, 2])


@compiled
def draw(
    points: Array, faces: Array, part: Array, lens: Lens, who: int, token: int, sheet: Sheet, probes: Probes
) -> int:
    """A mesh in camera axes; returns how many pixels it would have on its own.

    Args:
        points: (V, 3) camera axes, metres; faces: (F, 3) int64; part: (F,) int64.
        who: id to write; people (who >= 0) are closed skins, whose faces seen from behind are left out.
        token: stamp of this body in this frame.
    """
    corners = np.empty((2 * len(faces), 6), np.int64)
    inv = np.empty((2 * len(faces), 3))
    of = np.empty(2 * len(faces), np.int64)
    count = set_up(points, faces, lens, who >= 0, corners, inv, of)
    touch_probes(corners, inv, of, part, count, probes)
    return fill(corners, inv, count, who, token, sheet)


@compiled
def set_up(points: Array, faces: Array, lens: Lens, cull: bool, corners: Array, inv: Array, of: Array) -> int:
    """Triangles in the buffer's subpixels, all turning the same way; returns how many.

    Triangles that cross the near plane are cut there (Sutherland & Hodgman 1974), into two at most.

    Args:
        corners: (2 F, 6) ax ay bx by cx cy, written; inv: (2 F, 3) their 1/z; of: (2 F,) the face.
    """
    size = len(points)
    u, v, w = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size)
    for i in range(size):
        z = float(points[i, 2])
        w[i] = 0.0
        if z >= lens.near_m:
            w[i] = 1.0 / z
            u[i], v[i] = to_corner(lens.K, float(points[i, 0]), float(points[i, 1]), z)
    count = 0
    cut = np.empty((4, 3))
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        behind = int(w[i] == 0.0) + int(w[j] == 0.0) + int(w[k] == 0.0)
        first = count
        if behind == 0:
            corners[count, 0], corners[count, 1], inv[count, 0] = u[i], v[i], w[i]
            corners[count, 2], corners[count, 3], inv[count, 1] = u[j], v[j], w[j]
            corners[count, 4], corners[count, 5], inv[count, 2] = u[k], v[k], w[k]
            count += 1
        elif behind < 3:
            for i in range(1, cut_near(points, faces[f], lens.near_m, cut) - 1):
                for side, row in enumerate((0, i, i + 1)):
                    z = cut[row, 2]
                    corners[count, 2 * side], corners[count, 2 * side + 1] = to_corner(
                        lens.K, cut[row, 0], cut[row, 1], z
                    )
                    inv[count, side] = 1.0 / z
                count += 1
        kept = first
        for t in range(first, count):
            doubled = twice_area(corners, t)
            # rows grow downwards, so outward faces, counter-clockwise to the eye, turn negative
            if doubled == 0 or (cull and doubled > 0):
                continue
            for column in range(6):
                corners[kept, column] = corners[t, column]
            for side in range(3):
                inv[kept, side] = inv[t, side]
            if doubled < 0:
                for column in range(2):
                    corners[kept, column], corners[kept, 4 + column] = (
                        corners[kept, 4 + column],
                        corners[kept, column],
                    )
                inv[kept, 0], inv[kept, 2] = inv[kept, 2], inv[kept, 0]
            of[kept] = f
            kept += 1
        count = kept
    return count


@compiled
def twice_area(corners: Array, t: int) -> int:
    """Signed, in square subpixels."""
    abx, aby = corners[t, 2] - corners[t, 0], corners[t, 3] - corners[t, 1]
    acx, acy = corners[t, 4] - corners[t, 0], corners[t, 5] - corners[t, 1]
    return int(abx * acy - aby * acx)


@compiled
def touch_probes(corners: Array, inv: Array, of: Array, part: Array, count: int, probes: Probes) -> None:
    """The nearest of the triangles over each probe."""
    if len(probes.at) == 0:
        return
    low_x, high_x = np.empty(count, np.int64), np.empty(count, np.int64)
    low_y, high_y = np.empty(count, np.int64), np.empty(count, np.int64)
    for t in range(count):
        low_x[t] = min(corners[t, 0], corners[t, 2], corners[t, 4])
        high_x[t] = max(corners[t, 0], corners[t, 2], corners[t, 4])
        low_y[t] = min(corners[t, 1], corners[t, 3], corners[t, 5])
        high_y[t] = max(corners[t, 1], corners[t, 3], corners[t, 5])
    for p in range(len(probes.at)):
        px, py = probes.at[p, 0], probes.at[p, 1]
        for t in range(count):
            if ((px - low_x[t]) | (high_x[t] - px) | (py - low_y[t]) | (high_y[t] - py)) < 0:
                continue
            ax, ay, bx, by = corners[t, 0], corners[t, 1], corners[t, 2], corners[t, 3]
            cx, cy = corners[t, 4], corners[t, 5]
            e_c = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
            e_a = (cx - bx) * (py - by) - (cy - by) * (px - bx)
            e_b = (ax - cx) * (py - cy) - (ay - cy) * (px - cx)
            if (e_a | e_b | e_c) >= 0:
                scale = 1.0 / (e_a + e_b + e_c)  # twice the area
                w = np.float32((e_a * inv[t, 0] + e_b * inv[t, 1] + e_c * inv[t, 2]) * scale)
                if w > probes.inv_depth[p]:
                    probes.inv_depth[p] = w
                    probes.part[p] = part[of[t]]


@compiled
def fill(corners: Array, inv: Array, count: int, who: int, token: int, sheet: Sheet) -> int:
    """Triangles into the buffers; returns how many pixels they touch that the token had not."""
    height, width = sheet.ids.shape
    fresh = 0
    won = 0
    for t in range(count):
        ax, ay, bx, by, cx, cy = (
            corners[t, 0], corners[t, 1], corners[t, 2], corners[t, 3], corners[t, 4], corners[t, 5]
        )  # fmt: skip
        wa, wb, wc = inv[t, 0], inv[t, 1], inv[t, 2]
        x0 = max((min(ax, bx, cx) + SUBPIXELS - 1) >> SHIFT, 0)
        x1 = min(max(ax, bx, cx) >> SHIFT, width - 1)
        y0 = max((min(ay, by, cy) + SUBPIXELS - 1) >> SHIFT, 0)
        y1 = min(max(ay, by, cy) >> SHIFT, height - 1)
        if x0 > x1 or y0 > y1:
            continue
        abx, aby, bcx, bcy, cax, cay = bx - ax, by - ay, cx - bx, cy - by, ax - cx, ay - cy
        scale = 1.0 / (abx * (cy - ay) - aby * (cx - ax))
        px = x0 << SHIFT
        for y in range(y0, y1 + 1):
            py = y << SHIFT
            e_c = abx * (py - ay) - aby * (px - ax)
            e_a = bcx * (py - by) - bcy * (px - bx)
            e_b = cax * (py - cy) - cay * (px - cx)
            for x in range(x0, x1 + 1):
                if (e_a | e_b | e_c) >= 0:
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
                            won += 1
                            sheet.ids[y, x] = who
                e_c -= aby << SHIFT
                e_a -= bcy << SHIFT
                e_b -= cay << SHIFT
    if who >= 0:
        sheet.pixels[who] += won
    return fresh


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
