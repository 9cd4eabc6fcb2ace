"""Sets of joints that errors are averaged over.

H36M-14 is what SPIN, VIBE and the crowd papers average over: ankles, knees, hips, wrists, elbows, shoulders, neck,
head. They read it off the mesh with a licensed regressor; here it is read off the SMPL joints. The limbs agree to
one or two centimetres; two points do not: the regressor's head is the top of the skull and its neck the thorax,
SMPL's are the base of the skull and of the neck, and its pelvis lies some centimetres from SMPL's. Since both
sides of a comparison are read the same way, errors differ little (a head's top swings further than its base).
"""

from __future__ import annotations

import numpy as np

from ..skeleton import SMPL_JOINTS

PELVIS = SMPL_JOINTS.index("pelvis")
SMPL_24 = np.arange(24)
H36M_14_NAMES = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head",
)  # fmt: skip
"""In the order of the public evaluators (LSP's)."""
H36M_14 = np.array([SMPL_JOINTS.index(name) for name in H36M_14_NAMES])
TORSO = np.array(
    [SMPL_JOINTS.index(f"{side}_{part}") for part in ("hip", "shoulder") for side in ("left", "right")]
)
"""The torso centre of placement metrics is the mean of these four, as for the interaction point."""
