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
    predicted_px: Float[Array, "P 17 2"],
    true_px: Float[Array, "N 17 2"],
    box_px: Float[Array, "N 4"],
    floor: float = OKS_FLOOR,
) -> Float[Array, "N P"]:
    """OKS of all pairs of true and predicted people of one frame.

    Pairs whose keypoints' bounding boxes lie too far apart to reach `floor` are 0 without being computed: exact
    above the floor, and in a crowd nearly all of the work saved.

    >>> people = np.zeros((2, 17, 2)); people[1] += 500.0
    >>> boxes = np.array([[0.0, 0.0, 50.0, 50.0], [500.0, 500.0, 550.0, 550.0]])
    >>> oks_matrix(people[::-1], people, boxes).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    out = np.zeros((len(true_px), len(predicted_px)))
    if out.size == 0:
        return out
    # not finite: a predicted one goes where nothing is similar to it, a true one leaves the mean
    found, _ = _finite_or(predicted_px, 1e9)
    true, known = _finite_or(true_px, 0.0)
    area = _areas(box_px)
    t, p = np.nonzero(_within_reach(predicted_px, true_px, area, floor))
    spread = (8.0 * COCO_SIGMAS**2) * area[:, None]  # pairs within reach have an area
    squared = (found[p, :, 0] - true[t, :, 0]) ** 2
    squared += (found[p, :, 1] - true[t, :, 1]) ** 2
    squared /= -spread[t]
    similarity = np.exp(squared, out=squared)
    if not known.all():
        similarity *= known[t]
    out[t, p] = similarity.sum(axis=1) / np.maximum(known.sum(axis=1), 1)[t]
    return out


def _within_reach(
    predicted_px: Float[Array, "P 17 2"],
    true_px: Float[Array, "N 17 2"],
    area: Float[Array, "N"],
    floor: float,
) -> Bool[Array, "N P"]:
    """Pairs that may reach the floor: one keypoint must, so it is within sqrt(8 ln(1 / floor) A) max sigma."""
    reach = float(8.0 * np.log(1.0 / floor) * COCO_SIGMAS.max() ** 2)
    low_t, high_t = _extent(true_px)
    low_p, high_p = _extent(predicted_px)
    squared = np.zeros((len(true_px), len(predicted_px)))
    for c in (0, 1):
        gap = np.maximum(low_t[:, None, c] - high_p[:, c], low_p[:, c] - high_t[:, None, c])
        squared += np.maximum(gap, 0.0) ** 2
    return np.asarray(squared <= np.where(area > 0, reach * area, -1.0)[:, None])


def _finite_or(
    points_px: Float[Array, "M 17 2"], other: float
) -> tuple[Float[Array, "M 17 2"], Bool[Array, "M 17"]]:
    points = np.asarray(points_px, np.float64)
    finite = np.asarray(np.isfinite(points).all(axis=-1))
    return (points if finite.all() else np.where(finite[..., None], points, other)), finite


def _areas(box_px: Float[Array, "M 4"]) -> Float[Array, "M"]:
    box = np.asarray(box_px, np.float64)
    box = np.where(np.isfinite(box), box, 0.0)
    return np.asarray((box[:, 2] - box[:, 0]).clip(min=0.0) * (box[:, 3] - box[:, 1]).clip(min=0.0))


def _extent(points_px: Float[Array, "M 17 2"]) -> tuple[Float[Array, "M 2"], Float[Array, "M 2"]]:
    """Lowest and highest finite x and y; far away for people without any."""
    low, finite = _finite_or(points_px, 1e9)
    high = low if finite.all() else np.where(finite[..., None], low, -1e9)
    return low.min(axis=1), high.max(axis=1)
