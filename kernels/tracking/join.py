"""Which lost track goes on as which new one: an assignment, and how sure each of its pairs is.

Every new track is one of the lost ones or nobody of them, every lost one goes on as one new track or as none. With
w_ij the likelihood ratio of a pair against "somebody new" and "gone", a joining has the weight of the product over its
pairs. The best one is a linear assignment of ln w. How sure a pair is sums over all joinings that hold it; that sum is
a permanent, so it is taken by belief propagation, which converges for this graph and is close (Williams and Lau 2014,
"Approximate evaluation of marginal association probabilities with belief propagation", IEEE T-AES 50(4), eq. 32-36):

    mu_ij = w_ij / (1 + sum_{j' != j} w_ij' nu_ij'),    nu_ij = 1 / (1 + sum_{i' != i} mu_i'j)
    P(i goes on as j) = w_ij nu_ij / (1 + sum_j' w_ij' nu_ij')

Exact where no row and column share more than one pair (trees). O(iterations E F), E lost and F new ones.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

Array = np.ndarray

_ROUNDS = 200
_CONVERGED = 1e-9
_CEILING = 60.0
"""Of a log ratio: e^60 is as good as certain, and its products stay finite."""
_FLOOR = -60.0


def pair_probabilities(log_ratio: Float[Array, "E F"]) -> Float[Array, "E F"]:
    """P of each pair; rows and columns sum to at most 1. Minus infinity: impossible."""
    weight = np.where(np.isfinite(log_ratio), np.exp(np.clip(log_ratio, _FLOOR, _CEILING)), 0.0)
    if weight.size == 0:
        return weight
    nu = np.ones_like(weight)
    for _ in range(_ROUNDS):
        spoken = weight * nu
        mu = weight / (1.0 + np.maximum(spoken.sum(axis=1, keepdims=True) - spoken, 0.0))
        fresh = 1.0 / (1.0 + np.maximum(mu.sum(axis=0, keepdims=True) - mu, 0.0))
        done = np.abs(fresh - nu).max() < _CONVERGED
        nu = fresh
        if done:
            break
    spoken = weight * nu
    return np.asarray(spoken / (1.0 + spoken.sum(axis=1, keepdims=True)))


def best_joining(log_ratio: Float[Array, "E F"]) -> Int[Array, "J 2"]:
    """Pairs (lost, new) of the most likely joining, by row; pairs that are less likely than no pair are left out."""
    gain = np.where(np.isfinite(log_ratio), np.clip(log_ratio, 0.0, _CEILING), 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    good = gain[rows, columns] > 0.0
    return np.stack([rows[good], columns[good]], axis=-1).astype(np.int64)
