"""What cameras do to pictures: each fault changes what it should, and nothing moves."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.fused.sensor_noise import add_noise
from crowdstream.lab.perception import faults
from crowdstream.lab.perception.scene_config import SceneConfig


def _picture() -> np.ndarray:
    bgr = np.full((64, 80, 3), 60, np.uint8)
    bgr[20:44, 30:50] = (120, 170, 200)
    return bgr


def test_a_picture_keeps_its_size_and_follows_from_the_numbers() -> None:
    spoil = faults.CameraFaults(SceneConfig())
    for seed in range(25):
        one, two = (spoil(_picture(), np.random.default_rng(seed), 50.0) for _ in range(2))
        assert one.shape == (64, 80, 3) and one.dtype == np.uint8
        assert one.tobytes() == two.tobytes()


def test_clean_pictures_stay_near_what_was_painted() -> None:
    def change(clean: float) -> float:
        spoil = faults.CameraFaults(SceneConfig(clean_share=clean, grey_share=0.0))
        out = [spoil(_picture(), np.random.default_rng(s), 50.0).astype(float) for s in range(40)]
        return float(np.mean([np.abs(one - _picture()).mean() for one in out]))

    assert change(1.0) < 0.6 * change(0.0)


def test_grey_pictures_have_no_colour() -> None:
    spoil = faults.CameraFaults(SceneConfig(grey_share=1.0))
    for seed in range(8):
        out = spoil(_picture(), np.random.default_rng(seed), 50.0).astype(int)
        assert np.ptp(out, axis=2).max() <= 4  # what JPEG's chroma rounds


def test_noise_grows_with_light_and_has_the_strength_asked_for() -> None:
    normal = np.random.default_rng(0).standard_normal(1 << 14).astype(np.float32)
    sigma = np.sqrt(4.0 + 0.3 * np.arange(256)).astype(np.float32)
    for level in (60, 180):
        bgr = np.full((96, 96, 3), level, np.uint8)
        add_noise(bgr, normal, 11, 1, True, sigma)
        assert bgr.std() == pytest.approx(sigma[level], rel=0.06) and bgr.mean() == pytest.approx(
            level, abs=0.5
        )
    grey = np.full((96, 96, 3), 100, np.uint8)
    add_noise(grey, normal, 0, 2, False, sigma)
    assert (np.ptp(grey, axis=2) == 0).all() and (grey[::2] == grey[1::2]).all() and grey.std() > 1


def test_sharpening_throws_halos_and_blur_takes_them() -> None:
    bgr = _picture()
    halo = faults.sharpened(bgr, 1.0, 1.5)
    assert halo.max() > bgr.max() and halo.min() < bgr.min()
    soft = faults.lens_blur(bgr, 1.2)
    assert soft.max() <= bgr.max() and soft.min() >= bgr.min()
    assert np.abs(np.diff(soft.astype(int), axis=1)).max() < np.abs(np.diff(bgr.astype(int), axis=1)).max()


@pytest.mark.parametrize("how", [0, 1, 2])
def test_faults_of_the_lens_and_the_sampling_move_nothing(how: int) -> None:
    bgr = np.zeros((64, 80, 3), np.uint8)
    bgr[24:40, 32:48] = 200
    for out in (
        faults.resampled(bgr, 0.5, how), faults.lens_blur(bgr, 1.0), faults.motion_blur(bgr, 5.0, 0.7),
        faults.sharpened(bgr, 1.0, 1.0),
    ):  # fmt: skip
        y, x = np.mgrid[:64, :80]
        light = out[..., 0].astype(float)
        centre = np.array([(x * light).sum(), (y * light).sum()]) / light.sum()
        np.testing.assert_allclose(centre, [39.5, 31.5], atol=0.3)


def test_twice_compressed_pictures_stay_in_place() -> None:
    rng = np.random.default_rng(0)
    bgr = _picture()
    outs = [faults.compressed(bgr, 1.0, rng, 200.0) for _ in range(40)]
    assert any((out != bgr).any() for out in outs)
    for out in outs:
        assert out.shape == bgr.shape and np.abs(out.astype(int) - bgr).mean() < 12


def test_saturation_turns_about_grey() -> None:
    bgr = _picture()
    assert np.abs(faults.saturation(bgr, 1.0).astype(int) - bgr).max() <= 1
    none = faults.saturation(bgr, 0.0).astype(int)
    assert np.ptp(none, axis=2).max() <= 1
    assert (
        np.ptp(faults.saturation(bgr, 1.5).astype(int), axis=2).max() > np.ptp(bgr.astype(int), axis=2).max()
    )


def test_corners_darken_and_the_middle_stays() -> None:
    bgr = np.full((65, 65, 3), 200, np.uint8)
    out = faults.vignette(bgr, 0.5)
    assert out[32, 32, 0] == 200 and out[0, 0, 0] == pytest.approx(100, abs=2)
