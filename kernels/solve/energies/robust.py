"""The Geman-McClure kernel: squares for small residuals, a constant for outliers.

rho(s) = s k^2 / (s + k^2)      with s the squared residual; rho -> s for s << k^2, rho -> k^2 for s >> k^2
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def geman_mcclure(squared: Float[Tensor, "*batch"], scale: float) -> Float[Tensor, "*batch"]:
    """Bounded version of squared residuals.

    Args:
        squared: squared residuals, any unit squared.
        scale: k, in the residual's own unit; half of the bound is reached there.
    """
    bound = scale * scale
    return squared * bound / (squared + bound)
