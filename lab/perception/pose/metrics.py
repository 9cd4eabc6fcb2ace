"""How good placed keypoints are: distances, shares of right ones, swapped sides, and whether confidence tells.

Distances are shares of the height of the box. Only keypoints within the crop can be placed; the others count where
confidence is judged, as what must not be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from ....kernels.skeleton import COCO_KEYPOINTS
from .targets import HIDDEN_BY_OTHERS, HIDDEN_BY_SELF, SEEN

Array = np.ndarray

RIGHT = 0.1
"""Share of the box's height within which a keypoint is right."""
_APART = 0.05
"""Left and right that are nearer to each other than this cannot be told to be swapped."""
PAIRS = tuple(
    (k, COCO_KEYPOINTS.index(name.replace("left", "right")))
    for k, name in enumerate(COCO_KEYPOINTS)
    if name.startswith("left")
)
"""Left keypoint, right keypoint."""


@dataclass(frozen=True)
class Placed:
    """What a network says about n crops, and the truth."""

    keypoints_px: Float[Array, "n 17 2"]
    confidence: Float[Array, "n 17"]
    truth_px: Float[Array, "n 17 2"]
    seen: UInt8[Array, "n 17"]
    within: Bool[Array, "n 17"]
    """The true keypoint lies in the crop."""
    height_px: Float[Array, "n"]
    """Of the boxes."""

    @property
    def distance(self) -> Float[Array, "n 17"]:
        """From the truth, as a share of the box's height."""
        away = np.linalg.norm(self.keypoints_px - self.truth_px, axis=-1)
        return np.asarray(away / self.height_px[:, None])


def figures(placed: Placed) -> dict[str, float]:
    """Metrics by name; what nothing was there to measure by is left out."""
    distance, within = placed.distance, placed.within
    groups = {
        "seen": within & (placed.seen == SEEN),
        "hidden_by_self": within & (placed.seen == HIDDEN_BY_SELF),
        "hidden_by_others": within & (placed.seen == HIDDEN_BY_OTHERS),
    }
    out = {f"distance_{key}": float(distance[rows].mean()) for key, rows in groups.items() if rows.any()}
    seen = groups["seen"]
    if seen.any():
        out["median_seen"] = float(np.median(distance[seen]))
        out["pck05_seen"] = float((distance[seen] < 0.05).mean())
        out["pck10_seen"] = float((distance[seen] < RIGHT).mean())
    swapped = _swapped(placed)
    if swapped.size:
        out["swapped"] = float(swapped.mean())
    right = within & (distance < RIGHT)
    out["auc"] = area_under_curve(placed.confidence[right], placed.confidence[~right])
    trusted = placed.confidence >= 0.5
    if trusted.any():
        out["right_at_half"] = float(right[trusted].mean())
        out["trusted_seen"] = float(trusted[seen].mean()) if seen.any() else 0.0
    return out


def _swapped(placed: Placed) -> Bool[Array, "M"]:
    """Of the pairs that are within, not hidden by others and apart: those whose answer fits better crosswise."""
    left, right = np.array(PAIRS).T
    truth, said = placed.truth_px, placed.keypoints_px

    def length(v: Float[Array, "n 8 2"]) -> Float[Array, "n 8"]:
        return np.asarray(np.linalg.norm(v, axis=-1) / placed.height_px[:, None])

    known = placed.within & (placed.seen != HIDDEN_BY_OTHERS)
    judged = known[:, left] & known[:, right] & (length(truth[:, left] - truth[:, right]) > _APART)
    straight = length(said[:, left] - truth[:, left]) + length(said[:, right] - truth[:, right])
    crossed = length(said[:, left] - truth[:, right]) + length(said[:, right] - truth[:, left])
    return np.asarray(crossed[judged] < straight[judged])


def area_under_curve(positive: Float[Array, "P"], negative: Float[Array, "Q"]) -> float:
    """Probability that one of the positive is larger than one of the negative; equal ones count half.

    0.5 where either is empty: nothing can be told. O((P + Q) log(P + Q)).
    """
    if not (positive.size and negative.size):
        return 0.5
    order = np.sort(negative)
    below = np.searchsorted(order, positive, side="left")
    not_above = np.searchsorted(order, positive, side="right")
    return float((below + not_above).mean() / (2 * negative.size))
