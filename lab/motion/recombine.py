"""One window's legs and path under another's trunk, arms and head.

Both are whole windows, so nothing is smoothed in time. Put together is only what could be one person: both upright, the
pelvis of both leaning alike; and arms that swing with their own legs stay at home, but for a few.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

UPPER = [3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]
"""Joints whose rotations belong to the upper body."""
STANDS_M_S, SWINGS_M_S = 0.25, 0.5
"""Slower: arms free of the legs; faster: arms swing with them."""
SAME_LEAN = 0.14
"""Largest difference of the mean leans (about radians)."""
BOTH_SWING = 0.08
"""Of pairs in which both walk, how many are let through."""


def partners(
    lean: Float[Tensor, "B 2"],
    upright: Bool[Tensor, "B"],
    speed_m_s: Float[Tensor, "B"],
    generator: torch.Generator,
) -> tuple[Int[Tensor, "B"], Bool[Tensor, "B"]]:
    """For every window another one of the batch, and whether the two can be put together.

    Args:
        lean: mean of the pelvis's up axis ahead and to the left of its own heading.
        upright: whether it stays upright throughout.
        speed_m_s: mean horizontal speed.
        generator: random.
    """
    count = len(lean)
    other = torch.randperm(count, generator=generator)
    alike = (lean - lean[other]).norm(dim=-1) < SAME_LEAN
    swing = (speed_m_s[other] > STANDS_M_S) & (speed_m_s > STANDS_M_S)
    one_pace = (speed_m_s - speed_m_s[other]).abs() < 0.3 * speed_m_s.clamp_min(0.1)
    lucky = torch.rand(count, generator=generator) < BOTH_SWING
    return other, upright & upright[other] & alike & (~swing | (one_pace & lucky))
