"""Arms and legs of windows: where legs are, and limbs that reach for a point.

A limb of two bones a, b with a hinge about the unit axis n between them reaches as far as

    d^2 = |a|^2 + |b|^2 + 2 a . R(n, theta) b = K + 2 (A cos theta + B sin theta)
    theta = atan2(B, A) + acos((d^2 - K) / (2 |A, B|))

so the flexion follows from the distance, and the turn of the upper bone from two directions: the line to the target,
and the hinge's axis, as nearly as it can be had at right angles to that line.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...kernels.rotation import rotvec_to_rotmat
from ..pose_prior import REFERENCE_OFFSETS_M

HIPS, KNEES, ANKLES, FEET = (1, 2), (4, 5), (7, 8), (10, 11)
"""Left, right."""
FULL_REACH = 0.9995
"""Of a limb's length: no joint is ever quite straight."""

OFFSETS_M = torch.from_numpy(REFERENCE_OFFSETS_M).float()
"""(24, 3) each joint from its parent, metres."""


@dataclass(frozen=True)
class Legs:
    """Both legs of moving bodies, left before right, in the world."""

    hip_m: Float[Tensor, "*batch 2 3"]
    knee_m: Float[Tensor, "*batch 2 3"]
    ankle_m: Float[Tensor, "*batch 2 3"]
    foot_m: Float[Tensor, "*batch 2 3"]
    """The joint at the ball of the foot."""
    thigh: Float[Tensor, "*batch 2 3 3"]
    shin: Float[Tensor, "*batch 2 3 3"]
    sole: Float[Tensor, "*batch 2 3 3"]
    """Axes of hip, knee and ankle joint."""


def legs_of(rotmats: Float[Tensor, "*batch 22 3 3"], root_m: Float[Tensor, "*batch 3"]) -> Legs:
    """Forward kinematics of the legs alone: a third of the cost of the body's."""
    offsets = OFFSETS_M.to(root_m)
    pelvis, place = rotmats[..., None, 0, :, :], root_m[..., None, :]
    hip = place + _turned(pelvis, offsets[list(HIPS)])
    thigh = pelvis @ rotmats[..., HIPS[0] : HIPS[1] + 1, :, :]
    knee = hip + _turned(thigh, offsets[list(KNEES)])
    shin = thigh @ rotmats[..., KNEES[0] : KNEES[1] + 1, :, :]
    ankle = knee + _turned(shin, offsets[list(ANKLES)])
    sole = shin @ rotmats[..., ANKLES[0] : ANKLES[1] + 1, :, :]
    foot = ankle + _turned(sole, offsets[list(FEET)])
    return Legs(hip, knee, ankle, foot, thigh, shin, sole)


def _turned(
    rotmats: Float[Tensor, "*#batch 3 3"], vectors: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*#batch 3"]:
    return (rotmats @ vectors[..., None]).squeeze(-1)


def reach(
    line_m: Float[Tensor, "*batch 3"],
    normal: Float[Tensor, "*batch 3"],
    upper_bone: Float[Tensor, "*#batch 3"],
    lower_bone: Float[Tensor, "*#batch 3"],
    hinge: Float[Tensor, "*#batch 3"],
) -> tuple[Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 3 3"]]:
    """Rotations of a limb's root and of its hinge.

    Args:
        line_m: from the limb's root to where its end is to be, in the frame the answer is wanted in.
        normal: where the hinge's axis should point.
        upper_bone, lower_bone: in the rest pose.
        hinge: unit axis in the rest pose; flexion turns positively about it.

    Returns:
        The upper bone's axes in the frame of `line_m`, and the hinge's rotation relative to them. A target out of reach
        is approached along the line.
    """
    dot = (upper_bone * lower_bone).sum(-1)
    along = (upper_bone * hinge).sum(-1) * (lower_bone * hinge).sum(-1)
    cosine, sine = (
        dot - along,
        (upper_bone * torch.linalg.cross(hinge.expand_as(lower_bone), lower_bone)).sum(-1),
    )
    swing = torch.sqrt(cosine**2 + sine**2)
    constant = (upper_bone**2).sum(-1) + (lower_bone**2).sum(-1) + 2 * along
    longest = torch.sqrt(constant + 2 * swing)
    distance = line_m.norm(dim=-1)
    reached = torch.minimum(distance, FULL_REACH * longest)
    share = ((reached**2 - constant) / (2 * swing)).clamp(-1.0, 1.0)
    flexion = torch.atan2(sine, cosine) + torch.acos(share)
    axis = hinge.expand(*flexion.shape, 3)
    bend = rotvec_to_rotmat(axis * flexion[..., None])
    end = upper_bone + _turned(bend, lower_bone.expand(*flexion.shape, 3))
    here = frame_of(end, axis)
    there = frame_of(line_m, normal)
    return there @ here.transpose(-1, -2), bend


def frame_of(
    first: Float[Tensor, "*batch 3"], second: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """Axes whose x is along `first` and whose y is as near to `second` as it can be."""
    x = torch.nn.functional.normalize(first, dim=-1)
    y = torch.nn.functional.normalize(second - (second * x).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y, dim=-1)], -1)


def blend(
    a: Float[Tensor, "*#batch 3 3"], b: Float[Tensor, "*#batch 3 3"], share: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*batch 3 3"]:
    """From rotation a (share 0) to b (share 1): the straight line between matrices, made a rotation again.

    Differs from slerp by a few degrees half-way between rotations 90 degrees apart; undefined for opposite ones.
    """
    mixed = torch.lerp(a, b, share[..., None, None].expand(*share.shape, 3, 3))
    return frame_of(mixed[..., 0], mixed[..., 1])
