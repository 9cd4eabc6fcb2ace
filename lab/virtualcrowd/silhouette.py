"""The skin that stands for a body in the z-buffer: some 1,200 triangles of the shipped body.

Made once from the full mesh (`decimate`): a coarse vertex takes the mean skinning weights and shape directions of the
fine vertices that went into it, four bones at most. Pose directions are left out: they change a silhouette by less than
the triangles do. Beside the skin stand the points that a view judges (`PROBES`) and the rules by which the own body
hides one: skin of the same limb in front of a joint is what one sees when one sees the joint.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int

from ...kernels.body.data import BodyData
from ...kernels.fused.zbuffer import Skin
from ...kernels.skeleton import COCO_TO_SMPL, PARENTS, SMPL_JOINTS
from ...stream.body_files import load_body
from .decimate import decimate

Array = np.ndarray

NUM_FACES = 1200
NUM_BONES = 4
NUM_JOINTS = len(SMPL_JOINTS)
NUM_FACE_POINTS = 5
NUM_PROBES = NUM_JOINTS + NUM_FACE_POINTS
"""Points judged per person: SMPL joints, then nose, eyes, ears."""
COCO_PROBES = np.concatenate([NUM_JOINTS + np.arange(NUM_FACE_POINTS), COCO_TO_SMPL[NUM_FACE_POINTS:]])
"""The probe of each COCO keypoint."""

SKIN_SLACK_M = 0.012
"""Skin of a part that does not belong to the joint may lie so far in front: coarse skin is a centimetre off."""

_THICKNESS_M = {
    "pelvis": 0.22, "hip": 0.19, "spine1": 0.20, "knee": 0.12, "spine2": 0.20, "ankle": 0.09, "spine3": 0.20,
    "foot": 0.16, "neck": 0.16, "collar": 0.16, "head": 0.21, "shoulder": 0.13, "elbow": 0.09, "wrist": 0.08,
    "hand": 0.12,
}  # fmt: skip
"""From a joint to its own skin along any line of sight that an eye would call free, on the mean body, metres.

About 2.2 times the limb's radius, so that a limb may be seen 60 degrees off square, and for the trunk less than the
way to the other side (hip to far hip's skin: 0.24 m)."""
_FACE_THICKNESS_M = 0.025
"""Face points lie on the skin; a nose seen edge-on may still have a cheek a little in front."""

_ALSO_NEAR = {
    "pelvis": ("left_hip", "right_hip", "spine1"), "left_hip": ("spine1",), "right_hip": ("spine1",),
    "spine1": ("spine2", "left_hip", "right_hip"), "spine2": ("spine3", "left_collar", "right_collar"),
    "spine3": ("neck", "left_collar", "right_collar", "spine1"),
    "neck": ("left_collar", "right_collar", "head"), "left_collar": ("left_shoulder", "neck"),
    "right_collar": ("right_shoulder", "neck"), "left_shoulder": ("spine3",), "right_shoulder": ("spine3",),
    "left_ankle": ("left_foot",), "right_ankle": ("right_foot",), "left_wrist": ("left_hand",),
    "right_wrist": ("right_hand",),
}  # fmt: skip
"""Parts round a joint besides its own and its parent's."""


@dataclass(frozen=True)
class CoarseSkin:
    """The decimated body in its rest pose."""

    vertices: Float[Array, "V 3"]
    """Of the mean shape, metres."""
    shapedirs: Float[Array, "V 3 K"]
    bones: Int[Array, "V 4"]
    shares: Float[Array, "V 4"]
    faces: Int[Array, "F 3"]
    part: Int[Array, "F"]
    """The joint that carries most of a face."""

    def __repr__(self) -> str:
        return f"CoarseSkin(V={len(self.vertices)}, F={len(self.faces)})"


@cache
def coarse_skin(num_faces: int = NUM_FACES) -> CoarseSkin:
    """Of the shipped body. About half a second, once."""
    return coarse_skin_of(load_body(), num_faces)


def coarse_skin_of(body: BodyData, num_faces: int) -> CoarseSkin:
    """Of any SMPL-format body."""
    mesh = decimate(body.v_template, body.faces, num_faces)
    count = len(mesh.vertices)
    members = np.bincount(mesh.cluster, minlength=count)[:, None].astype(np.float64)
    weights = np.zeros((count, NUM_JOINTS))
    np.add.at(weights, mesh.cluster, body.weights.astype(np.float64))
    weights /= members
    dirs = np.zeros((count, 3, body.shapedirs.shape[2]))
    np.add.at(dirs, mesh.cluster, body.shapedirs.astype(np.float64))
    bones = np.argsort(-weights, axis=1, kind="stable")[:, :NUM_BONES]
    shares = np.take_along_axis(weights, bones, axis=1)
    return CoarseSkin(
        vertices=_swollen(mesh.vertices, mesh.faces, body),
        shapedirs=dirs / members[..., None],
        bones=bones,
        shares=shares / shares.sum(axis=1, keepdims=True),
        faces=mesh.faces,
        part=weights[mesh.faces].sum(axis=1).argmax(axis=1),
    )


def _swollen(vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"], body: BodyData) -> Float[Array, "V 3"]:
    """Moved out along the normals until the chords of the coarse mesh hold as much as the fine one."""
    wanted = _volume(body.v_template.astype(np.float64), body.faces)
    out = vertices.copy()
    for _ in range(3):  # Newton: the volume grows by the surface
        a, b, c = (out[faces[:, i]] for i in range(3))
        doubled = np.cross(b - a, c - a)
        normal = np.zeros_like(out)
        for corner in range(3):
            np.add.at(normal, faces[:, corner], doubled)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        surface = 0.5 * float(np.linalg.norm(doubled, axis=1).sum())
        out += normal * (wanted - _volume(out, faces)) / surface
    return out


def _volume(vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"]) -> float:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return float(np.sum(a * np.cross(b, c)) / 6.0)


def skins_of(betas: Float[Array, "N K"], num_faces: int | None = None) -> Skin:
    """What the compiled z-buffer draws for people of these shapes."""
    coarse = coarse_skin(num_faces or NUM_FACES)
    betas = betas.astype(np.float64)
    rest = coarse.vertices + np.einsum("vck,nk->nvc", coarse.shapedirs, betas)
    return Skin(
        rest=rest.astype(np.float32),
        joints_rest=load_body().joints_m(betas).astype(np.float32),
        bones=np.ascontiguousarray(coarse.bones),
        shares=coarse.shares.astype(np.float32),
        faces=np.ascontiguousarray(coarse.faces),
        part=coarse.part,
    )


def near_parts() -> Bool[Array, "P 24"]:
    """Whose skin belongs round each probe."""
    near = np.zeros((NUM_PROBES, NUM_JOINTS), bool)
    for joint, name in enumerate(SMPL_JOINTS):
        near[joint, joint] = True
        near[joint, max(int(PARENTS[joint]), 0)] = True
        for other in _ALSO_NEAR.get(name, ()):
            near[joint, SMPL_JOINTS.index(other)] = True
    near[NUM_JOINTS:, SMPL_JOINTS.index("head")] = True
    near[NUM_JOINTS:, SMPL_JOINTS.index("neck")] = True
    return near


def thickness_m(skin: Skin, num_faces: int | None = None) -> Float[Array, "N P"]:
    """How far in front of each probe its own skin may lie, scaled to each person's limbs.

    The scale is the mean distance from the joint to the sixteen vertices next to it, over that of the mean body.
    `num_faces` as the skin was made with.
    """
    coarse, body = coarse_skin(num_faces or NUM_FACES), load_body()
    mean = np.array([_THICKNESS_M[name.split("_")[-1]] for name in SMPL_JOINTS])
    gap = np.linalg.norm(coarse.vertices[None] - body.joint_template_m[:, None], axis=-1)
    nearest = np.argsort(gap, axis=1, kind="stable")[:, :16]
    usual = np.take_along_axis(gap, nearest, axis=1).mean(axis=1)
    here = np.linalg.norm(skin.rest[:, nearest] - skin.joints_rest[:, :, None], axis=-1).mean(axis=2)
    face = np.full((len(skin.rest), NUM_FACE_POINTS), _FACE_THICKNESS_M)
    return np.concatenate([mean * here / usual, face], axis=1).astype(np.float64)
