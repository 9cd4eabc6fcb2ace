"""Foot sliding: how far predicted soles move while the true ones stand (WHAM, GVHMR).

    FS = mean | v(t+1) - v(t) |,  v predicted sole points, over points and steps in which the true point moves
    less than 1 cm                                                                                    (mm)

The papers take four vertices of SMPL's heels and toes and 30 Hz. At 30 Hz 1 cm a step is 0.3 m/s: the limit is
kept as that speed at other rates. A step needs both frames, matched to the same prediction.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

Array = np.ndarray

STANDING_BELOW_M_S = 0.3
"""True sole points slower than this stand: 1 cm per frame at 30 Hz."""


def sole_steps(soles_m: Float[Array, "M S 3"], starts: Int[Array, "K"]) -> Float[Array, "K S"]:
    """Length of each sole point's step from row `starts` to the next, metres.

    >>> soles = np.array([[[0.0, 0.0, 0.0]], [[0.03, 0.04, 0.0]]])
    >>> sole_steps(soles, np.array([0])).round(9).tolist()
    [[0.05]]
    """
    soles = np.asarray(soles_m, np.float64)
    return np.asarray(np.linalg.norm(soles[starts + 1] - soles[starts], axis=-1))


def standing(steps_m: Float[Array, "K S"], rate_hz: float) -> Bool[Array, "K S"]:
    """Which true steps are those of a point that stands.

    >>> standing(np.array([[0.009, 0.011]]), 30.0).tolist(), standing(np.array([[0.011]]), 10.0).tolist()
    ([[True, False]], [[True]])
    """
    return np.asarray(steps_m * rate_hz < STANDING_BELOW_M_S)


def sliding_m(
    predicted_m: Float[Array, "M S 3"], true_m: Float[Array, "M S 3"], starts: Int[Array, "K"], rate_hz: float
) -> Float[Array, "C"]:
    """Predicted steps of all points that truly stand, metres.

    >>> true = np.zeros((2, 2, 3)); true[1, 1, 0] = 0.2  # the second point swings
    >>> slid = true.copy(); slid[1, :, 1] = 0.03
    >>> sliding_m(slid, true, np.array([0]), 30.0).tolist()
    [0.03]
    """
    steps = sole_steps(predicted_m, starts)
    return np.asarray(steps[standing(sole_steps(true_m, starts), rate_hz)])
