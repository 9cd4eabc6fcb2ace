"""The plainest infilling: every joint turns evenly from the last frame seen to the first seen again.

    R(t) = R_a exp(s log(R_a^T R_b)),   x(t) = (1 - s) x_a + s x_b,   s = (t - a) / (b - a)

The turn is the shorter one, the pelvis a joint among others. Who is never seen stands straight: the other plain answer,
which hidden legs get.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from ....kernels.priors.motion_state import BODY_JOINTS
from ....kernels.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from .motion import Answer, Segments


@dataclass(frozen=True)
class SlerpAnswers:
    """Interpolation over one gap; joints that are never seen keep the rest pose."""

    def answer(self, shown: Segments, seen: Bool[Tensor, "64 22"]) -> Answer:
        """Fill frames in which nothing is seen; they must have seen frames on both sides."""
        gap = torch.nonzero(~seen[:, BODY_JOINTS]).flatten()
        if len(gap) == 0:
            return Answer(shown)
        first, last = int(gap[0]) - 1, int(gap[-1]) + 1
        share = (gap - first) / (last - first)
        start = shown.rotmats[:, first]
        turn = rotmat_to_rotvec(start.transpose(-1, -2) @ shown.rotmats[:, last])
        steps = rotvec_to_rotmat(share[:, None, None] * turn[:, None])
        rotmats, root = shown.rotmats.clone(), shown.root_m.clone()
        rotmats[:, gap] = start[:, None] @ steps
        root[:, gap] = torch.lerp(root[:, first, None], root[:, last, None], share[:, None])
        return Answer(Segments(rotmats, root))
