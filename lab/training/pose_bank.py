"""Poses to learn a pose prior from: frames of recordings, balanced by category, mirrored, recombined and jittered.

    drawn by    half crowd shares, a quarter recorded time, a quarter all categories alike
    counted by  crowd shares over what it is drawn by

Crowds walk and stand, and a prior should say so: its latent's normal distribution is that of the crowd (the second
line). But it must be able to say a fall or a squat too, so those are drawn more often than they are met (the first).
A recombined body takes its legs, or an arm, from another frame: few of the recorded carry or point while they walk.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from ...kernels.priors.gaussian_pose import BODY_JOINTS
from ...kernels.rotation import rotmat_from_6d, rotmat_to_6d, rotvec_to_rotmat
from ...kernels.settings import StageConfig
from ..motion.track import MotionTrack
from ..motion.windows import SIDES, quat_to_rotmat
from ..pose_prior import CATEGORY_SHARES

LEAST_SHARE = 0.005
"""Of a category that the crowd shares do not name."""
LIMBS = (
    (1, 2, 4, 5, 7, 8, 10, 11),
    (13, 16, 18, 20),
    (14, 17, 19, 21),
    (13, 14, 16, 17, 18, 19, 20, 21),
)
"""SMPL joints that may come from another frame together: legs, left arm, right arm, both arms."""
_OTHER_SIDE = SIDES[1 : 1 + BODY_JOINTS] - 1
_TURNED = torch.tensor([1.0, -1.0, -1.0, -1.0, 1.0, 1.0])
"""Signs of the 6D form of diag(-1, 1, 1) R diag(-1, 1, 1)."""


class PoseBankConfig(StageConfig):
    """How poses are drawn."""

    most_frames: int = Field(default=600_000, ge=1000)
    """Recordings with more are thinned evenly. Memory: 500 bytes a frame."""
    recombined: float = Field(default=0.25, ge=0, le=1)
    """Share of poses with limbs of another frame."""
    jitter_rad: float = Field(default=0.04, ge=0)
    """Most that the joints of a pose are disturbed: standard deviation of each axis."""


def mirror_6d(sixd: Float[Tensor, "*batch 126"]) -> Float[Tensor, "*batch 126"]:
    """Poses seen in a mirror (x -> -x)."""
    joints = sixd.reshape(*sixd.shape[:-1], BODY_JOINTS, 6)
    return (joints[..., _OTHER_SIDE, :] * _TURNED.to(sixd)).flatten(-2)


class PoseBank:
    """Frames as 6D rotations of joints 1..21, with weights."""

    def __init__(self, tracks: Sequence[MotionTrack], config: PoseBankConfig | None = None) -> None:
        self.config = config or PoseBankConfig()
        stride = max(1, -(-sum(track.num_frames for track in tracks) // self.config.most_frames))
        quats = np.concatenate([track.quats[::stride, 1 : 1 + BODY_JOINTS] for track in tracks])
        unit = torch.nn.functional.normalize(torch.from_numpy(quats), dim=-1)
        self.sixd = rotmat_to_6d(quat_to_rotmat(unit)).flatten(1)
        """(F, 126) as recorded."""
        self.category = np.concatenate([[t.category] * len(t.quats[::stride]) for t in tracks])
        """(F,) of each frame."""
        self.weight, self.crowd_weight = frame_weights(self.category)
        """(F,) chance of each frame: to be drawn, and to be met in a crowd."""
        self._steps, self._crowd_steps = np.cumsum(self.weight), np.cumsum(self.crowd_weight)

    def __len__(self) -> int:
        return len(self.sixd)

    def rows(self, count: int, random: np.random.Generator, crowd: bool = False) -> Int[np.ndarray, "count"]:
        """Frames drawn by weight; `crowd` for what is met instead of what is learned from."""
        steps = self._crowd_steps if crowd else self._steps
        return np.minimum(np.searchsorted(steps, random.random(count)), len(self) - 1)

    def draw(
        self, count: int, random: np.random.Generator
    ) -> tuple[Float[Tensor, "count 21 3 3"], Float[Tensor, "count"]]:
        """Augmented poses (local rotations of joints 1..21), and how much each counts in the crowd, 1 on average."""
        c = self.config
        rows = self.rows(count, random)
        joints = self.sixd[rows].reshape(count, BODY_JOINTS, 6)
        mixed = int(c.recombined * count)
        if mixed:
            other = self.sixd[self.rows(mixed, random)].reshape(mixed, BODY_JOINTS, 6)
            from_other = _limb_masks()[random.integers(len(LIMBS), size=mixed)]
            joints[:mixed] = torch.where(from_other[..., None], other, joints[:mixed])
        sixd = joints.flatten(1)
        flip = torch.from_numpy(random.random(count) < 0.5)[:, None]
        rotmats = rotmat_from_6d(torch.where(flip, mirror_6d(sixd), sixd).reshape(count, BODY_JOINTS, 6))
        # most poses hardly, some a good deal
        spread = c.jitter_rad * random.random((count, 1, 1)) * random.random((count, 1, 1))
        off = spread * random.standard_normal((count, BODY_JOINTS, 3))
        counts = torch.from_numpy((self.crowd_weight[rows] / self.weight[rows]).astype(np.float32))
        return rotmats @ rotvec_to_rotmat(torch.from_numpy(off.astype(np.float32))), counts


def frame_weights(category: np.ndarray) -> tuple[Float[np.ndarray, "F"], Float[np.ndarray, "F"]]:
    """Chances of every frame to be drawn and to be met, from the category of each; both sum to one."""
    names, place, frames = np.unique(category, return_inverse=True, return_counts=True)
    share = np.array([CATEGORY_SHARES.get(str(name), LEAST_SHARE) for name in names])
    crowd = share / share.sum()
    drawn = 0.5 * crowd + 0.25 * frames / frames.sum() + 0.25 / len(names)
    return (drawn / frames)[place], (crowd / frames)[place]


def _limb_masks() -> Tensor:
    masks = torch.zeros(len(LIMBS), BODY_JOINTS, dtype=torch.bool)
    for row, joints in enumerate(LIMBS):
        masks[row, [joint - 1 for joint in joints]] = True
    return masks
