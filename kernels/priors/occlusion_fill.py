"""Bridging what is hidden: each group of a motion state, straight across time between the frames that were seen.

    x~(t) = (1 - a) x(t0) + a x(t1),   a = (t - t0) / (t1 - t0),   t0 <= t <= t1 the nearest seen frames

Before the first and after the last seen frame the nearest is held; a group that is never seen is filled with its mean.
The motion prior starts from this, so it has to learn only what a straight line gets wrong.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .motion_state import BODY_JOINTS, GLOBAL, JOINTS, ROTATIONS, VELOCITY


def bridge(
    values: Float[Tensor, "B T G D"], seen: Bool[Tensor, "B T G"], mean: Float[Tensor, "G D"]
) -> Float[Tensor, "B T G D"]:
    """Values with every hidden group bridged; seen ones untouched. O(B T G D).

    Args:
        values: anything, even not finite, where hidden.
        seen: which groups are to be believed.
        mean: what stands for a group that is never seen.
    """
    frames = values.shape[1]
    index = torch.arange(frames, device=values.device)[None, :, None]
    before = torch.where(seen, index, -1).cummax(1).values
    after = torch.where(seen, index, frames).flip(1).cummin(1).values.flip(1)
    t0 = torch.where(before < 0, after, before).clamp(0, frames - 1)
    t1 = torch.where(after >= frames, before, after).clamp(0, frames - 1)
    share = ((index - t0) / (t1 - t0).clamp_min(1)).to(values.dtype)
    low = values.gather(1, t0[..., None].expand_as(values))
    high = values.gather(1, t1[..., None].expand_as(values))
    filled = torch.lerp(low, high, share[..., None])
    return torch.where(seen.any(1)[:, None, :, None], filled, mean)


def bridge_state(
    state: Float[Tensor, "B T 330"], seen: Bool[Tensor, "B T 22"], mean: Float[Tensor, "330"]
) -> Float[Tensor, "B T 330"]:
    """A motion state with its hidden groups bridged.

    Args:
        state: of `motion_state`.
        seen: body joints 1..21, then the global part.
        mean: the average state.
    """
    joints = seen[..., :BODY_JOINTS]
    parts = []
    for part in (JOINTS, VELOCITY, ROTATIONS):
        values = state[..., part].reshape(*state.shape[:-1], BODY_JOINTS, -1)
        parts.append(bridge(values, joints, mean[part].reshape(BODY_JOINTS, -1)).flatten(-2))
    whole = bridge(state[..., None, GLOBAL], seen[..., BODY_JOINTS:], mean[None, GLOBAL])
    return torch.cat([*parts, whole[..., 0, :]], -1)
