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

TILE = 192
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
def distorted(optics: Optics, x: float, y: float) -> tuple[float, float]:
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
    return K[0, 0] * xd + K[0, 1] * yd + K[0, 2], K[1, 1] * yd + K[1, 2]


@compiled
def bounds(points: Array, lens: Lens, optics: Optics, box: Array, drawn: Array) -> int:
    """The body's box in the picture, and its extent in the buffer; returns how many vertices are too near."""
    some = False
    behind = 0
    for v in range(len(points)):
        z = float(points[v, 2])
        if z < lens.near_m:
            behind += 1
            continue
        x, y = float(points[v, 0]) / z, float(points[v, 1]) / z
        px, py = distorted(optics, x, y)
        u = lens.K[0, 0] * x + lens.K[0, 1] * y + lens.K[0, 2]
        w = lens.K[1, 1] * y + lens.K[1, 2]
        if not some:
            some = True
            box[0] = box[2] = px
            box[1] = box[3] = py
            drawn[0] = drawn[2] = u
            drawn[1] = drawn[3] = w
            continue
        box[0], box[1] = min(box[0], px), min(box[1], py)
        box[2], box[3] = max(box[2], px), max(box[3], py)
        drawn[0], drawn[1] = min(drawn[0], u), min(drawn[1], w)
        drawn[2], drawn[3] = max(drawn[2], u), max(drawn[3], w)
    return behind


class Scratch(NamedTuple):
    """Memory of one thread."""

    sheet: Sheet
    """(H, W), holding what stands still between frames."""
    tile: Sheet
    """(TILE, TILE)."""
    points: Array
    """(V, 3) float32."""
    reach_px: Array
    """(N, 4) float64 extent of each drawn body in the buffer, x0 y0 x1 y1; x1 < x0 for bodies not drawn."""
    own_inv: Array
    """(N, P) float32 the nearest own skin over each probe, 1/m; 0 for none."""
    own_part: Array
    """(N, P) int64 and whose skin it is."""
    alone: Array
    """(N,) int64 pixels each body would have on its own."""


def look_frame(
    skin: Skin, lens: Lens, optics: Optics, moment: Moment, rules: Rules, still_inv: Array, still_ids: Array,
    scratch: Scratch, seen: Seen, keep: bool,
) -> None:  # fmt: skip
    """Everything of one frame.

    Four compiled passes, not one: in one, the rare bodies across the border made all others twice as slow.

    Args:
        still_inv, still_ids: (H, W) what stands still.
        seen: written; rows of absent people are zero.
        keep: leave the bodies in the sheet (to be looked at) instead of cleaning it.
    """
    draw_bodies(skin, lens, optics, moment, scratch, seen)
    measure(skin, lens, moment, scratch, seen)
    judge(moment, rules, scratch, seen)
    if not keep:
        restore(scratch, still_inv, still_ids)


@compiled
def draw_bodies(skin: Skin, lens: Lens, optics: Optics, moment: Moment, scratch: Scratch, seen: Seen) -> None:
    """Boxes of all, and the bodies that reach into the picture."""
    num, num_probes = moment.inside.shape
    sheet, points, reach = scratch.sheet, scratch.points, scratch.reach_px
    height, width = sheet.ids.shape
    at = np.empty((num_probes, 2), np.int64)
    box, drawn = np.empty(4), np.empty(4)
    for n in range(num):
        scratch.alone[n] = 0
        sheet.pixels[n] = 0
        reach[n] = 0.0
        reach[n, 2] = -1.0
        seen.box_px[n] = np.float32(0.0)
        scratch.own_inv[n] = np.float32(0.0)
        if not moment.present[n]:
            continue
        pose_skin(skin, n, lens, moment.R_world[n], moment.joints_m[n], points)
        behind = bounds(points, lens, optics, box, drawn)
        if behind == len(points):
            continue
        for side in range(4):
            seen.box_px[n, side] = box[side]
        if behind > 0:  # cut by the near plane: the body reaches further than its vertices in front
            drawn[0], drawn[1] = -REACH * width, -REACH * height
            drawn[2], drawn[3] = (1.0 + REACH) * width, (1.0 + REACH) * height
        if drawn[2] < 0.0 or drawn[3] < 0.0 or drawn[0] > width - 1.0 or drawn[1] > height - 1.0:
            continue
        for p in range(num_probes):
            at[p, 0], at[p, 1] = snap(moment.probes_px[n, p, 0]), snap(moment.probes_px[n, p, 1])
        for side in range(4):
            reach[n, side] = drawn[side]
        sheet.turn[0] += 1
        probes = Probes(at, scratch.own_inv[n], scratch.own_part[n])
        scratch.alone[n] = draw(points, skin.faces, skin.part, lens, n, sheet.turn[0], sheet, probes)


@compiled
def measure(skin: Skin, lens: Lens, moment: Moment, scratch: Scratch, seen: Seen) -> None:
    """How much of each body is seen."""
    height, width = scratch.sheet.ids.shape
    no_probes = Probes(np.empty((0, 2), np.int64), np.empty(0, np.float32), np.empty(0, np.int64))
    for n in range(len(scratch.alone)):
        seen.share[n] = np.float32(0.0)
        if scratch.alone[n] == 0:
            continue
        within = 1.0
        x0, y0, x1, y1 = scratch.reach_px[n]
        if x0 < -0.5 or y0 < -0.5 or x1 >= width - 0.5 or y1 >= height - 0.5:
            pose_skin(skin, n, lens, moment.R_world[n], moment.joints_m[n], scratch.points)
            within = share_within(n, skin, lens, width, height, scratch, no_probes)
        seen.share[n] = scratch.sheet.pixels[n] / scratch.alone[n] * within


@compiled
def share_within(
    n: int, skin: Skin, lens: Lens, width: int, height: int, scratch: Scratch, no_probes: Probes
) -> float:
    """Share of a body's own pixels within the buffer, measured in a small buffer of its own."""
    points, tile, drawn = scratch.points, scratch.tile, scratch.reach_px[n]
    x0, x1 = max(drawn[0], -REACH * width), min(drawn[2], (1.0 + REACH) * width)
    y0, y1 = max(drawn[1], -REACH * height), min(drawn[3], (1.0 + REACH) * height)
    scale = min((TILE - 4.0) / max(x1 - x0, y1 - y0, 1e-3), 4.0)
    K = lens.K.copy()
    K[0, 2] -= x0
    K[1, 2] -= y0
    K[:2] *= scale
    tile.turn[0] += 1
    token = tile.turn[0]
    tile.inv_depth[:] = np.float32(np.inf)  # only stamps matter here
    small = Lens(lens.R, lens.t, K, lens.near_m)
    total = draw(points, skin.faces, skin.part, small, n, token, tile, no_probes)
    if total == 0:
        return 0.0
    within = 0
    for y in range(TILE):
        v = y / scale + y0
        if v < -0.5 or v >= height - 0.5:
            continue
        for x in range(TILE):
            u = x / scale + x0
            if tile.stamp[y, x] == token and u >= -0.5 and u < width - 0.5:
                within += 1
    return within / total


@compiled
def judge(moment: Moment, rules: Rules, scratch: Scratch, seen: Seen) -> None:
    """The visibility code of every probe once everybody is drawn."""
    num, num_probes = moment.inside.shape
    ids, inv_depth = scratch.sheet.ids, scratch.sheet.inv_depth
    height, width = ids.shape
    for n in range(num):
        for p in range(num_probes):
            seen.codes[n, p] = OUTSIDE
            if not (moment.present[n] and moment.inside[n, p]):
                continue
            x = min(max(int(np.floor(moment.probes_px[n, p, 0] + 0.5)), 0), width - 1)
            y = min(max(int(np.floor(moment.probes_px[n, p, 1] + 0.5)), 0), height - 1)
            depth = moment.probes_depth[n, p]
            if ids[y, x] != n and ids[y, x] != NOTHING and inv_depth[y, x] * depth > 1.0:
                seen.codes[n, p] = OCCLUDED
                continue
            seen.codes[n, p] = VISIBLE
            own = float(scratch.own_inv[n, p])
            if own * depth > 1.0:
                near = rules.near_parts[p, scratch.own_part[n, p]]
                if depth - 1.0 / own > (rules.thickness[n, p] if near else rules.skin_slack):
                    seen.codes[n, p] = SELF_OCCLUDED


@compiled
def restore(scratch: Scratch, still_inv: Array, still_ids: Array) -> None:
    """What stands still, where bodies were drawn."""
    sheet = scratch.sheet
    height, width = sheet.ids.shape
    for n in range(len(scratch.alone)):
        x0, y0, x1, y1 = scratch.reach_px[n]
        for y in range(max(int(y0) - 1, 0), min(int(y1) + 2, height)):
            for x in range(max(int(x0) - 1, 0), min(int(x1) + 2, width)):
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
