"""When a camera takes its pictures: steady rates, and the irregular one of cheap cameras."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from ...kernels.errors import CrowdstreamError

Array = np.ndarray

VARIABLE_RATES_HZ = (12.0, 30.0)
"""A variable rate wanders between these (exposure, load), and now and then a picture is missing."""
VARIABLE_LOSS = 0.02
"""Share of pictures that a variable camera loses."""


def frame_times(seconds: float, rate: str, seed: int) -> Int[Array, "F"]:
    """Capture times, int64 ns from 0, all before `seconds`.

    Args:
        rate: frames a second as a number ("30", "25", "10", "29.97"), or "variable".

    Raises:
        CrowdstreamError: neither a number between 1 and 120 nor "variable".

    >>> frame_times(0.2, "10", seed=0).tolist()
    [0, 100000000]
    """
    if rate == "variable":
        return _variable_times(seconds, np.random.default_rng([seed, 0x74]))
    try:
        hz = float(rate)
    except ValueError:
        hz = 0.0
    if not 1.0 <= hz <= 120.0:
        raise CrowdstreamError(f"frame rate {rate!r}: expected a number from 1 to 120, or 'variable'")
    count = int(np.ceil(seconds * hz - 1e-6))
    return np.round(np.arange(count) * (1e9 / hz)).astype(np.int64)


def nominal_rate_hz(t_ns: Int[Array, "F"]) -> float:
    """Median rate of capture times."""
    return float(1e9 / np.median(np.diff(t_ns))) if len(t_ns) > 1 else 30.0


def _variable_times(seconds: float, rng: np.random.Generator) -> Int[Array, "F"]:
    low, high = VARIABLE_RATES_HZ
    times, t, hz = [0.0], 0.0, 25.0
    while True:
        hz = float(np.clip(hz + rng.normal(0.0, 0.8), low, high))
        t += 1.0 / hz
        if t >= seconds:
            return np.round(np.array(times) * 1e9).astype(np.int64)
        if rng.random() >= VARIABLE_LOSS:
            times.append(t)
