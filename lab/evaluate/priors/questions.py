"""What a motion prior is asked: which part of a window is hidden, and where its answer is judged.

recon       nothing hidden; judged everywhere
infill n    the n frames in the middle hidden in every group, path and all; judged on them
lowerbody   hips, knees, ankles and feet hidden in all frames, the pelvis seen; judged on those joints
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from ....kernels.priors.motion_state import GROUPS, SEGMENT_FRAMES

GAPS = (16, 32, 48)
"""Hidden frames of the three infilling questions."""
LEGS = (1, 2, 4, 5, 7, 8, 10, 11)
"""SMPL joints of both legs: hips, knees, ankles, feet."""
ALL_JOINTS = tuple(range(22))


@dataclass(frozen=True)
class Hiding:
    """One question."""

    name: str
    seen: Bool[Tensor, "64 22"]
    """Body joints 1..21, then pelvis path and rotation."""
    frames: slice
    """Where the answer is judged."""
    joints: tuple[int, ...] = ALL_JOINTS
    """Of which joints; SMPL numbers."""

    @property
    def whole(self) -> bool:
        """Whether nothing is hidden."""
        return bool(self.seen.all())


def middle(count: int) -> Hiding:
    """`count` frames in the middle wholly hidden."""
    first = (SEGMENT_FRAMES - count) // 2
    seen = torch.ones(SEGMENT_FRAMES, GROUPS, dtype=torch.bool)
    seen[first : first + count] = False
    return Hiding(f"infill{count}", seen, slice(first, first + count))


def legs() -> Hiding:
    """Both legs hidden all the time."""
    seen = torch.ones(SEGMENT_FRAMES, GROUPS, dtype=torch.bool)
    seen[:, [joint - 1 for joint in LEGS]] = False
    return Hiding("lowerbody", seen, slice(0, SEGMENT_FRAMES), LEGS)


RECON = Hiding("recon", torch.ones(SEGMENT_FRAMES, GROUPS, dtype=torch.bool), slice(0, SEGMENT_FRAMES))
INFILLS = tuple(middle(count) for count in GAPS)
LOWERBODY = legs()
QUESTIONS = (RECON, *INFILLS, LOWERBODY)
