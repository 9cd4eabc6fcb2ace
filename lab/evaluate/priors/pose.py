"""How well 32 numbers hold a pose: encode, decode, and the distance of 22 joints from where they were.

The root is handed through, so the pelvis is the same on both sides and its direction costs nothing.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from ....kernels.priors.motion_state import place_joints
from ....kernels.priors.pose_prior import PosePrior
from ....kernels.rotation import rotvec_to_rotmat
from .motion import REST_M

Array = np.ndarray

_CHUNK = 2048


def score_pose(prior: PosePrior, pose_rotvec: Float[Array, "F 24 3"]) -> Float[Array, "F"]:
    """Mean distance of joints 0..21 for each pose, mm."""
    parts = [np.zeros(0)]
    with torch.no_grad():
        for start in range(0, len(pose_rotvec), _CHUNK):
            pose = torch.from_numpy(pose_rotvec[start : start + _CHUNK].astype(np.float32))
            found = prior.decode(prior.encode(pose), pose[:, 0])
            off = (_joints(found) - _joints(pose)).norm(dim=-1)
            parts.append(1e3 * off.mean(-1).double().numpy())
    return np.concatenate(parts)


def _joints(pose_rotvec: Float[torch.Tensor, "F 24 3"]) -> Float[torch.Tensor, "F 22 3"]:
    rotmats = rotvec_to_rotmat(pose_rotvec[:, :22])
    return place_joints(rotmats, torch.zeros(len(rotmats), 3), REST_M)[0]
