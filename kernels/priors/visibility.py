"""Masks from confidence: which groups of a motion state the 2D keypoints vouch for (DyCrowd sec. III-C).

"In the optimization phase, we set the masks based on the confidence of the detected 2D joints": a joint's group holds
where it is and how it is turned, and a joint's turn shows in where its child is. So a group is seen where some camera
sees all keypoints that fix it:

    hip       its knee                     spine 1-3, neck   a shoulder and a hip
    knee      knee and ankle               head              any of the face
    ankle     its ankle, and so the foot   collar            its shoulder
    shoulder  shoulder and elbow           elbow, wrist      elbow and wrist; wrist
    the path (pelvis position and turn)    two of shoulders and hips

In front of a camera is enough: a knee seen once in a slot is seen. O(C N T J).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from ..skeleton import COCO_KEYPOINTS, SMPL_JOINTS
from .motion_state import GROUPS

Array = np.ndarray

_SIDES = ("left", "right")
_KEY = {name: index for index, name in enumerate(COCO_KEYPOINTS)}
_FACE = [_KEY[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
_SHOULDERS = [_KEY[f"{side}_shoulder"] for side in _SIDES]
_HIPS = [_KEY[f"{side}_hip"] for side in _SIDES]
_TRUNK = ("spine1", "spine2", "spine3", "neck")
_NEEDS = {
    SMPL_JOINTS.index(f"{side}_{part}"): [_KEY[f"{side}_{need}"] for need in needs]
    for side in _SIDES
    for part, needs in {
        "hip": ("knee",),
        "knee": ("knee", "ankle"),
        "ankle": ("ankle",),
        "foot": ("ankle",),
        "collar": ("shoulder",),
        "shoulder": ("shoulder", "elbow"),
        "elbow": ("elbow", "wrist"),
        "wrist": ("wrist",),
    }.items()
}
"""SMPL joint of a limb -> the COCO keypoints that must all be seen."""


def seen_groups(
    confidence: Float[Array, "C N T 17"], present: Bool[Array, "N T"], minimum: float
) -> Bool[Array, "N T 22"]:
    """Groups of `motion_state` (body joints 1..21, then the path) that are to be believed.

    Args:
        confidence: of the COCO keypoints, 0..1; 0 for not seen.
        present: the person is there at all.
        minimum: confidence from which a keypoint counts as seen.
    """
    key = ((confidence >= minimum) & (confidence > 0)).any(0) & present[..., None]
    out = np.zeros((*present.shape, GROUPS), bool)
    for joint, needs in _NEEDS.items():
        out[..., joint - 1] = key[..., needs].all(-1)
    trunk = key[..., _SHOULDERS].any(-1) & key[..., _HIPS].any(-1)
    for name in _TRUNK:
        out[..., SMPL_JOINTS.index(name) - 1] = trunk
    out[..., SMPL_JOINTS.index("head") - 1] = key[..., _FACE].any(-1)
    out[..., -1] = key[..., _SHOULDERS + _HIPS].sum(-1) >= 2
    return out


def placed(seen: Bool[Array, "N T 22"], present: Bool[Array, "N T"]) -> Bool[Array, "N T 22"]:
    """The same, with a path for everybody: who never shows it is taken to be where they were put.

    A segment needs a slot to stand on. People of whom no torso is ever seen have their path believed where any joint is
    seen, and those whom nobody sees at all wherever they are present.
    """
    out = seen.copy()
    some = seen[..., :-1].any(-1)
    lost = ~seen[..., -1].any(-1, keepdims=True)
    blind = lost & ~some.any(-1, keepdims=True)
    out[..., -1] |= (lost & some) | (blind & present)
    return out
