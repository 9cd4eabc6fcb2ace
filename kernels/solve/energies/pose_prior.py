"""E_pose: poses are likely ones (DyCrowd eq. 8).

    E_pose = - sum_{n,t} log N(z_nt; 0, I) = sum_{n,t} 1/2 |z_nt|^2 + const

The constant (16 log 2 pi per person-frame) is left out. The printed sum carries no zeta; slots where nobody is
have no pose, so they are masked here too. O(N T L).
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def pose_prior(z: Float[Tensor, "N T L"], valid: Bool[Tensor, "N T"]) -> Float[Tensor, "N"]:
    """E_pose without its lambda, per person (DyCrowd eq. 8), nats.

    Args:
        z: latent of each pose (`kernels.priors`), unit normal under the prior.
        valid: person-frames that count.
    """
    return (0.5 * (z * z).sum(-1) * valid).sum(-1)
