"""Boxes of upright people: foot point and logarithmic size, overlap, and the repair of cut ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

Array = np.ndarray

BORDER_PX = 2.0
"""A box this near to the border of the picture may be cut by it."""


def to_foot_and_size(boxes_px: Float[Array, "N 4"]) -> tuple[Float[Array, "N 2"], Float[Array, "N 2"]]:
    """Bottom centre (px) and (log width, log height) of x1 y1 x2 y2 boxes."""
    boxes = np.asarray(boxes_px, np.float64)
    foot = np.stack([0.5 * (boxes[:, 0] + boxes[:, 2]), boxes[:, 3]], axis=-1)
    return foot, np.log(np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0))


def from_foot_and_size(foot_px: Float[Array, "N 2"], log_size: Float[Array, "N 2"]) -> Float[Array, "N 4"]:
    """The boxes x1 y1 x2 y2 again."""
    w, h = np.exp(log_size[:, 0]), np.exp(log_size[:, 1])
    x, y = foot_px[:, 0], foot_px[:, 1]
    return np.stack([x - 0.5 * w, y - h, x + 0.5 * w, y], axis=-1)


def overlap(a_px: Float[Array, "P 4"], b_px: Float[Array, "P 4"]) -> Float[Array, "P"]:
    """Intersection over union of pairs of boxes."""
    low, high = np.maximum(a_px[:, :2], b_px[:, :2]), np.minimum(a_px[:, 2:], b_px[:, 2:])
    inter = np.clip(high - low, 0.0, None).prod(axis=1)
    union = _area(a_px) + _area(b_px) - inter
    return np.asarray(inter / np.maximum(union, 1e-9))


def overlap_matrix(a_px: Float[Array, "N 4"], b_px: Float[Array, "M 4"]) -> Float[Array, "N M"]:
    """Intersection over union of all pairs."""
    low = np.maximum(a_px[:, None, :2], b_px[None, :, :2])
    high = np.minimum(a_px[:, None, 2:], b_px[None, :, 2:])
    inter = np.clip(high - low, 0.0, None).prod(axis=2)
    union = _area(a_px)[:, None] + _area(b_px)[None, :] - inter
    return np.asarray(inter / np.maximum(union, 1e-9))


def _area(boxes_px: Float[Array, "N 4"]) -> Float[Array, "N"]:
    return np.asarray(np.clip(boxes_px[:, 2:] - boxes_px[:, :2], 0.0, None).prod(axis=1))


def repair_cut(
    boxes_px: Float[Array, "N 4"],
    expected_px: Float[Array, "N 4"],
    min_height_ratio: float,
    min_width_ratio: float,
    size_px: tuple[int, int],
) -> tuple[Float[Array, "N 4"], Bool[Array, "N"]]:
    """Boxes of people partly hidden, made whole again with the size that their track expects.

    A box much shorter (or narrower) than expected is cut by whatever stands in front. Of its two edges the
    one that lies where it was expected is believed and the other is moved away from it. An edge on the border
    of the picture is never believed: the person goes on beyond it.

    Returns:
        the boxes, and which of them were cut.
    """
    out = np.array(boxes_px, np.float64)
    cut = np.zeros(len(out), bool)
    for low, high, ratio, end in ((1, 3, min_height_ratio, size_px[1]), (0, 2, min_width_ratio, size_px[0])):
        size, want = out[:, high] - out[:, low], expected_px[:, high] - expected_px[:, low]
        short = size < ratio * want
        off_low = np.abs(out[:, low] - expected_px[:, low]) + np.where(out[:, low] <= BORDER_PX, 1e6, 0.0)
        off_high = np.abs(out[:, high] - expected_px[:, high])
        off_high += np.where(out[:, high] >= end - BORDER_PX, 1e6, 0.0)
        keep_low = short & (off_low <= off_high)
        keep_high = short & ~keep_low
        out[keep_low, high] = out[keep_low, low] + want[keep_low]
        out[keep_high, low] = out[keep_high, high] - want[keep_high]
        cut |= short
    return out, cut
