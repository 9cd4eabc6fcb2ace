"""Skinning weights by heat on the surface (Baran & Popovic 2007), and joints regressed from vertices.

    (L + M H) w_j = M H p_j,    H = 2 / d^2

L the cotangent Laplacian, M vertex areas, d the distance to the nearest own bone, p_j how much bone j is the nearest.
Heat runs over the skin only, so legs or arm and trunk that merely lie side by side do not mix.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csc_matrix, diags_array
from scipy.sparse.linalg import splu
from scipy.special import softmax

from ...kernels.skeleton import SMPL_JOINTS
from .anatomy import HEAD_TOP_Y_M, PARTS, SOLE_Y_M
from .mesh import Template

Array = np.ndarray

INFLUENCES = 4
LEAST = 0.008
"""Weights are cut off here, softly: what falls away is taken off what stays, so that no edge shows."""
HEAT = 2.0
"""How strongly a bone holds its own skin; with less, bends spread wider."""
PART_BLEND_M = 0.012
BONE_BLEND_M = 0.010
"""Where the distances to two parts or bones differ by this, the nearer holds 73 %."""

REGRESSOR_RIDGE = 1e-6
SIDE_M = 0.04
"""A leg or arm lets go of the other side within this distance of the middle."""

_J = {name: joint for joint, name in enumerate(SMPL_JOINTS)}


def _segments(joints: Float[Array, "24 3"]) -> dict[str, list[tuple[int, Array, Array]]]:
    """(joint, start, end) of the bones each part of the body hangs on; left side only for limbs."""

    def bone(name: str, end: str | tuple[float, float, float]) -> tuple[int, Array, Array]:
        stop = joints[_J[end]] if isinstance(end, str) else np.array(end)
        return _J[name], joints[_J[name]], stop

    trunk = [bone("pelvis", "spine1"), bone("pelvis", "left_hip"), bone("pelvis", "right_hip")]
    trunk += [bone("spine1", "spine2"), bone("spine2", "spine3"), bone("spine3", "neck")]
    trunk += [
        bone("neck", "head"),
        bone("left_collar", "left_shoulder"),
        bone("right_collar", "right_shoulder"),
    ]
    return {
        "torso": trunk,
        "head": [
            bone("neck", "head"),
            bone("head", (0.0, HEAD_TOP_Y_M - 0.07, 0.0)),
            bone("head", (0, 0.57, 0.07)),
        ],
        "arm": [
            bone("left_shoulder", "left_elbow"),
            bone("left_elbow", "left_wrist"),
            bone("left_wrist", "left_hand"),
            bone("left_hand", (0.870, 0.433, -0.090)),
            bone("left_wrist", (0.750, 0.432, -0.035)),
        ],
        "leg": [
            bone("left_hip", "left_knee"),
            bone("left_knee", "left_ankle"),
            bone("left_ankle", "left_foot"),
            bone("left_ankle", (0.088, SOLE_Y_M + 0.015, -0.095)),
            bone("left_foot", (0.114, SOLE_Y_M + 0.01, 0.14)),
        ],
    }


def skinning_weights(template: Template, joints: Float[Array, "24 3"]) -> Float[Array, "V 24"]:
    """At most four weights a vertex, rows summing to 1, the right side the exact mirror of the left."""
    share, distance = _nearest_bones(template.vertices, joints)
    laplacian, area = cotangent_laplacian(template.vertices, template.faces)
    heat = HEAT * area / np.maximum(distance, 0.01) ** 2
    solver = splu(csc_matrix(laplacian + diags_array(heat)))
    weights = np.maximum(solver.solve(heat[:, None] * share), 0.0)
    weights = (weights + weights[template.mirror][:, mirror_joints()]) / 2
    weights *= _own_side(template.vertices)
    cut = np.sort(weights, axis=1)[:, -INFLUENCES - 1][:, None]
    weights = np.maximum(weights - np.maximum(cut, LEAST), 0.0)
    normed: Array = weights / weights.sum(1, keepdims=True)
    return normed


def _own_side(vertices: Float[Array, "V 3"]) -> Float[Array, "V 24"]:
    """1 on a joint's own side, fading to 0 across the middle; 1 everywhere for joints of the trunk."""
    s = np.clip(vertices[:, 0] / (2 * SIDE_M) + 0.5, 0.0, 1.0)
    left = s * s * (3.0 - 2.0 * s)
    out = np.ones((len(vertices), len(SMPL_JOINTS)))
    for joint, name in enumerate(SMPL_JOINTS):
        if name.startswith("left"):
            out[:, joint] = left
        elif name.startswith("right"):
            out[:, joint] = 1.0 - left
    return out


def mirror_joints() -> Int[Array, "24"]:
    """The joint of the other side for each joint."""
    other = {"left": "right", "right": "left"}
    names = ["_".join(other.get(word, word) for word in name.split("_")) for name in SMPL_JOINTS]
    return np.array([_J[name] for name in names])


def _nearest_bones(
    vertices: Float[Array, "V 3"], joints: Float[Array, "24 3"]
) -> tuple[Float[Array, "V 24"], Float[Array, "V"]]:
    """Soft nearest bone of every vertex within its part, and the distance to it."""
    folded = vertices * np.where(vertices[:, :1] < 0, (-1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    parts = softmax(-np.stack([part(folded) for part in PARTS.values()]) / PART_BLEND_M, axis=0)
    share = np.zeros((len(vertices), len(SMPL_JOINTS)))
    nearest = np.zeros(len(vertices))
    for part, bones in zip(parts, _segments(joints).values(), strict=True):
        away = np.stack([_to_segment(folded, start, end) for _, start, end in bones])
        nearest += part * away.min(0)
        for (joint, _, _), one in zip(bones, softmax(-away / BONE_BLEND_M, axis=0), strict=True):
            share[:, joint] += part * one
    right, middle = vertices[:, 0] < 0, vertices[:, 0] == 0
    share[right] = share[right][:, mirror_joints()]
    share[middle] = (share[middle] + share[middle][:, mirror_joints()]) / 2
    return share, nearest


def _to_segment(points: Float[Array, "N 3"], start: Array, end: Array) -> Float[Array, "N"]:
    axis = end - start
    s = np.clip((points - start) @ axis / (axis @ axis), 0.0, 1.0)
    away: Array = np.linalg.norm(points - start - s[:, None] * axis, axis=1)
    return away


def cotangent_laplacian(
    vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"]
) -> tuple[csc_matrix, Float[Array, "V"]]:
    """Positive semi-definite cotangent Laplacian and the area around each vertex."""
    count = len(vertices)
    rows, columns, values = [], [], []
    area = np.zeros(count)
    for i in range(3):
        a, b, c = faces[:, i], faces[:, (i + 1) % 3], faces[:, (i + 2) % 3]
        u, v = vertices[b] - vertices[a], vertices[c] - vertices[a]
        double = np.linalg.norm(np.cross(u, v), axis=1)
        cot = np.maximum((u * v).sum(1) / double, 0.0) / 2  # obtuse corners would let heat run backwards
        rows += [b, c]
        columns += [c, b]
        values += [cot, cot]
        np.add.at(area, a, double / 6)
    links = csc_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count)
    )
    return csc_matrix(diags_array(np.asarray(links.sum(1)).ravel()) - links), area


def joint_regressor(
    template: Template,
    shapedirs: Float[Array, "V 3 K"],
    joints: Float[Array, "24 3"],
    joint_dirs: Float[Array, "24 3 K"],
    near: int = 120,
) -> Float[Array, "24 V"]:
    """Sparse rows that give the mean joints exactly and their way along every shape direction closely.

    Per joint, with w0 a smooth average of the nearest skin:

        min |D w - d|^2 + r |w - w0|^2   subject to   A w = a

    A, a: the mean place and a sum of 1; D, d: the shape directions. r trades fractions of a millimetre per unit of a
    coefficient for small weights.
    """
    regressor = np.zeros((len(joints), len(template.vertices)))
    for joint, place in enumerate(joints):
        distance = np.linalg.norm(template.vertices - place, axis=1)
        rows = np.argsort(distance, kind="stable")[:near]
        rows = np.unique(np.concatenate([rows, template.mirror[rows]] if place[0] == 0 else [rows]))
        smooth = np.exp(-0.5 * (distance[rows] / distance[rows].mean()) ** 2)
        smooth /= smooth.sum()
        exact = np.concatenate([template.vertices[rows].T, np.ones((1, len(rows)))])
        close = shapedirs[rows].reshape(len(rows), -1).T
        off_exact = np.append(place, 1.0) - exact @ smooth
        off_close = joint_dirs[joint].ravel() - close @ smooth
        normal = close.T @ close + REGRESSOR_RIDGE * np.eye(len(rows))
        kkt = np.block([[normal, exact.T], [exact, np.zeros((4, 4))]])
        change = np.linalg.solve(kkt, np.concatenate([close.T @ off_close, off_exact]))[: len(rows)]
        regressor[joint, rows] = smooth + change
    even: Array = (regressor + regressor[mirror_joints()][:, template.mirror]) / 2
    return even
