"""Crops: the map and its inverse cancel, the box lies in the middle, pixels land where the map says."""

from __future__ import annotations

import numpy as np

from crowdstream.kernels.perception.crop import crop_maps, cut, to_tensor

BOXES = np.array([[10.0, 20.0, 50.0, 140.0], [-30.0, 5.0, 200.0, 45.0], [7.0, 7.0, 7.0, 7.0]], np.float32)


def test_to_crop_and_back_is_the_identity() -> None:
    maps = crop_maps(BOXES, (96, 128), 1.25)
    points = np.random.default_rng(0).uniform(-50, 250, (3, 17, 2))
    np.testing.assert_allclose(maps.to_image(maps.to_crop(points)), points, atol=1e-9)


def test_the_box_lies_centred_with_its_padding() -> None:
    maps = crop_maps(BOXES[:1], (96, 128), 1.25)
    edges = np.array([[[10.0, 20.0], [50.0, 140.0]]]) - 0.5  # edges as pixel-centre coordinates
    low, high = maps.to_crop(edges)[0]
    np.testing.assert_allclose(0.5 * (low + high), [47.5, 63.5])
    np.testing.assert_allclose(high[1] - low[1], 128 / 1.25)  # height is the tight side of 40x120 in 3:4


def test_a_marked_pixel_lands_where_the_map_says() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[101, 77] = 255
    boxes = np.array([[61.5, 85.5, 93.5, 117.5]], np.float32)  # centre (77, 101) in pixel centres
    maps = crop_maps(boxes, (40, 40), 1.25)
    crop = cut(image, maps)[0, ..., 0]
    y, x = np.mgrid[:40, :40]
    centre = np.array([(crop * x).sum(), (crop * y).sum()]) / crop.sum()
    np.testing.assert_allclose(centre, maps.to_crop(np.array([[[77.0, 101.0]]]))[0, 0], atol=1e-6)


def test_a_mirrored_image_gives_the_mirrored_crop() -> None:
    image = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    boxes = np.array([[30.0, 12.0, 78.0, 108.0]], np.float32)
    flipped = boxes.copy()
    flipped[:, [0, 2]] = 160 - boxes[:, [2, 0]]
    straight = cut(image, crop_maps(boxes, (96, 128), 1.25))
    mirrored = cut(np.ascontiguousarray(image[:, ::-1]), crop_maps(flipped, (96, 128), 1.25))
    difference = np.abs(straight[:, :, ::-1].astype(int) - mirrored.astype(int))
    # OpenCV rounds warp coordinates to 1/32 pixel, so noise of 255 may differ by a few grey levels
    assert difference.max() <= 255 / 32 * 2 + 1


def test_tensor_is_rgb_normalised_and_padded_with_zero_rows() -> None:
    crops = np.zeros((1, 4, 3, 3), np.uint8)
    crops[..., 0], crops[..., 1], crops[..., 2] = 1, 2, 3
    out = to_tensor(crops, (10.0, 20.0, 30.0), (2.0, 4.0, 5.0), batch=2)
    np.testing.assert_allclose(out[0, :, 0, 0], [(3 - 10) / 2, (2 - 20) / 4, (1 - 30) / 5], rtol=1e-6)
    assert not out[1].any()
