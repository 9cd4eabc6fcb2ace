"""The way of somebody whom nobody saw, between the last place and the next: a cubic with the speeds at both ends.

    p(u) = h00 p_a + h10 T v_a + h01 p_b + h11 T v_b          u = (t - t_a) / T        (Hermite)

A walker goes on as they went, and comes out as they come out. Speeds that the distance does not bear out are pulled to
the mean speed of the gap, the more the longer it is: after some seconds nobody knows that they are still walking.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from .problem import MODEL_RATE_HZ

Array = np.ndarray

REACH = 12
"""Slots on a side over which a speed at the end of a gap is measured."""
SPEED_MEMORY_S = 2.0
"""A speed at an end counts by exp(-T / this) against the mean speed of the gap."""
SMOOTH = 12
"""Half width, slots, over which a way is smoothed before its direction is read: about one step."""


def end_velocity(
    ground_m: Float[Array, "T 2"], known: Bool[Array, "T"], end: int, before: bool
) -> Float[Array, "2"]:
    """Velocity over the `REACH` known slots up to (or from) a slot, m/s; zero where too few are known."""
    slots = (
        np.arange(max(end - REACH, 0), end + 1)
        if before
        else np.arange(end, min(end + REACH + 1, len(known)))
    )
    slots = slots[known[slots]]
    if len(slots) < 4:
        return np.zeros(2)
    t = slots - slots.mean()
    return np.asarray((t[:, None] * ground_m[slots]).sum(0) / (t**2).sum() * MODEL_RATE_HZ)


def gap_path(
    ground_m: Float[Array, "T 2"], known: Bool[Array, "T"], last: int, first: int
) -> Float[Array, "G 2"]:
    """Ground places of the slots between `last` and `first`, metres.

    Args:
        ground_m: places; meaningless where not known.
        last, first: known slots on both sides of the gap.
    """
    span_s = (first - last) / MODEL_RATE_HZ
    a, b = ground_m[last], ground_m[first]
    mean = (b - a) / span_s
    keep = np.exp(-span_s / SPEED_MEMORY_S)
    v_a = keep * end_velocity(ground_m, known, last, True) + (1.0 - keep) * mean
    v_b = keep * end_velocity(ground_m, known, first, False) + (1.0 - keep) * mean
    u = (np.arange(last + 1, first) - last)[:, None] / (first - last)
    h00, h10 = 2 * u**3 - 3 * u**2 + 1, u**3 - 2 * u**2 + u
    h01, h11 = -2 * u**3 + 3 * u**2, u**3 - u**2
    return np.asarray(h00 * a + h10 * span_s * v_a + h01 * b + h11 * span_s * v_b)


def way(ground_m: Float[Array, "T 2"]) -> tuple[Float[Array, "T"], Float[Array, "T"]]:
    """Direction of walking about z, radians, and speed, m/s, of a way without holes."""
    kernel = np.ones(2 * SMOOTH + 1) / (2 * SMOOTH + 1)
    # the way is carried on at its ends by its own reflection, or smoothing would slow it down there
    ahead = 2 * ground_m[:1] - ground_m[1 : SMOOTH + 1][::-1]
    behind = 2 * ground_m[-1:] - ground_m[-SMOOTH - 1 : -1][::-1]
    padded = np.concatenate([ahead, ground_m, behind])
    missing = len(ground_m) + 2 * SMOOTH - len(padded)
    padded = np.pad(padded, ((missing // 2, missing - missing // 2), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(padded[:, c], kernel, "valid") for c in range(2)], -1)
    velocity = np.gradient(smooth, axis=0) * MODEL_RATE_HZ if len(smooth) > 1 else np.zeros_like(smooth)
    return np.arctan2(velocity[:, 1], velocity[:, 0]), np.linalg.norm(velocity, axis=-1)
