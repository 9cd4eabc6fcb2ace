"""E_2D: distance of projected to observed keypoints (DyCrowd eq. 3).

    E_2D = sum_{c,n,t,j} sigma_cntj delta_cnt | Pi_c(J_ntj) - J2D_cntj |^2

Printed: sigma in {0, 1} and delta = 1 / box size. The square is in pixels, so a box of twice the size still counts
twice; delta = reference / size^2 makes the term scale-free (`weights.EnergyWeights.box_scale`).
O(C N T J).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .projection import CameraTensors, project
from .robust import geman_mcclure


def reprojection(
    keypoints_m: Float[Tensor, "N T J 3"],
    observed_px: Float[Tensor, "C N T J 2"],
    sigma: Float[Tensor, "C N T J"],
    delta: Float[Tensor, "C N T"],
    cameras: CameraTensors,
    robust_px: float | None = None,
) -> Float[Tensor, "N"]:
    """E_2D without its lambda, per person (DyCrowd eq. 3), px^2 times delta.

    Args:
        keypoints_m: keypoints of the bodies in the world, metres.
        observed_px: undistorted pixels; anything, NaN included, where sigma is 0.
        sigma: weight of each keypoint, 0 for not seen.
        delta: weight of each person-frame from its box, 0 for no box.
        cameras: the C cameras.
        robust_px: scale of a Geman-McClure kernel on the pixel distance; None for plain squares, as printed.
    """
    weight = sigma * delta[..., None]
    off = project(keypoints_m, cameras) - torch.where(weight[..., None] > 0, observed_px, 0.0)
    squared = (off * off).sum(-1)
    if robust_px is not None:
        squared = geman_mcclure(squared, robust_px)
    return (weight * squared).sum(dim=(0, 2, 3))
