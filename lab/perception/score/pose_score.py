"""Keypoints of one network beside those of another on the same boxes: nobody knows the truth, both may be wrong.

    d = |x_own - x_reference| / box height        where both say at least 0.3

Left and right disagree where a pair of joints fits the other network better exchanged,
|l - r'| + |r - l'| < |l - l'| + |r - r'|, and lies far enough apart in the picture to be told apart at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ....kernels.skeleton import COCO_KEYPOINTS
from .errors import ScoreError

Array = np.ndarray

CONFIDENT = 0.3
"""A keypoint of less confidence is a guess."""
PCK_SHARE = 0.1
"""PCK@0.1: within a tenth of the box's height."""
PAIRS = ((5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
"""Left and right shoulder, elbow, wrist, hip, knee, ankle. Eyes and ears are too near to each other."""
TRUNK_PAIRS = (0, 3)
"""Of `PAIRS`: shoulders and hips, by which a whole person is turned round."""
APART = 0.05
"""Distance of a pair, share of the box's height, from which left and right can be told apart."""
HEIGHTS_PX = (0.0, 50.0, 70.0, 90.0, 110.0, 140.0, np.inf)


@dataclass(frozen=True)
class Keypoints:
    """What one network says of R boxes."""

    px: Float[Array, "R 17 2"]
    """Pixel centres of the picture."""
    confidence: Float[Array, "R 17"]

    def __post_init__(self) -> None:
        if self.px.shape != (*self.confidence.shape, 2):
            raise ScoreError(
                f"keypoints of shape {self.px.shape} with confidence of {self.confidence.shape}; "
                "expected (R, 17, 2) and (R, 17)"
            )


def score_pose(
    own: Keypoints, reference: Keypoints, heights_px: Float[Array, "R"], confident: float = CONFIDENT
) -> dict[str, Any]:
    """Distances, PCK, exchanged sides and shares of confident keypoints.

    Args:
        own: under test.
        reference: of the same boxes.
        heights_px: of the boxes.
        confident: confidence from which a keypoint of either counts.

    Raises:
        ScoreError: numbers of boxes differ.
    """
    if not len(own.px) == len(reference.px) == len(heights_px):
        raise ScoreError(
            f"{len(own.px)} people beside {len(reference.px)} on {len(heights_px)} boxes; pose the same boxes"
        )
    distance = np.linalg.norm(own.px - reference.px, axis=-1) / heights_px[:, None]
    sure, sure_reference = own.confidence >= confident, reference.confidence >= confident
    both = sure & sure_reference
    told, crossed = exchanged(own, reference, heights_px, confident)
    forgiven = _forgiven(own, reference, heights_px, crossed)
    trunk = list(TRUNK_PAIRS)
    turned = (crossed[:, trunk] | ~told[:, trunk]).all(axis=1) & told[:, trunk].any(axis=1)
    return {
        **_distances(distance[both]),
        "pck_of_sure_reference": _mean((distance < PCK_SHARE)[sure_reference]),
        "mean_sides_forgiven": _mean(forgiven[both]),
        "sides_exchanged": _mean(crossed[told]),
        "turned_round": _mean(turned[told[:, trunk].any(axis=1)]),
        "confident": _mean(sure),
        "confident_reference": _mean(sure_reference),
        "confident_both": _mean(both),
        "people": len(heights_px),
        "by_keypoint": {
            name: {**_distances(distance[both[:, j], j]), "confident": _mean(sure[:, j]),
                   "confident_reference": _mean(sure_reference[:, j])}
            for j, name in enumerate(COCO_KEYPOINTS)
        },
        "by_height": _by_height(distance, both, heights_px),
    }  # fmt: skip


def exchanged(
    own: Keypoints, reference: Keypoints, heights_px: Float[Array, "R"], confident: float = CONFIDENT
) -> tuple[Bool[Array, "R 6"], Bool[Array, "R 6"]]:
    """Pairs whose sides can be compared (four confident ends, apart in the reference), and those exchanged."""
    left, right = np.array(PAIRS).T
    sure = np.minimum(own.confidence, reference.confidence) >= confident
    width = np.linalg.norm(reference.px[:, left] - reference.px[:, right], axis=-1)
    told = sure[:, left] & sure[:, right] & (width >= APART * heights_px[:, None])
    straight = _gap(own, reference, left, left) + _gap(own, reference, right, right)
    across = _gap(own, reference, left, right) + _gap(own, reference, right, left)
    return told, told & (across < straight)


def _gap(
    own: Keypoints, reference: Keypoints, mine: Int[Array, "K"], theirs: Int[Array, "K"]
) -> Float[Array, "R K"]:
    return np.asarray(np.linalg.norm(own.px[:, mine] - reference.px[:, theirs], axis=-1))


def _forgiven(
    own: Keypoints, reference: Keypoints, heights_px: Float[Array, "R"], crossed: Bool[Array, "R 6"]
) -> Float[Array, "R 17"]:
    """Distances with exchanged pairs put right: what is left is not a matter of sides."""
    px = own.px.copy()
    for k, (left, right) in enumerate(PAIRS):
        rows = crossed[:, k]
        px[rows, left], px[rows, right] = own.px[rows, right], own.px[rows, left]
    return np.asarray(np.linalg.norm(px - reference.px, axis=-1) / heights_px[:, None])


def _by_height(
    distance: Float[Array, "R 17"], both: Bool[Array, "R 17"], heights_px: Float[Array, "R"]
) -> list[dict[str, float | int | None]]:
    out: list[dict[str, float | int | None]] = []
    for low, high in pairwise(HEIGHTS_PX):
        rows = (heights_px >= low) & (heights_px < high)
        if rows.any():
            end = {"to": high} if np.isfinite(high) else {}
            of_class = _distances(distance[rows][both[rows]])
            out.append({"from": low, **end, "people": int(rows.sum()), **of_class})
    return out


def _distances(distance: Float[Array, "K"]) -> dict[str, float | int | None]:
    """Of confident keypoints, shares of the box's height; None where there are none."""
    if not len(distance):
        return {"mean": None, "median": None, "p90": None, "pck": None, "keypoints": 0}
    return {
        "mean": float(distance.mean()),
        "median": float(np.median(distance)),
        "p90": float(np.percentile(distance, 90)),
        "pck": float((distance < PCK_SHARE).mean()),
        "keypoints": len(distance),
    }


def _mean(values: Array) -> float | None:
    return float(values.mean()) if values.size else None
