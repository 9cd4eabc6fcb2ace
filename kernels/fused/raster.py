"""Shaded bodies over a picture: triangles into a fine canvas, then the canvas over the pixels.

A canvas has `scale` x `scale` cells a pixel. Corners are snapped to 1/256 cell and filled by edge functions in whole
numbers, 1/z linear in the picture, as in `zbuffer`; light is linear over a triangle (Gouraud 1971). A cell is part
of an outline where, `reach` cells on, something else lies behind it, and half of one where the same body lies
deeper. The cells of a pixel are averaged, colour with cover, so that borders are smooth.

Every corner is sent through the lens by itself, distortion included; what lies beyond the radius up to which the
distortion is one to one, or nearer than `near_m`, is left out. O(triangles + cells of bodies).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .zbuffer import SHIFT, SUBPIXELS, Array, compiled, snap

AMBIENT, SKY, LAMP = 0.34, 0.30, 0.52
"""Light from everywhere, from above, and from the lamp; a face towards all of them gets a little over 1."""
WRAP = 0.25
"""How far the lamp reaches around a body: soft, as from a wide lamp."""
RIM, SHINE, SHINE_POWER = 0.28, 0.16, 20.0
STEP_M = 0.10
"""A limb this much in front of the same body gets an inner outline."""
INNER = 0.45
"""Strength of an inner outline."""
INK = 0.78
"""How much of the colour an outline takes away."""
PALE = 0.45
"""How far a guessed body goes towards `PALE_LIGHT`."""
PALE_LIGHT = 205.0
TURN_X = (1, 1, 0, -1, -1, -1, 0, 1)
TURN_Y = (0, 1, 1, 1, 0, -1, -1, -1)
GAP = 0.72
"""How much of its cover a guessed body loses between two stripes."""


class Optics(NamedTuple):
    """From camera axes to the cells of a canvas."""

    K: Array
    """(3, 3) float64, of the picture."""
    dist: Array
    """(5,) float64 k1 k2 p1 p2 k3."""
    reach2: float
    """Squared radius up to which the distortion is one to one."""
    near_m: float
    scale: int
    """Cells a pixel and axis."""


class Canvas(NamedTuple):
    """What is drawn of one picture, `scale` times finer."""

    inv_depth: Array
    """(h, w) float32, 1/m; 0 for nothing."""
    who: Array
    """(h, w) int16, row of a person, -1 for nobody."""
    light: Array
    """(h, w) float32."""
    gloss: Array
    """(h, w) float32."""
    span: Array
    """(h, 2) int64, first and last drawn column of each row."""


class Looks(NamedTuple):
    """How each of N people is painted."""

    colour: Array
    """(N, 3) float32 BGR, 0..255."""
    opacity: Array
    """(N,) float32."""
    guessed: Array
    """(N,) float32, 0 seen .. 1 guessed: pale and hatched."""
    outline: Array
    """(N,) int64, width of the outline, cells."""
    stripe: Array
    """(N,) int64, width of a stripe of the hatching, cells."""


@compiled
def light_corners(points: Array, faces: Array, up: Array, lamp: Array, out: Array) -> None:
    """Light and gloss of each corner of a mesh, with the mean normal of the faces around it.

    Args:
        points: (V, 3) float32, camera axes; faces: (F, 3), counter-clockwise from outside.
        up, lamp: (3,) float64 unit vectors in camera axes, towards sky and lamp.
        out: (V, 2) float32, written.
    """
    normal = np.zeros(points.shape, np.float64)
    for f in range(len(faces)):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        px, py, pz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        qx, qy, qz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        nx, ny, nz = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
        for side in range(3):
            row = normal[faces[f, side]]
            row[0] += nx
            row[1] += ny
            row[2] += nz
    for i in range(len(points)):
        n, p = normal[i], points[i]
        size = np.sqrt(n[0] ** 2 + n[1] ** 2 + n[2] ** 2) + 1e-30
        far = np.sqrt(float(p[0]) ** 2 + float(p[1]) ** 2 + float(p[2]) ** 2) + 1e-30
        sky, key, eye, half, half2 = 0.0, 0.0, 0.0, 0.0, 1e-30
        for k in range(3):
            unit, view = n[k] / size, -float(p[k]) / far
            sky += unit * up[k]
            key += unit * lamp[k]
            eye += unit * view
            half += unit * (lamp[k] + view)
            half2 += (lamp[k] + view) ** 2
        sky = 0.5 + 0.5 * sky
        out[i, 0] = AMBIENT + SKY * sky + LAMP * max(0.0, (key + WRAP) / (1.0 + WRAP))
        shine = max(0.0, half / np.sqrt(half2)) ** SHINE_POWER
        out[i, 1] = RIM * sky * (1.0 - max(0.0, eye)) ** 3 + SHINE * shine


@compiled
def place_corners(points: Array, optics: Optics, at: Array, inv: Array) -> None:
    """Corners in subcells; `inv` is 1/z, or 0 for a corner that must not be drawn.

    Args:
        points: (V, 3) float32, camera axes.
        at: (V, 2) int64, written; inv: (V,) float64, written.
    """
    K, d, s = optics.K, optics.dist, optics.scale
    for i in range(len(points)):
        z = float(points[i, 2])
        inv[i] = 0.0
        if z < optics.near_m:
            continue
        x, y = points[i, 0] / z, points[i, 1] / z
        r2 = x * x + y * y
        if r2 > optics.reach2:
            continue
        inv[i] = 1.0 / z
        radial = 1.0 + r2 * (d[0] + r2 * (d[1] + r2 * d[4]))
        xd = x * radial + 2.0 * d[2] * x * y + d[3] * (r2 + 2.0 * x * x)
        yd = y * radial + d[2] * (r2 + 2.0 * y * y) + 2.0 * d[3] * x * y
        # pixel centres lie on whole numbers, and so do those of cells
        at[i, 0] = snap((K[0, 0] * xd + K[0, 1] * yd + K[0, 2] + 0.5) * s - 0.5)
        at[i, 1] = snap((K[1, 1] * yd + K[1, 2] + 0.5) * s - 0.5)


@compiled
def draw_body(
    points: Array, faces: Array, optics: Optics, up: Array, lamp: Array, who: int, canvas: Canvas
) -> int:
    """One closed skin into the canvas, hidden by what is nearer; returns how many cells it won.

    Args:
        points: (V, 3) float32, camera axes, metres; faces: (F, 3), counter-clockwise from outside.
        who: row of the person.
    """
    shade = np.empty((len(points), 2), np.float32)
    at = np.empty((len(points), 2), np.int64)
    inv = np.empty(len(points))
    light_corners(points, faces, up, lamp, shade)
    place_corners(points, optics, at, inv)
    won = 0
    for f in range(len(faces)):
        # as the picture sees an outward face, it turns the other way: rows grow downwards
        i, j, k = faces[f, 2], faces[f, 1], faces[f, 0]
        if inv[i] > 0.0 and inv[j] > 0.0 and inv[k] > 0.0:
            won += fill(i, j, k, at, inv, shade, who, canvas)
    return won


@compiled
def fill(i: int, j: int, k: int, at: Array, inv: Array, shade: Array, who: int, canvas: Canvas) -> int:
    """One triangle; nothing if it turns away from the eye."""
    height, width = canvas.who.shape
    ax, ay, bx, by, cx, cy = at[i, 0], at[i, 1], at[j, 0], at[j, 1], at[k, 0], at[k, 1]
    x0 = max((min(ax, bx, cx) + SUBPIXELS - 1) >> SHIFT, 0)
    x1 = min(max(ax, bx, cx) >> SHIFT, width - 1)
    y0 = max((min(ay, by, cy) + SUBPIXELS - 1) >> SHIFT, 0)
    y1 = min(max(ay, by, cy) >> SHIFT, height - 1)
    abx, aby, bcx, bcy, cax, cay = bx - ax, by - ay, cx - bx, cy - by, ax - cx, ay - cy
    doubled = abx * (cy - ay) - aby * (cx - ax)
    if doubled <= 0 or x0 > x1 or y0 > y1:
        return 0
    per = 1.0 / doubled
    won = 0
    px = x0 << SHIFT
    for y in range(y0, y1 + 1):
        py = y << SHIFT
        e_c = abx * (py - ay) - aby * (px - ax)
        e_a = bcx * (py - by) - bcy * (px - bx)
        e_b = cax * (py - cy) - cay * (px - cx)
        first, last = width, -1
        for x in range(x0, x1 + 1):
            if (e_a | e_b | e_c) >= 0:
                w = np.float32((e_a * inv[i] + e_b * inv[j] + e_c * inv[k]) * per)
                if w > canvas.inv_depth[y, x]:
                    canvas.inv_depth[y, x] = w
                    canvas.who[y, x] = who
                    canvas.light[y, x] = (e_a * shade[i, 0] + e_b * shade[j, 0] + e_c * shade[k, 0]) * per
                    canvas.gloss[y, x] = (e_a * shade[i, 1] + e_b * shade[j, 1] + e_c * shade[k, 1]) * per
                    first, last = min(first, x), x
                    won += 1
            e_c -= aby << SHIFT
            e_a -= bcy << SHIFT
            e_b -= cay << SHIFT
        canvas.span[y, 0] = min(canvas.span[y, 0], first)
        canvas.span[y, 1] = max(canvas.span[y, 1], last)
    return won


@compiled
def outline_at(canvas: Canvas, y: int, x: int, reach: int) -> float:
    """1 on the border of a person, `INNER` where a limb passes in front of the same body, else 0."""
    height, width = canvas.who.shape
    who, w = canvas.who[y, x], canvas.inv_depth[y, x]
    deeper = w / (1.0 + STEP_M * w)
    inner = 0.0
    slant = (reach * 5 + 3) // 7  # the same distance along a diagonal
    for turn in range(8):
        step = reach if turn % 2 == 0 else slant
        v, u = y + step * TURN_Y[turn], x + step * TURN_X[turn]
        if v < 0 or u < 0 or v >= height or u >= width:
            continue
        other = canvas.inv_depth[v, u]
        if canvas.who[v, u] != who:
            if other < w:
                return 1.0
        elif other < deeper:
            inner = INNER
    return inner


@compiled
def lay_over(frame: Array, canvas: Canvas, scale: int, looks: Looks) -> None:
    """The canvas over a picture; then the canvas is empty again.

    Args:
        frame: (H, W, 3) uint8 BGR, changed in place; the canvas is `scale` times as wide and high.
    """
    height, width = frame.shape[0], frame.shape[1]
    cells = scale * scale
    for y in range(height):
        first, last = width * scale, -1
        for v in range(y * scale, (y + 1) * scale):
            first, last = min(first, canvas.span[v, 0]), max(last, canvas.span[v, 1])
        for x in range(first // scale, last // scale + 1):
            cover, blue, green, red = 0.0, 0.0, 0.0, 0.0
            for cell in range(cells):
                v, u = y * scale + cell // scale, x * scale + cell % scale
                who = canvas.who[v, u]
                if who < 0:
                    continue
                ink = outline_at(canvas, v, u, looks.outline[who])
                guessed = looks.guessed[who]
                odd = ((u + v) // looks.stripe[who]) % 2
                alpha = looks.opacity[who] * (1.0 - GAP * guessed * odd * (1.0 - ink))
                alpha += (1.0 - alpha) * 0.5 * ink * looks.opacity[who]
                pale, keep = PALE * guessed, 1.0 - INK * ink
                light, gloss = canvas.light[v, u], 255.0 * canvas.gloss[v, u]
                cover += alpha
                for c in range(3):
                    base = looks.colour[who, c] + pale * (PALE_LIGHT - looks.colour[who, c])
                    value = min(255.0, base * light + gloss) * keep * alpha
                    if c == 0:
                        blue += value
                    elif c == 1:
                        green += value
                    else:
                        red += value
            if cover > 0.0:
                rest = 1.0 - cover / cells
                frame[y, x, 0] = np.uint8(frame[y, x, 0] * rest + blue / cells + 0.5)
                frame[y, x, 1] = np.uint8(frame[y, x, 1] * rest + green / cells + 0.5)
                frame[y, x, 2] = np.uint8(frame[y, x, 2] * rest + red / cells + 0.5)
    wipe(canvas)


@compiled
def wipe(canvas: Canvas) -> None:
    """Empties what was drawn."""
    for v in range(len(canvas.span)):
        for u in range(canvas.span[v, 0], canvas.span[v, 1] + 1):
            canvas.inv_depth[v, u] = 0.0
            canvas.who[v, u] = -1
        canvas.span[v, 0] = canvas.who.shape[1]
        canvas.span[v, 1] = -1


@compiled
def stain(frame: Array, box: Array, to_ground: Array, blots: Array, ring: Array, colour: Array) -> None:
    """Soft shadows and rings on the ground.

    Args:
        frame: (H, W, 3) uint8 BGR, changed in place.
        box: (N, 4) int64 first and last column and row of each mark.
        to_ground: (N, 2, 3) float64, pixel (x, y, 1) to metres on the ground around the person.
        blots: (N, B, 4) float64 x, y, radius in metres and strength 0..1 of shadows.
        ring: (N, 3) float64 radius and width in metres, strength 0..1; strength 0 for none.
        colour: (N, 3) float32 BGR of the rings.
    """
    height, width = frame.shape[0], frame.shape[1]
    for n in range(len(box)):
        M = to_ground[n]
        for y in range(max(box[n, 2], 0), min(box[n, 3], height - 1) + 1):
            for x in range(max(box[n, 0], 0), min(box[n, 1], width - 1) + 1):
                gx = M[0, 0] * x + M[0, 1] * y + M[0, 2]
                gy = M[1, 0] * x + M[1, 1] * y + M[1, 2]
                keep = 1.0
                for b in range(blots.shape[1]):
                    q = ((gx - blots[n, b, 0]) ** 2 + (gy - blots[n, b, 1]) ** 2) / (
                        2.0 * blots[n, b, 2] ** 2
                    )
                    if q < 6.0:
                        keep *= 1.0 - blots[n, b, 3] * np.exp(-q)
                ink = 0.0
                if ring[n, 2] > 0.0:
                    r = np.sqrt(gx * gx + gy * gy)
                    ink = ring[n, 2] * min(1.0, max(0.0, 1.5 - abs(r - ring[n, 0]) / (0.5 * ring[n, 1])))
                    if r < ring[n, 0]:
                        ink = max(ink, 0.22 * ring[n, 2])
                if keep < 1.0 or ink > 0.0:
                    for c in range(3):
                        value = frame[y, x, c] * keep
                        frame[y, x, c] = np.uint8(value + ink * (colour[n, c] - value) + 0.5)
