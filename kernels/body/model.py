"""Whole bodies through `smplx`: vertices and joints of posed shapes.

Every body, shipped or licensed, takes this one path (smplx.SMPL fed with arrays instead of a file). Solvers
use `kinematics` and `soles` instead: a mesh costs about a hundred times more than its joints.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import numpy as np
import smplx
import torch
from jaxtyping import Float
from smplx.utils import Struct
from torch import Tensor

from ..skeleton import FACE_OFFSETS_M, PARENTS, SMPL_JOINTS
from .data import NUM_BETAS, BodyData


@dataclass(frozen=True)
class PosedBody:
    """Meshes and joints in the world, metres."""

    vertices_m: Float[Tensor, "*batch V 3"]
    joints_m: Float[Tensor, "*batch 24 3"]


class BodyModel(torch.nn.Module):
    """A body as a torch module around smplx.SMPL; differentiable in pose, betas and translation."""

    def __init__(self, body: BodyData, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.name = body.name
        kintree = np.stack([PARENTS, np.arange(len(PARENTS))])
        data = Struct(
            v_template=body.v_template,
            shapedirs=body.shapedirs,
            posedirs=body.posedirs,
            J_regressor=body.J_regressor,
            weights=body.weights,
            f=body.faces,
            kintree_table=kintree,
        )
        with contextlib.redirect_stdout(io.StringIO()):  # smplx warns of 10 shape directions by print
            self.smpl = smplx.SMPL(
                "",
                data_struct=data,
                vertex_ids=_face_vertices(body),
                use_hands=False,
                use_feet_keypoints=False,
                create_betas=False,
                create_global_orient=False,
                create_body_pose=False,
                create_transl=False,
                num_betas=NUM_BETAS,
                dtype=dtype,
            )

    def forward(
        self,
        pose_rotvec: Float[Tensor, "*#batch 24 3"],
        betas: Float[Tensor, "*#batch K"],
        transl_m: Float[Tensor, "*#batch 3"],
    ) -> PosedBody:
        """Meshes of posed bodies; arguments as in `forward_kinematics`."""
        batch: torch.Size = torch.broadcast_shapes(  # type: ignore[no-untyped-call]
            pose_rotvec.shape[:-2], betas.shape[:-1], transl_m.shape[:-1]
        )
        pose = pose_rotvec.expand(*batch, 24, 3).reshape(-1, 72)
        out = self.smpl(
            betas=betas.expand(*batch, NUM_BETAS).reshape(-1, NUM_BETAS),
            global_orient=pose[:, :3],
            body_pose=pose[:, 3:],
            transl=transl_m.expand(*batch, 3).reshape(-1, 3),
        )
        vertices, joints = out.vertices, out.joints[:, : len(PARENTS)]
        return PosedBody(
            vertices_m=vertices.reshape(*batch, -1, 3), joints_m=joints.reshape(*batch, len(PARENTS), 3)
        )


def _face_vertices(body: BodyData) -> dict[str, int]:
    """The vertices nearest to nose, eyes and ears, under the names smplx asks for."""
    places = body.joint_template_m[SMPL_JOINTS.index("head")] + FACE_OFFSETS_M[:5]
    names = ("nose", "leye", "reye", "lear", "rear")
    distance = np.linalg.norm(body.v_template[None] - places[:, None], axis=-1)
    return dict(zip(names, distance.argmin(1).tolist(), strict=True))
