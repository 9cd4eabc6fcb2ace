"""What a metric needs of posed bodies: keypoints and box in the picture, soles on the ground.

    v_s = sum_j w_sj (x_j + R_j (v_s(betas) - J_j(betas)))       (Loper et al. 2015, eq. 2, S rows only)

Boxes are those of a hundred-odd vertices spread over the body, not of all of it: within a centimetre or two of
the whole mesh's, at a thirtieth of the work. O(M S J) for M bodies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from ...kernels.body.data import BodyData
from ...kernels.body.keypoints import coco_keypoints_np
from ...kernels.body.kinematics import forward_kinematics_np
from ...kernels.camera import CameraModel

Array = np.ndarray

HULL_VERTICES = 128
"""Points of the body that the box is drawn around."""
_CHUNK = 2048
"""Bodies at a time: some 50 MB of skinning matrices."""


@dataclass(frozen=True)
class Posed:
    """M bodies in the world and in one picture, float32."""

    joints_m: Float[Array, "M 24 3"]
    keypoints_px: Float[Array, "M 17 2"]
    """NaN behind the camera."""
    box_px: Float[Array, "M 4"]
    """x1, y1, x2, y2 of the whole body, not cut at the border; NaN where a part is behind the camera."""
    soles_m: Float[Array, "M S 3"]


def pose_bodies(
    body: BodyData,
    camera: CameraModel,
    pose_rotvec: Float[Array, "M 24 3"],
    betas: Float[Array, "M 10"],
    transl_m: Float[Array, "M 3"],
    joints_m: Float[Array, "M 24 3"] | None = None,
) -> Posed:
    """Bodies as they stand before a camera.

    Args:
        joints_m: where the joints are; by default where pose, shape and translation put them. Given ones (means
            over windows) win, and keypoints and soles hang on them.
    """
    m, soles = len(pose_rotvec), len(body.sole_vertices)
    out = Posed(
        np.zeros((m, 24, 3), np.float32), np.zeros((m, 17, 2), np.float32), np.zeros((m, 4), np.float32),
        np.zeros((m, soles, 3), np.float32),
    )  # fmt: skip
    rows = np.concatenate([body.sole_vertices, hull_vertices(body)])
    for part in _parts(m):
        rest = body.joints_m(betas[part].astype(np.float64))
        found, rotmats = forward_kinematics_np(
            pose_rotvec[part].astype(np.float64), betas[part].astype(np.float64),
            transl_m[part].astype(np.float64), body.joint_template_m, body.joint_shapedirs_m,
        )  # fmt: skip
        joints = found if joints_m is None else joints_m[part].astype(np.float64)
        points = _skin(body, rows, betas[part], joints, rotmats, rest)
        px = camera.project(points[:, soles:])
        out.joints_m[part] = joints
        out.keypoints_px[part] = camera.project(coco_keypoints_np(joints, rotmats))
        out.box_px[part] = np.concatenate([px.min(axis=1), px.max(axis=1)], axis=1)
        out.soles_m[part] = points[:, :soles]
    return out


def hull_vertices(body: BodyData) -> Int[Array, "S"]:
    """Vertices spread over the body, ends of limbs first: each is the farthest from all before it."""
    return _spread(body.v_template.astype(np.float64).tobytes(), min(HULL_VERTICES, body.num_vertices))


@lru_cache(maxsize=4)
def _spread(template: bytes, count: int) -> Int[Array, "S"]:
    points = np.frombuffer(template).reshape(-1, 3)
    picks = [int(points[:, 1].argmax())]
    distance = np.linalg.norm(points - points[picks[0]], axis=1)
    while len(picks) < count:
        picks.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[picks[-1]], axis=1))
    return np.array(picks, np.int64)


def _skin(
    body: BodyData,
    rows: Int[Array, "S"],
    betas: Float[Array, "M 10"],
    joints_m: Float[Array, "M 24 3"],
    rotmats: Float[Array, "M 24 3 3"],
    rest_m: Float[Array, "M 24 3"],
) -> Float[Array, "M S 3"]:
    weights = body.weights[rows].astype(np.float64)
    shaped = body.v_template[rows] + np.einsum("sck,mk->msc", body.shapedirs[rows], betas)
    shift = joints_m - np.einsum("mjcd,mjd->mjc", rotmats, rest_m)
    turn = np.tensordot(rotmats, weights, axes=(1, 1))  # (M, 3, 3, S)
    move = np.tensordot(shift, weights, axes=(1, 1))  # (M, 3, S)
    return np.asarray(np.einsum("mcds,msd->msc", turn, shaped) + move.transpose(0, 2, 1))


def _parts(count: int) -> Iterator[slice]:
    for start in range(0, count, _CHUNK):
        yield slice(start, min(start + _CHUNK, count))
