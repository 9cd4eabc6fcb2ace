"""What a lifted window is worth.

    local    joints about the pelvis in the pelvis's own axes     the body's pose, whichever way it faces
    turned   the same in the upright frame                        its orientation too
    root     pelvis from the reference, robust: far away it cannot be known to the metre
    angles   rotations as such (Frobenius): limb twist moves no joint
    smooth   change of the joints' error from slot to slot
    nll      negative log likelihood of the errors under the said deviations; moves these alone
    shape    betas through the rest joints

Distances are means of Euclidean norms, as the metrics are. One slot in four is
looked at, other ones in the next step.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...kernels.body.kinematics import kinematics_of_rotmats
from ...kernels.lifter.lifter import LiftedFrames, Lifter
from ...kernels.settings import StageConfig
from .lesson import Lesson

STRIDE = 4
UNSEEN_WEIGHT = 0.5
"""Of slots that nobody saw: their truth can only be guessed."""


class LiftLossConfig(StageConfig):
    """Weights; distances in metres."""

    local: float = 1.0
    turned: float = 1.0
    root: float = 0.3
    angles: float = 0.03
    smooth: float = 0.5
    nll: float = 0.003
    shape: float = 0.5


def lift_loss(
    lifter: Lifter, said: LiftedFrames, lesson: Lesson, config: LiftLossConfig, some: slice
) -> dict[str, Tensor]:
    """All parts and their weighted sum, "total".

    Args:
        lifter: for its skeleton.
        said: the network's answer in those slots.
        lesson: with the truth.
        config: weights.
        some: slots that are looked at.
    """
    present, seen = lesson.present[:, some], lesson.seen[:, some]
    weight = present * torch.where(seen, 1.0, UNSEEN_WEIGHT)
    weight = weight / weight.sum().clamp_min(1.0)
    rotmats, truth = said.rotmats, lesson.rotmats[:, some]
    rest = lifter.rest_joints(said.betas)
    local = local_joints(rotmats, rest)
    true_turned = lesson.joints_m[:, some] - lesson.joints_m[:, some, :1]
    true_local = true_turned @ truth[:, :, 0]
    turned = local @ rotmats[:, :, 0].transpose(-1, -2)
    off = turned - true_turned
    root = said.root_m - lesson.joints_m[:, some, 0]
    sway = (off[:, 1:] - off[:, :-1]).norm(dim=-1).mean(-1)
    parts = {
        "local": ((local - true_local).norm(dim=-1).mean(-1) * weight).sum(),
        "turned": (off.norm(dim=-1).mean(-1) * weight).sum(),
        "root": ((_robust(root)) * weight).sum(),
        "angles": ((rotmats - truth).flatten(-2).norm(dim=-1).mean(-1) * weight).sum(),
        "smooth": (sway * weight[:, 1:]).sum(),
        "nll": (_nll(said.log_sigma, rotmats.detach(), truth, root.detach()) * weight).sum(),
        "shape": (rest - lesson.rest_m).norm(dim=-1).mean(),
    }
    parts["total"] = torch.stack([getattr(config, name) * value for name, value in parts.items()]).sum()
    return parts


def local_joints(
    rotmats: Float[Tensor, "B T 22 3 3"], rest_m: Float[Tensor, "B 24 3"]
) -> Float[Tensor, "B T 22 3"]:
    """Joints 0..21 about the pelvis in the pelvis's axes, metres."""
    still = torch.eye(3, dtype=rotmats.dtype, device=rotmats.device).expand(*rotmats.shape[:2], 1, 3, 3)
    turns = torch.cat([still, rotmats[:, :, 1:], still, still], 2)
    rest = rest_m[:, None]
    posed = kinematics_of_rotmats(turns, rest, -rest[..., 0, :])
    return posed.joints_m[..., :22, :]


def _robust(off_m: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
    """|off| up to a few decimetres, its logarithm beyond."""
    return 0.5 * torch.log1p((off_m * off_m).sum(-1) / 0.25 + 1e-4) + 0.2 * off_m.abs().sum(-1).clamp_max(1.0)


def _nll(
    log_sigma: Float[Tensor, "B T 23"],
    rotmats: Float[Tensor, "B T 22 3 3"],
    truth: Float[Tensor, "B T 22 3 3"],
    root_m: Float[Tensor, "B T 3"],
) -> Float[Tensor, "B T"]:
    """Gaussian with three axes each, constant left out; |R - R'|^2 = 8 sin^2(angle / 2)."""
    chord = (rotmats - truth).square().sum((-1, -2))
    angle = 2 * (chord / 8).clamp(0, 1).sqrt().asin()
    squares = torch.cat([angle.square(), root_m.square().sum(-1, keepdim=True)], -1)
    return (0.5 * squares * (-2 * log_sigma).exp() + 3 * log_sigma).mean(-1)
