"""What the motion prior is taught with: an error of each part of the state, contacts, and the KL divergence.

    L = |J - J^| + |x - x^| + w_v |v - v^| + w_R |theta - theta^| + w_r |r - r^| + w_g |gamma - gamma^|
        + w_c BCE(c) + w_KL KL

|.| is the mean over joints and frames of the Euclidean length (not its square: the error that is reported), J about the
pelvis by forward kinematics of the decoded rotations. tau is r minus a constant, so it has no term of its own.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...kernels.priors.motion_prior import DecodedMotion, MotionPrior
from ...kernels.settings import StageConfig


class MotionLossConfig(StageConfig):
    """Weights; lengths are in metres."""

    velocity: float = 1.5
    """Of the pelvis-relative velocity, metres a frame."""
    rotation: float = 0.05
    """Of the chordal distance of rotations."""
    root: float = 0.3
    """Of the pelvis's position."""
    root_rotation: float = 0.1
    contact: float = 0.01
    kl: float = 1e-6


def motion_loss(
    network: MotionPrior,
    decoded: DecodedMotion,
    target: DecodedMotion,
    target_joints_m: Float[Tensor, "B T 22 3"],
    contact: Bool[Tensor, "B T 8"],
    contact_known: Bool[Tensor, "B"],
    mean: Float[Tensor, "B 384"],
    log_variance: Float[Tensor, "B 384"],
    config: MotionLossConfig,
) -> dict[str, Tensor]:
    """Parts of the loss and their weighted sum "total"."""
    joints, _ = network.place_joints(decoded)
    about, want = joints - joints[:, :, :1], target_joints_m - target_joints_m[:, :, :1]
    off = about - want
    step = off[:, 1:] - off[:, :-1]
    known = contact_known[:, None, None].float().expand_as(decoded.contact_logits)
    bce = torch.nn.functional.binary_cross_entropy_with_logits(
        decoded.contact_logits, contact.float(), reduction="none"
    )
    turn = (decoded.rotmats - target.rotmats).flatten(-2)
    parts = {
        "joints": _length(off),
        "velocity": _length(step),
        "rotation": _length(turn[:, :, 1:]),
        "root": _length(decoded.root_m - target.root_m),
        "root_rotation": _length(turn[:, :, 0]),
        "contact": (bce * known).sum() / known.sum().clamp_min(1),
        "kl": 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(-1).mean(),
    }
    weight = {
        "joints": 1.0,
        "velocity": config.velocity,
        "rotation": config.rotation,
        "root": config.root,
        "root_rotation": config.root_rotation,
        "contact": config.contact,
        "kl": config.kl,
    }
    parts["total"] = torch.stack([weight[name] * value for name, value in parts.items()]).sum()
    return parts


def _length(vectors: Float[Tensor, "*batch D"]) -> Float[Tensor, ""]:
    return (vectors.square().sum(-1) + 1e-10).sqrt().mean()
