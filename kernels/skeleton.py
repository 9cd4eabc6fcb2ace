"""Joint sets: SMPL's 24 joints with their tree, COCO's 17 keypoints, and how one is read off the other.

COCO keypoints that are joint centres map to SMPL joints one to one; the five face points have no joint
and are taken from the head joint by fixed offsets in the head's frame (see `FACE_OFFSETS_M`).
"""

from __future__ import annotations

import numpy as np

SMPL_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand",
)  # fmt: skip

PARENTS = np.array(
    [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21], dtype=np.int64
)

COCO_KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip

COCO_TO_SMPL = np.array([15, 15, 15, 15, 15, 16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8], dtype=np.int64)
"""The SMPL joint that carries each COCO keypoint."""

FACE_OFFSETS_M = np.zeros((17, 3))
FACE_OFFSETS_M[0] = (0.0, 0.044, 0.112)  # nose
FACE_OFFSETS_M[1] = (0.033, 0.071, 0.085)  # left eye
FACE_OFFSETS_M[2] = (-0.033, 0.071, 0.085)  # right eye
FACE_OFFSETS_M[3] = (0.083, 0.058, -0.018)  # left ear
FACE_OFFSETS_M[4] = (-0.083, 0.058, -0.018)  # right ear
"""Keypoint minus joint, in the joint's own frame (SMPL axes: x left, y up, z forward), metres.

Zero for keypoints that are joint centres; the face values are those of the shipped body's head."""

COCO_SIGMAS = np.array(
    [.26, .25, .25, .35, .35, .79, .79, .72, .72, .62, .62, 1.07, 1.07, .87, .87, .89, .89]
) / 10.0  # fmt: skip
"""OKS constants of the COCO keypoint challenge."""

COCO_LIMBS = (
    (0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12),
    (11, 12), (11, 13), (13, 15), (12, 14), (14, 16),
)  # fmt: skip
"""Pairs of keypoints to draw as bones."""
