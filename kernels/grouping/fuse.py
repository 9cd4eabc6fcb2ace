"""Two estimates of one rotation become one, by precision.

R = R_a exp( a log(R_a^T R_b) ),    a = sigma_a^2 / (sigma_a^2 + sigma_b^2)
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..rotation import rotmat_to_rotvec_np, rotvec_to_rotmat_np

Array = np.ndarray


def share_of_second(
    first_sigma: Float[Array, "*batch"], second_sigma: Float[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """a of the module's first lines; 0 where the second says nothing (inf)."""
    with np.errstate(invalid="ignore"):
        share = first_sigma**2 / (first_sigma**2 + second_sigma**2)
    return np.asarray(np.where(np.isfinite(second_sigma), np.nan_to_num(share, nan=1.0), 0.0))


def between(
    first: Float[Array, "*batch 3 3"], second: Float[Array, "*batch 3 3"], share: Float[Array, "*batch"]
) -> Float[Array, "*batch 3 3"]:
    """The rotation `share` of the way from the first to the second, along the shortest turn."""
    turn = rotmat_to_rotvec_np(np.swapaxes(first, -1, -2) @ second)
    return np.asarray(first @ rotvec_to_rotmat_np(share[..., None] * turn))
