"""How one person differs from another: small turns after each joint's own, the same in all frames of a window."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...kernels.rotation import rotvec_to_rotmat
from ..virtualcrowd.motion.style import ELBOW_SD_RAD, OFFSET_SD_RAD

STOOP_SD_RAD = 0.06
"""Of the spine as a whole; the neck makes up for half of it, so that eyes stay ahead."""
SPREAD_SD_RAD = 0.08
"""Of both upper arms from the trunk."""
TOE_OUT_SD_RAD = 0.08
"""Of each foot about its own upright: ankles stay where they are."""


def manners(count: int, generator: torch.Generator) -> Float[Tensor, "B 22 3 3"]:
    """One set of turns a window: R'_j(t) = R_j(t) M_j."""
    turns = torch.zeros(count, 22, 3)
    for joint, sd in OFFSET_SD_RAD.items():
        turns[:, joint] = sd * _bounded(generator, count, 3)
    elbows = ELBOW_SD_RAD * _bounded(generator, count, 2)
    turns[:, 18, 1], turns[:, 19, 1] = -elbows[:, 0], elbows[:, 1]
    stoop = STOOP_SD_RAD * _bounded(generator, count, 1)[:, 0]
    for joint in (3, 6, 9):
        turns[:, joint, 0] += stoop / 3
    turns[:, 12, 0] -= 0.25 * stoop
    turns[:, 15, 0] -= 0.25 * stoop
    spread = SPREAD_SD_RAD * _bounded(generator, count, 1)[:, 0]
    # the arms hang: from the shoulder joint, down is -z turned by the drop; about the chest's z they open
    out = TOE_OUT_SD_RAD * _bounded(generator, count, 2)
    turns[:, 16, 2] += spread
    turns[:, 17, 2] -= spread
    turns[:, 7, 1], turns[:, 8, 1] = out[:, 0], -out[:, 1]
    return rotvec_to_rotmat(turns)


def _bounded(generator: torch.Generator, *size: int) -> Float[Tensor, "*size"]:
    """Normal, cut at two standard deviations."""
    return torch.randn(*size, generator=generator).clamp(-2.0, 2.0)
