"""Who is nearer to the camera: PCOD and PCDR, the share of pairs whose order in depth is right.

Three rules go by the name of PCOD, on d = depth_i - depth_j, predicted and true:

- `SIGN_OR_NEAR` (SMAP's `cal_ordinal`, GroupRec's `eval_utils`): right if the signs agree, or both |d| < 0.30 m.
- `THREE_CLASS` (the papers' text; profile `corrected`): nearer, farther or about equal (|d| <= 0.30 m); right if the
  classes agree. Stricter: a true 0.2 m and a predicted 0.5 m of the same sign is wrong here and right above.
- `STRICT` (the authors' VirtualCrowd evaluator): right if the signs agree and neither is 0. They compare the depth
  of the predicted *torso* with that of the true *ground point*, so that a perfect prediction can fall short of 1
  where the camera looks down on people of different statures.

PCDR(0.2) (Relative Human) is `THREE_CLASS` at 0.2 m.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Bool, Float, Int

from .placement import pair_indices

Array = np.ndarray

PCOD_TOLERANCE_M = 0.30
PCDR_TOLERANCE_M = 0.20


class OrderRule(Enum):
    """When the order of two people in depth is right."""

    SIGN_OR_NEAR = "sign_or_near"
    THREE_CLASS = "three_class"
    STRICT = "strict"


@dataclass(frozen=True)
class OrderFrames:
    """Pairs of each frame and how many of them are in the right order."""

    right: Int[Array, "F"]
    pairs: Int[Array, "F"]

    @property
    def share(self) -> Float[Array, "F"]:
        """Per frame; NaN without a pair."""
        return np.where(self.pairs > 0, self.right / np.maximum(self.pairs, 1), np.nan)


def depths(
    points_m: Float[Array, "*batch 3"], depth_axis: Float[Array, "3"], centre_m: Float[Array, "3"]
) -> Float[Array, "*batch"]:
    """Metres along the optical axis.

    >>> depths(np.array([[1.0, 7.0, 2.0]]), np.array([0.0, 1.0, 0.0]), np.array([0.0, 2.0, 0.0])).tolist()
    [5.0]
    """
    return np.asarray((np.asarray(points_m, np.float64) - centre_m) @ np.asarray(depth_axis, np.float64))


def order_right(
    predicted_m: Float[Array, "P"], true_m: Float[Array, "P"], rule: OrderRule, tolerance_m: float = 0.30
) -> Bool[Array, "P"]:
    """Whether each pair's depth difference is judged right.

    >>> predicted, true = np.array([0.5, 0.5, 0.1, 0.0]), np.array([2.0, 0.2, -0.1, 0.0])
    >>> order_right(predicted, true, OrderRule.SIGN_OR_NEAR).tolist()
    [True, True, True, True]
    >>> order_right(predicted, true, OrderRule.THREE_CLASS).tolist()
    [True, False, True, True]
    >>> order_right(predicted, true, OrderRule.STRICT).tolist()
    [True, True, False, False]
    """
    same = np.sign(predicted_m) * np.sign(true_m) > 0
    if rule is OrderRule.STRICT:
        return np.asarray(same)
    if rule is OrderRule.SIGN_OR_NEAR:
        return np.asarray(same | ((np.abs(predicted_m) < tolerance_m) & (np.abs(true_m) < tolerance_m)))
    return np.asarray(_classes(predicted_m, tolerance_m) == _classes(true_m, tolerance_m))


def order_frames(
    predicted_m: Float[Array, "N F"],
    true_m: Float[Array, "N F"],
    matched: Bool[Array, "N F"],
    rule: OrderRule,
    tolerance_m: float = PCOD_TOLERANCE_M,
    select: Bool[Array, "N F"] | None = None,
) -> OrderFrames:
    """Counts of every frame; with `select`, of pairs with at least one selected person.

    >>> depth = np.array([[5.0], [6.0], [8.0]])
    >>> got = order_frames(-depth, depth, np.ones((3, 1), bool), OrderRule.STRICT)
    >>> got.right.tolist(), got.pairs.tolist()
    ([0], [3])
    """
    num_frames = matched.shape[1]
    right, pairs = np.zeros(num_frames, dtype=np.int64), np.zeros(num_frames, dtype=np.int64)
    for f in np.flatnonzero(matched.sum(axis=0) >= 2):
        rows = np.flatnonzero(matched[:, f])
        i, j = pair_indices(len(rows))
        if select is not None:
            chosen = select[rows, f]
            keep = chosen[i] | chosen[j]
            i, j = i[keep], j[keep]
        found, true = predicted_m[rows, f], true_m[rows, f]
        right[f] = order_right(found[i] - found[j], true[i] - true[j], rule, tolerance_m).sum()
        pairs[f] = len(i)
    return OrderFrames(right, pairs)


def _classes(difference_m: Float[Array, "P"], tolerance_m: float) -> Int[Array, "P"]:
    return (difference_m > tolerance_m).astype(np.int64) - (difference_m < -tolerance_m)
