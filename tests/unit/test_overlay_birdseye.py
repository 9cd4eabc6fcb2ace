"""The crowd from above: metres are metres, up is ahead, people are where they are."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.stream.overlay.birdseye import BARS_M, BirdsEye, PlanMap, bar_m, make_map

PICTURE = (1280, 720)


def camera(
    heading_rad: float, down_rad: float = 0.4, at: tuple[float, float, float] = (2.0, -3.0, 5.0)
) -> CameraModel:
    ahead = np.array([np.cos(heading_rad), np.sin(heading_rad), 0.0])
    forward = np.cos(down_rad) * ahead - np.sin(down_rad) * np.array([0, 0, 1.0])
    right = np.cross(ahead, [0, 0, 1.0])
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
    return CameraModel(K, R, -R @ np.array(at), PICTURE)


def crowd(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform((-6, 2), (9, 20), (300, 2))


@pytest.mark.parametrize("heading", [0.3, 1.5, 3.0, -2.0])
def test_metres_are_metres_in_every_direction(heading: float) -> None:
    plan = make_map(camera(heading), crowd(), PICTURE)
    a, b = crowd(1), crowd(2)
    px = np.linalg.norm(plan.to_px(a) - plan.to_px(b), axis=1)
    np.testing.assert_allclose(px / np.linalg.norm(a - b, axis=1), plan.px_per_m, rtol=1e-9)
    assert np.linalg.det(plan.A) < 0  # seen from above: rows grow downwards, nothing is mirrored


@pytest.mark.parametrize("heading", [0.3, 1.5, 3.0, -2.0])
def test_up_is_where_the_camera_looks_and_right_is_right(heading: float) -> None:
    plan = make_map(camera(heading), crowd(), PICTURE)
    ahead = np.array([np.cos(heading), np.sin(heading)])
    step = plan.to_px(ahead) - plan.to_px(np.zeros(2))
    assert abs(step[0]) < 1e-6 and step[1] < 0
    step = plan.to_px(np.array([ahead[1], -ahead[0]])) - plan.to_px(np.zeros(2))
    assert abs(step[1]) < 1e-6 and step[0] > 0


def test_a_camera_that_looks_straight_down_has_its_picture_up() -> None:
    model = camera(0.7, down_rad=np.pi / 2)
    plan = make_map(model, crowd(), PICTURE)
    top, bottom = (model.rays_world(np.array([[640.0, y]]))[0] for y in (10.0, 700.0))
    up = plan.to_px(top[:2] / -top[2]) - plan.to_px(bottom[:2] / -bottom[2])
    assert up[1] < 0 and abs(up[0]) < 0.1 * abs(up[1])


def test_nearly_everybody_is_inside_and_the_panel_is_small() -> None:
    places = crowd()
    plan = make_map(camera(1.2), places, PICTURE)
    px, (width, height) = plan.to_px(places), plan.size_px
    assert ((px > 0) & (px < [width, height])).all(axis=1).mean() > 0.95
    assert width <= 0.32 * PICTURE[0] + 1 and height <= 0.36 * PICTURE[1] + 1


def test_a_map_of_nobody_is_a_map() -> None:
    assert min(make_map(camera(0.0), np.zeros((0, 2)), PICTURE).size_px) > 50


@pytest.mark.parametrize("px_per_m", [0.9, 3.0, 11.0, 40.0])
def test_the_scale_bar_is_round_and_fits(px_per_m: float) -> None:
    plan = PlanMap(px_per_m * np.diag([1.0, -1.0]), np.zeros(2), (220, 200))
    assert bar_m(plan) in BARS_M and bar_m(plan) * px_per_m < 0.4 * 220


def panel_of(trail_s: float = 3.0) -> BirdsEye:
    plan = make_map(camera(np.pi / 2, at=(0.0, -3.0, 5.0)), crowd(), PICTURE)
    return BirdsEye(camera(np.pi / 2, at=(0.0, -3.0, 5.0)), plan, 0.0, trail_s)


def drawn(panel: BirdsEye, t_s: float, place: tuple[float, float], who: int = 1) -> np.ndarray:
    picture = np.zeros((PICTURE[1], PICTURE[0], 3), np.uint8)
    panel.draw(
        picture, 40, 50, round(t_s * 1e9), np.array([who]), np.array([place]), np.full((1, 2), np.nan),
        np.array([[0.0, 0.0, 255.0]], np.float32), np.array([False]),
    )  # fmt: skip
    return picture


def red(picture: np.ndarray) -> np.ndarray:
    return (picture[..., 2].astype(int) - picture[..., 0]) > 60


def test_a_dot_lies_where_its_person_stands() -> None:
    panel = panel_of()
    rows, columns = np.nonzero(red(drawn(panel, 0.0, (3.0, 12.0))))
    want = panel.plan.to_px(np.array([3.0, 12.0])) + np.array([40, 50])
    assert np.hypot(columns.mean() - want[0], rows.mean() - want[1]) < 0.7


def test_trails_fade_and_end() -> None:
    panel = panel_of(trail_s=2.0)
    alone = red(drawn(panel_of(), 9.0, (3.0, 12.0))).sum()
    for k in range(50):
        picture = drawn(panel, 0.1 * k, (3.0, 6.0 + 0.12 * k))
    assert red(picture).sum() > alone + 10
    mark = np.round(panel.plan.to_px(np.array([3.0, 6.0 + 0.12 * 12])) + np.array([40, 50])).astype(int)
    assert not red(picture)[mark[1] - 1 : mark[1] + 2, mark[0] - 1 : mark[0] + 2].any()  # 3.7 s ago
    assert red(drawn(panel, 60.0, (3.0, 12.0))).sum() == alone


def test_nothing_is_drawn_beside_the_panel() -> None:
    panel = panel_of()
    picture = drawn(panel, 0.0, (500.0, 900.0))
    width, height = panel.plan.size_px
    picture[50 : 50 + height, 40 : 40 + width] = 0
    assert not picture.any()
