"""E_shape: shapes are not extreme (DyCrowd eq. 9).

    E_shape = sum_{n,t} zeta_nt | beta_nt |^2

The printed sum runs over n and t, because the paper keeps a shape for every person-frame. One shape per person,
expanded over time, gives the same value: |beta_n|^2 times the number of valid frames. O(N T K).
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def shape(betas: Float[Tensor, "N T K"], valid: Bool[Tensor, "N T"]) -> Float[Tensor, "N"]:
    """E_shape without its lambda, per person (DyCrowd eq. 9).

    Args:
        betas: shape coefficients of each person-frame.
        valid: zeta: person-frames that count.
    """
    return ((betas * betas).sum(-1) * valid).sum(-1)
