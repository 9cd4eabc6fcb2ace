"""Object keypoint similarity (COCO), in GigaCrowd's form and of visible keypoints only.

    OKS = mean_k exp( -d_k^2 / (2 (2 s_k)^2 A) )

d_k: pixels between the two keypoints; s_k: COCO's sigmas; A: area of the true *box* (COCO: of the mask). GigaCrowd
takes all 17, hidden or not. A true keypoint that is not finite (behind the camera) is left out of the mean, a
predicted one counts 0, and so does everything where the box has no area.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from ..skeleton import COCO_SIGMAS

Array = np.ndarray

OKS_FLOOR = 1e-6
"""A similarity no larger than this is none (the authors' evaluator)."""
_REACH = float(np.sqrt(8.0 * np.log(1.0 / OKS_FLOOR)) * COCO_SIGMAS.max())
"""Keypoints all farther apart than this times sqrt(A) cannot reach the floor."""


def keypoint_similarity(
    predicted_px: Float[Array, "M 17 2"], true_px: Float[Array, "M 17 2"], box_px: Float[Array, "M 4"]
) -> Float[Array, "M 17"]:
    """exp(...) of each keypoint, 0..1; NaN where the true one is not finite.

    >>> here, box = np.zeros((1, 17, 2)), np.array([[0.0, 0.0, 100.0, 100.0]])
    >>> there = here + np.array([3.0, 4.0])  # 25 px^2; the nose: 2 * (2 * 0.026)^2 * 1e4 = 54.08
    >>> round(float(keypoint_similarity(there, here, box)[0, 0]), 6) == round(float(np.exp(-25 / 54.08)), 6)
    True
    """
    predicted, true = np.asarray(predicted_px, np.float64), np.asarray(true_px, np.float64)
    given, known = (np.asarray(np.isfinite(px).all(axis=-1)) for px in (predicted, true))
    both = (given & known)[..., None]
    off = np.where(both, predicted, 0.0) - np.where(both, true, 0.0)
    area = _areas(box_px)
    whole = area > 0
    spread = 8.0 * COCO_SIGMAS**2 * np.where(whole, area, 1.0)[:, None]
    similarity = np.exp(-(off * off).sum(axis=-1) / spread)
    similarity = np.where(given & whole[:, None], similarity, 0.0)
    return np.where(known, similarity, np.nan)


def oks(
    predicted_px: Float[Array, "M 17 2"],
    true_px: Float[Array, "M 17 2"],
    box_px: Float[Array, "M 4"],
    visible: Bool[Array, "M 17"] | None = None,
) -> Float[Array, "M"]:
    """OKS of M pairs, 0..1.

    Args:
        box_px: true boxes.
        visible: which keypoints count (OKS-VIS); all 17 without it. NaN where none is left.

    >>> here, box = np.zeros((1, 17, 2)), np.array([[0.0, 0.0, 100.0, 100.0]])
    >>> far = here.copy(); far[0, 0] = 1e4  # one of 17 lost
    >>> round(float(oks(far, here, box)[0]), 6) == round(16 / 17, 6)
    True
    >>> seen = np.ones((1, 17), bool); seen[0, 0] = False
    >>> float(oks(far, here, box, seen)[0])
    1.0
    """
    similarity = keypoint_similarity(predicted_px, true_px, box_px)
    counts = np.isfinite(similarity)
    if visible is not None:
        counts &= visible
    num = counts.sum(axis=1)
    total = np.where(counts, similarity, 0.0).sum(axis=1)
    return np.where(num > 0, total / np.maximum(num, 1), np.nan)


def oks_matrix(
    predicted_px: Float[Array, "P 17 2"], true_px: Float[Array, "N 17 2"], box_px: Float[Array, "N 4"]
) -> Float[Array, "N P"]:
    """OKS of all pairs of true and predicted people of one frame.

    Pairs whose keypoints' bounding boxes lie too far apart to reach `OKS_FLOOR` are 0 without being computed:
    exact above the floor, and in a crowd nearly all of the work saved.

    >>> people = np.zeros((2, 17, 2)); people[1] += 500.0
    >>> boxes = np.array([[0.0, 0.0, 50.0, 50.0], [500.0, 500.0, 550.0, 550.0]])
    >>> oks_matrix(people[::-1], people, boxes).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    out = np.zeros((len(true_px), len(predicted_px)))
    if out.size == 0:
        return out
    low_t, high_t = _extent(true_px)
    low_p, high_p = _extent(predicted_px)
    gap = np.maximum(low_t[:, None] - high_p[None], low_p[None] - high_t[:, None]).clip(min=0.0)
    near = (gap * gap).sum(axis=-1) <= (_REACH**2 * _areas(box_px))[:, None]
    t, p = np.nonzero(near)
    found = oks(predicted_px[p], true_px[t], box_px[t])
    out[t, p] = np.where(np.isfinite(found), found, 0.0)
    return out


def _areas(box_px: Float[Array, "M 4"]) -> Float[Array, "M"]:
    box = np.asarray(box_px, np.float64)
    box = np.where(np.isfinite(box), box, 0.0)
    return np.asarray((box[:, 2] - box[:, 0]).clip(min=0.0) * (box[:, 3] - box[:, 1]).clip(min=0.0))


def _extent(points_px: Float[Array, "M 17 2"]) -> tuple[Float[Array, "M 2"], Float[Array, "M 2"]]:
    """Lowest and highest finite x and y; far away for people without any."""
    points = np.asarray(points_px, np.float64)
    finite = np.isfinite(points).all(axis=-1, keepdims=True)
    return np.where(finite, points, 1e9).min(axis=1), np.where(finite, points, -1e9).max(axis=1)
