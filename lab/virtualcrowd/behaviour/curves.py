"""From steps of the simulation to smooth curves at 30 Hz.

Positions and headings, smoothed by [1 2 1]/4 twice, are the control points of a uniform cubic B-spline: twice
continuously differentiable, never outside the hull of four neighbours (so no overshoot at a stop and none into a
wall), constant where the person stands:

    x(2k) = (p[k-1] + 4 p[k] + p[k+1]) / 6,     x(2k + 1) = (p[k-1] + 23 p[k] + 23 p[k+1] + p[k+2]) / 48
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, UInt8

from ..plan import Activity

Array = np.ndarray

PAD = 4
SLOW_MPS = 0.12
"""Slower than this is standing,"""
SLOW_SLOTS = 12
"""where it lasts this many slots."""


def spline(points: Float[Array, "K D"]) -> Float[Array, "L D"]:
    """Values at twice the rate, L = 2 K - 1: at each point and half way between; the ends run on straight."""
    first = 2 * points[:1] - points[1:2] if len(points) > 1 else points[:1]
    last = 2 * points[-1:] - points[-2:-1] if len(points) > 1 else points[-1:]
    steps = np.arange(1, PAD + 1)[:, None]
    before = points[:1] + steps[::-1] * (first - points[:1])
    after = points[-1:] + steps * (last - points[-1:])
    p = np.concatenate([before, points, after])
    for _ in range(2):
        p = np.concatenate([p[:1], 0.25 * p[:-2] + 0.5 * p[1:-1] + 0.25 * p[2:], p[-1:]])
    p = p[PAD - 2 : len(p) - PAD + 2]  # two more than asked for on either side
    out = np.empty((2 * len(points) - 1, points.shape[1]))
    out[0::2] = (p[1:-3] + 4 * p[2:-2] + p[3:-1]) / 6
    out[1::2] = ((p[1:-4] + p[4:-1]) + 23 * (p[2:-3] + p[3:-2]))[: len(points) - 1] / 48
    return out


def calm(
    activity: UInt8[Array, "T"], speed_mps: Float[Array, "T"], rest: UInt8[Array, "T"]
) -> UInt8[Array, "T"]:
    """Walking on the spot for a while is standing; standing that still moves is walking."""
    walking = (activity == Activity.WALK) | (activity == Activity.JOG)
    slow = _long_runs(walking & (speed_mps < SLOW_MPS), SLOW_SLOTS)
    out = np.where(slow, rest, activity)
    out[~walking & (speed_mps > 2 * SLOW_MPS)] = Activity.WALK
    return out.astype(np.uint8)


def _long_runs(flags: Bool[Array, "T"], least: int) -> Bool[Array, "T"]:
    """The flags that stand in runs of at least so many."""
    edge = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    out = np.zeros_like(flags)
    for start, end in edge.reshape(-1, 2):
        if end - start >= least:
            out[start:end] = True
    return out
