"""What the compiled solver works on: constants of the tree, inputs, settings and scratch memory.

Layout: structure of arrays with the time slots innermost, so that one instruction advances 8 or 16 slots.
A vector over slots is called a row. The solver's skeleton leaves out the two hands, which no camera sees:

    rows 0..65    rotation parameters, 3 a joint: root as a turn d in world axes applied to a base rotation,
                  R_0 = exp(d) R_base; the other 21 as axis-angle relative to the parent, absolute
    rows 66..68   transl, metres
    betas         10 numbers, shared by all slots

Besides joints there are points fixed to a joint: x_i = p_j + G_j o_i(betas), five of the face and some of
the soles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

Array = np.ndarray

NUM_JOINTS = 22
NUM_ROT = 3 * NUM_JOINTS
NUM_ROWS = NUM_ROT + 3
NUM_BETAS = 10
NUM_KEYPOINTS = 17
NUM_FACE = 5
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
KEYPOINT_JOINT = (15, 15, 15, 15, 15, 16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8)
TORSO = (1, 2, 16, 17)

FLAGS = {"reassoc", "contract", "arcp", "nsz", "afn"}
"""All of fast-math but the promise that there are no NaN: an accept test must stay false for them."""

compiled = njit(cache=True, nogil=True, fastmath=FLAGS, error_model="numpy")
"""The one way kernels are compiled here: cached on disk, without the interpreter lock."""


class FusedBody(NamedTuple):
    """Rest skeleton, float32."""

    offset: Array
    """(22, 3) joint minus parent of the mean body, metres; row 0 is the root itself."""
    offset_dirs: Array
    """(22, 3, 10) change of the offset per unit of each beta."""
    point_joint: Array
    """(P,) joint that carries each point, int64; the first five are nose, eyes, ears."""
    point_offset: Array
    """(P, 3) point minus joint in the joint's axes, metres."""
    point_dirs: Array
    """(P, 3, 10) its change per unit of each beta."""


class FusedPrior(NamedTuple):
    """Gaussians on pose and shape, float32."""

    mean: Array
    """(63,) axis-angle of joints 1..21."""
    precision: Array
    """(63, 63)."""
    joint_scale: Array
    """(22,) weight of each joint in E_t-pose, mean about 1."""


class FusedViews(NamedTuple):
    """Observations of N people, float32, slots innermost."""

    cameras: Array
    """(C, 16) fx, fy, cx, cy, R row by row, t."""
    keypoints: Array
    """(N, C, 17, 2, T) undistorted px."""
    confidence: Array
    """(N, C, 17, T)."""
    inv_size: Array
    """(N, C, T) 1 / box size, 1/px; 0 where not seen."""
    hvip: Array
    """(N, C, 2, T) px."""
    hvip_inv_sigma: Array
    """(N, C, T) 1 / sigma, 1/px; 0 for none."""
    track: Array
    """(N, 2, T) ground position, metres."""
    track_weight: Array
    """(N, T) 1 / sigma^2, 1/m^2; 0 for none."""
    plane: Array
    """(N, 4, T) unit normal and offset of the ground under the person."""
    slots: Array
    """(N, 2) first and one past the last slot to solve, int64."""
    target: Array
    """(N, 69, T) where a Gaussian on the parameters themselves has its mean, rows as above, transl in the world."""
    target_weight: Array
    """(N, 69, T) its inverse variances; 0 for none."""


class FusedWeights(NamedTuple):
    """Weights and scales; every field a numpy float32."""

    reprojection: np.float32
    reprojection_scale: np.float32
    """Geman-McClure scale, in box sizes."""
    hvip: np.float32
    hvip_scale: np.float32
    """Geman-McClure scale, in sigmas."""
    contact: np.float32
    contact_scale_m: np.float32
    """Geman-McClure scale of a lowest point above the ground; below it the square holds."""
    contact_softness_m: np.float32
    """Temperature of the soft minimum over the sole points."""
    trans_velocity: np.float32
    trans_acceleration: np.float32
    pose_velocity: np.float32
    pose_acceleration: np.float32
    pose: np.float32
    shape: np.float32
    track: np.float32
    upright: np.float32


class FusedBudget(NamedTuple):
    """When to stop."""

    outer: int
    inner: int
    forcing: np.float32
    """CG stops when the preconditioned residual fell by this factor."""
    tolerance: np.float32
    """A relative gain of the energy below this ends the solve."""
    damping: np.float32
    """Initial Levenberg-Marquardt damping, relative to the diagonal."""


class Workspace(NamedTuple):
    """Scratch of one person. L slots."""

    offset: Array
    """(22, 3) rest offsets of the current betas."""
    point_offset: Array
    R_local: Array
    """(9, L)."""
    J_left: Array
    """(9, L)."""
    G: Array
    """(22, 9, L) world rotations."""
    A: Array
    """(22, 9, L) world turn of the joint per unit of its parameters."""
    p: Array
    """(22, 3, L) joints, metres, local origin."""
    arm: Array
    """(22, 3, L) joint minus parent."""
    x: Array
    """(P, 3, L) points."""
    point_arm: Array
    """(P, 3, L) point minus joint."""
    H: Array
    """(22, 6, L) Gauss-Newton Hessian of each joint's position: xx xy xz yy yz zz."""
    H_point: Array
    """(P, 6, L)."""
    H_torso: Array
    """(6, L)."""
    share: Array
    """(P, L) derivative of the soft minimum by each point's height."""
    low_weight: Array
    """(L,) weight of the soft minimum's square."""
    F: Array
    """(22, 3, L) forces (derivatives by position), accumulated to the root by the reverse pass."""
    M: Array
    """(22, 3, L) torques about the joint."""
    point_force: Array
    """(P, 3, L)."""
    u: Array
    """(22, 3, L) velocities of joints under a parameter velocity."""
    w: Array
    """(22, 3, L) angular velocities."""
    point_u: Array
    """(P, 3, L)."""
    row3: Array
    """(3, L)."""
    row6: Array
    """(6, L)."""
    low: Array
    """(L,)."""


@compiled
def workspace(num_points: int, num_slots: int) -> Workspace:
    """Fresh scratch memory."""
    f = np.float32
    L, P, J = num_slots, num_points, NUM_JOINTS
    return Workspace(
        np.zeros((J, 3), f),
        np.zeros((P, 3), f),
        np.zeros((9, L), f),
        np.zeros((9, L), f),
        np.zeros((J, 9, L), f),
        np.zeros((J, 9, L), f),
        np.zeros((J, 3, L), f),
        np.zeros((J, 3, L), f),
        np.zeros((P, 3, L), f),
        np.zeros((P, 3, L), f),
        np.zeros((J, 6, L), f),
        np.zeros((P, 6, L), f),
        np.zeros((6, L), f),
        np.zeros((P, L), f),
        np.zeros(L, f),
        np.zeros((J, 3, L), f),
        np.zeros((J, 3, L), f),
        np.zeros((P, 3, L), f),
        np.zeros((J, 3, L), f),
        np.zeros((J, 3, L), f),
        np.zeros((P, 3, L), f),
        np.zeros((3, L), f),
        np.zeros((6, L), f),
        np.zeros(L, f),
    )
