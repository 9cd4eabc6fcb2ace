"""E_t-pose: the joints move smoothly (DyCrowd eq. 10).

    E_t-pose = sum_{n,t} zeta_nt | Delta_t(J_nt) |^2          over all 24 joints, in the world

On the 30 Hz model timeline; the remarks of `translation_smoothness` hold. O(N T J).
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from .differences import squared_differences


def pose_smoothness(
    joints_m: Float[Tensor, "N T J 3"], valid: Bool[Tensor, "N T"], order: int = 1
) -> Float[Tensor, "N"]:
    """E_t-pose without its lambda, per person (DyCrowd eq. 10), m^2.

    Args:
        joints_m: joints in the world, metres.
        valid: zeta: person-frames that count.
        order: 1 for first differences, as printed; 2 for second differences.
    """
    return squared_differences(joints_m.flatten(-2), valid, order)
