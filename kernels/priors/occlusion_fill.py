"""Bridging what is hidden: each group of a motion state, straight across time between the frames that were seen.

    x~(t) = (1 - a) x(t0) + a x(t1),   a = (t - t0) / (t1 - t0),   t0 <= t <= t1 the nearest seen frames

Before the first and after the last seen frame the nearest is held; a group that is never seen is filled with its mean.
The motion prior starts from this, so it has to learn only what a straight line gets wrong.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def bridge(
    values: Float[Tensor, "B T D"], seen: Bool[Tensor, "B T D"], mean: Float[Tensor, "D"]
) -> Float[Tensor, "B T D"]:
    """Values with every hidden entry bridged; seen ones untouched. O(B T D).

    Args:
        values: anything where hidden.
        seen: which entries are to be believed.
        mean: what stands for an entry that is never seen.
    """
    frames = values.shape[1]
    index = torch.arange(frames, device=values.device)[None, :, None].expand_as(values)
    before = torch.where(seen, index, -1).cummax(1).values
    after = torch.where(seen, index, frames).flip(1).cummin(1).values.flip(1)
    t0 = torch.where(before < 0, after, before).clamp(0, frames - 1)
    t1 = torch.where(after >= frames, before, after).clamp(0, frames - 1)
    clean = torch.where(seen, values, torch.zeros_like(values))
    low, high = clean.gather(1, t0), clean.gather(1, t1)
    share = (index - t0) / (t1 - t0).clamp_min(1)
    filled = torch.lerp(low, high, share.to(values.dtype))
    return torch.where(seen.any(1, keepdim=True), filled, mean.expand_as(values))
