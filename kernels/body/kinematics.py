"""Forward kinematics of the SMPL tree, joints only.

    R_j = R_parent(j) exp(pose_j)
    x_j = x_parent(j) + R_parent(j) (J_j(betas) - J_parent(j)(betas)),     x_0 = J_0(betas) + transl

(Loper et al. 2015, eq. 3-4; smplx's convention: the root turns about J_0.) Joints of one depth are done
together: 9 levels instead of 24 steps. O(B J), differentiable, no host synchronisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..rotation import rotvec_to_rotmat, rotvec_to_rotmat_np
from ..skeleton import PARENTS


def _levels() -> tuple[tuple[list[int], list[int]], ...]:
    """(joints, row of each joint's parent within the level before) for every depth below the root."""
    depth = [0] * len(PARENTS)
    for joint in range(1, len(PARENTS)):
        depth[joint] = depth[PARENTS[joint]] + 1
    levels = [[j for j, d in enumerate(depth) if d == level] for level in range(max(depth) + 1)]
    return tuple((here, [above.index(int(PARENTS[j])) for j in here]) for above, here in pairwise(levels))


LEVELS = _levels()
_ORDER = [0] + [joint for joints, _ in LEVELS for joint in joints]
_BACK = [_ORDER.index(joint) for joint in range(len(PARENTS))]


@dataclass(frozen=True)
class Kinematics:
    """A posed skeleton."""

    joints_m: Float[Tensor, "*batch 24 3"]
    """Joint positions in the world, metres."""
    rotmats_world: Float[Tensor, "*batch 24 3 3"]
    """Joint axes in the world: R_world_joint, identity in the rest pose."""
    joints_rest_m: Float[Tensor, "*batch_or_less 24 3"]
    """Joints of the shape in the rest pose, without translation; batch as betas had it, metres."""


def rest_joints(
    betas: Float[Tensor, "*batch K"],
    joint_template_m: Float[Tensor, "24 3"],
    joint_shapedirs_m: Float[Tensor, "24 3 K"],
) -> Float[Tensor, "*batch 24 3"]:
    """J(betas): joints in the rest pose, metres."""
    return joint_template_m + torch.einsum("...K,jcK->...jc", betas, joint_shapedirs_m)


def forward_kinematics(
    pose_rotvec: Float[Tensor, "*#batch 24 3"],
    betas: Float[Tensor, "*#batch K"],
    transl_m: Float[Tensor, "*#batch 3"],
    joint_template_m: Float[Tensor, "24 3"],
    joint_shapedirs_m: Float[Tensor, "24 3 K"],
) -> Kinematics:
    """Joints of posed bodies in the world.

    Args:
        pose_rotvec: axis-angle, radians; joint 0 relative to the world, the rest to their parents.
        betas: shape coefficients; their batch may broadcast, e.g. (N, 1, 10) against (N, T, 24, 3).
        transl_m: added to the root, metres.
        joint_template_m: `BodyData.joint_template_m`.
        joint_shapedirs_m: `BodyData.joint_shapedirs_m`.
    """
    rest = rest_joints(betas, joint_template_m, joint_shapedirs_m)
    return kinematics_of_rotmats(rotvec_to_rotmat(pose_rotvec), rest, transl_m)


def kinematics_of_rotmats(
    rotmats: Float[Tensor, "*#batch 24 3 3"],
    joints_rest_m: Float[Tensor, "*#batch 24 3"],
    transl_m: Float[Tensor, "*#batch 3"],
) -> Kinematics:
    """`forward_kinematics` from local rotation matrices and rest joints."""
    batch: torch.Size = torch.broadcast_shapes(  # type: ignore[no-untyped-call]
        rotmats.shape[:-3], joints_rest_m.shape[:-2], transl_m.shape[:-1]
    )
    above_R = rotmats[..., :1, :, :].expand(*batch, 1, 3, 3)
    above_x = (joints_rest_m[..., :1, :] + transl_m[..., None, :]).expand(*batch, 1, 3)
    offsets = joints_rest_m[..., 1:, :] - joints_rest_m[..., PARENTS[1:].tolist(), :]
    all_R, all_x = [above_R], [above_x]
    for joints, parent_rows in LEVELS:
        parent_R, parent_x = above_R[..., parent_rows, :, :], above_x[..., parent_rows, :]
        offset = offsets[..., [joint - 1 for joint in joints], :]
        above_x = parent_x + (parent_R @ offset[..., None]).squeeze(-1)
        above_R = parent_R @ rotmats[..., joints, :, :]
        all_R.append(above_R)
        all_x.append(above_x)
    return Kinematics(
        joints_m=torch.cat(all_x, dim=-2)[..., _BACK, :],
        rotmats_world=torch.cat(all_R, dim=-3)[..., _BACK, :, :],
        joints_rest_m=joints_rest_m,
    )


def forward_kinematics_np(
    pose_rotvec: Float[np.ndarray, "*#batch 24 3"],
    betas: Float[np.ndarray, "*#batch K"],
    transl_m: Float[np.ndarray, "*#batch 3"],
    joint_template_m: Float[np.ndarray, "24 3"],
    joint_shapedirs_m: Float[np.ndarray, "24 3 K"],
) -> tuple[Float[np.ndarray, "*#batch 24 3"], Float[np.ndarray, "*#batch 24 3 3"]]:
    """Float64 numpy twin, joint after joint: (joints_m, rotmats_world)."""
    local = rotvec_to_rotmat_np(pose_rotvec)
    rest = joint_template_m + np.einsum("jck,...k->...jc", joint_shapedirs_m, betas)
    batch = np.broadcast_shapes(local.shape[:-3], rest.shape[:-2], np.shape(transl_m)[:-1])
    joints = np.empty((*batch, len(PARENTS), 3))
    world = np.empty((*batch, len(PARENTS), 3, 3))
    world[..., 0, :, :] = local[..., 0, :, :]
    joints[..., 0, :] = rest[..., 0, :] + transl_m
    for joint, parent in enumerate(PARENTS[1:].tolist(), start=1):
        offset = rest[..., joint, :] - rest[..., parent, :]
        turned = np.einsum("...cd,...d->...c", world[..., parent, :, :], offset)
        joints[..., joint, :] = joints[..., parent, :] + turned
        world[..., joint, :, :] = world[..., parent, :, :] @ local[..., joint, :, :]
    return joints, world
