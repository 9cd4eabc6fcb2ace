"""E_connect: segments of one person join (DyCrowd eq. 14).

    printed   E_connect = sum_{n,s} zeta zeta+ | J_s+ - J_s |^2
    second    E_connect = sum_{n,s} | J_s+ - 2 J_s + J_s-1 |^2 zetas  +  | J_s+1 - 2 J_s+ + J_s |^2 zetas

J_s is the last slot of a segment, J_s+ the first of the next; all joints, in the world. As printed, the first
difference pulls the speed at the seam to zero (a walker goes 4.7 cm in a slot); second differences ask only that the
speed goes on as it was. O(N S J).
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def connect(
    before_m: Float[Tensor, "*batch 2 J 3"],
    after_m: Float[Tensor, "*batch 2 J 3"],
    before_valid: Bool[Tensor, "*batch 2"],
    after_valid: Bool[Tensor, "*batch 2"],
    order: int = 1,
) -> Float[Tensor, "*batch"]:
    """E_connect of single seams, without its lambda (DyCrowd eq. 14), m^2.

    Args:
        before_m: joints in the last two slots before the seam, world, metres; finite also where not valid.
        after_m: joints in the first two slots after it.
        before_valid: zeta: the person is there.
        after_valid: the same after the seam.
        order: 1 for the step over the seam, as printed; 2 for the second differences that reach over it.
    """
    step = after_m[..., 0, :, :] - before_m[..., 1, :, :]
    both = before_valid[..., 1] & after_valid[..., 0]
    if order == 1:
        return (step * step).sum((-1, -2)) * both
    speed_before = before_m[..., 1, :, :] - before_m[..., 0, :, :]
    speed_after = after_m[..., 1, :, :] - after_m[..., 0, :, :]
    arriving = ((step - speed_before) ** 2).sum((-1, -2)) * (both & before_valid[..., 0])
    leaving = ((speed_after - step) ** 2).sum((-1, -2)) * (both & after_valid[..., 1])
    return arriving + leaving
