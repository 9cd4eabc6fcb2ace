"""Delta_t of eqs 6 and 10, with masks: first differences as printed, or second differences.

    first    x_t - x_{t-1}                  penalises moving (a walker at 1.4 m/s goes 4.7 cm in a frame)
    second   x_{t+1} - 2 x_t + x_{t-1}      penalises accelerating only

A difference counts where all of its two or three slots are valid.
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def squared_differences(
    values: Float[Tensor, "N T D"], valid: Bool[Tensor, "N T"], order: int
) -> Float[Tensor, "N"]:
    """Sum over time and coordinates of squared differences of the given order (1 or 2), per person."""
    step = values[:, 1:] - values[:, :-1]
    both = valid[:, 1:] & valid[:, :-1]
    if order == 2:
        step = step[:, 1:] - step[:, :-1]
        both = both[:, 1:] & both[:, :-1]
    return ((step * step).sum(-1) * both).sum(-1)
