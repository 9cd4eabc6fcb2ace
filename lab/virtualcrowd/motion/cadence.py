"""How often people step at a speed.

Step length over leg length grows with the 0.42th power of the dimensionless speed v / sqrt(g L) (Grieve and Gear
1966: cadence with the 0.58th); the factor 1.03 is that of the recordings (0.7 to 1.5 m/s). Runners step at a nearly
fixed rate. Children and adults fall on one line so.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from .skeleton import GRAVITY

Array = np.ndarray

WALK_STEP, WALK_POWER = 1.03, 0.42
RUN_RATE, RUN_POWER = 0.86, 0.15
MIN_RATE = 0.36
"""Of stepping at all, times sqrt(g / L): about 1.2 steps a second for adults."""
LEG_TO_HIP = 1.16
"""Hip to sole over hip to ankle plus what a standing leg's ankle adds."""
RUN_FROUDE = 0.75
"""Dimensionless speed above which everybody runs."""


def dimensionless(speed_m_s: Float[Array, "*batch"], leg_m: float) -> Float[Array, "*batch"]:
    """v / sqrt(g L), L from hip to sole.

    Args:
        speed_m_s: over ground.
        leg_m: hip to ankle.
    """
    return np.asarray(speed_m_s / np.sqrt(GRAVITY * LEG_TO_HIP * leg_m))


def steps_per_second(
    speed_m_s: Float[Array, "T"], running: Bool[Array, "T"], leg_m: float
) -> Float[Array, "T"]:
    """Cadence at each frame."""
    v = np.maximum(dimensionless(speed_m_s, leg_m), 1e-3)
    clock = np.sqrt(GRAVITY / (LEG_TO_HIP * leg_m))
    walk = v ** (1.0 - WALK_POWER) / WALK_STEP
    run = RUN_RATE * np.maximum(v, 0.5) ** RUN_POWER
    return np.asarray(clock * np.maximum(np.where(running, run, walk), MIN_RATE))
