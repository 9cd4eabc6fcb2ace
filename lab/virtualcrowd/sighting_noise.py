"""Noise with a memory: stationary first-order chains over frames that need not be evenly spaced.

    x_0 = w_0,   x_k = a_k x_{k-1} + sqrt(1 - a_k^2) w_k,   a_k = exp(-(t_k - t_{k-1}) / tau)

for Gaussian values (AR(1), unit variance), and the same idea for switches: a two-state chain that is on with a given
probability and stays on for tau seconds on average (tau = 0: independent draws). Everything is float32 with frames
first, so that each step of the chain is one pass over contiguous memory.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtr

Array = np.ndarray

NS = 1e-9
INSTANT_S = 1e-9
"""Shorter memories are none."""


def chain(
    rng: np.random.Generator, t_ns: Int[Array, "F"], shape: tuple[int, ...], tau_s: float
) -> Float[Array, "F *shape"]:
    """Gaussian values of unit variance with correlation exp(-dt / tau_s); tau_s = 0: white."""
    noise: Array = rng.standard_normal((len(t_ns), *shape), dtype=np.float32)
    if tau_s <= INSTANT_S:
        return noise
    keep = np.exp(-np.diff(t_ns) * NS / tau_s)
    fresh = np.sqrt(1.0 - keep**2)
    for k, (a, b) in enumerate(zip(keep.tolist(), fresh.tolist(), strict=True), start=1):
        noise[k] *= np.float32(b)
        noise[k] += np.float32(a) * noise[k - 1]
    return noise


def mixed(
    rng: np.random.Generator, t_ns: Int[Array, "F"], shape: tuple[int, ...], tau_s: float, fast: float
) -> Float[Array, "F *shape"]:
    """Unit variance: a share `fast` of it new in each frame, the rest a chain."""
    slow = chain(rng, t_ns, shape, tau_s)
    if fast <= 0.0:
        return slow
    slow *= np.float32(np.sqrt(1.0 - fast))
    slow += np.float32(np.sqrt(fast)) * rng.standard_normal(slow.shape, dtype=np.float32)
    return slow


def switches(
    rng: np.random.Generator, t_ns: Int[Array, "F"], on_share: Float[Array, "F *shape"], stay_s: float
) -> Bool[Array, "F *shape"]:
    """A two-state chain that is on with probability `on_share` and stays on `stay_s` on average.

    With p_off = 1 - exp(-dt / stay_s) and p_on = p_off s / (1 - s) the share s is kept at every step. A change of
    `on_share` is followed with the same delay.
    """
    draw = rng.random(on_share.shape, dtype=np.float32)
    on = np.empty(on_share.shape, bool)
    on[0] = draw[0] < on_share[0]
    steps = np.diff(t_ns) * NS
    for k, step in enumerate(steps.tolist(), start=1):
        share = np.clip(on_share[k], 0.0, 0.999)
        leave = 1.0 - np.exp(-step / stay_s) if stay_s > INSTANT_S else 1.0 - share
        leave = np.minimum(leave, (1.0 - share) / np.maximum(share, 1e-6))  # else p_on would pass 1
        enter = leave * share / (1.0 - share)
        on[k] = np.where(on[k - 1], draw[k] >= leave, draw[k] < enter)
    return on


def quantile_of(
    z: Float[Array, "*batch"], levels: tuple[float, ...], values: Float[Array, "Q"]
) -> Float[Array, "*batch"]:
    """Standard normal numbers made to follow a distribution known by quantiles (linear between, flat outside)."""
    return np.asarray(np.interp(ndtr(z), levels, values).astype(np.float32))
