"""Overlap of boxes and greedy non-maximum suppression, exact and deterministic.

    IoU(a, b) = |a n b| / |a u b|          IoS(a, b) = |a n b| / min(|a|, |b|)

Greedy NMS: walk the boxes by falling score (ties: by index), keep a box unless a kept one overlaps it by more
than the threshold. O(N^2) in memory-light rows; N is a few hundred.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def areas(boxes_px: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, "N"]:
    """Areas of x1 y1 x2 y2 boxes; empty boxes have area 0."""
    sides = np.maximum(boxes_px[:, 2:] - boxes_px[:, :2], 0.0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def intersections(a_px: Float[np.ndarray, "N 4"], b_px: Float[np.ndarray, "M 4"]) -> Float[np.ndarray, "N M"]:
    """Shared area of every pair."""
    low = np.maximum(a_px[:, None, :2], b_px[None, :, :2])
    high = np.minimum(a_px[:, None, 2:], b_px[None, :, 2:])
    sides = np.maximum(high - low, 0.0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(a_px: Float[np.ndarray, "N 4"], b_px: Float[np.ndarray, "M 4"]) -> Float[np.ndarray, "N M"]:
    """Intersection over union of every pair; 0 where both are empty."""
    shared = intersections(a_px, b_px)
    union = areas(a_px)[:, None] + areas(b_px)[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def nms(
    boxes_px: Float[np.ndarray, "N 4"], scores: Float[np.ndarray, "N"], iou_threshold: float
) -> Int[np.ndarray, "K"]:
    """Indices of the boxes that stay, by falling score.

    Args:
        boxes_px: x1, y1, x2, y2.
        scores: any comparable numbers.
        iou_threshold: a box goes when a better one overlaps it by *more* than this.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes_px[order].astype(np.float64)
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if alive[i]:
            later = np.flatnonzero(alive[i + 1 :]) + i + 1
            alive[later[iou(boxes[i : i + 1], boxes[later])[0] > iou_threshold]] = False
    return order[alive].astype(np.int64)
