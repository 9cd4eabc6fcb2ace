"""Boxes out of tensors, against cases worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from crowdstream.kernels.errors import InferenceError
from crowdstream.kernels.inference.backend import TensorSpec
from crowdstream.kernels.perception.end_to_end import RtmDetDetector, decode_dets
from crowdstream.kernels.perception.letterbox import fit_free
from crowdstream.kernels.perception.yolox import YoloxDetector, decode_grid


class Scripted:
    """A network that gives set answers and remembers what it was shown."""

    rung = "onnxruntime-cpu"

    def __init__(self, shape: tuple[int | None, ...], answers: list[dict[str, np.ndarray]]) -> None:
        self.inputs = (TensorSpec("image", shape, "float32"),)
        self.outputs = tuple(TensorSpec(k, v.shape, str(v.dtype)) for k, v in answers[0].items())
        self.answers = answers
        self.shown: list[np.ndarray] = []

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.shown.append(feeds["image"])
        return self.answers[len(self.shown) - 1]

    def close(self) -> None:
        pass


def _dets(*rows: tuple[float, ...]) -> dict[str, np.ndarray]:
    dets = np.array([row[:5] for row in rows], np.float32).reshape(1, -1, 5)
    return {"dets": dets, "labels": np.array([[int(row[5]) for row in rows]], np.int64)}


def test_dets_are_scaled_clipped_sorted_and_only_people() -> None:
    answer = _dets(
        (10, 20, 30, 60, 0.4, 0),
        (50, 50, 200, 300, 0.9, 0),  # reaches over the picture
        (0, 0, 40, 40, 0.95, 3),  # something else
        (0, 0, 40, 40, 0.05, 0),  # too unsure
        (0, 0, 0, 0, 0.0, -1),  # padding
    )
    backend = Scripted((1, 3, None, None), [answer])
    detector = RtmDetDetector(backend, max_side_px=96, score_threshold=0.1)
    [(boxes, scores)] = detector.detect([np.zeros((144, 192, 3), np.uint8)])  # shown at a half
    np.testing.assert_allclose(boxes, [[100, 100, 192, 144], [20, 40, 60, 120]])
    np.testing.assert_allclose(scores, [0.9, 0.4])
    assert backend.shown[0].shape == (1, 3, 96, 96)  # 96x72, padded to multiples of 32
    assert boxes.dtype == scores.dtype == np.float32


def test_several_images_come_back_in_order() -> None:
    small, large = np.zeros((32, 32, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
    answers = [_dets((0, 0, i + 1, 10, 0.5, 0)) for i in range(3)]
    backend = Scripted((None, 3, None, None), answers)
    found = RtmDetDetector(backend, 64).detect([small, large, small])
    widths = [boxes[0, 2] for boxes, _ in found]
    shown = [x.shape[-1] for x in backend.shown]
    assert shown == [32, 32, 64] and widths == [1, 3, 2]  # grouped by canvas, answered by position


def test_no_people_is_an_empty_answer() -> None:
    boxes, scores = decode_dets(np.zeros((0, 5), np.float32), np.zeros(0, bool), fit_free((64, 64), 64), 0.1)
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_a_wrong_image_is_refused() -> None:
    detector = RtmDetDetector(Scripted((1, 3, None, None), [_dets((0, 0, 1, 1, 1, 0))]))
    with pytest.raises(InferenceError, match=r"float32 \[4, 4, 3\], expected uint8"):
        detector.detect([np.zeros((4, 4, 3), np.float32)])


def _grid(width: int, height: int, classes: int = 80) -> np.ndarray:
    cells = sum((width // s) * (height // s) for s in (8, 16, 32))
    return np.zeros((cells, 5 + classes), np.float32)


def test_yolox_cells_by_hand() -> None:
    raw = _grid(64, 32)  # 8x4 cells of 8, then 4x2 of 16, then 2x1 of 32
    raw[8 * 2 + 3, :6] = (0.5, 0.25, np.log(2), np.log(4), 0.8, 0.5)  # stride 8, column 3, row 2
    raw[32 + 4 * 1 + 2, :6] = (0.0, 0.5, 0.0, np.log(0.5), 0.9, 1.0)  # stride 16, column 2, row 1
    raw[32 + 8 + 1, :6] = (0.5, 0.5, 0.0, 0.0, 0.5, 0.1)  # stride 32, too unsure
    dets = decode_grid(raw, (64, 32), 0.1)
    expected = [
        [28 - 8, 18 - 16, 28 + 8, 18 + 16, 0.4],  # centre (3.5, 2.25) 8; size (2, 4) 8
        [32 - 8, 24 - 4, 32 + 8, 24 + 4, 0.9],  # centre (2, 1.5) 16; size (1, 0.5) 16
    ]
    np.testing.assert_allclose(dets, expected, rtol=1e-5)


def test_yolox_suppresses_the_weaker_of_two() -> None:
    raw = _grid(64, 64)
    raw[8 * 4 + 4, :6] = (0.0, 0.0, np.log(3), np.log(3), 0.9, 1.0)
    raw[8 * 4 + 5, :6] = (-0.9, 0.0, np.log(3), np.log(3), 0.7, 1.0)  # 0.8 px beside it
    raw[0, :6] = (0.5, 0.5, 0.0, 0.0, 0.6, 1.0)
    backend = Scripted((1, 3, 64, 64), [{"output": raw[None]}])
    [(boxes, scores)] = YoloxDetector(backend).detect([np.zeros((64, 64, 3), np.uint8)])
    np.testing.assert_allclose(scores, [0.9, 0.6])
    np.testing.assert_allclose(boxes, [[20, 20, 44, 44], [0, 0, 8, 8]], rtol=1e-5)


def test_yolox_of_another_grid_is_refused() -> None:
    with pytest.raises(InferenceError, match="gave 7 cells, expected 84"):
        decode_grid(np.zeros((7, 85), np.float32), (64, 64), 0.1)
