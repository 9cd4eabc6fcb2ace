"""Where the soles are: linear blend skinning of the few vertices that can touch the ground.

    v_s = sum_j w_sj (x_j + R_j (v_s(betas) - J_j(betas)))       (Loper et al. 2015, eq. 2, S rows only)

Pose-dependent displacements are left out: the shipped body has none at the soles, and those of licensed
bodies stay within millimetres there. O(B S J), differentiable.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..skeleton import SMPL_JOINTS
from .kinematics import Kinematics
from .sole_vertices import SIDES
from .tensors import BodyTensors


def sole_positions(
    kinematics: Kinematics, betas: Float[Tensor, "*#batch K"], body: BodyTensors
) -> Float[Tensor, "*#batch S 3"]:
    """World positions of the sole vertices, metres."""
    feet = [SMPL_JOINTS.index(f"{side}_{part}") for part in ("knee", "ankle", "foot") for side in SIDES]
    weights = body.sole_weights[:, feet]
    weights = weights / weights.sum(-1, keepdim=True)  # soles hang on knee, ankle and foot only
    rest = body.sole_template_m + torch.einsum("...K,scK->...sc", betas, body.sole_shapedirs_m)
    arms = rest[..., :, None, :] - kinematics.joints_rest_m[..., None, feet, :]
    turned = torch.einsum("...jCc,...sjc->...sjC", kinematics.rotmats_world[..., feet, :, :], arms)
    placed = turned + kinematics.joints_m[..., None, feet, :]
    return torch.einsum("sj,...sjC->...sC", weights, placed)
