"""One picture of a crowd: who hides whom, joint by joint, and how much of each person is left.

The steps of a frame:
    1. skin every present body into camera axes; its box from its projected vertices;
    2. draw the bodies that reach into the picture over what stands still (`zbuffer`), probes with them;
    3. judge each probe: outside, behind something else, behind the own body, or visible;
    4. put back what stands still where bodies were drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .zbuffer import (
    NOTHING,
    OCCLUDED,
    OUTSIDE,
    SELF_OCCLUDED,
    THING,
    VISIBLE,
    Array,
    Lens,
    Probes,
    Sheet,
    Skin,
    compiled,
    draw,
    pose_skin,
    snap,
)

TILE = 256
"""Side of the small buffer that measures bodies across the border."""
REACH = 2.0
"""Bodies are measured up to this many pictures beyond the border."""


class Rules(NamedTuple):
    """When the own body hides a probe."""

    near_parts: Array
    """(P, 24) bool: skin of this part belongs around the probe."""
    thickness: Array
    """(N, P) float64 metres: such skin may lie so far in front of it."""
    skin_slack: float
    """Metres: skin of other parts may lie so far in front."""


class Optics(NamedTuple):
    """From the camera's normalised coordinates to the pixels of its picture, distortion included."""

    K: Array
    """(3, 3) float64."""
    dist: Array
    """(5,) k1 k2 p1 p2 k3."""
    reach: float
    """Radius up to which the distortion is one to one; further out it goes on straight."""


class Moment(NamedTuple):
    """Bodies of N people at one time."""

    present: Array
    """(N,) bool."""
    R_world: Array
    """(N, 24, 3, 3) float64."""
    joints_m: Array
    """(N, 24, 3) float64, world."""
    probes_px: Array
    """(N, P, 2) float64, pixels of the buffer."""
    probes_depth: Array
    """(N, P) float64 metres along the optical axis."""
    inside: Array
    """(N, P) bool: in the picture and in front of the camera."""


class Seen(NamedTuple):
    """What `look_frame` writes."""

    codes: Array
    """(N, P) uint8."""
    box_px: Array
    """(N, 4) float32."""
    share: Array
    """(N,) float32."""


@compiled
def distorted(optics: Optics, x: float, y: float, out: Array) -> None:
    """Pixel of a normalised point; straight on beyond the radius where Brown's polynomial turns back."""
    r = np.sqrt(x * x + y * y)
    s = 1.0
    if r > optics.reach:
        s = optics.reach / r
    u, v = x * s, y * s
    d = optics.dist
    r2 = u * u + v * v
    radial = 1.0 + r2 * (d[0] + r2 * (d[1] + r2 * d[4]))
    xd = u * radial + 2.0 * d[2] * u * v + d[3] * (r2 + 2.0 * u * u) + (x - u)
    yd = v * radial + d[2] * (r2 + 2.0 * v * v) + 2.0 * d[3] * u * v + (y - v)
    K = optics.K
    out[0] = K[0, 0] * xd + K[0, 1] * yd + K[0, 2]
    out[1] = K[1, 1] * yd + K[1, 2]


@compiled
def bounds(points: Array, lens: Lens, optics: Optics, box: Array, drawn: Array) -> bool:
    """The body's box in the picture, and its extent in the buffer; False when it is all behind the near plane."""
    pixel = np.empty(2)
    some = False
    for v in range(len(points)):
        z = float(points[v, 2])
        if z < lens.near_m:
            continue
        x, y = float(points[v, 0]) / z, float(points[v, 1]) / z
        distorted(optics, x, y, pixel)
        u = lens.K[0, 0] * x + lens.K[0, 1] * y + lens.K[0, 2]
        w = lens.K[1, 1] * y + lens.K[1, 2]
        if not some:
            some = True
            box[0] = box[2] = pixel[0]
            box[1] = box[3] = pixel[1]
            drawn[0] = drawn[2] = u
            drawn[1] = drawn[3] = w
            continue
        box[0], box[1] = min(box[0], pixel[0]), min(box[1], pixel[1])
        box[2], box[3] = max(box[2], pixel[0]), max(box[3], pixel[1])
        drawn[0], drawn[1] = min(drawn[0], u), min(drawn[1], w)
        drawn[2], drawn[3] = max(drawn[2], u), max(drawn[3], w)
    return some


@compiled
def share_within(
    points: Array,
    skin: Skin,
    lens: Lens,
    drawn: Array,
    width: int,
    height: int,
    tile: Sheet,
    no_probes: Probes,
) -> float:
    """Share of a body's own pixels within the buffer, measured in a small buffer of its own."""
    x0, x1 = max(drawn[0], -REACH * width), min(drawn[2], (1.0 + REACH) * width)
    y0, y1 = max(drawn[1], -REACH * height), min(drawn[3], (1.0 + REACH) * height)
    scale = min((TILE - 4.0) / max(x1 - x0, y1 - y0, 1e-3), 4.0)
    K = lens.K.copy()
    K[0, 2] -= x0
    K[1, 2] -= y0
    K[:2] *= scale
    tile.turn[0] += 1
    token = tile.turn[0]
    tile.inv_depth[:] = 0.0
    total = draw(
        points, skin.faces, skin.part, Lens(lens.R, lens.t, K, lens.near_m), 0, token, True, tile, no_probes
    )
    if total == 0:
        return 0.0
    within = 0
    for y in range(TILE):
        v = y / scale + y0
        if v < -0.5 or v >= height - 0.5:
            continue
        for x in range(TILE):
            if tile.stamp[y, x] == token:
                u = x / scale + x0
                if u >= -0.5 and u < width - 0.5:
                    within += 1
    return within / total


@compiled
def judge(n: int, p: int, moment: Moment, rules: Rules, sheet: Sheet, own_inv: float, own_part: int) -> int:
    """The visibility code of one probe once everybody is drawn."""
    if not moment.inside[n, p]:
        return OUTSIDE
    height, width = sheet.ids.shape
    x = min(max(int(np.floor(moment.probes_px[n, p, 0] + 0.5)), 0), width - 1)
    y = min(max(int(np.floor(moment.probes_px[n, p, 1] + 0.5)), 0), height - 1)
    depth = moment.probes_depth[n, p]
    nearest = sheet.inv_depth[y, x]
    if sheet.ids[y, x] != n and sheet.ids[y, x] != NOTHING and nearest * depth > 1.0:
        return OCCLUDED
    if own_inv * depth > 1.0:
        in_front = depth - 1.0 / own_inv
        slack = rules.thickness[n, p] if rules.near_parts[p, own_part] else rules.skin_slack
        if in_front > slack:
            return SELF_OCCLUDED
    return VISIBLE


@compiled
def look_frame(
    skin: Skin, lens: Lens, optics: Optics, moment: Moment, rules: Rules, still_inv: Array, still_ids: Array,
    sheet: Sheet, tile: Sheet, points: Array, seen: Seen, keep: bool,
) -> None:  # fmt: skip
    """Everything of one frame.

    Args:
        still_inv, still_ids: what stands still; the sheet must hold just that.
        sheet, tile: buffers of this thread, (H, W) and (TILE, TILE).
        points: (V, 3) float32 scratch.
        seen: written; rows of absent people are zero.
        keep: leave the bodies in the sheet (to be looked at) instead of cleaning it.
    """
    num, num_probes = moment.inside.shape
    height, width = sheet.ids.shape
    own_inv = np.zeros((num, num_probes), np.float32)
    own_part = np.zeros((num, num_probes), np.int64)
    alone = np.zeros(num, np.int64)
    within = np.ones(num)
    at = np.empty((num_probes, 2), np.int64)
    no_probes = Probes(at[:0], own_inv[0, :0], own_part[0, :0])
    box, drawn = np.empty(4), np.empty(4)
    seen.codes[:] = OUTSIDE
    seen.box_px[:] = 0.0
    seen.share[:] = 0.0
    for n in range(num):
        sheet.pixels[n] = 0
        sheet.dirty[n] = 0
    for n in range(num):
        if not moment.present[n]:
            continue
        pose_skin(skin, n, lens, moment.R_world[n], moment.joints_m[n], points)
        if not bounds(points, lens, optics, box, drawn):
            continue
        for side in range(4):
            seen.box_px[n, side] = box[side]
        cut = False  # by the near plane: the body reaches further than its vertices in front
        for v in range(len(points)):
            cut = cut or points[v, 2] < lens.near_m
        if cut:
            drawn[0], drawn[1], drawn[2], drawn[3] = (
                -REACH * width,
                -REACH * height,
                (1 + REACH) * width,
                (1 + REACH) * height,
            )
        if drawn[2] < 0 or drawn[3] < 0 or drawn[0] > width - 1 or drawn[1] > height - 1:
            continue
        for p in range(num_probes):
            at[p, 0], at[p, 1] = snap(moment.probes_px[n, p, 0]), snap(moment.probes_px[n, p, 1])
        sheet.dirty[n, 0], sheet.dirty[n, 1] = max(int(drawn[0]) - 1, 0), max(int(drawn[1]) - 1, 0)
        sheet.dirty[n, 2] = min(int(drawn[2]) + 2, width)
        sheet.dirty[n, 3] = min(int(drawn[3]) + 2, height)
        sheet.turn[0] += 1
        probes = Probes(at, own_inv[n], own_part[n])
        alone[n] = draw(points, skin.faces, skin.part, lens, n, sheet.turn[0], True, sheet, probes)
        if drawn[0] < -0.5 or drawn[1] < -0.5 or drawn[2] >= width - 0.5 or drawn[3] >= height - 0.5:
            within[n] = share_within(points, skin, lens, drawn, width, height, tile, no_probes)
    for n in range(num):
        if not moment.present[n]:
            continue
        if alone[n] > 0:
            seen.share[n] = sheet.pixels[n] / alone[n] * within[n]
        for p in range(num_probes):
            seen.codes[n, p] = judge(n, p, moment, rules, sheet, own_inv[n, p], own_part[n, p])
    if keep:
        return
    for n in range(num):
        for y in range(sheet.dirty[n, 1], sheet.dirty[n, 3]):
            for x in range(sheet.dirty[n, 0], sheet.dirty[n, 2]):
                sheet.inv_depth[y, x] = still_inv[y, x]
                sheet.ids[y, x] = still_ids[y, x]


@compiled
def draw_ground(
    planes: Array, outlines: Array, sizes: Array, centre: Array, rays: Array, K_inv: Array, sheet: Sheet
) -> None:
    """Levels of the ground by rays: each plane hides what is behind it where no later plane replaces it.

    Args:
        planes: (P, 4) unit normal and offset, metres; outlines: (P, M, 2); sizes: (P,) corners, 0 = endless.
        centre: (3,) the camera in the world; rays: (3, 3) camera axes -> world; K_inv of the buffer.
    """
    height, width = sheet.ids.shape
    d = np.empty(3)
    for y in range(height):
        for x in range(width):
            cx = K_inv[0, 0] * x + K_inv[0, 1] * y + K_inv[0, 2]
            cy = K_inv[1, 1] * y + K_inv[1, 2]
            for r in range(3):
                d[r] = rays[r, 0] * cx + rays[r, 1] * cy + rays[r, 2]
            for k in range(len(planes)):
                slope = planes[k, 0] * d[0] + planes[k, 1] * d[1] + planes[k, 2] * d[2]
                gap = (
                    planes[k, 3]
                    - planes[k, 0] * centre[0]
                    - planes[k, 1] * centre[1]
                    - planes[k, 2] * centre[2]
                )
                if slope * gap <= 0.0:
                    continue
                depth = gap / slope
                if np.float32(1.0 / depth) <= sheet.inv_depth[y, x]:
                    continue
                px, py = centre[0] + depth * d[0], centre[1] + depth * d[1]
                if owner(outlines, sizes, px, py) == k:
                    sheet.inv_depth[y, x] = np.float32(1.0 / depth)
                    sheet.ids[y, x] = THING


@compiled
def owner(outlines: Array, sizes: Array, x: float, y: float) -> int:
    """The plane under a place: the last whose outline holds it, the first for the rest of the world."""
    best = 0
    for k in range(len(sizes)):
        low, high = 0.0, 0.0
        for i in range(sizes[k]):
            ax, ay = outlines[k, i, 0], outlines[k, i, 1]
            bx, by = outlines[k, (i + 1) % sizes[k], 0], outlines[k, (i + 1) % sizes[k], 1]
            cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
            low, high = min(low, cross), max(high, cross)
        if low >= 0.0 or high <= 0.0:
            best = k
    return best
