"""E_AMC: badly seen motions go the way of a well seen one that is like them (DyCrowd eq. 17).

    E_AMC = lambda_AMC sum_{n,s} softDTW(theta_ns, theta_n's') [ns is poor, n's' is its group's best]
    cost of putting slot i to slot j:   sum_j w_j |6D(R_nij) - 6D(R_n'jj)|^2

Time may stretch between the two, so nobody is made to walk in step. What the paper leaves open, and what is done here:
rotations are compared in their 6D form (axis-angle jumps at half turns); w weighs legs, trunk and arms, and leaves out
root, neck, head, wrists and hands (`grouping.joint_weights`); the guide is held, or poor motions would spoil good ones;
only slots with a body take part. O(N T G J).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...grouping.joint_weights import COMPARED_JOINTS, ROTATION_WEIGHTS
from ...grouping.soft_dtw import soft_dtw_loss
from ...rotation import rotmat_to_6d


@dataclass(frozen=True)
class Guides:
    """The motions that M of the N people are guided by."""

    person: Int[Tensor, "M"]
    """Who is guided: rows of the problem, each at most once."""
    rotmats: Float[Tensor, "M G J 3 3"]
    """Rotations relative to the parents, SMPL's first 22 joints or all; joint 0 is not looked at."""
    valid: Bool[Tensor, "M G"]
    """Slots with a body; at least one a guide."""

    @classmethod
    def of(cls, motions: Sequence[Float[np.ndarray, "_ _ 3 3"] | None], like: Float[Tensor, "..."]) -> Guides:
        """Guides of all people of a problem, None for who has none; where `like` is, in its precision."""
        led = [(person, motion) for person, motion in enumerate(motions) if motion is not None]
        longest = max((len(motion) for _, motion in led), default=1)
        rotmats = like.new_zeros(len(led), longest, 22, 3, 3)
        valid = torch.zeros(len(led), longest, dtype=torch.bool, device=like.device)
        for row, (_, motion) in enumerate(led):
            rotmats[row, : len(motion)] = torch.as_tensor(motion[:, :22]).to(like)
            valid[row, : len(motion)] = True
        return cls(
            torch.tensor([person for person, _ in led], dtype=torch.long).to(like.device), rotmats, valid
        )


def amc(
    rotmats: Float[Tensor, "N T J 3 3"], valid: Bool[Tensor, "N T"], guides: Guides, gamma: float
) -> Float[Tensor, "N"]:
    """E_AMC without its lambda, per person (DyCrowd eq. 17); 0 for people without a guide.

    Args:
        rotmats: rotations relative to the parents; joint 0 is not looked at.
        valid: person-frames that count.
        guides: who is guided by what; no gradient flows to them.
        gamma: softness of the alignment, in units of the cost of a slot.
    """
    out = rotmats.new_zeros(len(rotmats))
    # people without a slot have nothing to align
    rows = torch.nonzero(valid[guides.person].any(1))[:, 0]
    if not len(rows):
        return out
    person = guides.person[rows]
    motion, motion_ends = _packed(compared(rotmats[person]), valid[person])
    lead, lead_ends = _packed(compared(guides.rotmats[rows].detach()), guides.valid[rows])
    joint = torch.as_tensor(ROTATION_WEIGHTS[list(COMPARED_JOINTS)]).to(rotmats)
    loss = soft_dtw_loss(motion, lead, joint.repeat_interleave(6), gamma, motion_ends, lead_ends)
    return out.index_put((person,), loss)


def compared(rotmats: Float[Tensor, "*batch J 3 3"]) -> Float[Tensor, "*batch D"]:
    """What eq. 17 looks at of a pose: the 6D rotations of the weighted joints, one after the other."""
    return rotmat_to_6d(rotmats[..., list(COMPARED_JOINTS), :, :]).flatten(-2)


def _packed(
    motion: Float[Tensor, "M T D"], valid: Bool[Tensor, "M T"]
) -> tuple[Float[Tensor, "M T D"], Int[Tensor, "M"]]:
    """The slots that count moved to the front, in their order, and how many they are; the rest is 0."""
    order = torch.argsort((~valid).to(torch.int8), dim=1, stable=True)
    moved = motion.gather(1, order[..., None].expand_as(motion))
    kept = valid.gather(1, order)[..., None]
    return torch.where(kept, moved, torch.zeros((), dtype=motion.dtype, device=motion.device)), valid.sum(1)
