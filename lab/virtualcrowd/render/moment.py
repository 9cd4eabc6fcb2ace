"""A crowd at one instant, between the slots of its motion if need be.

Rotations turn along the shortest arc, places move in a straight line. A person is there when the nearest slot has them;
at their first and last slot the half interval outside repeats it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from ....kernels.body.data import BodyData
from ....kernels.body.kinematics import kinematics_of_rotmats
from ....kernels.rotation import rotvec_to_rotmat_np, slerp_rotvec_np
from ..plan import PLAN_RATE_HZ
from ..truth import CrowdMotion

Array = np.ndarray


@dataclass(frozen=True)
class Moment:
    """The n people present."""

    rows: Int[Array, "n"]
    """Of the motion."""
    bones: Float[Array, "n 24 3 4"]
    """float32: rest place -> world, of each joint."""
    turns: Float[Array, "n 207"]
    """float32: what the body's pose displacements are driven by (R_j - I)."""


def crowd_at(
    motion: CrowdMotion, t_ns: float, body: BodyData, joints_rest_m: Float[Array, "N 24 3"]
) -> Moment:
    """Everybody's bones at a time (ns; 0 is slot 0; beyond the ends: the end)."""
    last = motion.present.shape[1] - 1
    slot = float(np.clip(t_ns * 1e-9 * PLAN_RATE_HZ, 0.0, last))
    before = min(int(slot), last)
    after = min(before + 1, last)
    share = slot - before
    near = after if share >= 0.5 else before
    rows = np.flatnonzero(motion.present[:, near])
    a = np.where(motion.present[rows, before], before, near)
    b = np.where(motion.present[rows, after], after, near)
    part = np.full((len(rows), 24), share)
    pose = slerp_rotvec_np(
        motion.pose_rotvec[rows, a].astype(np.float64), motion.pose_rotvec[rows, b].astype(np.float64), part
    )
    transl = (1 - share) * motion.transl_m[rows, a] + share * motion.transl_m[rows, b]
    return _bones(rows, pose, transl.astype(np.float64), joints_rest_m[rows])


def _bones(
    rows: Int[Array, "n"], pose: Float[Array, "n 24 3"], transl_m: Float[Array, "n 3"],
    joints_rest_m: Float[Array, "n 24 3"],
) -> Moment:  # fmt: skip
    local = rotvec_to_rotmat_np(pose)
    chain = kinematics_of_rotmats(
        torch.from_numpy(local), torch.from_numpy(joints_rest_m), torch.from_numpy(transl_m)
    )
    world, joints = chain.rotmats_world.numpy(), chain.joints_m.numpy()
    shift = joints - np.einsum("njCc,njc->njC", world, joints_rest_m)
    bones = np.concatenate([world, shift[..., None]], axis=-1)
    turns = (local[:, 1:] - np.eye(3)).reshape(len(rows), 9 * (local.shape[1] - 1))
    return Moment(rows=rows, bones=bones.astype(np.float32), turns=turns.astype(np.float32))
