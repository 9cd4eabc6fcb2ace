"""What a score should mean: how likely the box is right, with the best threshold where the engine expects it.

    logit' = a (logit - logit t) + logit t'                  t: the best threshold, t': the operating point

a is the slope of a logistic regression of right and wrong on the logits (Platt 1999). A network that was taught
overlaps answers in a narrow band; stretched by a, background falls far below the engine's lowest threshold instead of
crowding just under the operating point.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from .metrics import RIGHT, UNCOUNTED, Found, judge

STEEPEST = 5.0
"""More says that the pictures were too few."""
_EDGE = 1e-4


def steepness(pictures: Sequence[Found], overlap: float) -> float:
    """a, between 1 and `STEEPEST`; 1 where nothing was right or nothing wrong."""
    verdicts = np.concatenate([judge(p, overlap) for p in pictures]) if pictures else np.zeros(0, np.int64)
    scores = np.concatenate([p.scores for p in pictures]) if pictures else np.zeros(0)
    counted = verdicts != UNCOUNTED
    right = verdicts[counted] == RIGHT
    if not right.any() or right.all():
        return 1.0
    fitted = LogisticRegression(C=1e6).fit(logit(scores[counted])[:, None], right)
    return float(np.clip(fitted.coef_[0, 0], 1.0, STEEPEST))


def logit(p: np.ndarray | float) -> np.ndarray:
    """log p / (1 - p), of shares kept off 0 and 1."""
    p = np.clip(np.asarray(p, np.float64), _EDGE, 1.0 - _EDGE)
    return np.asarray(np.log(p / (1.0 - p)))
