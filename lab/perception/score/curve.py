"""Precision and recall over the score, and what is read off the curve.

    P(t) = hits of score >= t / boxes of score >= t          R(t) = hits of score >= t / true boxes
    AP   = integral of max_{R' >= R} P(R') dR                 (all points, Everingham et al. 2010)

Boxes of equal score enter together: no order among them can be favoured. O(R log R).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .matching import ClipMatch

Array = np.ndarray


@dataclass(frozen=True)
class Point:
    """The detector at one threshold."""

    threshold: float
    precision: float
    """1 where nothing was said: no box was false."""
    recall: float
    """0 where there is nobody."""
    found: int
    """Boxes of this score or more."""

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2.0 * self.precision * self.recall / both if both > 0 else 0.0

    def as_dict(self) -> dict[str, float]:
        """For reports."""
        return {
            "threshold": self.threshold, "precision": self.precision, "recall": self.recall, "f1": self.f1,
            "boxes": self.found,
        }  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """Every distinct score as a threshold, falling."""

    thresholds: Float[Array, "K"]
    precision: Float[Array, "K"]
    recall: Float[Array, "K"]
    """Rising."""
    found: Float[Array, "K"]
    """Boxes of that score or more."""

    @property
    def average_precision(self) -> float:
        """Area under the curve whose precision never rises with recall; 0 where nothing was found."""
        if not len(self.recall):
            return 0.0
        envelope = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float(np.sum(np.diff(self.recall, prepend=0.0) * envelope))

    def at(self, threshold: float) -> Point:
        """The boxes of this score or more."""
        last = int(np.searchsorted(-self.thresholds, -threshold, side="right")) - 1
        if last < 0:
            return Point(threshold, 1.0, 0.0, 0)
        return Point(threshold, float(self.precision[last]), float(self.recall[last]), int(self.found[last]))

    def best(self) -> Point:
        """Where F1 is greatest; of several, the highest threshold."""
        both = self.precision + self.recall
        f1 = np.divide(2.0 * self.precision * self.recall, both, out=np.zeros_like(both), where=both > 0)
        return self.at(float(self.thresholds[int(f1.argmax())])) if len(f1) else self.at(1.0)

    def sweep(self, thresholds: Sequence[float]) -> list[Point]:
        """The curve at round thresholds."""
        return [self.at(threshold) for threshold in thresholds]


def precision_recall(match: ClipMatch) -> Curve:
    """The curve of a matched clip."""
    order = np.argsort(-match.scores, kind="stable")
    scores, hits = match.scores[order], np.cumsum(match.hit[order])
    last = np.flatnonzero(np.diff(scores, append=np.nan) != 0)  # the last of each run of equal scores
    found = last + 1.0
    return Curve(scores[last], hits[last] / found, hits[last] / max(len(match.score_of_truth), 1), found)
