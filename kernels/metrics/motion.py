"""Motion errors: velocity, acceleration, jerk, jitter, over exactly consecutive frames.

With D^k the k-th difference over k + 1 consecutive frames of one true person matched to one prediction:

    VEL   = mean_j | D x - D y | fps                 m/s
    ACCEL = mean_j | D^2 x - D^2 y |                 mm/frame^2 (VIBE; hjlib); times fps^2: m/s^2 (WHAM)
    JERK  = mean_j | D^3 x - D^3 y |                 mm/frame^3
    Jitter = mean_j | D^3 x | fps^3 / 10             10 m/s^3 (TransPose, GVHMR), of one side alone

Vectors are subtracted, not their lengths (the authors' ACCEL subtracts lengths, on pelvis-relative joints with gaps
closed: `author.accel_of_tracks`; the two are unrelated numbers). Figures per frame depend on the frame rate.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
from jaxtyping import Float, Int

Array = np.ndarray

_BLOCK = 8192


def run_starts(
    person: Int[Array, "M"], frame: Int[Array, "M"], row: Int[Array, "M"], order: int
) -> Int[Array, "S"]:
    """Where `order` + 1 consecutive frames of one pair of people begin, in rows sorted by person and frame.

    >>> person, frame = np.array([0, 0, 0, 0, 1]), np.array([3, 4, 5, 7, 8])
    >>> run_starts(person, frame, np.zeros(5, int), 1).tolist()
    [0, 1]
    >>> run_starts(person, frame, np.zeros(5, int), 2).tolist()
    [0]
    """
    linked = (np.diff(person) == 0) & (np.diff(row) == 0) & (np.diff(frame) == 1)
    whole = np.ones(max(len(person) - order, 0), dtype=bool)
    for k in range(order):
        whole &= linked[k : k + len(whole)]
    return np.flatnonzero(whole)


def difference_errors(
    predicted_m: Float[Array, "M J 3"], true_m: Float[Array, "M J 3"], starts: Int[Array, "S"], order: int
) -> Float[Array, "S"]:
    """mean_j | D^k x - D^k y | of each run, metres per frame^k.

    >>> true = np.zeros((4, 1, 3)); shaken = true.copy(); shaken[1, 0, 2] = 0.01
    >>> difference_errors(shaken, true, np.array([0, 1]), 2).round(9).tolist()
    [0.02, 0.01]
    """
    return _lengths(lambda k: np.asarray(predicted_m[k], np.float64) - true_m[k], starts, order)


def difference_lengths(
    joints_m: Float[Array, "M J 3"], starts: Int[Array, "S"], order: int
) -> Float[Array, "S"]:
    """mean_j | D^k x | of each run, metres per frame^k: how much one side moves by itself.

    >>> steps = np.array([0.0, 1.0, 4.0, 9.0])[:, None, None] * np.array([1.0, 0.0, 0.0])
    >>> difference_lengths(steps, np.array([0, 1]), 2).tolist(), difference_lengths(steps, np.array([0]), 3).tolist()
    ([2.0, 2.0], [0.0])
    """
    return _lengths(lambda k: np.asarray(joints_m[k], np.float64), starts, order)


def _lengths(rows: Callable[[Array], Array], starts: Int[Array, "S"], order: int) -> Float[Array, "S"]:
    weights = [(-1.0) ** (order - k) * comb(order, k) for k in range(order + 1)]
    out = np.zeros(len(starts))
    for begin in range(0, len(starts), _BLOCK):
        at = starts[begin : begin + _BLOCK]
        total = weights[0] * rows(at)
        for k in range(1, order + 1):
            total = total + weights[k] * rows(at + k)
        out[begin : begin + _BLOCK] = np.sqrt(np.einsum("sjc,sjc->sj", total, total)).mean(axis=1)
    return out
