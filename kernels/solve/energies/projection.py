"""The projection Pi_K of eqs 3 and 4: world points to ideal (undistorted) pixels of several cameras.

    x_cam = R_cam_world x + t,    px = f x_cam.xy / max(z, Z_MIN) + c

O(C P). Differentiable everywhere but at z = Z_MIN; nearer points, and those behind the camera, are seen as if
at Z_MIN, so a bad start gives a large finite error that pulls it sideways instead of a NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import CameraModel

Z_MIN_M = 0.1
"""Nearest depth that is divided by, metres: nobody stands closer to a camera that watches a crowd."""


@dataclass(frozen=True)
class CameraTensors:
    """C pinhole cameras side by side."""

    K: Float[Tensor, "C 3 3"]
    """Intrinsics, px."""
    R_cam_world: Float[Tensor, "C 3 3"]
    t_cam_world_m: Float[Tensor, "C 3"]

    @classmethod
    def of(
        cls,
        cameras: tuple[CameraModel, ...],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> CameraTensors:
        """Stack camera models; their distortion is not looked at (keypoints are undistorted already)."""

        def put(arrays: list[Float[np.ndarray, "..."]]) -> Float[Tensor, "..."]:
            return torch.as_tensor(np.stack(arrays), dtype=dtype, device=device)

        return cls(
            K=put([camera.K for camera in cameras]),
            R_cam_world=put([camera.R_cam_world for camera in cameras]),
            t_cam_world_m=put([camera.t_cam_world_m for camera in cameras]),
        )


def project(points_world_m: Float[Tensor, "N T P 3"], cameras: CameraTensors) -> Float[Tensor, "C N T P 2"]:
    """Pixels of world points in every camera."""
    in_camera = torch.einsum("cXx,ntpx->cntpX", cameras.R_cam_world, points_world_m)
    in_camera = in_camera + cameras.t_cam_world_m[:, None, None, None, :]
    xy = in_camera[..., :2] / in_camera[..., 2:].clamp_min(Z_MIN_M)
    scale, centre = cameras.K[:, :2, :2], cameras.K[:, None, None, None, :2, 2]
    return torch.einsum("cPp,cntjp->cntjP", scale, xy) + centre
