"""How one person differs from another: small turns after each joint's own, the same in all frames of a window.

Their sizes are those of the recordings: the standard deviation between 16 subjects of each joint's mean rotation in
walking, of which some is how skeletons were fitted. Hips and knees are left alone, since feet would slide; ankles turn
about their own upright, so that toes point in or out and ankles stay.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...kernels.rotation import rotvec_to_rotmat

SPREAD_RAD: dict[int, tuple[float, float, float]] = {
    3: (0.098, 0.017, 0.026), 6: (0.040, 0.022, 0.020), 9: (0.055, 0.011, 0.027),
    12: (0.122, 0.125, 0.065), 15: (0.178, 0.101, 0.110),
    13: (0.030, 0.032, 0.047), 14: (0.026, 0.022, 0.059),
    16: (0.244, 0.166, 0.141), 17: (0.208, 0.149, 0.182), 18: (0.112, 0.161, 0.199), 19: (0.049, 0.245, 0.211),
    20: (0.156, 0.305, 0.364), 21: (0.196, 0.249, 0.482), 7: (0.0, 0.118, 0.0), 8: (0.0, 0.131, 0.0),
}  # fmt: skip
"""Measured, about each joint's own axes."""
OWN_SHARE = 0.6
"""Of that: what is added comes on top of the subjects' own differences."""
STRAIGHTER_RAD = 0.08
"""No elbow is stretched by more than this."""


_JOINTS = sorted(SPREAD_RAD)


def manners(count: int, generator: torch.Generator) -> tuple[Int[Tensor, "K"], Float[Tensor, "B K 3 3"]]:
    """One set of turns a window, R'_j(t) = R_j(t) M_j: the joints, and M."""
    turns = torch.zeros(count, 22, 3)
    for joint, spread in SPREAD_RAD.items():
        turns[:, joint] = OWN_SHARE * torch.tensor(spread) * _bounded(generator, count, 3)
    # whose spine stoops looks ahead all the same, more or less
    turns[:, 15, 0] -= 0.5 * turns[:, [3, 6, 9, 12], 0].sum(1)
    # the left elbow bends about -y, the right about +y
    turns[:, 18, 1] = turns[:, 18, 1].clamp_max(STRAIGHTER_RAD)
    turns[:, 19, 1] = turns[:, 19, 1].clamp_min(-STRAIGHTER_RAD)
    return torch.tensor(_JOINTS), rotvec_to_rotmat(turns[:, _JOINTS])


def _bounded(generator: torch.Generator, *size: int) -> Float[Tensor, "*size"]:
    """Normal, cut at two standard deviations."""
    return torch.randn(*size, generator=generator).clamp(-2.0, 2.0)
