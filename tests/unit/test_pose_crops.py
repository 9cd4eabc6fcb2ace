"""Crops for the pose network: cut as the engine cuts, with keypoints where they are painted."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.perception.crop import crop_maps
from crowdstream.lab.perception.scene import SceneMaker
from crowdstream.lab.perception.scene_config import SceneConfig
from tests.made_up_banks import MadeUpBank, dotted_person, maker, painted_thing, plain_backdrop

CROP, PADDING = (96, 128), 1.25
CALM = {
    "overlay_share": 0.0, "shadow_share": 0.0, "grey_share": 0.0, "clean_share": 1.0, "crop_occluder_share": 0.0,
    "crop_cut_share": 0.0, "crop_border_share": 0.0,
}  # fmt: skip


def test_truth_keeps_its_bounds_and_follows_from_the_numbers() -> None:
    make = maker()
    for seed in range(10):
        one, two = (make.crop(np.random.default_rng(seed), CROP, PADDING) for _ in range(2))
        assert one.bgr.shape == (128, 96, 3) and one.bgr.tobytes() == two.bgr.tobytes()
        assert one.seen.tobytes() == two.seen.tobytes() and 0.0 <= one.visible <= 1.0
        assert (one.box_px[2:] > one.box_px[:2]).all()
        x, y = one.keypoints_px.T
        assert not one.seen[(x < -0.5) | (y < -0.5) | (x > 95.5) | (y > 127.5)].any()


def test_crops_show_their_person() -> None:
    make = maker(crop_least_visible=0.3)
    assert min(make.crop(np.random.default_rng(s), CROP, PADDING).visible for s in range(12)) >= 0.3


def test_the_person_fills_the_crop_as_in_the_engine() -> None:
    make = maker(**CALM)
    for seed in range(10):
        crop = make.crop(np.random.default_rng(seed), CROP, PADDING)
        maps = crop_maps(crop.box_px[None], CROP, PADDING)
        low, high = maps.to_crop(crop.box_px.reshape(1, 2, 2) - 0.5)[0]
        np.testing.assert_allclose(0.5 * (low + high), [47.5, 63.5])
        assert max((high - low) / np.array(CROP)) == pytest.approx(1 / PADDING)


def test_keypoints_of_the_crop_lie_where_they_are_painted() -> None:
    # one person, black with a white square at a keypoint, in an otherwise empty world
    checked = 0
    for dot in (0, 7, 16):
        people = MadeUpBank([dotted_person(dot)])
        floor = plain_backdrop()
        dark = type(floor)(np.zeros_like(floor.bgr), floor.camera, floor.walkable, np.zeros(3))
        make = SceneMaker(people, MadeUpBank([painted_thing()]), MadeUpBank([dark]), SceneConfig(**CALM))  # type: ignore[arg-type]
        make._crops._faults = lambda bgr, rng, height_px: bgr  # type: ignore[assignment,misc,return-value]
        for seed in range(12):
            crop = make.crop(np.random.default_rng(seed), CROP, PADDING)
            light = np.clip(crop.bgr[..., 1].astype(float) - 0.6 * crop.bgr[..., 1].max(), 0.0, None)
            y, x = np.mgrid[:128, :96]
            spread = np.hypot(x - (x * light).sum() / light.sum(), y - (y * light).sum() / light.sum())
            if (spread[light > 0] > 14).any() or crop.bgr.max() < 90:
                continue  # more than one square is seen: company, or a pale floor
            centre = np.array([(x * light).sum(), (y * light).sum()]) / light.sum()
            gaps = np.linalg.norm(crop.keypoints_px - centre, axis=1)
            mirrored_dot = {0: 0, 7: 8, 16: 15}[dot]
            assert min(gaps[dot], gaps[mirrored_dot]) < 1.0
            checked += 1
    assert checked >= 6


def test_borders_show_as_black_only_where_the_picture_ends() -> None:
    calm = {**CALM, "clean_share": 1.0}
    inside, at_border = maker(**calm), maker(**{**calm, "crop_border_share": 1.0})

    def black_rims(make: SceneMaker) -> int:
        count = 0
        for seed in range(15):
            bgr = make.crop(np.random.default_rng(seed), CROP, PADDING).bgr
            count += any((rim == 0).all() for rim in (bgr[0], bgr[-1], bgr[:, 0], bgr[:, -1]))
        return count

    assert black_rims(inside) == 0 and black_rims(at_border) > 4
