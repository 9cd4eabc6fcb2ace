"""Velocities that tell nothing of what is hidden.

The velocity of a frame is the step to the next one (`motion_state`), so that of the last seen frame before a gap holds
where the first hidden frame is. Here it goes on as before instead, the way the last frame of a segment does:

    v(t) <- v(t-1)   where t is seen and t+1 is not;   0 where t-1 is not seen either

Whoever hides part of a whole recording, or has placeholders where nothing was seen, calls this before encoding.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .motion_state import BODY_JOINTS, VELOCITY


def hold_velocity(
    state: Float[Tensor, "*batch T 330"], seen: Bool[Tensor, "*batch T 22"]
) -> Float[Tensor, "*batch T 330"]:
    """The state with velocities that end in hidden frames held. Differentiable; doing it twice changes nothing.

    Args:
        state: of `motion_state`.
        seen: body joints 1..21, then the global part; a joint's velocity needs both.
    """
    both = seen[..., :BODY_JOINTS] & seen[..., BODY_JOINTS:]
    ahead = torch.cat([both[..., 1:, :], both[..., -1:, :]], -2)
    behind = torch.cat([torch.zeros_like(both[..., :1, :]), both[..., :-1, :]], -2)
    velocity = state[..., VELOCITY].reshape(*both.shape, 3)
    before = torch.cat([velocity[..., :1, :, :], velocity[..., :-1, :, :]], -3)
    held = torch.where(behind[..., None], before, torch.zeros_like(before))
    # the last frame repeats the velocity of the one before already: where that one is hidden there is none
    last = torch.zeros_like(both)
    last[..., -1, :] = ~both[..., -2, :]
    ends = both & (~ahead | last)
    velocity = torch.where(ends[..., None], held, velocity).flatten(-2)
    return torch.cat([state[..., : VELOCITY.start], velocity, state[..., VELOCITY.stop :]], -1)
