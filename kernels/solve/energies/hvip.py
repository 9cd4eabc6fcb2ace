"""E_hvip2D: the torso's foot point on the ground, seen in the image (DyCrowd eq. 4).

    E_hvip2D = sum_{c,n,t} zeta_cnt delta_cnt | Pi_c(H(J_nt, G)) - p_cnt |^2
    H(J, G)  = c - (n . c - d) n,      c = mean of shoulders and hips,      ground n . x = d

Printed: lambda_h is a hundred times a joint's, so a biased observation drags the whole body. With
`sigma_floor_px` the term is weighted by its variance, zeta = min(1, (sigma_floor / sigma)^2), and with
`robust_sigmas` outliers beyond that many sigmas stop pulling. O(C N T).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .projection import CameraTensors, project

TORSO_JOINTS = (16, 17, 1, 2)
"""SMPL shoulders and hips: their mean is the torso centre (Crowd3D)."""


def interaction_point(
    joints_m: Float[Tensor, "*batch 24 3"],
    normal: Float[Tensor, "*batch 3"],
    offset_m: Float[Tensor, "*batch"],
) -> Float[Tensor, "*batch 3"]:
    """H(J, G): the torso centre dropped onto the ground along its normal, metres."""
    torso = joints_m[..., list(TORSO_JOINTS), :].mean(dim=-2)
    height = (torso * normal).sum(-1) - offset_m
    return torso - height[..., None] * normal


def hvip(
    joints_m: Float[Tensor, "N T 24 3"],
    normal: Float[Tensor, "N T 3"],
    offset_m: Float[Tensor, "N T"],
    observed_px: Float[Tensor, "C N T 2"],
    sigma_px: Float[Tensor, "C N T"],
    delta: Float[Tensor, "C N T"],
    cameras: CameraTensors,
    sigma_floor_px: float | None = None,
    robust_sigmas: float | None = None,
) -> Float[Tensor, "N"]:
    """E_hvip2D without its lambda, per person (DyCrowd eq. 4), px^2 times delta.

    Args:
        joints_m: SMPL joints in the world, metres.
        normal: unit normal of the ground under each person-frame.
        offset_m: d of that ground, metres.
        observed_px: undistorted pixels; anything where sigma_px is 0.
        sigma_px: standard deviation of the observation; 0 for none (zeta = 0).
        delta: weight of each person-frame from its box.
        cameras: the C cameras.
        sigma_floor_px: observations at least this good count fully, others by variance; None: all alike, as printed.
        robust_sigmas: Geman-McClure scale in units of sigma_px; None for plain squares, as printed.
    """
    seen = sigma_px > 0
    point = interaction_point(joints_m, normal, offset_m)
    off = project(point[:, :, None, :], cameras)[..., 0, :] - torch.where(seen[..., None], observed_px, 0.0)
    squared = (off * off).sum(-1)
    variance = torch.where(seen, sigma_px, 1.0) ** 2
    if robust_sigmas is not None:
        bound = robust_sigmas**2 * variance
        squared = squared * bound / (squared + bound)
    zeta = seen.to(squared.dtype)
    if sigma_floor_px is not None:
        zeta = zeta * (sigma_floor_px**2 / variance).clamp_max(1.0)
    return (zeta * delta * squared).sum(dim=(0, 2))
