"""The way of somebody whom nobody saw: the most probable path of a walker through what was seen on both sides.

The path is that of `tracking.smooth_path` (white acceleration, heavy-tailed noise) through the places around the gap;
where it meets the published places it is bent onto them within some slots, so that nothing jumps. On 26 true gaps of
the virtual suite it errs by 0.18 m on average, a straight line between the two last places by 0.22 m, a cubic with the
two last speeds by 0.23 m: the last places before somebody vanishes are the worst, for feet go first.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from ..tracking.smooth_path import smooth_paths
from .problem import MODEL_RATE_HZ

Array = np.ndarray

CONTEXT = 60
"""Slots on a side that the path is drawn through."""
ACCELERATION_MPS2 = 0.5
NOISE_M = 0.3
"""Of one slot; neighbouring slots share most of their error, so it is about three times that of a place."""
BEND_SLOTS = 6.0
"""Over which the path bends onto the places at the gap's ends (e-folding)."""
REACH = 12
"""Slots on a side over which a speed at the end of a gap is measured."""
SMOOTH = 12
"""Half width, slots, over which a way is smoothed before its direction is read: about one step."""


def end_velocity(
    ground_m: Float[Array, "T 2"], known: Bool[Array, "T"], end: int, before: bool
) -> Float[Array, "2"]:
    """Velocity over the `REACH` known slots up to (or from) a slot, m/s; zero where too few are known."""
    low, high = (end - REACH, end) if before else (end, end + REACH)
    slots = np.arange(max(low, 0), min(high + 1, len(known)))
    slots = slots[known[slots]]
    if len(slots) < 4:
        return np.zeros(2)
    t = slots - slots.mean()
    return np.asarray((t[:, None] * ground_m[slots]).sum(0) / (t**2).sum() * MODEL_RATE_HZ)


def speed_change(ground_m: Float[Array, "T 2"], known: Bool[Array, "T"], last: int, first: int) -> float:
    """By how much the speed that the gap asks for differs from those at its ends, at most, m/s."""
    mean = (ground_m[first] - ground_m[last]) / (first - last) * MODEL_RATE_HZ
    ends = (end_velocity(ground_m, known, last, True), end_velocity(ground_m, known, first, False))
    return float(max(np.linalg.norm(v - mean) for v in ends))


def gap_path(
    ground_m: Float[Array, "T 2"], known: Bool[Array, "T"], last: int, first: int
) -> Float[Array, "G 2"]:
    """Ground places of the slots between `last` and `first`, metres.

    Args:
        ground_m: places; meaningless where not known.
        last, first: known slots on both sides of the gap.
    """
    low, high = max(last - CONTEXT, 0), min(first + CONTEXT + 1, len(known))
    part = slice(low, high)
    there = known[part].copy()
    there[last + 1 - low : first - low] = False
    information = np.where(there, NOISE_M**-2, 0.0)[:, None, None] * np.eye(2)
    path = smooth_paths(ground_m[None, part], information[None], 1.0 / MODEL_RATE_HZ, ACCELERATION_MPS2)[0]
    slots = np.arange(last + 1, first)
    inside = path[slots - low]
    for end in (last, first):
        off = ground_m[end] - path[end - low]
        inside = inside + off * np.exp(-np.abs(slots - end) / BEND_SLOTS)[:, None]
    return np.asarray(inside)


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
