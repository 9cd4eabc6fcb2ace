"""How many of the true person-frames were found, and how many of the found ones are true.

    precision = matched / predicted,  recall = matched / true,  F1 = 2 matched / (predicted + true)
    RP        = clip(predicted / true - 1.02, 0, 1)                                    (GigaCrowd)
    Score     = 0.3 PA-PPDS + 0.2 SS + 0.1 PCOD + 0.4 OKS - 0.5 RP                     (GigaCrowd)

A ratio without a denominator is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Array = np.ndarray

_FREE_SHARE = 1.02
"""Predictions may outnumber the truth by two percent before they are redundant."""


@dataclass(frozen=True)
class Completeness:
    """Counts of person-frames."""

    num_true: int
    num_predicted: int
    num_matched: int

    @property
    def precision(self) -> float:
        """
        >>> Completeness(num_true=8, num_predicted=5, num_matched=4).precision
        0.8
        """
        return ratio(self.num_matched, self.num_predicted)

    @property
    def recall(self) -> float:
        """
        >>> Completeness(num_true=8, num_predicted=5, num_matched=4).recall
        0.5
        """
        return ratio(self.num_matched, self.num_true)

    @property
    def f1(self) -> float:
        """
        >>> Completeness(num_true=6, num_predicted=4, num_matched=4).f1
        0.8
        """
        return ratio(2 * self.num_matched, self.num_predicted + self.num_true)


def ratio(part: int, whole: int) -> float:
    """part / whole, NaN of nothing.

    >>> ratio(1, 4), ratio(0, 0)
    (0.25, nan)
    """
    return part / whole if whole else float("nan")


def redundancy_penalty(num_predicted: Int[Array, "F"], num_true: Int[Array, "F"]) -> Float[Array, "F"]:
    """RP per frame, 0..1; NaN where nobody is to be found.

    >>> redundancy_penalty(np.array([102, 152, 9]), np.array([100, 100, 0])).round(6).tolist()
    [0.0, 0.5, nan]
    """
    share = num_predicted / np.maximum(num_true, 1) - _FREE_SHARE
    return np.where(num_true > 0, np.clip(share, 0.0, 1.0), np.nan)


def combined_score(pa_ppds: float, ss: float, pcod: float, oks: float, rp: float) -> float:
    """GigaCrowd's sum of ratios; NaN if a part is.

    >>> round(combined_score(1.0, 1.0, 1.0, 1.0, 0.0), 9), round(combined_score(0.5, 1.0, 1.0, 0.5, 0.2), 9)
    (1.0, 0.55)
    """
    return 0.3 * pa_ppds + 0.2 * ss + 0.1 * pcod + 0.4 * oks - 0.5 * rp
