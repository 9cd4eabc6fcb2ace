"""The predefined joint weights w of eqs 15 and 17, which the paper does not print.

    eq. 17    w on the rotations of a motion: what people who move alike have in common
    eq. 15    w_j on joints that are hidden for long: what a guide is needed for

The gait is in the legs, and legs are what a crowd hides: they weigh most. Then come the arms' swing and the trunk. The
root says where a person faces, not how they move; head and hands are what the paper leaves to everybody themselves
(a wrist's rotation turns nothing but the hand). A toe's rotation is seen by none of COCO's keypoints and counts little.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..skeleton import COCO_KEYPOINTS, SMPL_JOINTS

_BOTH_SIDES = {
    "hip": 1.0,
    "knee": 1.0,
    "ankle": 0.5,
    "foot": 0.1,
    "collar": 0.25,
    "shoulder": 0.7,
    "elbow": 0.7,
}
_TRUNK = {"spine1": 0.5, "spine2": 0.5, "spine3": 0.5}
"""Three joints that bend together."""
_SEEN_ON_BOTH_SIDES = {"hip": 0.10, "knee": 0.15, "ankle": 0.12, "shoulder": 0.07, "elbow": 0.06}


def _table(
    names: tuple[str, ...], sides: dict[str, float], middle: dict[str, float]
) -> Float[np.ndarray, "J"]:
    paired = {f"{side}_{name}": weight for name, weight in sides.items() for side in ("left", "right")}
    weights = np.array([(paired | middle).get(name, 0.0) for name in names])
    weights.setflags(write=False)
    return weights


ROTATION_WEIGHTS = _table(SMPL_JOINTS, _BOTH_SIDES, _TRUNK)
"""w of eq. 17 for the rotation of each SMPL joint relative to its parent, 0..1; 0 for root, neck, head, wrists, hands.

Of a body of 22 joints take the first 22."""
KEYPOINT_WEIGHTS = _table(COCO_KEYPOINTS, _SEEN_ON_BOTH_SIDES, {})
"""w_j of eq. 15 for each COCO keypoint; they sum to 1, so the threshold a is a share of the body."""

COMPARED_JOINTS = tuple(int(joint) for joint in np.flatnonzero(ROTATION_WEIGHTS))
"""SMPL joints with a say in eq. 17."""
