"""The few arrays of a body that solvers touch, as tensors: joints and soles, never the whole mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .data import BodyData


@dataclass(frozen=True)
class BodyTensors:
    """A body reduced to joints and sole vertices."""

    joint_template_m: Float[Tensor, "24 3"]
    joint_shapedirs_m: Float[Tensor, "24 3 K"]
    sole_template_m: Float[Tensor, "S 3"]
    """Sole vertices of the mean body in the rest pose, metres."""
    sole_shapedirs_m: Float[Tensor, "S 3 K"]
    sole_weights: Float[Tensor, "S 24"]
    """Skinning weights of the sole vertices."""

    @classmethod
    def of(
        cls,
        body: BodyData,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> BodyTensors:
        """Take the needed rows of a body."""
        rows = body.sole_vertices

        def put(array: Float[np.ndarray, "..."]) -> Float[Tensor, "..."]:
            return torch.tensor(array, dtype=dtype, device=device)

        return cls(
            joint_template_m=put(body.joint_template_m),
            joint_shapedirs_m=put(body.joint_shapedirs_m),
            sole_template_m=put(body.v_template[rows]),
            sole_shapedirs_m=put(body.shapedirs[rows]),
            sole_weights=put(body.weights[rows]),
        )
