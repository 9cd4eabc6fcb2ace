"""E_t-trans: the root moves smoothly (DyCrowd eq. 6).

    E_t-trans = sum_{n,t} zeta_nt | Delta_t(tau_nt) |^2,     Delta_t(tau_t) = tau_t - tau_{t-1}

On the 30 Hz model timeline, whatever the camera's rate; slots without an observation are spanned as long as the
person is present. Printed first differences pull towards standing still; `order=2` does not. O(N T).
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from .differences import squared_differences


def translation_smoothness(
    transl_m: Float[Tensor, "N T 3"], valid: Bool[Tensor, "N T"], order: int = 1
) -> Float[Tensor, "N"]:
    """E_t-trans without its lambda, per person (DyCrowd eq. 6), m^2.

    Args:
        transl_m: root translations in the world, metres.
        valid: zeta: person-frames that count.
        order: 1 for first differences, as printed; 2 for second differences.
    """
    return squared_differences(transl_m, valid, order)
