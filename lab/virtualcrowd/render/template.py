"""The body as the tailor needs it: where each vertex lies on the limbs, how open it is to the sky, coarser versions.

Everything here belongs to the mean shape in its rest pose, so one set of labels dresses all shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from ....kernels.body.data import BodyData
from ....kernels.body.kinematics import forward_kinematics_np
from ....kernels.skeleton import SMPL_JOINTS
from ....stream.body_files import load_body
from ..decimate import decimate
from .tracer import Tracer

Array = np.ndarray

COARSE_FACES = (2600, 900)
_RAYS = 48
_REACH_M = 0.6


def joint(name: str) -> int:
    """Row of an SMPL joint."""
    return SMPL_JOINTS.index(name)


@dataclass(frozen=True)
class Detail:
    """A skin of fewer triangles whose vertices are some of the body's own."""

    vertices: Int[Array, "v"]
    """Rows of the full body."""
    faces: Int[Array, "f 3"]


@dataclass(frozen=True)
class Template:
    """Labels of the V vertices."""

    body: BodyData
    head: Float[Array, "V"]
    """Skinning weight of the head; likewise below."""
    neck: Float[Array, "V"]
    arm: Float[Array, "V"]
    """Share that hangs on shoulder, elbow, wrist and hand."""
    leg: Float[Array, "V"]
    foot: Float[Array, "V"]
    along_arm: Float[Array, "V"]
    """0 at the shoulder joint, 1 at the wrist, more on the hand; negative on the trunk."""
    along_leg: Float[Array, "V"]
    """0 at the hip joint, 1 at the ankle."""
    open: Float[Array, "V"]
    """Share of the hemisphere over a vertex that the own body leaves free, arms hanging."""
    spread: sp.csr_matrix
    """(V, V) mean over a vertex and its neighbours."""
    details: tuple[Detail, ...]
    """Full first."""


@cache
def template() -> Template:
    """Of the shipped body; made once per process, under two seconds."""
    body = load_body()
    w, x, y = body.weights, np.abs(body.v_template[:, 0]), body.v_template[:, 1]
    joints = body.joint_template_m
    shoulder, wrist = joints[joint("left_shoulder"), 0], joints[joint("left_wrist"), 0]
    hip, ankle = joints[joint("left_hip"), 1], joints[joint("left_ankle"), 1]

    def share(*names: str) -> Array:
        return np.asarray(
            w[:, [joint(f"{side}_{name}") for name in names for side in ("left", "right")]].sum(1)
        )

    return Template(
        body=body, head=w[:, joint("head")], neck=w[:, joint("neck")],
        arm=share("shoulder", "elbow", "wrist", "hand"), leg=share("hip", "knee", "ankle", "foot"),
        foot=share("ankle", "foot"), along_arm=(x - shoulder) / (wrist - shoulder),
        along_leg=(hip - y) / (hip - ankle), open=_openness(body), spread=_spread(body), details=_details(body),
    )  # fmt: skip


def normals(vertices: Float[Array, "*batch V 3"], faces: Int[Array, "F 3"]) -> Float[Array, "*batch V 3"]:
    """Unit vertex normals, weighted by area."""
    a, b, c = (vertices[..., faces[:, i], :] for i in range(3))
    cross = np.cross(b - a, c - a).reshape(-1, len(faces) * 3)
    num = vertices.shape[-2]
    rows = np.repeat(faces.T.reshape(-1), 1)
    gather = sp.csr_matrix(
        (np.ones(rows.size, np.float32), (rows, np.tile(np.arange(len(faces)), 3))), (num, len(faces))
    )
    out = np.stack([gather @ one.reshape(-1, 3) for one in cross])
    out /= np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-12)
    return np.asarray(out.reshape(vertices.shape))


def _spread(body: BodyData) -> sp.csr_matrix:
    f, num = body.faces, body.num_vertices
    rows = np.concatenate([f[:, 0], f[:, 1], f[:, 2], np.arange(num)])
    columns = np.concatenate([f[:, 1], f[:, 2], f[:, 0], np.arange(num)])
    links = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), (num, num))
    links.data[:] = 1.0
    return sp.csr_matrix(sp.diags(1.0 / np.asarray(links.sum(1)).ravel()) @ links)


def _details(body: BodyData) -> tuple[Detail, ...]:
    """Each coarser than the one before and made from it; its vertices are some of the body's own."""
    out = [Detail(np.arange(body.num_vertices), body.faces.astype(np.int32))]
    for count in COARSE_FACES:
        fine = out[-1]
        rest = body.v_template[fine.vertices].astype(np.float64)
        mesh = decimate(rest, fine.faces.astype(np.int64), count)
        off = np.linalg.norm(rest - mesh.vertices[mesh.cluster], axis=1)
        order = np.lexsort((off, mesh.cluster))  # by coarse vertex, then nearest to it first
        nearest = order[np.unique(mesh.cluster[order], return_index=True)[1]]
        out.append(Detail(fine.vertices[nearest], mesh.faces.astype(np.int32)))
    return tuple(out)


def _openness(body: BodyData) -> Float[Array, "V"]:
    """Ambient occlusion of a standing body by seeded rays (cosine-weighted)."""
    pose = np.zeros((1, 24, 3))
    pose[0, joint("left_shoulder"), 2], pose[0, joint("right_shoulder"), 2] = -1.15, 1.15
    joints, world = forward_kinematics_np(
        pose, np.zeros((1, 10)), np.zeros((1, 3)), body.joint_template_m, body.joint_shapedirs_m
    )
    offset = joints[0] - np.einsum("jCc,jc->jC", world[0], body.joint_template_m)
    bones = np.einsum("vj,jCc->vCc", body.weights, world[0])
    vertices = np.einsum("vCc,vc->vC", bones, body.v_template) + body.weights @ offset
    up = normals(vertices, body.faces)
    rng = np.random.default_rng(7)
    free = np.zeros(len(vertices))
    tracer = Tracer(vertices, body.faces)
    for _ in range(_RAYS):
        way = rng.standard_normal((len(vertices), 3))
        way = up + way / np.linalg.norm(way, axis=1, keepdims=True)
        free += tracer.free(vertices + 0.004 * up, way / np.linalg.norm(way, axis=1, keepdims=True), _REACH_M)
    return np.asarray(free / _RAYS)
