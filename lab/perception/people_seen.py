"""Which keypoints a camera sees of a person who is alone.

A ray goes from the eye through each keypoint, which lies under skin and cloth. The keypoint is seen where the first
hit lies no further in front of it than the limb is thick; a little more is allowed where what was hit hangs on the
joint itself (the seat in front of the hip, seen from behind). Legs under a skirt or coat count as seen: one sees where
they must be, and people who label pictures mark them.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from ...kernels.skeleton import COCO_KEYPOINTS, SMPL_JOINTS
from .people_figure import Figure

Array = np.ndarray

_NEAR_M = {"nose": 0.035, "eye": 0.03, "ear": 0.045, "shoulder": 0.075, "elbow": 0.06, "wrist": 0.05, "hip": 0.09,
           "knee": 0.075, "ankle": 0.065}  # fmt: skip
"""Whatever was hit: this near is the part's own skin or cloth."""
_OWN_M = {"nose": 0.035, "eye": 0.035, "ear": 0.06, "shoulder": 0.15, "elbow": 0.10, "wrist": 0.09, "hip": 0.20,
          "knee": 0.14, "ankle": 0.12}  # fmt: skip
"""The same where what was hit hangs on the part."""
_PARTS = {
    "nose": ("head",), "eye": ("head",), "ear": ("head",), "shoulder": ("?_shoulder", "?_collar"),
    "elbow": ("?_elbow", "?_shoulder"), "wrist": ("?_wrist", "?_elbow", "?_hand"), "hip": ("?_hip", "pelvis"),
    "knee": ("?_knee", "?_hip"), "ankle": ("?_ankle", "?_knee", "?_foot"),
}  # fmt: skip
_UNDER_CLOTH_M = {"hip": 0.22, "knee": 0.24, "ankle": 0.2}
"""The same under a skirt, which stands off the leg."""
_BAG_M = 0.03
_TURNED_AWAY = {"nose": -0.25, "eye": -0.1}
"""Least cosine between the way of the face and the way to the camera, of parts on its front."""


def _table() -> tuple[Array, Array, Array, Array, Array]:
    near, own, cloth, away = np.zeros(17), np.zeros(17), np.zeros(17), np.full(17, -2.0)
    hangs = np.zeros((24, 17), np.float32)
    for k, name in enumerate(COCO_KEYPOINTS):
        side, _, part = name.rpartition("_")
        near[k], own[k], away[k] = _NEAR_M[part], _OWN_M[part], _TURNED_AWAY.get(part, -2.0)
        cloth[k] = _UNDER_CLOTH_M.get(part, near[k])
        for joint in _PARTS[part]:
            hangs[SMPL_JOINTS.index(joint.replace("?", side)), k] = 1.0
    return near, own, cloth, away, hangs


_NEAR, _OWN, _CLOTH, _AWAY, _HANGS = _table()


def seen_keypoints(figure: Figure, eye_m: Float[Array, "3"]) -> UInt8[Array, "17"]:
    """1 for every keypoint that nothing of the figure hides from the eye."""
    ways = figure.keypoints_m - eye_m
    reach = np.linalg.norm(ways, axis=1)
    hits = figure.tracer.shoot(eye_m, ways)
    met = hits.face >= 0
    before_m = np.where(met, (1.0 - hits.distance) * reach, -np.inf)
    corners = figure.faces[np.where(met, hits.face, 0)]
    share = np.einsum("kcj,jk->k", figure.weights[corners], _HANGS) / 3.0
    face = np.where(met, hits.face, 0)
    thick = np.where(share > 0.5, _OWN, _NEAR)
    thick = np.where(figure.loose[face], np.maximum(thick, _CLOTH), thick)
    # nothing of a bag is the part's own skin
    thick = np.where(figure.carried[face], _BAG_M, thick) * min(1.0, figure.stature_m / 1.6 + 0.1)
    facing = -(ways @ figure.face_way) / reach
    return np.asarray((before_m < thick) & (facing > _AWAY), np.uint8)
