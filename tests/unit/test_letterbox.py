"""A letterboxed box comes back to where it was; padding and scaling are what the networks were trained with."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.perception.end_to_end import RTMDET_PIXELS, YOLOX_PIXELS
from crowdstream.kernels.perception.letterbox import fit_fixed, fit_free, paint


def test_a_large_image_shrinks_to_the_limit_and_pads_to_32() -> None:
    box = fit_free((1280, 720), 960)
    assert box.content_wh == (960, 540)
    assert box.canvas_wh == (960, 544)


def test_a_small_image_is_not_enlarged() -> None:
    box = fit_free((100, 60), 960)
    assert box.content_wh == (100, 60)
    assert box.canvas_wh == (128, 64)


def test_a_fixed_canvas_enlarges() -> None:
    box = fit_fixed((104, 52), (416, 416))
    assert box.content_wh == (416, 208)
    assert box.canvas_wh == (416, 416)


@pytest.mark.parametrize("wh", [(1280, 720), (333, 777), (961, 5)])
def test_boxes_come_back_exactly(wh: tuple[int, int]) -> None:
    box = fit_free(wh, 640)
    w, h = wh
    whole = np.array([[0, 0, w, h], [0.25 * w, 0.5 * h, 0.75 * w, h]], np.float32)
    scale = np.array([box.content_wh[0] / w, box.content_wh[1] / h] * 2, np.float32)
    np.testing.assert_allclose(box.boxes_to_image(whole * scale), whole, rtol=1e-6, atol=1e-4)


def test_boxes_over_the_border_are_clipped() -> None:
    box = fit_free((64, 32), 64)
    out = box.boxes_to_image(np.array([[-5.0, -5.0, 90.0, 90.0]], np.float32))
    np.testing.assert_array_equal(out, [[0, 0, 64, 32]])


def test_paint_is_mean_and_std_with_grey_around() -> None:
    image = np.zeros((20, 40, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 10, 20, 30
    out = np.full((3, 32, 64), np.nan, np.float32)
    paint(image, fit_free((40, 20), 64), RTMDET_PIXELS.scale_bgr, RTMDET_PIXELS.bias_bgr, out)
    mean, std = np.array([103.53, 116.28, 123.675]), np.array([57.375, 57.12, 58.395])
    np.testing.assert_allclose(out[:, 5, 5], (np.array([10, 20, 30]) - mean) / std, atol=1e-5)
    for y, x in ((5, 50), (25, 5), (25, 50)):
        np.testing.assert_allclose(out[:, y, x], (114 - mean) / std, atol=1e-5)


def test_yolox_pixels_stay_as_they_are() -> None:
    image = np.arange(32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(32, 32, 3)
    out = np.empty((3, 32, 32), np.float32)
    paint(image, fit_free((32, 32), 64), YOLOX_PIXELS.scale_bgr, YOLOX_PIXELS.bias_bgr, out)
    np.testing.assert_array_equal(out, image.transpose(2, 0, 1))
