"""E_env: joints that rest on the ground are at its height and do not slide (DyCrowd eq. 13).

    E_env = sum_{n,t,j} lambda_ch c_ntj max(0, |z_ntj - h|)  +  lambda_cv c_ntj | J_ntj - J_n,t-1,j |^2

over the eight joints the motion prior has contact probabilities c for: ankles, feet, knees, wrists. z is the
distance from the ground, h = 0.08 m (the paper names no value; HuMoR and SLAHMR have this one). The two halves have
lambdas of their own and are two functions here.

    printed   max(0, |z - h|) is |z - h|: it lifts every resting toe, which lies 3 cm high, up to 8 cm
    band      max(0, |z| - h): "no more than h above the ground", as the text says, and SLAHMR's form

The velocity half is right as it is printed: what touches the ground stands still. c is a function of the latent, so as
printed the energy may also be lowered by denying the contact; whoever calls decides whether c is held. O(N T J). Not
differentiable where a height is at a corner of its form.
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from ...skeleton import SMPL_JOINTS

CONTACT_JOINTS = tuple(
    SMPL_JOINTS.index(f"{side}_{part}")
    for part in ("ankle", "foot", "knee", "wrist")
    for side in ("left", "right")
)
"""SMPL joints of the motion prior's contact probabilities, in its order."""


def contact_height(
    joints_m: Float[Tensor, "N T J 3"],
    probability: Float[Tensor, "N T J"],
    normal: Float[Tensor, "N T 3"],
    offset_m: Float[Tensor, "N T"],
    valid: Bool[Tensor, "N T"],
    height_m: float,
    band: bool = False,
) -> Float[Tensor, "N"]:
    """The first half of E_env without its lambda, per person (DyCrowd eq. 13), metres.

    Args:
        joints_m: the joints that may touch, world, metres.
        probability: c, 0..1.
        normal: unit normal of the ground under each person-frame.
        offset_m: d of that ground, metres.
        valid: person-frames that count.
        height_m: h.
        band: within h of the ground costs nothing; else what is printed.
    """
    height = (joints_m * normal[..., None, :]).sum(-1) - offset_m[..., None]
    off = (height.abs() - height_m).clamp_min(0.0) if band else (height - height_m).abs()
    return ((probability * off).sum(-1) * valid).sum(-1)


def contact_velocity(
    joints_m: Float[Tensor, "N T J 3"],
    probability: Float[Tensor, "N T J"],
    valid: Bool[Tensor, "N T"],
) -> Float[Tensor, "N"]:
    """The second half of E_env without its lambda, per person (DyCrowd eq. 13), m^2.

    Args:
        joints_m: the joints that may touch, world, metres.
        probability: c, 0..1; that of the later slot weighs a step.
        valid: person-frames that count; a step needs both of its slots.
    """
    step = joints_m[:, 1:] - joints_m[:, :-1]
    both = valid[:, 1:] & valid[:, :-1]
    return ((probability[:, 1:] * (step * step).sum(-1)).sum(-1) * both).sum(-1)
