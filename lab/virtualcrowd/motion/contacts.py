"""Which joints touch the ground (HuMoR's preprocessing; algorithms 2.9).

A joint is in contact where it moved less than 5 mm since the frame before and is lower than 4 cm (toes) or 8 cm
(ankles, knees, wrists). HuMoR's floor lies 1 cm under the resting toe joints, which is above the sole; heights are
counted from there, for every body by its own toe joint.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from ..truth import CONTACT_JOINTS
from .skeleton import TOES

Array = np.ndarray

MAX_STEP_M = 0.005
TOE_HEIGHT_M, OTHER_HEIGHT_M = 0.04, 0.08
FLOOR_UNDER_TOE_M = 0.01

_LIMITS = np.array([TOE_HEIGHT_M if joint in TOES else OTHER_HEIGHT_M for joint in CONTACT_JOINTS])


def contact_labels(
    joints_m: Float[Array, "T 24 3"], ground_m: Float[Array, "T 8"], toe_rest_m: float
) -> Bool[Array, "T 8"]:
    """Labels of CONTACT_JOINTS.

    Args:
        joints_m: world.
        ground_m: height of the ground under each of those joints.
        toe_rest_m: height of the toe joint over the sole of this body.
    """
    picked = joints_m[:, list(CONTACT_JOINTS)]
    step = np.linalg.norm(np.diff(picked, axis=0), axis=-1)
    step = np.concatenate([step[:1], step]) if len(step) else np.zeros(picked.shape[:2])
    above = picked[..., 2] - ground_m - (toe_rest_m - FLOOR_UNDER_TOE_M)
    return np.asarray((step < MAX_STEP_M) & (above < _LIMITS))
