"""The skeleton as motion sees it: positions from joint rotations, mirror images, and the ground frame.

Everything here lives in a *walking frame*: x the way the body goes, y to its left, z up; bodies stay in their own
axes (y up, facing z), so a body that stands upright in the walking frame has root rotation `UPRIGHT`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ....kernels.skeleton import PARENTS, SMPL_JOINTS
from . import quaternion as qt

Array = np.ndarray

BODY_TO_WALK = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""Body axes (x left, y up, z forward) in the walking frame (x forward, y left, z up)."""
UPRIGHT = qt.from_rotmat(BODY_TO_WALK)
GRAVITY = 9.81
HIPS, KNEES, ANKLES, TOES = (1, 2), (4, 5), (7, 8), (10, 11)
"""Left, right."""
SHOULDERS, ELBOWS, WRISTS = (16, 17), (18, 19), (20, 21)

OTHER_SIDE = np.array(
    [
        SMPL_JOINTS.index(name.replace("left", "@").replace("right", "left").replace("@", "right"))
        for name in SMPL_JOINTS
    ]
)
_CHAIN = tuple((joint, int(PARENTS[joint])) for joint in range(1, 24))


def bone_offsets(rest_joints_m: Float[Array, "J 3"]) -> Float[Array, "J 3"]:
    """Each joint from its parent in the rest pose; the root's row is zero."""
    offsets = np.zeros_like(rest_joints_m)
    offsets[1:] = rest_joints_m[1:] - rest_joints_m[PARENTS[1 : len(rest_joints_m)]]
    return offsets


def place(
    rotmats: Float[Array, "T J 3 3"], offsets_m: Float[Array, "J 3"], root_m: Float[Array, "T 3"]
) -> tuple[Float[Array, "T J 3"], Float[Array, "T J 3 3"]]:
    """Forward kinematics: joints and their world axes from local rotations.

    Args:
        rotmats: joint 0 relative to the world, the rest to their parents.
        offsets_m: `bone_offsets`.
        root_m: the pelvis joint.
    """
    t, count = rotmats.shape[:2]
    joints, world = np.empty((t, count, 3)), np.empty((t, count, 3, 3))
    joints[:, 0], world[:, 0] = root_m, rotmats[:, 0]
    for joint, parent in _CHAIN[: count - 1]:
        joints[:, joint] = joints[:, parent] + world[:, parent] @ offsets_m[joint]
        world[:, joint] = world[:, parent] @ rotmats[:, joint]
    return joints, world


def mirror_pose(quats: Float[Array, "*batch J 4"]) -> Float[Array, "*batch J 4"]:
    """Local rotations of joints 1.. seen in a mirror (left and right exchanged).

    The root's rotation belongs to the walking frame; see `mirror_root`.
    """
    order = OTHER_SIDE[: quats.shape[-2]]
    return np.asarray(quats[..., order, :] * np.array([1.0, 1.0, -1.0, -1.0], quats.dtype))


def mirror_root(quats: Float[Array, "*batch 4"]) -> Float[Array, "*batch 4"]:
    """Root rotations (walking frame from body axes) seen in a mirror: y -> -y outside, x -> -x inside."""
    lean = qt.multiply(quats, qt.conjugate(UPRIGHT))
    return qt.multiply(lean * np.array([1.0, -1.0, 1.0, -1.0]), UPRIGHT)


def yaw_of(rotation: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch"]:
    """The way body axes face in the walking frame, counter-clockwise from x."""
    forward = rotation[..., :, 2]
    return np.asarray(np.arctan2(forward[..., 1], forward[..., 0]))


def turned(
    xy: Float[Array, "*#batch 2"], angle_rad: Float[Array, "*#batch"] | float
) -> Float[Array, "*#batch 2"]:
    """Plane vectors turned counter-clockwise."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.stack([c * xy[..., 0] - s * xy[..., 1], s * xy[..., 0] + c * xy[..., 1]], axis=-1)
