"""The reference skeleton: that of the recordings, which is also the shipped body's mean shape."""

from __future__ import annotations

import numpy as np

from ...kernels.skeleton import PARENTS
from ..pose_prior import REFERENCE_OFFSETS_M


def _rest() -> np.ndarray:
    joints = np.zeros((24, 3))
    for joint in range(1, 24):
        joints[joint] = joints[PARENTS[joint]] + REFERENCE_OFFSETS_M[joint]
    return joints


REST_JOINTS_M = _rest()
"""(24, 3) rest pose, pelvis at the origin, y up, metres."""
TOE_REST_M = 0.026
"""Foot joint over the sole."""
