"""A window's observations as tensors, with the weights that the energies take from them worked out once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..problem import WindowProblem
from ..weights import EnergyWeights
from .projection import CameraTensors


@dataclass(frozen=True)
class Evidence:
    """What eqs 3-10 need to know of a `WindowProblem`."""

    cameras: CameraTensors
    keypoints_px: Float[Tensor, "C N T 17 2"]
    """Undistorted pixels; 0 where not seen."""
    sigma: Float[Tensor, "C N T 17"]
    """Weight of each keypoint: sigma of eq. 3 times the keypoint's own weight."""
    delta: Float[Tensor, "C N T"]
    """Weight of each person-frame from its box (eqs 3, 4); 0 for no box."""
    hvip_px: Float[Tensor, "C N T 2"]
    hvip_sigma_px: Float[Tensor, "C N T"]
    """0 for no observation."""
    normal: Float[Tensor, "N T 3"]
    """Unit normal of the ground under each person-frame (0, 0, 1 where absent)."""
    offset_m: Float[Tensor, "N T"]
    """d of that ground in n . x = d, metres."""
    present: Bool[Tensor, "N T"]
    """zeta of eqs 5, 6, 9, 10: the person exists, seen or not."""

    @classmethod
    def of(
        cls,
        problem: WindowProblem,
        weights: EnergyWeights,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Evidence:
        """Take a problem apart. Observations of absent person-frames do not count."""
        here = problem.present[None]
        seen = problem.confidence * here[..., None]
        normal, offset = _ground_under(problem)

        def put(array: Float[np.ndarray, "..."]) -> Float[Tensor, "..."]:
            return torch.as_tensor(np.ascontiguousarray(array), dtype=dtype, device=device)

        return cls(
            cameras=CameraTensors.of(problem.cameras, dtype, device),
            keypoints_px=put(np.where(seen[..., None] > 0, problem.keypoints_px, 0.0)),
            sigma=put(keypoint_sigma(seen, weights)),
            delta=put(box_delta(problem.box_px, weights)),
            hvip_px=put(np.where(problem.hvip_sigma_px[..., None] > 0, problem.hvip_px, 0.0)),
            hvip_sigma_px=put(problem.hvip_sigma_px * here),
            normal=put(normal),
            offset_m=put(offset),
            present=torch.as_tensor(problem.present, device=device),
        )


def keypoint_sigma(
    confidence: Float[np.ndarray, "C N T 17"], weights: EnergyWeights
) -> Float[np.ndarray, "C N T 17"]:
    """sigma of eq. 3 times the weight of each keypoint."""
    valid = confidence >= weights.sigma_min
    own = valid.astype(np.float64) if weights.sigma == "binary" else np.where(valid, confidence, 0.0)
    # sigma_min may be 0: a keypoint without confidence is never a measurement
    return np.asarray(own * (confidence > 0) * np.array(weights.keypoint_weights))


def box_delta(box_px: Float[np.ndarray, "C N T 4"], weights: EnergyWeights) -> Float[np.ndarray, "C N T"]:
    """delta of eqs 3 and 4 from the longer side of the box; 0 for no box."""
    side = (box_px[..., 2:].astype(np.float64) - box_px[..., :2]).max(axis=-1)
    size = np.maximum(side, weights.min_size_px)
    if weights.box_scale == "inverse_size":
        delta = 1.0 / size
    else:
        delta = weights.reference_size_px / size**2
    return np.asarray(np.where(side > 0, delta, 0.0))


def _ground_under(
    problem: WindowProblem,
) -> tuple[Float[np.ndarray, "N T 3"], Float[np.ndarray, "N T"]]:
    """Normal and offset of the plane under every person-frame's track; the last piece that contains it wins."""
    first = problem.ground.planes[0]
    normal = np.tile(first.normal.astype(np.float64), (*problem.present.shape, 1))
    offset = np.full(problem.present.shape, float(first.offset_m))
    xy = np.nan_to_num(problem.track_m[..., :2]).astype(np.float64)
    for plane in problem.ground.planes[1:]:
        inside = plane.contains(xy.reshape(-1, 2)).reshape(problem.present.shape)
        normal[inside], offset[inside] = plane.normal, plane.offset_m
    return normal, offset
