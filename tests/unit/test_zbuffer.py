"""The compiled z-buffer against plain loops, and the laws of hiding."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.fused.zbuffer import SUBPIXELS, Lens, Probes, Sheet, draw
from crowdstream.lab.virtualcrowd.canvas import new_sheet

NEAR = 0.1
LENS = Lens(np.eye(3), np.zeros(3), np.array([[40.0, 0.0, 23.5], [0.0, 40.0, 15.5], [0.0, 0.0, 1.0]]), NEAR)
SIZE = (48, 32)


def no_probes(at: np.ndarray | None = None) -> Probes:
    at = np.zeros((0, 2), np.int64) if at is None else at
    return Probes(at, np.zeros(len(at), np.float32), np.full(len(at), -1, np.int64))


def drawn(
    points: np.ndarray, faces: np.ndarray, who: int = -2, sheet: Sheet | None = None
) -> tuple[Sheet, int]:
    sheet = sheet or new_sheet(*SIZE, 4)
    sheet.turn[0] += 1
    part = np.arange(len(faces))
    alone = draw(points.astype(np.float32), faces, part, LENS, who, int(sheet.turn[0]), sheet, no_probes())
    return sheet, alone


def plain_loops(points: np.ndarray, faces: np.ndarray, cull: bool) -> np.ndarray:
    """1/z by three nested loops in whole numbers of subpixels; no triangle may cross the near plane."""
    width, height = SIZE
    out = np.zeros((height, width), np.float32)
    points = points.astype(np.float32).astype(np.float64)
    K = LENS.K
    for face in faces:
        if (points[face, 2] < NEAR).any():
            continue
        corners = [
            (
                int(np.floor((K[0, 0] * x / z + K[0, 2]) * SUBPIXELS + 0.5)),
                int(np.floor((K[1, 1] * y / z + K[1, 2]) * SUBPIXELS + 0.5)),
                1.0 / z,
            )
            for x, y, z in points[face]
        ]
        area = edge(corners[0], corners[1], corners[2][:2])
        if area == 0 or (cull and area > 0):
            continue
        if area < 0:
            corners.reverse()
        a, b, c = corners
        for y in range(height):
            for x in range(width):
                p = (x * SUBPIXELS, y * SUBPIXELS)
                e_a, e_b, e_c = edge(b, c, p), edge(c, a, p), edge(a, b, p)
                if min(e_a, e_b, e_c) >= 0:
                    w = (e_a * a[2] + e_b * b[2] + e_c * c[2]) * (1.0 / abs(area))
                    out[y, x] = max(out[y, x], np.float32(w))
    return out


def edge(a: tuple, b: tuple, p: tuple) -> int:
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


def soup(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    middle = rng.uniform((-1.0, -0.7, 1.0), (1.0, 0.7, 4.0), (count, 1, 3))
    points = (middle + rng.normal(0.0, 0.3, (count, 3, 3))).reshape(-1, 3)
    points[:, 2] = np.maximum(points[:, 2], 0.2)
    return points, np.arange(3 * count).reshape(-1, 3)


@pytest.mark.parametrize("who", [-2, 1])
def test_agrees_with_plain_loops_bit_for_bit(who: int) -> None:
    points, faces = soup(3, 25)
    sheet, _ = drawn(points, faces, who)
    want = plain_loops(points, faces, cull=who >= 0)
    assert (want > 0).mean() > 0.15
    assert np.array_equal(sheet.inv_depth, want)
    assert np.array_equal(sheet.ids == who, want > 0)


def test_order_of_drawing_changes_no_depth() -> None:
    points, faces = soup(5, 25)
    there, _ = drawn(points, faces)
    back, _ = drawn(points, faces[::-1].copy())
    assert np.array_equal(there.inv_depth, back.inv_depth)


def test_depth_of_a_slanted_plane_is_exact() -> None:
    # z = 2 + 0.5 x is a plane: 1/z is linear in the picture, z is not
    x = np.array([-2.0, 2.0, 2.0, -2.0])
    points = np.column_stack([x, [-2.0, -2.0, 2.0, 2.0], 2.0 + 0.5 * x])
    sheet, _ = drawn(points, np.array([[0, 1, 2], [0, 2, 3]]))
    u = (np.arange(SIZE[0]) - 23.5) / 40.0
    want = 2.0 / (1.0 - 0.5 * u)
    inside = np.abs(u * want) < 1.9
    got = 1.0 / sheet.inv_depth[16, inside]
    np.testing.assert_allclose(got, want[inside], rtol=2e-3)  # corners are snapped to 1/256 px
    assert np.ptp(got) > 0.5


def test_neighbours_leave_no_gap() -> None:
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.linspace(-0.9, 0.9, 8), np.linspace(-0.6, 0.6, 8)), -1)
    grid[1:-1, 1:-1] += rng.normal(0, 0.02, grid[1:-1, 1:-1].shape)
    points = np.concatenate([grid, np.full((8, 8, 1), 2.0)], -1).reshape(-1, 3)
    corner = np.arange(64).reshape(8, 8)
    a, b, c, d = (corner[i : i + 7, j : j + 7].ravel() for i, j in ((0, 0), (0, 1), (1, 1), (1, 0)))
    faces = np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
    sheet, _ = drawn(points, faces)
    hit = sheet.ids == -2
    rows, cols = np.flatnonzero(hit.any(1)), np.flatnonzero(hit.any(0))
    assert hit[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].all()
    assert len(rows) * len(cols) > 400


def test_cut_at_the_near_plane_equals_the_part_beyond() -> None:
    whole = np.array([[-0.5, 0.3, -1.0], [0.5, 0.3, -1.0], [0.0, 0.3, 3.0]])
    share = (NEAR + 1.0) / 4.0
    left, right = (whole[i] + share * (whole[2] - whole[i]) for i in (0, 1))
    beyond = np.array([left, right, whole[2]])
    cut, _ = drawn(whole, np.array([[0, 1, 2]]))
    direct, _ = drawn(beyond, np.array([[0, 1, 2]]))
    assert (cut.ids == -2).sum() > 50
    np.testing.assert_allclose(cut.inv_depth, direct.inv_depth, atol=2e-2)
    behind, _ = drawn(whole - [0, 0, 5.0], np.array([[0, 1, 2]]))
    assert not (behind.ids == -2).any()


def square(x: float, z: float, half: float) -> np.ndarray:
    return np.array([[x - half, -half, z], [x - half, half, z], [x + half, half, z], [x + half, -half, z]])


FACES = np.array([[0, 1, 2], [0, 2, 3]])  # counter-clockwise to the eye, rows growing downwards


def test_pixels_are_counted_as_they_are_won_and_lost() -> None:
    sheet, alone_far = drawn(square(0.0, 3.0, 0.5), FACES, 0)
    assert sheet.pixels[0] == alone_far == (sheet.ids == 0).sum() > 100
    _, alone_near = drawn(square(0.25, 2.0, 0.3), FACES, 1, sheet)
    assert alone_near == sheet.pixels[1] == (sheet.ids == 1).sum()
    assert sheet.pixels[0] == (sheet.ids == 0).sum() < alone_far
    _, alone_last = drawn(square(0.0, 4.0, 0.6), FACES, 2, sheet)
    assert sheet.pixels[2] == (sheet.ids == 2).sum() < alone_last


def test_probe_takes_the_nearest_face_and_its_part() -> None:
    points = np.concatenate([square(0.0, 3.0, 0.5), square(0.0, 2.0, 0.1)])
    faces = np.concatenate([FACES, FACES + 4])
    at = np.array([[23.5, 15.5], [23.5 + 40 * 0.1, 15.5], [47.0, 15.5]]) * SUBPIXELS
    probes = no_probes(at.astype(np.int64))
    sheet = new_sheet(*SIZE, 1)
    draw(points.astype(np.float32), faces, np.array([7, 7, 9, 9]), LENS, 0, 1, sheet, probes)
    assert probes.part.tolist() == [9, 7, -1]
    np.testing.assert_allclose(probes.inv_depth, [1 / 2, 1 / 3, 0.0], rtol=1e-6)
