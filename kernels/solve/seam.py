"""Where a window takes over from the one before it: the seam that E_connect closes (DyCrowd eq. 14).

The paper cuts a motion into segments that follow one another. Here windows overlap and slide by a hop, and each slot
is told mostly by the window in which it is most central (`stream.export.merge`). So what is published passes from one
window to the next in the middle of their overlap, and that is where the two have to join: the slots before the seam
are told by the window before and stay as they are, those after it are this window's. Where the first K slots are known
the seam is before slot K/2: 24 for windows of 64 with a hop of 16.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ..body.data import BodyData
from ..body.kinematics import forward_kinematics_np
from .problem import WarmStart

Array = np.ndarray


@dataclass(frozen=True)
class Seam:
    """The seam of each person of a window."""

    slot: Int[Array, "N"]
    """The first slot after it."""
    joints_m: Float[Array, "N 2 24 3"]
    """Joints of the two slots before it as the window before has them, world, metres; 0 where not known."""
    known: Bool[Array, "N 2"]
    """Which of the two are known."""


def seam_of(warm: WarmStart, body: BodyData) -> Seam | None:
    """The seam of a warm start; None where nobody of it has two slots to share."""
    known = warm.known & np.isfinite(warm.pose_rotvec).all((-1, -2)) & np.isfinite(warm.transl_m).all(-1)
    known &= np.isfinite(warm.betas).all(-1)[:, None]
    t = known.shape[1]
    shared = np.where(known.any(1), t - known[:, ::-1].argmax(1), 0)
    slot = shared // 2
    rows = np.arange(len(slot))[:, None]
    before = slot[:, None] + np.array([-2, -1])
    have = (before >= 0) & known[rows, np.maximum(before, 0)]
    if not have.any():
        return None
    before = np.maximum(before, 0)
    pose = np.where(have[..., None, None], warm.pose_rotvec[rows, before], 0.0)
    transl = np.where(have[..., None], warm.transl_m[rows, before], 0.0)
    betas = np.where(have.any(1)[:, None], warm.betas, 0.0)
    joints, _ = forward_kinematics_np(
        pose, betas[:, None], transl, body.joint_template_m, body.joint_shapedirs_m
    )
    return Seam(slot, np.where(have[..., None, None], joints, 0.0), have)
