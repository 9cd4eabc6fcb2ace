"""COCO-17 keypoints of a posed skeleton.

    k = x_j + R_j o_k

with joint j and offset o_k of `kernels.skeleton`: zero for joint centres, fixed in the head's frame for
nose, eyes and ears. Heads vary in size by some percent of 12 cm, far below what a detector resolves.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..skeleton import COCO_TO_SMPL, FACE_OFFSETS_M


def coco_keypoints(
    joints_m: Float[Tensor, "*batch 24 3"], rotmats_world: Float[Tensor, "*batch 24 3 3"]
) -> Float[Tensor, "*batch 17 3"]:
    """World positions of the 17 keypoints, metres. Differentiable."""
    offsets = torch.as_tensor(FACE_OFFSETS_M, dtype=joints_m.dtype, device=joints_m.device)
    carriers = COCO_TO_SMPL.tolist()
    turned = torch.einsum("...kCc,kc->...kC", rotmats_world[..., carriers, :, :], offsets)
    return joints_m[..., carriers, :] + turned


def coco_keypoints_np(
    joints_m: Float[np.ndarray, "*batch 24 3"], rotmats_world: Float[np.ndarray, "*batch 24 3 3"]
) -> Float[np.ndarray, "*batch 17 3"]:
    """`coco_keypoints` in numpy."""
    turned = np.einsum("...kCc,kc->...kC", rotmats_world[..., COCO_TO_SMPL, :, :], FACE_OFFSETS_M)
    points: np.ndarray = joints_m[..., COCO_TO_SMPL, :] + turned
    return points
