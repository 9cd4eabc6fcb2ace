"""How good boxes are: average precision, and precision and recall at a threshold.

Boxes are taken by falling score over all pictures; each takes the free wanted person of its picture it overlaps most,
if by at least the threshold, and is right then. One that overlaps nobody wanted but an ignored person counts for
nothing (Lin et al. 2014, COCO). AP is the area under precision made falling, over recall: exact, no sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ....kernels.perception.nms import areas, intersections, iou

Array = np.ndarray

RIGHT, WRONG, UNCOUNTED = 1, 0, -1
AP_OVERLAPS = tuple(np.arange(0.5, 0.96, 0.05).round(2).tolist())


@dataclass(frozen=True)
class Found:
    """Boxes found in one picture, and who was there."""

    boxes_px: Float[Array, "N 4"]
    scores: Float[Array, "N"]
    true_px: Float[Array, "M 4"]
    wanted: Bool[Array, "M"]


@dataclass(frozen=True)
class Curve:
    """Precision and recall as the threshold falls."""

    scores: Float[Array, "K"]
    precision: Float[Array, "K"]
    recall: Float[Array, "K"]

    @property
    def average_precision(self) -> float:
        """0 where nobody was to be found or nothing was."""
        if not len(self.scores):
            return 0.0
        falling = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float((np.diff(self.recall, prepend=0.0) * falling).sum())

    @property
    def f1(self) -> Float[Array, "K"]:
        return self.f(1.0)

    def at(self, threshold: float) -> tuple[float, float, float]:
        """Precision, recall and F1 of what scores at least `threshold`; precision 1 where nothing does."""
        count = int((self.scores >= threshold).sum())
        if count == 0:
            return 1.0, 0.0, 0.0
        return float(self.precision[count - 1]), float(self.recall[count - 1]), float(self.f1[count - 1])

    def f(self, beta: float) -> Float[Array, "K"]:
        """F-measure in which recall counts beta times as much as precision (van Rijsbergen 1979)."""
        total = beta**2 * self.precision + self.recall
        product = (1 + beta**2) * self.precision * self.recall
        return np.asarray(np.divide(product, total, out=np.zeros_like(total), where=total > 0))

    def best(self, beta: float = 1.0) -> tuple[float, float]:
        """The threshold of largest F, midway to the next lower score, and that F; (0.5, 0) where nothing is."""
        if not len(self.scores):
            return 0.5, 0.0
        f = self.f(beta)
        k = int(np.argmax(f))
        low = self.scores[k + 1] if k + 1 < len(self.scores) else self.scores[k]
        return float(0.5 * (self.scores[k] + low)), float(f[k])


def curve(pictures: Sequence[Found], overlap: float) -> Curve:
    """Over all pictures, at one overlap."""
    verdicts = [judge(p, overlap) for p in pictures]
    scores = np.concatenate([p.scores for p in pictures]) if pictures else np.zeros(0)
    told = np.concatenate(verdicts) if pictures else np.zeros(0, np.int64)
    scores, told = scores[told != UNCOUNTED], told[told != UNCOUNTED]
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(told[order] == RIGHT)
    people = sum(int(p.wanted.sum()) for p in pictures)
    return Curve(
        scores[order].astype(np.float64), right / np.arange(1, len(right) + 1), right / max(1, people)
    )


def judge(picture: Found, overlap: float) -> Int[Array, "N"]:
    """RIGHT, WRONG or UNCOUNTED for every box."""
    out = np.full(len(picture.scores), WRONG, np.int64)
    pairs = iou(picture.boxes_px.astype(np.float64), picture.true_px.astype(np.float64))
    # an ignored person may be seen as a part of their box: what counts is how much of the found box lies in it
    hidden = picture.true_px[~picture.wanted].astype(np.float64)
    shared = intersections(picture.boxes_px.astype(np.float64), hidden)
    covered = shared / np.maximum(areas(picture.boxes_px.astype(np.float64)), 1e-9)[:, None]
    excused = (covered >= overlap).any(axis=1) | (pairs[:, ~picture.wanted] >= overlap).any(axis=1)
    free = picture.wanted.copy()
    for box in np.argsort(-picture.scores, kind="stable"):
        open_ = np.where(free, pairs[box], -1.0)
        best = int(np.argmax(open_)) if len(open_) else -1
        if best >= 0 and open_[best] >= overlap:
            out[box], free[best] = RIGHT, False
        elif excused[box]:
            out[box] = UNCOUNTED
    return out


def figures(pictures: Sequence[Found], threshold: float) -> dict[str, float]:
    """The metrics of a validation, under their names."""
    curves = {level: curve(pictures, level) for level in AP_OVERLAPS}
    half = curves[0.5]
    precision, recall, f1 = half.at(threshold)
    best_threshold, best_f1 = half.best()
    return {
        "detector.ap50": half.average_precision,
        "detector.ap": float(np.mean([c.average_precision for c in curves.values()])),
        "detector.precision": precision,
        "detector.recall": recall,
        "detector.f1": f1,
        "detector.best_f1": best_f1,
        "detector.best_threshold": best_threshold,
    }
