"""All vertices of posed bodies, for eq. 5 as printed; skinned by smplx, in slices so that memory stays small.

O(N T V): two hundred times the work of the soles. The `paper` preset offers it to be true to the print.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from smplx.lbs import lbs
from torch import Tensor

from ...body.data import BodyData
from ...skeleton import PARENTS


@dataclass(frozen=True)
class MeshTensors:
    """A whole SMPL-format body as smplx wants it."""

    v_template: Float[Tensor, "V 3"]
    shapedirs: Float[Tensor, "V 3 K"]
    posedirs: Float[Tensor, "P V3"]
    """Transposed and flattened."""
    J_regressor: Float[Tensor, "24 V"]
    weights: Float[Tensor, "V 24"]
    parents: Int[Tensor, "24"]

    @classmethod
    def of(
        cls,
        body: BodyData,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> MeshTensors:
        """All arrays of a body."""

        def put(array: Float[np.ndarray, "..."]) -> Float[Tensor, "..."]:
            return torch.tensor(array, dtype=dtype, device=device)

        return cls(
            v_template=put(body.v_template),
            shapedirs=put(body.shapedirs),
            posedirs=put(body.posedirs.reshape(-1, body.posedirs.shape[-1]).T),
            J_regressor=put(body.J_regressor),
            weights=put(body.weights),
            parents=torch.tensor(PARENTS, device=device),
        )


def mesh_vertices(
    pose_rotvec: Float[Tensor, "N T 24 3"],
    betas: Float[Tensor, "N T K"],
    transl_m: Float[Tensor, "N T 3"],
    mesh: MeshTensors,
) -> Float[Tensor, "N T V 3"]:
    """World positions of every vertex, metres. Differentiable."""
    vertices: Tensor = lbs(
        betas.flatten(0, 1),
        pose_rotvec.flatten(0, 1).flatten(1),
        mesh.v_template,
        mesh.shapedirs,
        mesh.posedirs,
        mesh.J_regressor,
        mesh.parents,
        mesh.weights,
        pose2rot=True,
    )[0]
    return vertices.reshape(*transl_m.shape[:2], -1, 3) + transl_m[:, :, None, :]
