"""What a body is: the arrays of an SMPL-format model, and what is derived from them once.

    v(betas)  = v_template + shapedirs betas                       (Loper et al. 2015, eq. 8)
    J(betas)  = J_regressor v(betas) = joint_template + joint_shapedirs betas

The second line is linear in betas, so joints never need vertices (24 instead of thousands of rows).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from ..errors import ShapeError
from ..skeleton import PARENTS

Array = np.ndarray

NUM_JOINTS = len(PARENTS)
NUM_BETAS = 10
NUM_POSE_DIRS = 9 * (NUM_JOINTS - 1)


@dataclass(frozen=True)
class BodyData:
    """An SMPL-format body in its rest pose (T-pose, y up, facing +z, left = +x), metres."""

    name: str
    v_template: Float[np.ndarray, "V 3"]
    """Vertices of the mean body."""
    shapedirs: Float[np.ndarray, "V 3 K"]
    """Vertex displacement per unit of each beta, metres."""
    posedirs: Float[np.ndarray, "V 3 P"]
    """Vertex displacement per entry of (R_1 - I, ..., R_23 - I), row-major, metres."""
    J_regressor: Float[np.ndarray, "24 V"]
    """Rest joints from rest vertices; rows sum to 1."""
    weights: Float[np.ndarray, "V 24"]
    """Skinning weights; rows sum to 1."""
    faces: Int[np.ndarray, "F 3"]
    """Triangles, counter-clockwise from outside."""
    sole_vertices: Int[np.ndarray, "S"]
    """Vertices that can touch the ground, left foot first, both feet alike."""
    joint_template_m: Float[np.ndarray, "24 3"] = field(init=False)
    """Rest joints of the mean body, float64."""
    joint_shapedirs_m: Float[np.ndarray, "24 3 K"] = field(init=False)
    """Rest joint displacement per unit of each beta, float64."""

    def __post_init__(self) -> None:
        v = len(self.v_template)
        want: dict[str, tuple[int | None, ...]] = {
            "v_template": (v, 3),
            "shapedirs": (v, 3, NUM_BETAS),
            "posedirs": (v, 3, NUM_POSE_DIRS),
            "J_regressor": (NUM_JOINTS, v),
            "weights": (v, NUM_JOINTS),
            "faces": (None, 3),
            "sole_vertices": (None,),
        }
        for name, shape in want.items():
            got = getattr(self, name).shape
            if len(got) != len(shape) or any(w not in (None, g) for g, w in zip(got, shape, strict=True)):
                raise ShapeError(f"body '{self.name}': {name} has shape {got}, expected {shape} (V={v})")
        self._check_values()
        regressor = self.J_regressor.astype(np.float64)
        object.__setattr__(self, "joint_template_m", regressor @ self.v_template.astype(np.float64))
        dirs = np.tensordot(regressor, self.shapedirs.astype(np.float64), axes=1)
        object.__setattr__(self, "joint_shapedirs_m", dirs)

    def _check_values(self) -> None:
        for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights"):
            if not np.isfinite(getattr(self, name)).all():
                raise ShapeError(f"body '{self.name}': {name} holds values that are not finite")
        for name, rows in (("weights", self.weights), ("J_regressor", self.J_regressor)):
            off = float(np.abs(rows.astype(np.float64).sum(1) - 1.0).max())
            if off > 1e-3:
                raise ShapeError(
                    f"body '{self.name}': rows of {name} must sum to 1, one is off by {off:.2g}; "
                    "is the file an SMPL model with 24 joints?"
                )
        for name in ("faces", "sole_vertices"):
            index = getattr(self, name)
            if index.size == 0 or index.min() < 0 or index.max() >= len(self.v_template):
                raise ShapeError(
                    f"body '{self.name}': {name} must index 0..{len(self.v_template) - 1} and not be empty"
                )

    @property
    def num_vertices(self) -> int:
        return len(self.v_template)

    def vertices_m(self, betas: Float[np.ndarray, "K"]) -> Float[np.ndarray, "V 3"]:
        """Rest vertices of one shape, metres."""
        vertices: Array = self.v_template + self.shapedirs @ np.asarray(betas, self.shapedirs.dtype)
        return vertices

    def joints_m(self, betas: Float[np.ndarray, "*batch K"]) -> Float[np.ndarray, "*batch 24 3"]:
        """Rest joints of shapes, metres, float64."""
        joints: Array = self.joint_template_m + np.einsum("jck,...k->...jc", self.joint_shapedirs_m, betas)
        return joints

    def stature_m(self, betas: Float[np.ndarray, "K"]) -> float:
        """Sole to top of the head in the rest pose, metres."""
        y = self.vertices_m(betas)[:, 1]
        return float(y.max() - y.min())

    def __repr__(self) -> str:
        return (
            f"BodyData('{self.name}', V={self.num_vertices}, F={len(self.faces)}, "
            f"S={len(self.sole_vertices)})"
        )
