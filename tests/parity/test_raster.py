"""The compiled rasteriser against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.fused import raster
from crowdstream.kernels.fused.raster import Canvas, Looks, Optics, draw_body, lay_over, light_corners, stain
from crowdstream.kernels.fused.zbuffer import SUBPIXELS
from crowdstream.stream.overlay.crowd_layer import new_canvas

NEAR, SCALE, SIZE = 0.1, 2, (26, 18)
K = np.array([[22.0, 0.5, 12.5], [0.0, 21.0, 8.5], [0.0, 0.0, 1.0]])
DIST = np.array([-0.12, 0.02, 0.003, -0.002, 0.001])
OPTICS = Optics(K, DIST, 1.5**2, NEAR, SCALE)
UP = np.array([0.0, -1.0, 0.0])
LAMP = np.array([-0.4, -0.8, -0.4]) / np.linalg.norm([-0.4, -0.8, -0.4])


def soup(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Loose triangles, some behind the camera, some far out to the side."""
    rng = np.random.default_rng(seed)
    middle = rng.uniform((-1.2, -0.8, -0.2), (1.2, 0.8, 4.0), (count, 1, 3))
    points = (middle + rng.normal(0.0, 0.4, (count, 3, 3))).reshape(-1, 3)
    return points.astype(np.float32), np.arange(3 * count).reshape(-1, 3)


def corner(point: np.ndarray) -> tuple[int, int, float] | None:
    """Subcell x, y and 1/z of a point."""
    x, y, z = (float(v) for v in point)
    if z < NEAR or (x / z) ** 2 + (y / z) ** 2 > OPTICS.reach2:
        return None
    x, y = x / z, y / z
    r2 = x * x + y * y
    k1, k2, p1, p2, k3 = DIST
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    xd = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x)
    yd = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y
    px = (K[0, 0] * xd + K[0, 1] * yd + K[0, 2], K[1, 1] * yd + K[1, 2])
    u, v = (int(np.floor(((p + 0.5) * SCALE - 0.5) * SUBPIXELS + 0.5)) for p in px)
    return u, v, 1.0 / z


def plain_draw(points: np.ndarray, faces: np.ndarray, shade: np.ndarray, who: int, canvas: Canvas) -> None:
    """Every face, every cell, in whole numbers of subcells."""
    for face in faces:
        rows = face[::-1]
        corners = [corner(points[row]) for row in rows]
        if any(c is None for c in corners):
            continue
        (ax, ay, wa), (bx, by, wb), (cx, cy, wc) = corners  # type: ignore[misc]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area <= 0:
            continue
        for y in range(canvas.who.shape[0]):
            for x in range(canvas.who.shape[1]):
                p, q = x * SUBPIXELS, y * SUBPIXELS
                e_a = (cx - bx) * (q - by) - (cy - by) * (p - bx)
                e_b = (ax - cx) * (q - cy) - (ay - cy) * (p - cx)
                e_c = (bx - ax) * (q - ay) - (by - ay) * (p - ax)
                if min(e_a, e_b, e_c) < 0:
                    continue
                w = np.float32((e_a * wa + e_b * wb + e_c * wc) * (1.0 / area))
                if w > canvas.inv_depth[y, x]:
                    canvas.inv_depth[y, x], canvas.who[y, x] = w, who
                    mean = (np.array([e_a, e_b, e_c]) / area) @ shade[rows]
                    canvas.light[y, x], canvas.gloss[y, x] = mean


def plain_light(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    points = points.astype(np.float64)
    normal = np.zeros_like(points)
    for a, b, c in faces:
        normal[[a, b, c]] += np.cross(points[b] - points[a], points[c] - points[a])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    view = -points / np.linalg.norm(points, axis=1, keepdims=True)
    half = (LAMP + view) / np.linalg.norm(LAMP + view, axis=1, keepdims=True)
    sky = 0.5 + 0.5 * normal @ UP
    lamp = np.maximum(0.0, (normal @ LAMP + raster.WRAP) / (1 + raster.WRAP))
    eye = np.maximum(0.0, (normal * view).sum(1))
    shine = np.maximum(0.0, (normal * half).sum(1)) ** raster.SHINE_POWER
    light = raster.AMBIENT + raster.SKY * sky + raster.LAMP * lamp
    return np.stack([light, raster.RIM * sky * (1 - eye) ** 3 + raster.SHINE * shine], 1)


def plain_ink(canvas: Canvas, y: int, x: int, reach: int) -> float:
    slant, inner = (5 * reach + 3) // 7, 0.0
    around = [(0, reach), (slant, slant), (reach, 0), (slant, -slant)]
    for dy, dx in around + [(-dy, -dx) for dy, dx in around]:
        v, u = y + dy, x + dx
        if not (0 <= v < canvas.who.shape[0] and 0 <= u < canvas.who.shape[1]):
            continue
        if canvas.who[v, u] != canvas.who[y, x]:
            if canvas.inv_depth[v, u] < canvas.inv_depth[y, x]:
                return 1.0
        elif 1 / float(canvas.inv_depth[v, u]) - 1 / float(canvas.inv_depth[y, x]) > raster.STEP_M:
            inner = raster.INNER
    return inner


def plain_lay_over(frame: np.ndarray, canvas: Canvas, looks: Looks) -> np.ndarray:
    out = frame.astype(np.float64)
    for y in range(frame.shape[0]):
        for x in range(frame.shape[1]):
            for v in range(y * SCALE, (y + 1) * SCALE):
                for u in range(x * SCALE, (x + 1) * SCALE):
                    n = canvas.who[v, u]
                    if n < 0:
                        continue
                    ink, guessed = plain_ink(canvas, v, u, int(looks.outline[n])), float(looks.guessed[n])
                    odd = ((u + v) // looks.stripe[n]) % 2
                    full = float(looks.opacity[n])
                    alpha = full * (1 - raster.GAP * guessed * odd * (1 - ink))
                    alpha += (1 - alpha) * 0.5 * ink * full
                    base = looks.colour[n].astype(float)
                    base += raster.PALE * guessed * (raster.PALE_LIGHT - base)
                    lit = np.minimum(255.0, base * canvas.light[v, u] + 255.0 * canvas.gloss[v, u])
                    out[y, x] += alpha * (lit * (1 - raster.INK * ink) - frame[y, x]) / SCALE**2
    return out


def drawn(plain: bool) -> Canvas:
    """Three soups over each other."""
    canvas = new_canvas(SIZE, SCALE)
    for who in range(3):
        points, faces = soup(who, 9)
        if plain:
            plain_draw(points, faces, plain_light(points, faces), who, canvas)
        else:
            draw_body(points, faces, OPTICS, UP, LAMP, who, canvas)
    return canvas


def test_cells_agree_bit_for_bit_and_light_to_rounding() -> None:
    got, want = drawn(plain=False), drawn(plain=True)
    assert len(set(want.who.ravel().tolist())) == 4  # everybody can be seen, and so can the ground
    np.testing.assert_array_equal(got.who, want.who)
    np.testing.assert_array_equal(got.inv_depth, want.inv_depth)
    there = want.who >= 0
    np.testing.assert_allclose(got.light[there], want.light[there], atol=1e-5)
    np.testing.assert_allclose(got.gloss[there], want.gloss[there], atol=1e-5)
    for row in np.flatnonzero(there.any(axis=1)):
        columns = np.flatnonzero(there[row])
        assert got.span[row].tolist() == [columns[0], columns[-1]]


def test_light_of_a_closed_mesh() -> None:
    points, faces = soup(5, 6)
    faces = np.vstack([faces, [[0, 4, 8], [1, 5, 9]]])  # corners shared by several faces
    got = np.empty((len(points), 2), np.float32)
    light_corners(points, faces, UP, LAMP, got)
    np.testing.assert_allclose(got, plain_light(points, faces), atol=1e-5)


@pytest.mark.parametrize("outline", [1, 2, 3])
def test_pixels_agree_to_rounding(outline: int) -> None:
    canvas = drawn(plain=False)
    looks = Looks(
        np.array([[200, 80, 40], [40, 200, 90], [90, 60, 230]], np.float32), np.array([0.9, 0.6, 1.0], np.float32),
        np.array([0.0, 1.0, 0.4], np.float32), np.full(3, outline), np.array([3, 2, 4]),
    )  # fmt: skip
    frame = np.random.default_rng(1).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    want = plain_lay_over(frame, canvas, looks)
    lay_over(frame, canvas, SCALE, looks)
    assert np.abs(frame - want).max() <= 0.51
    assert (canvas.who == -1).all() and (canvas.inv_depth == 0).all() and (canvas.span[:, 1] == -1).all()


def test_stains_agree_to_rounding() -> None:
    rng = np.random.default_rng(2)
    frame = rng.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    to_ground = np.array([[[0.05, 0.01, -0.6], [-0.01, 0.08, -0.4]]])
    blots = np.array([[[0.1, 0.0, 0.2, 0.5], [-0.2, 0.1, 0.1, 0.7]]])
    ring, colour = np.array([[0.4, 0.1, 0.8]]), np.array([[10, 200, 250]], np.float32)
    want = frame.astype(np.float64)
    for y in range(2, 16):
        for x in range(3, 24):
            g = to_ground[0] @ [x, y, 1]
            keep = 1.0
            for bx, by, r, dark in blots[0]:
                q = ((g[0] - bx) ** 2 + (g[1] - by) ** 2) / (2 * r * r)
                keep *= 1 - dark * np.exp(-q) if q < 6 else 1
            away = np.hypot(*g)
            ink = 0.8 * np.clip(1.5 - abs(away - 0.4) / 0.05, 0, 1)
            ink = max(ink, 0.22 * 0.8) if away < 0.4 else ink
            want[y, x] = want[y, x] * keep * (1 - ink) + ink * colour[0]
    stain(frame, np.array([[3, 23, 2, 15]]), to_ground, blots, ring, colour)
    assert np.abs(frame - want).max() <= 0.51
