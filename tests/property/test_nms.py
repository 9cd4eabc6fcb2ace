"""Greedy NMS equals its plain-loop definition; what stays does not overlap, what goes had a reason."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crowdstream.kernels.perception.nms import areas, iou, nms

CORNER = st.integers(0, 30)
BOX = st.tuples(CORNER, CORNER, st.integers(0, 20), st.integers(0, 20), st.integers(0, 5))


def _slow_iou(a: np.ndarray, b: np.ndarray) -> float:
    w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union if union > 0 else 0.0


def _slow_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    left = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept: list[int] = []
    for i in left:
        if all(_slow_iou(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


@given(st.lists(BOX, max_size=25), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_equals_the_slow_reference(rows: list[tuple[int, ...]], threshold: float) -> None:
    raw = np.array(rows, np.float32).reshape(-1, 5)
    boxes = np.concatenate([raw[:, :2], raw[:, :2] + raw[:, 2:4]], axis=1)
    scores = raw[:, 4] / 5  # few levels: ties are common
    assert nms(boxes, scores, threshold).tolist() == _slow_nms(boxes, scores, threshold)


@given(st.lists(BOX, min_size=1, max_size=10))
def test_iou_is_symmetric_and_one_with_itself(rows: list[tuple[int, ...]]) -> None:
    raw = np.array(rows, np.float64)
    boxes = np.concatenate([raw[:, :2], raw[:, :2] + raw[:, 2:4]], axis=1)
    table = iou(boxes, boxes)
    np.testing.assert_array_equal(table, table.T)
    np.testing.assert_allclose(np.diag(table), (areas(boxes) > 0).astype(float))
