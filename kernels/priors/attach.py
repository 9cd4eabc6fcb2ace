"""Tying what the prior filled in to what was seen: its error at the ends of a gap, carried across the gap.

    hidden:  x <- x_hat + (1 - a) e(t0) + a e(t1),   e = x_seen - x_hat,   t0 < t < t1 the nearest seen frames

A decoded motion misses what was seen by some millimetres, so a filled gap begins and ends with a step; across short
gaps that step is most of the error. Where one side only was seen its error is held; a joint that was never seen stays
as decoded, and so does everything seen. Rotations as 6D, made orthonormal again.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..rotation import rotmat_from_6d, rotmat_to_6d
from .motion_state import BODY_JOINTS
from .occlusion_fill import bridge


def attach(
    decoded_rotmats: Float[Tensor, "B T 22 3 3"],
    decoded_root_m: Float[Tensor, "B T 3"],
    rotmats: Float[Tensor, "B T 22 3 3"],
    root_m: Float[Tensor, "B T 3"],
    seen: Bool[Tensor, "B T 22"],
) -> tuple[Float[Tensor, "B T 22 3 3"], Float[Tensor, "B T 3"]]:
    """Decoded rotations and path with their hidden part tied to what was seen.

    Args:
        decoded_rotmats, decoded_root_m: of the prior; joint 0 and the pelvis in any frame.
        rotmats, root_m: what was put in, in the same frame; finite, and not looked at where hidden.
        seen: body joints 1..21, then the global part.
    """
    path = seen[..., BODY_JOINTS:]
    joints = torch.cat([path, seen[..., :BODY_JOINTS]], -1)
    sixd = rotmat_to_6d(decoded_rotmats)
    miss = bridge(rotmat_to_6d(rotmats) - sixd, joints, torch.zeros_like(sixd[0, 0]))
    tied = rotmat_from_6d(sixd + miss)
    off = bridge((root_m - decoded_root_m)[..., None, :], path, torch.zeros_like(root_m[0, 0, None]))
    turned = torch.where(joints[..., None, None], decoded_rotmats, tied)
    return turned, torch.where(path, decoded_root_m, decoded_root_m + off[..., 0, :])
