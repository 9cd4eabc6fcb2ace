"""Composed pictures: the truth that comes with them is the truth about their pixels."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from crowdstream.kernels.skeleton import COCO_KEYPOINTS
from crowdstream.lab.perception.scene_canvas import Canvas, Shade
from crowdstream.lab.perception.scene_layer import (
    AS_IT_IS,
    MIRRORED_KEYPOINTS,
    Pose2D,
    laid,
    overlay_layer,
    placing,
    shifted,
)  # fmt: skip
from crowdstream.lab.perception.scene_view import (
    backdrop_view,
    free_camera,
    ground_under,
    mirrored,
    stands,
)  # fmt: skip
from tests.made_up_banks import dotted_person, maker, painted_person, painted_thing, plain_backdrop

UPRIGHT = Pose2D((100.5, 150.0), 1.0, 0.0, False)
"""Pixels of the painted person on pixels of the picture."""


def _canvas() -> Canvas:
    return Canvas(np.full((200, 200, 3), 50, np.uint8))


def test_truth_keeps_its_bounds() -> None:
    make = maker()
    for seed in range(8):
        picture = make.picture(np.random.default_rng(seed), (160, 128))
        assert picture.bgr.shape == (128, 160, 3) and picture.bgr.dtype == np.uint8
        assert ((picture.visible > 0.0) & (picture.visible <= 1.0)).all()
        assert (picture.boxes_px >= 0).all() and (picture.boxes_px <= [160, 128, 160, 128]).all()
        assert (picture.boxes_px[:, :2] >= picture.whole_px[:, :2]).all()
        assert (picture.boxes_px[:, 2:] <= picture.whole_px[:, 2:]).all()
        assert (picture.boxes_px[:, 2:] > picture.boxes_px[:, :2]).all()
        x, y = picture.keypoints_px[..., 0], picture.keypoints_px[..., 1]
        outside = (x < -0.5) | (y < -0.5) | (x > 159.5) | (y > 127.5)
        assert not picture.seen[outside].any()


def test_people_come_in_pictures_and_pictures_without_people_are_empty() -> None:
    counts = [
        len(maker(empty_share=0.0).picture(np.random.default_rng(s), (160, 128)).visible) for s in range(8)
    ]
    assert max(counts) > 1
    empty = maker(empty_share=1.0).picture(np.random.default_rng(0), (160, 128))
    assert empty.boxes_px.shape == (0, 4) and empty.keypoints_px.shape == (0, 17, 2)
    assert empty.seen.shape == (0, 17)


def test_same_numbers_same_bytes() -> None:
    one, two = (maker().picture(np.random.default_rng(5), (160, 128)) for _ in range(2))
    other = maker().picture(np.random.default_rng(6), (160, 128))
    for name in ("bgr", "boxes_px", "visible", "keypoints_px", "seen"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    assert one.bgr.tobytes() != other.bgr.tobytes()


@pytest.mark.parametrize("scale", [0.3, 0.7, 1.6])
@pytest.mark.parametrize("mirror", [False, True])
def test_keypoints_lie_where_they_are_painted(scale: float, mirror: bool) -> None:
    pose = Pose2D((140.3, 250.7), scale, 0.2, mirror)
    for dot in (0, 5, 10, 16):
        canvas = Canvas(np.zeros((300, 320, 3), np.uint8))
        layer = laid(dotted_person(dot), pose, AS_IT_IS)
        canvas.paint(layer)
        light = canvas.bgr[..., 0].astype(float)
        y, x = np.mgrid[:300, :320]
        centre = np.array([(x * light).sum(), (y * light).sum()]) / light.sum()
        joint = MIRRORED_KEYPOINTS[dot] if mirror else dot
        np.testing.assert_allclose(layer.keypoints_px[joint], centre, atol=0.12)


def test_mirroring_trades_left_and_right_and_undoes_itself() -> None:
    for name, other in zip(COCO_KEYPOINTS, MIRRORED_KEYPOINTS, strict=True):
        swapped = name.replace("left", "?").replace("right", "left").replace("?", "right")
        assert COCO_KEYPOINTS[other] == swapped
    assert (MIRRORED_KEYPOINTS[MIRRORED_KEYPOINTS] == np.arange(17)).all()


def test_the_foot_stays_and_upright_people_stand_on_it() -> None:
    person = painted_person()
    for mirror in (False, True):
        affine = placing(person, Pose2D((33.0, 44.0), 0.7, 0.3, mirror))
        np.testing.assert_allclose(affine[:, :2] @ person.foot_px + affine[:, 2], [33.0, 44.0], atol=1e-5)
        head = affine[:, :2] @ (person.foot_px - [0.0, 100.0]) + affine[:, 2]
        np.testing.assert_allclose(head - [33.0, 44.0], [70 * np.sin(0.3), -70 * np.cos(0.3)], atol=1e-4)


def test_who_is_covered_loses_share_and_keypoints() -> None:
    canvas = _canvas()
    far = canvas.paint(laid(painted_person(), UPRIGHT, AS_IT_IS))
    assert canvas.box_of(far)[1] == 1.0 and (canvas.keypoints_seen([far]) == 2).all()
    near = canvas.paint(laid(painted_person(), Pose2D((115.5, 160.0), 1.0, 0.0, False), AS_IT_IS))
    box, share = canvas.box_of(far)
    # 56 x 126 pixels of body; the nearer one covers all but 15 columns and 10 rows
    assert share == pytest.approx(1.0 - 41 * 116 / (56 * 126))
    assert {0, 2} == set(canvas.keypoints_seen([far])[0].tolist())
    assert canvas.box_of(near)[1] == 1.0
    everything = canvas.paint(overlay_layer(canvas.bgr.copy(), np.full((200, 200), 255, np.uint8), (0, 0)))
    assert canvas.box_of(far)[1] == 0.0 and canvas.picture(canvas.bgr).visible.shape == (0,)
    assert everything == 3 and box[2] - box[0] == 56


def test_the_border_cuts_boxes_not_people() -> None:
    canvas = _canvas()
    canvas.paint(laid(painted_person(), Pose2D((0.5, 150.0), 1.0, 0.0, False), AS_IT_IS))
    picture = canvas.picture(canvas.bgr)
    assert picture.boxes_px[0, 0] == 0 and picture.whole_px[0, 0] < 0
    assert picture.visible[0] == pytest.approx(picture.boxes_px[0, 2] / 56, abs=1e-6)


def test_things_hide_but_are_nobody() -> None:
    canvas = _canvas()
    person = canvas.paint(laid(painted_person(), UPRIGHT, AS_IT_IS))
    canvas.paint(laid(painted_thing(), UPRIGHT, AS_IT_IS))
    assert 0.0 < canvas.box_of(person)[1] < 1.0
    assert len(canvas.picture(canvas.bgr).visible) == 1


def test_a_layer_shifted_is_a_layer_laid_elsewhere() -> None:
    person = painted_person()
    moved = shifted(laid(person, UPRIGHT, AS_IT_IS), (-7, 12))
    there = laid(person, Pose2D((93.5, 162.0), 1.0, 0.0, False), AS_IT_IS)
    np.testing.assert_allclose(moved.keypoints_px, there.keypoints_px)
    np.testing.assert_array_equal(moved.extent(), there.extent())


def test_laying_agrees_with_opencv() -> None:
    rng = np.random.default_rng(3)
    person = painted_person()
    noisy = rng.integers(0, 256, person.colour.shape, dtype=np.uint8)
    layer = laid(person, Pose2D((90.4, 160.2), 0.9, 0.15, False), AS_IT_IS)
    layer = type(layer)(noisy, layer.alpha, layer.body, layer.affine, layer.window)
    canvas = _canvas()
    canvas.paint(layer)
    colour = cv2.warpAffine(noisy, layer.affine, (200, 200), borderMode=cv2.BORDER_REPLICATE).astype(float)
    share = cv2.warpAffine(layer.alpha, layer.affine, (200, 200))[..., None] / 255.0
    # OpenCV rounds coordinates to 1/32 pixel: noise of 255 may differ by some grey levels, hardly on average
    assert np.abs(canvas.bgr - (share * colour + (1 - share) * 50)).mean() < 1.5


def test_shadows_fall_along_and_darken_only() -> None:
    canvas, shade = _canvas(), Shade((200, 200))
    shade.cast(laid(painted_person(), UPRIGHT, AS_IT_IS), np.array([100.0, 150.0]), (0.5, 0.2), 0.5)
    canvas.shade(shade.soft(2.0))
    darkened = canvas.bgr[..., 0] < 45
    y, x = np.nonzero(darkened)
    assert (canvas.bgr <= 50).all() and darkened.any()
    assert x.mean() > 110 and y.mean() > 155  # to the right, and towards the camera


def test_stands_agree_with_the_camera() -> None:
    camera = free_camera((320, 240), 80.0, 0.4, np.random.default_rng(0))
    ground = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 0.0], [-1e3, 0.0, 0.0]])
    seen = stands(camera, ground)
    np.testing.assert_allclose(seen.foot_px[:2], camera.project(ground[:2]))
    assert seen.elevation_rad[0] == pytest.approx(0.4) and seen.height_px[0] == pytest.approx(80.0, rel=0.1)
    assert seen.depth_m[2] == 0.0  # behind the camera
    np.testing.assert_allclose(ground_under(camera, seen.foot_px[:2]), ground[:2], atol=1e-6)


def test_a_piece_of_a_backdrop_keeps_its_camera() -> None:
    backdrop = plain_backdrop()
    marked = backdrop.bgr.copy()
    spot = np.array([[240.0, 200.0]])
    cv2.circle(marked, (240, 200), 6, (255, 255, 255), -1)
    ground = ground_under(backdrop.camera, spot)
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        view = backdrop_view(replace(backdrop, bgr=marked), (240, 200), 70.0, 3.0, rng)
        flip = not np.allclose(view.camera.R_cam_world, backdrop.camera.R_cam_world)
        place = ground * ([-1.0, 1.0, 1.0] if flip else [1.0, 1.0, 1.0])
        x, y = view.camera.project(place)[0]
        if 15 < x < 225 and 15 < y < 185:
            found += 1
            white = np.argwhere(view.bgr.min(axis=2) > 220)
            np.testing.assert_allclose(white.mean(axis=0)[::-1], [x, y], atol=0.35)
    assert found > 3


def test_a_mirrored_camera_sees_the_mirrored_world() -> None:
    camera = free_camera((320, 240), 80.0, 0.4, np.random.default_rng(1))
    points = np.random.default_rng(2).uniform(-1, 1, (9, 3))
    here, there = camera.project(points), mirrored(camera).project(points * [-1.0, 1.0, 1.0])
    np.testing.assert_allclose(there[:, 0], 319.0 - here[:, 0])
    np.testing.assert_allclose(there[:, 1], here[:, 1])
