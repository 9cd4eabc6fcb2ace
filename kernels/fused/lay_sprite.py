"""Lays a cut-out over a picture in one pass: sampling, light, blending, and whose each pixel is.

For a pixel p of the picture and the affine map q = A p + b into the cut-out's planes (pixel centres on both sides)

    a = alpha(q)/255,   c = clip(M [colour(q) 1]),   picture(p) += a (c - picture(p))

with bilinear weights; the planes are zero outside (colour: continued). Pixels that the cut-out does not cover cost
one comparison. O(pixels of the window).
"""

from __future__ import annotations

import numpy as np
from numba import njit

Array = np.ndarray

compiled = njit(cache=True, nogil=True, error_model="numpy")

HALF_COVER = 127.5
"""Pixels covered by more than this belong to the cut-out."""


@compiled
def lay_sprite(
    picture: Array, owner: Array, colour: Array, alpha: Array, body: Array, inverse: Array, tint: Array,
    window: tuple[int, int, int, int], number: int,
) -> tuple[int, int, int, int, int]:  # fmt: skip
    """Paint one cut-out, and measure its body, inside the picture and outside.

    Args:
        picture: (H, W, 3) uint8, changed. Of size zero: measure only.
        owner: (H, W) uint16, changed: 2 number where the cut-out covers, 2 number + 1 where its body does.
        colour, alpha: (h, w, 3), (h, w) uint8.
        body: (h, w) uint8; of size zero for a thing, which is painted but not measured.
        inverse: (2, 3) float64, picture to planes.
        tint: (3, 4) float64.
        window: x1, y1, x2, y2 in the picture, in which all of the cut-out lies.
        number: of the layer.

    Returns:
        Pixels of the body, and its extent x1, y1, x2, y2 on pixel edges (all 0 where there are none).
    """
    height, width = owner.shape
    tall, wide = alpha.shape
    person = body.size > 0
    x1, y1, x2, y2 = window
    if not person:
        x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    count, left, top, right, bottom = 0, 1 << 30, 1 << 30, -(1 << 30), -(1 << 30)
    mixed = np.empty(3)
    for y in range(y1, y2):
        first, last = _span(inverse, y, x1, x2, wide, tall)
        for x in range(first, last):
            qx = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2] + 1.0
            qy = inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2] + 1.0
            if qx < 0.0 or qy < 0.0 or qx >= wide + 1 or qy >= tall + 1:
                continue
            # Whole numbers towards zero, which is the floor here; neighbours outside count with weight zero.
            j, i = int(qx), int(qy)
            u, v = qx - j, qy - i
            j0, i0, j1, i1 = max(j - 1, 0), max(i - 1, 0), min(j, wide - 1), min(i, tall - 1)
            if alpha[i0, j0] | alpha[i0, j1] | alpha[i1, j0] | alpha[i1, j1] == 0:
                continue
            rows0, rows1 = (1.0 - v if i > 0 else 0.0), (v if i < tall else 0.0)
            cols0, cols1 = (1.0 - u if j > 0 else 0.0), (u if j < wide else 0.0)
            w00, w01, w10, w11 = rows0 * cols0, rows0 * cols1, rows1 * cols0, rows1 * cols1
            cover = w00 * alpha[i0, j0] + w01 * alpha[i0, j1] + w10 * alpha[i1, j0] + w11 * alpha[i1, j1]
            if cover < 1.0:
                continue
            mine = False
            if person:
                own = w00 * body[i0, j0] + w01 * body[i0, j1] + w10 * body[i1, j0] + w11 * body[i1, j1]
                if own > HALF_COVER:
                    mine = True
                    count += 1
                    left, right = min(left, x), max(right, x)
                    top, bottom = min(top, y), max(bottom, y)
            if x < 0 or y < 0 or x >= width or y >= height:
                continue
            share = 1.0 / (w00 + w01 + w10 + w11)
            for c in range(3):
                mixed[c] = share * (
                    w00 * colour[i0, j0, c] + w01 * colour[i0, j1, c] + w10 * colour[i1, j0, c]
                    + w11 * colour[i1, j1, c]
                )  # fmt: skip
            share = cover / 255.0
            for c in range(3):
                value = tint[c, 0] * mixed[0] + tint[c, 1] * mixed[1] + tint[c, 2] * mixed[2] + tint[c, 3]
                value = min(max(value, 0.0), 255.0)
                old = float(picture[y, x, c])
                picture[y, x, c] = int(old + share * (value - old) + 0.5)
            if mine:
                owner[y, x] = 2 * number + 1
            elif cover > HALF_COVER:
                owner[y, x] = 2 * number
    if count == 0:
        return 0, 0, 0, 0, 0
    return count, left, top, right + 1, bottom + 1


@compiled
def _span(inverse: Array, y: int, x1: int, x2: int, wide: int, tall: int) -> tuple[int, int]:
    """Columns of a row that may fall into the planes: the row meets them in one piece."""
    low, high = float(x1), float(x2)
    for axis, size in ((0, wide), (1, tall)):
        slope = inverse[axis, 0]
        start = inverse[axis, 1] * y + inverse[axis, 2]
        if abs(slope) > 1e-9:
            a, b = (-1.0 - start) / slope, (size - start) / slope
            low, high = max(low, min(a, b)), min(high, max(a, b))
    if low >= high:
        return 0, 0
    return max(x1, int(np.floor(low))), min(x2, int(np.ceil(high)) + 1)
