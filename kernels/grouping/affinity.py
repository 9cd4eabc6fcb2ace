"""Groups by affinity propagation (Frey and Dueck 2007), the clustering of DyCrowd; scikit-learn's, made safe.

    similarity s(i, k) = -SSPD(i, k)^2,     preference s(k, k) = quantile of the similarities of allowed pairs

Pairs that may not be grouped (other heading, other speed) get a similarity far below all others, so that they hardly
ever share an exemplar; who still is put beside an exemplar of another kind becomes a single. So does who is not within
`max_distance` of the exemplar: among few people affinity propagation puts even strangers together. Messages that do
not settle are tried again with more damping; if that does not help everybody is a single. Ties are broken by
scikit-learn's noise, a fixed sequence: the result depends on nothing but the order of the rows, which the bank sorts.
O(iterations S^2).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.cluster import affinity_propagation
from sklearn.exceptions import ConvergenceWarning

Array = np.ndarray

SINGLE = -1
"""Label of who is in no group."""
DAMPINGS = (0.5, 0.8, 0.95)
"""scikit-learn's default first; more of it settles oscillating messages at the cost of iterations."""


@dataclass(frozen=True)
class Clusters:
    """Which segments go together."""

    labels: Int[Array, "S"]
    """Groups of two and more, numbered by their first member; -1: single."""
    converged: bool
    """False: the messages never settled and everybody is single."""


def affinity_groups(
    distance_m: Float[Array, "S S"],
    allowed: Bool[Array, "S S"],
    preference_quantile: float,
    max_distance_m: float,
    max_iterations: int = 200,
) -> Clusters:
    """Clusters of segments.

    Args:
        distance_m: symmetric, 0 on the diagonal.
        allowed: symmetric; pairs that may be in one group.
        preference_quantile: 0..1 of the similarities of allowed pairs: higher gives more and smaller groups; 0.5 is
            scikit-learn's default, the median.
        max_distance_m: nobody stays in a group whose exemplar is farther away.
        max_iterations: at the first damping; twice and four times as many at the next ones.
    """
    count = len(distance_m)
    pairs = allowed & ~np.eye(count, dtype=bool)
    if not pairs.any():
        return Clusters(np.full(count, SINGLE, np.int64), True)
    square = -np.square(distance_m)
    preference = float(np.quantile(square[pairs], preference_quantile))
    # finite, as messages are differences: two infinities would make none
    forbidden = 4.0 * min(float(square[pairs].min()), preference) - 1.0
    similarity = np.where(pairs, square, forbidden)
    for attempt, damping in enumerate(DAMPINGS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", UserWarning)  # "mutually equal similarities"
            exemplars, labels = affinity_propagation(
                similarity, preference=preference, damping=damping, max_iter=max_iterations << attempt,
                random_state=0,
            )  # fmt: skip
        if (labels >= 0).all():
            near = pairs & (distance_m <= max_distance_m)
            return Clusters(_only_real_groups(exemplars, labels, near), True)
    return Clusters(np.full(count, SINGLE, np.int64), False)


def _only_real_groups(
    exemplars: Int[Array, "G"], labels: Int[Array, "S"], near: Bool[Array, "S S"]
) -> Int[Array, "S"]:
    """Groups numbered by first member, without those who do not belong to their exemplar, and without groups of one."""
    own = exemplars[labels]
    rows = np.arange(len(labels))
    belongs = (rows == own) | near[rows, own]
    out = np.full(len(labels), SINGLE, np.int64)
    number = 0
    for row in rows:
        if out[row] != SINGLE or not belongs[row]:
            continue
        members = belongs & (own == own[row])
        if members.sum() > 1:
            out[members] = number
            number += 1
    return out
