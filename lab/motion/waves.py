"""Slow changes over a window: what idle bodies do, drawn from sums of sines and soft steps."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

RATE_HZ = 30.0


def drift(
    count: int,
    frames: int,
    channels: int,
    periods_s: tuple[float, float],
    generator: torch.Generator,
    pace: Float[Tensor, "B"] | None = None,
) -> Float[Tensor, "B T K"]:
    """Wandering of unit variance about 0: three sines of random period and phase a channel.

    Args:
        count, frames, channels: sizes.
        periods_s: shortest and longest.
        generator: random.
        pace: how many times faster each row goes; None for once.
    """
    luck = torch.rand(2, count, 1, channels, 3, generator=generator)
    period = periods_s[0] + (periods_s[1] - periods_s[0]) * luck[0]
    t = torch.arange(frames)[:, None, None] / RATE_HZ
    if pace is not None:
        t = t * pace[:, None, None, None]
    return torch.sin(2 * math.pi * (t / period + luck[1])).sum(-1) * math.sqrt(2 / 3)


def steps(
    count: int, frames: int, seconds: tuple[float, float], generator: torch.Generator
) -> Float[Tensor, "B T"]:
    """Once from 0 to 1, softly, somewhere in the window; half of them from 1 to 0."""
    luck = torch.rand(count, 3, generator=generator)
    length = RATE_HZ * (seconds[0] + (seconds[1] - seconds[0]) * luck[:, :1])
    first = luck[:, 1:2] * frames - 0.5 * length
    u = ((torch.arange(frames) - first) / length).clamp(0.0, 1.0)
    # the integral of (u (1 - u))^2: neither speed nor acceleration jumps
    soft = u**3 * (10.0 - 15.0 * u + 6.0 * u**2)
    return torch.where(luck[:, 2:] < 0.5, soft, 1.0 - soft)


def uniform(
    low: float, high: float, size: tuple[int, ...], generator: torch.Generator
) -> Float[Tensor, "*batch"]:
    """Evenly between two numbers."""
    return low + (high - low) * torch.rand(*size, generator=generator)
