"""All of the body put together, checked and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from ...kernels.body.data import NUM_POSE_DIRS, BodyData
from ...kernels.body.sole_vertices import choose_sole_vertices
from ...kernels.skeleton import PARENTS, SMPL_JOINTS
from .anatomy import mean_joints
from .mesh import make_template
from .shapes import shape_directions
from .skinning import joint_regressor, skinning_weights

Array = np.ndarray

NAME = "crowdstream-1"
KEEP_VOLUME = 0.30
"""Share of the way from plain skinning's loss at a bent joint back to the full section."""
STIFF = ("left_ankle", "right_ankle", "left_foot", "right_foot", "left_hand", "right_hand")
"""Joints without correction: soles stay what linear skinning makes of them."""


def build_body() -> BodyData:
    """The shipped body from nothing but its script; some twenty seconds, the same on every run."""
    template = make_template()
    joints = mean_joints()
    weights = skinning_weights(template, joints)
    shapedirs, joint_dirs = shape_directions(template.vertices, weights, joints)
    return BodyData(
        name=NAME,
        v_template=template.vertices.astype(np.float32),
        shapedirs=shapedirs.astype(np.float32),
        posedirs=volume_corrections(template.vertices, weights, joints),
        J_regressor=joint_regressor(template, shapedirs, joints, joint_dirs).astype(np.float32),
        weights=weights.astype(np.float32),
        faces=template.faces.astype(np.int64),
        sole_vertices=choose_sole_vertices(template.vertices, weights),
    )


def volume_corrections(
    vertices: Float[Array, "V 3"], weights: Float[Array, "V 24"], joints: Float[Array, "24 3"]
) -> Float[Array, "V 3 P"]:
    """Pose directions that keep bent and twisted joints from collapsing.

    A vertex held half by a joint and half by its parent is drawn towards the joint by 1 - cos(angle / 2).
    The trace of R - I is -2 (1 - cos angle), so an answer linear in R that pushes it back out is

        dv = -KEEP_VOLUME 2 w_joint w_parent (v - J) tr(R - I) / 2.
    """
    out = np.zeros((len(vertices), 3, NUM_POSE_DIRS), np.float16)
    for joint, parent in enumerate(PARENTS[1:], start=1):
        if SMPL_JOINTS[joint] in STIFF:
            continue
        both = weights[:, joint] * weights[:, parent]
        push = -KEEP_VOLUME * both[:, None] * (vertices - joints[joint])
        for diagonal in (0, 4, 8):
            out[:, :, 9 * (joint - 1) + diagonal] = push
    return out.astype(np.float32)


def save_body(body: BodyData, path: Path) -> None:
    """Write the npz that `stream.body_files.load_body` reads."""
    np.savez_compressed(
        path,
        name=np.array(body.name),
        v_template=body.v_template,
        shapedirs=body.shapedirs,
        posedirs=body.posedirs.astype(np.float16),
        J_regressor=body.J_regressor,
        weights=body.weights,
        faces=body.faces.astype(np.uint16),
        sole_vertices=body.sole_vertices.astype(np.uint16),
        kintree_table=np.stack([PARENTS, np.arange(len(PARENTS))]).astype(np.int8),
    )
