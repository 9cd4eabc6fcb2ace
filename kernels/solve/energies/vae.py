"""E_VAE: whole segments of motion are likely ones (DyCrowd eq. 12).

    E_VAE = - sum_{n,s} log N(z_ns; 0, I) = sum_{n,s} 1/2 |z_ns|^2 + const

z is the motion prior's latent, 256 + 128 numbers for 64 slots. The constant (192 log 2 pi a segment) is left out; so
are segments in which the person does not appear, which the printed sum cannot hold. O(N S L).
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def vae(z: Float[Tensor, "N S L"], valid: Bool[Tensor, "N S"]) -> Float[Tensor, "N"]:
    """E_VAE without its lambda, per person (DyCrowd eq. 12), nats.

    Args:
        z: latent of each segment (`kernels.priors.motion_prior`), unit normal under the prior.
        valid: segments that count: the person is there in some slot.
    """
    return (0.5 * (z * z).sum(-1) * valid).sum(-1)
