"""Keypoints out of tensors, against cases worked out by hand, and the mirror law of the whole road."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdstream.kernels.errors import InferenceError
from crowdstream.kernels.inference.backend import TensorSpec
from crowdstream.kernels.perception.crop import crop_maps
from crowdstream.kernels.perception.heatmap_pose import HeatmapPose, refine_peaks
from crowdstream.kernels.perception.pose import sub_batches
from crowdstream.kernels.perception.simcc_pose import SimccPose, decode_simcc

CROP_WH = (96, 128)
CELLS_WH = (24, 32)


def _bump(x: float, y: float, peak: float = 1.0, sigma: float = 2.0) -> np.ndarray:
    rows, columns = np.mgrid[: CELLS_WH[1], : CELLS_WH[0]]
    return (peak * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))).astype(np.float32)


class SpotNetwork:
    """A pose network that sees: keypoint k is the middle of what is bright in the crop, as a smooth heatmap."""

    rung = "onnxruntime-cpu"
    inputs = (TensorSpec("image", (None, 3, CROP_WH[1], CROP_WH[0]), "float32"),)
    outputs = (TensorSpec("heatmaps", (None, 17, CELLS_WH[1], CELLS_WH[0]), "float32"),)

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        image = feeds["image"]
        self.batches.append(len(image))
        weight = image[:, 0] - image[:, 0].min(axis=(1, 2), keepdims=True) + 1e-9
        rows, columns = np.mgrid[: CROP_WH[1], : CROP_WH[0]]
        total = weight.sum(axis=(1, 2))
        x, y = (weight * columns).sum(axis=(1, 2)) / total, (weight * rows).sum(axis=(1, 2)) / total
        maps = np.stack([_bump(a / 4, b / 4, 0.8) for a, b in zip(x, y, strict=True)])
        return {"heatmaps": np.repeat(maps[:, None], 17, axis=1)}

    def close(self) -> None:
        pass


@given(st.floats(3, 20), st.floats(3, 28), st.floats(0.1, 1.0))
def test_a_gaussian_is_found_to_a_hundredth_of_a_cell(x: float, y: float, peak: float) -> None:
    points, confidence = refine_peaks(_bump(x, y, peak)[None, None])
    np.testing.assert_allclose(points[0, 0], [x, y], atol=0.01)
    assert 0.85 * peak < confidence[0, 0] <= peak + 1e-6


def test_refinement_equals_the_plain_formula_on_a_blurred_map() -> None:
    noise = np.random.default_rng(2).uniform(0, 0.08, CELLS_WH[::-1]).astype(np.float32)
    heatmap = _bump(9.3, 14.8) + noise
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    log = np.log(np.maximum(cv2.GaussianBlur(heatmap.astype(np.float64), (3, 3), 0), 1e-4))
    gradient = 0.5 * np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]])
    dxx = 0.25 * (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2])
    dyy = 0.25 * (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x])
    cross = 0.25 * (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1])
    step = -np.linalg.solve(np.array([[dxx, cross], [cross, dyy]]), gradient)
    np.testing.assert_allclose(refine_peaks(heatmap[None, None])[0][0, 0], np.array([x, y]) + step, atol=1e-9)


@pytest.mark.parametrize("cell", [(0, 0), (1, 5), (23, 31), (10, 30)])
def test_at_the_border_the_peak_itself_is_the_answer(cell: tuple[int, int]) -> None:
    heatmap = np.zeros(CELLS_WH[::-1], np.float32)
    heatmap[cell[1], cell[0]] = 0.7
    points, confidence = refine_peaks(heatmap[None, None])
    np.testing.assert_array_equal(points[0, 0], cell)
    assert confidence[0, 0] == np.float32(0.7)


def test_an_empty_map_has_no_confidence_and_overshoot_is_clipped() -> None:
    maps = np.stack([np.full(CELLS_WH[::-1], -0.2, np.float32), 1.3 * _bump(10, 10)])
    confidence = refine_peaks(maps[None])[1]
    np.testing.assert_array_equal(confidence, [[0.0, 1.0]])


def test_cells_become_crop_pixels_by_exactly_four() -> None:
    maps = np.repeat(_bump(10.0, 20.0)[None, None], 17, axis=1)
    points, _ = HeatmapPose(SpotNetwork()).decode({"heatmaps": maps})
    np.testing.assert_allclose(points[0, 0], [40.0, 80.0], atol=1e-6)


def _spot(x: float, y: float) -> tuple[np.ndarray, np.ndarray]:
    """A picture with a soft bright spot, and a box round it that is not centred on it."""
    rows, columns = np.mgrid[:240, :320]
    grey = 220 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 60)
    image = np.repeat(np.round(grey).astype(np.uint8)[..., None], 3, axis=2)
    return image, np.array([[x - 41.0, y - 50.0, x + 30.0, y + 62.0]], np.float32)


def test_the_road_finds_the_spot_in_the_picture() -> None:
    image, boxes = _spot(140.25, 101.5)
    keypoints, confidence = HeatmapPose(SpotNetwork()).estimate(image, boxes)
    assert keypoints.shape == (1, 17, 2) and confidence.shape == (1, 17)
    np.testing.assert_allclose(keypoints[0, 0], [140.25, 101.5], atol=0.1)


def test_a_mirrored_picture_gives_mirrored_keypoints() -> None:
    image, boxes = _spot(140.25, 101.5)
    flipped = boxes.copy()
    flipped[:, [0, 2]] = 320 - boxes[:, [2, 0]]
    pose = HeatmapPose(SpotNetwork())
    straight, _ = pose.estimate(image, boxes)
    mirrored, _ = pose.estimate(np.ascontiguousarray(image[:, ::-1]), flipped)
    np.testing.assert_allclose(319 - mirrored[..., 0], straight[..., 0], atol=0.1)
    np.testing.assert_allclose(mirrored[..., 1], straight[..., 1], atol=0.1)


def test_many_images_threads_and_batches_do_not_change_the_answer() -> None:
    spots = [_spot(60.0 + 20 * i, 90.0 + 3 * i) for i in range(7)]
    images, boxes = [s[0] for s in spots], [np.repeat(s[1], 1 + i % 3, axis=0) for i, s in enumerate(spots)]
    boxes[3] = np.zeros((0, 4), np.float32)
    alone = [
        HeatmapPose(SpotNetwork(), buckets=(1,)).estimate(i, b) for i, b in zip(images, boxes, strict=True)
    ]
    threaded = HeatmapPose(SpotNetwork(), workers=3)
    together = threaded.estimate_many(images, boxes)
    threaded.close()
    for one, two in zip(alone, together, strict=True):
        np.testing.assert_allclose(one[0], two[0], atol=1e-4)
        np.testing.assert_allclose(one[1], two[1], atol=1e-6)


@given(st.integers(0, 300), st.sampled_from([(1, 2, 4), (8, 32, 64, 128), (16,)]))
def test_sub_batches_hold_every_row_once_and_only_the_last_is_padded(
    count: int, buckets: tuple[int, ...]
) -> None:
    parts = sub_batches(count, buckets)
    assert [i for rows, _ in parts for i in range(rows.start, rows.stop)] == list(range(count))
    assert all(batch in buckets for _, batch in parts)
    assert all(rows.stop - rows.start == batch for rows, batch in parts[:-1])


def test_a_padded_batch_gives_only_its_real_rows() -> None:
    network = SpotNetwork()
    image, boxes = _spot(140.0, 100.0)
    keypoints, _ = HeatmapPose(network, buckets=(4,)).estimate(image, np.repeat(boxes, 3, axis=0))
    assert network.batches == [4] and keypoints.shape == (3, 17, 2)


def _simcc(x_bin: int, y_bin: int, x_raw: float, y_raw: float, keypoints: int = 17) -> dict[str, np.ndarray]:
    rows_x, rows_y = np.zeros((1, keypoints, 192), np.float32), np.zeros((1, keypoints, 256), np.float32)
    rows_x[:, :, x_bin], rows_y[:, :, y_bin] = x_raw, y_raw
    return {"simcc_x": rows_x, "simcc_y": rows_y}


class SimccNetwork(SpotNetwork):
    """SimCC with 26 keypoints, always at the same bins."""

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {k: np.repeat(v, len(feeds["image"]), axis=0) for k, v in _simcc(61, 90, 6.0, 5.0, 26).items()}


def test_simcc_is_half_the_bin_and_the_smaller_maximum() -> None:
    out = _simcc(61, 90, 6.0, 5.0)
    points, raw = decode_simcc(out["simcc_x"], out["simcc_y"], CROP_WH)
    np.testing.assert_array_equal(points[0, 0], [30.5, 45.0])
    assert raw[0, 0] == 5.0


def test_simcc_confidence_follows_the_documented_curve() -> None:
    pose = SimccPose(SimccNetwork())
    confidence = [pose.decode(_simcc(1, 1, raw, 9.0))[1][0, 0] for raw in (3.0, 4.0, 5.0)]
    np.testing.assert_allclose(confidence, [0.2689, 0.5, 0.7311], atol=1e-4)
    clipped = SimccPose(SimccNetwork(), midpoint=None).decode(_simcc(1, 1, 0.6, 1.9))[1]
    assert clipped[0, 0] == np.float32(0.6)


def test_larger_keypoint_sets_give_their_first_17() -> None:
    image, boxes = _spot(140.0, 100.0)
    keypoints, _ = SimccPose(SimccNetwork()).estimate(image, boxes)
    assert keypoints.shape == (1, 17, 2)
    expected = crop_maps(boxes, CROP_WH, 1.25).to_image(np.array([[[30.5, 45.0]]]))[0, 0]
    np.testing.assert_allclose(keypoints[0, 16], expected, rtol=1e-5)


def test_outputs_of_another_contract_are_refused() -> None:
    with pytest.raises(InferenceError, match=r"expected heatmaps \[batch, 17\+"):
        HeatmapPose(SpotNetwork()).decode({"heatmaps": np.zeros((1, 5, 8, 8), np.float32)})
    with pytest.raises(InferenceError, match="for the same keypoints"):
        SimccPose(SimccNetwork()).decode(_simcc(1, 1, 1.0, 1.0, 5))
