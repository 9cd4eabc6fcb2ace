"""Gaussians on the bodies of a window: what the lifter and the motion prior say, merged for the solver.

    E = sum_n,t,j  w_ntj |theta_ntj - m_ntj|^2  +  sum_n,t,c  w_ntc (tau_ntc - m_ntc)^2

Body joints are axis-angle, taken on the branch nearest to the first guess; the pelvis's rotation is the turn that takes
the first guess to its target, the solver's own parameter. Sources that speak of the same variable merge by precision,
w = w_1 + w_2, m = (w_1 m_1 + w_2 m_2) / w: the sum of their energies but for a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ..fused.arrays import NUM_JOINTS, NUM_ROT, NUM_ROWS
from ..rotation import rotmat_to_rotvec_np, rotvec_to_rotmat_np

Array = np.ndarray


@dataclass(frozen=True)
class Target:
    """Where a Gaussian on poses and places has its mean, and how sure it is."""

    pose_rotvec: Float[Array, "N T 22 3"]
    """Axis-angle, radians; joint 0 in the world, the rest relative to their parents."""
    pose_weight: Float[Array, "N T 22"]
    """Inverse variance about each axis, rad^-2; 0: nothing is said."""
    transl_m: Float[Array, "N T 3"]
    """smplx's translation, metres."""
    transl_weight: Float[Array, "N T 3"]
    """Inverse variance along each world axis, m^-2; 0: nothing is said."""


@dataclass(frozen=True)
class TargetRows:
    """A target in the rows of the compiled solver (`fused.arrays`), about a first guess."""

    mean: Float[Array, "N 69 T"]
    """Finite everywhere."""
    weight: Float[Array, "N 69 T"]
    """0 where nothing is said."""

    def energy(self, rows: Float[Array, "N 69 T"], slots: Int[Array, "N 2"]) -> Float[Array, "N"]:
        """E of every person over their slots [first, last)."""
        index = np.arange(rows.shape[-1])
        inside = (index >= slots[:, :1]) & (index < slots[:, 1:])
        off = np.where(self.weight > 0, rows.astype(np.float64) - self.mean, 0.0)
        return np.asarray(np.where(inside[:, None], self.weight * off**2, 0.0).sum((1, 2)))


def target_rows(target: Target, guess_rotvec: Float[Array, "N T 24 3"]) -> TargetRows:
    """A target in the solver's parameters, which are turns about the first guess.

    Args:
        target: may hold anything where its weights are 0; what is not finite is taken as not said.
        guess_rotvec: the first guess that the solver starts from.
    """
    n, t = target.transl_m.shape[:2]
    pose = target.pose_rotvec.astype(np.float64)
    said = np.isfinite(pose).all(-1) & np.isfinite(target.pose_weight)
    pose = np.where(said[..., None], pose, 0.0)
    guess = guess_rotvec[:, :, :NUM_JOINTS].astype(np.float64)
    turn = rotvec_to_rotmat_np(pose[:, :, 0]) @ rotvec_to_rotmat_np(guess[:, :, 0]).swapaxes(-1, -2)
    finite = np.isfinite(turn).all((-1, -2))
    pose[:, :, 0] = rotmat_to_rotvec_np(np.where(finite[..., None, None], turn, np.eye(3)))
    pose[:, :, 1:] = nearest_branch(pose[:, :, 1:], np.nan_to_num(guess[:, :, 1:]))
    placed = np.isfinite(target.transl_m) & np.isfinite(target.transl_weight)
    mean, weight = np.zeros((n, t, NUM_ROWS)), np.zeros((n, t, NUM_ROWS))
    mean[..., :NUM_ROT] = pose.reshape(n, t, NUM_ROT)
    mean[..., NUM_ROT:] = np.where(placed, target.transl_m, 0.0)
    weight[..., :NUM_ROT] = np.repeat(np.where(said, target.pose_weight, 0.0), 3, -1)
    weight[..., NUM_ROT:] = np.where(placed, target.transl_weight, 0.0)
    weight[..., :3] *= finite[..., None]
    return TargetRows(np.ascontiguousarray(mean.swapaxes(1, 2)), np.ascontiguousarray(weight.swapaxes(1, 2)))


def merge_rows(rows: Sequence[TargetRows]) -> TargetRows:
    """One Gaussian for several, by precision."""
    weight = np.sum([r.weight for r in rows], axis=0)
    pull = np.sum([r.weight * r.mean for r in rows], axis=0)
    return TargetRows(np.where(weight > 0, pull / np.where(weight > 0, weight, 1.0), 0.0), weight)


def nearest_branch(
    rotvec: Float[Array, "*batch 3"], reference: Float[Array, "*batch 3"]
) -> Float[Array, "*batch 3"]:
    """The axis-angle of the same rotation that is nearest to a reference: r or r (1 - 2 pi / |r|)."""
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    other = rotvec * (1.0 - 2.0 * np.pi / np.maximum(angle, 1e-9))
    closer = ((other - reference) ** 2).sum(-1) < ((rotvec - reference) ** 2).sum(-1)
    return np.where(closer[..., None] & (angle > 1e-6), other, rotvec)
