"""Where the pose prior's training starts: its linear skip as a principal component analysis in metres.

    M = E [J^T J] + floor^2 I = L L^T,    J = d joints / d r  at poses of the crowd
    L^T (r - mean) = U S w,    C = L^-T U S,    E = S^-1 U^T L^T,    z = E (r - mean)

r is the 6D form of joints 1..21. M is how far the 22 joints move, in all directions of r at once: the components spend
themselves on what is seen, not on the twist of a wrist. z has unit variance in every direction over the
people one meets (`PoseBank.crowd_weight`),
but for what they hardly do.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...kernels.priors.gaussian_pose import BODY_JOINTS, LATENT_DIM
from ...kernels.priors.motion_state import place_joints
from ...kernels.priors.pose_vae import SIXD_DIM, PoseVAE
from ...kernels.rotation import rotmat_from_6d
from ..motion.reference import REST_JOINTS_M
from .pose_bank import PoseBank, mirror_6d

LEVER_FLOOR_M = 0.05
"""Keeps a say for what moves no joint, e.g. the twist of wrists."""
LEAST_SCALE = 0.05
"""Of an entry of r: some joints hardly move in the recordings, and must not be blown up."""
LEAST_SPREAD = 0.01
"""Of a component over the first: what the recordings hardly do would be blown up by its inverse."""
POSES_OF_LEVER = 400


def joints_of(rotmats: Float[Tensor, "*batch 21 3 3"]) -> Float[Tensor, "*batch 22 3"]:
    """Joints on the reference skeleton with the pelvis unturned at the origin, metres."""
    root = torch.eye(3, dtype=rotmats.dtype, device=rotmats.device).expand(*rotmats.shape[:-3], 1, 3, 3)
    rest = torch.tensor(REST_JOINTS_M[:22]).to(rotmats)
    origin = torch.zeros(*rotmats.shape[:-3], 3, dtype=rotmats.dtype, device=rotmats.device)
    return place_joints(torch.cat([root, rotmats], -3), origin, rest)[0]


def lever_metric(poses_6d: Float[Tensor, "B 126"]) -> Float[Tensor, "126 126"]:
    """M without its floor, m^2, the same for a pose and its mirror image; float64."""

    def flat_joints(sixd: Tensor) -> Tensor:
        return joints_of(rotmat_from_6d(sixd.reshape(1, BODY_JOINTS, 6))).flatten()

    jacobian = torch.func.vmap(torch.func.jacrev(flat_joints))(poses_6d).double()
    metric = torch.einsum("bjp,bjq->pq", jacobian, jacobian) / len(poses_6d)
    return _both_sides(metric)


def _both_sides(matrix: Float[Tensor, "126 126"]) -> Float[Tensor, "126 126"]:
    """A symmetric form averaged with its mirror image."""
    return (matrix + mirror_6d(mirror_6d(matrix).T)) / 2


def linear_start(network: PoseVAE, bank: PoseBank, seed: int = 0) -> None:
    """Set mean, scale and linear skips of a fresh network."""
    random = np.random.default_rng([seed, 1])
    rows = bank.rows(POSES_OF_LEVER, random, crowd=True)
    metric = lever_metric(bank.sixd[rows]) + LEVER_FLOOR_M**2 * torch.eye(SIXD_DIM, dtype=torch.float64)
    lower = torch.linalg.cholesky(metric)
    weight = torch.from_numpy(bank.crowd_weight)[:, None]
    plain = bank.sixd.double()
    mean = (weight * plain).sum(0)
    mean = (mean + mirror_6d(mean)) / 2
    off = plain - mean
    covariance = off.T @ (off * weight)
    covariance = _both_sides(covariance)
    variances, axes = torch.linalg.eigh(lower.T @ covariance @ lower)
    spread, axes = variances.flip(0)[:LATENT_DIM].clamp_min(0.0).sqrt(), axes.flip(1)[:, :LATENT_DIM]
    spread = spread.clamp_min(LEAST_SPREAD * float(spread[0]))
    # the sign of an eigenvector is arbitrary; fix it, so that two machines start alike
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    outwards = torch.linalg.solve_triangular(lower.T, axes * spread, upper=True)
    inwards = (axes / spread).T @ lower.T
    scale = (covariance.diagonal() + LEAST_SCALE**2).sqrt()
    with torch.no_grad():
        network.mean.copy_(mean)
        network.scale.copy_(scale)
        network.linear_in.weight.copy_(inwards * scale)
        network.linear_out.weight.copy_(outwards / scale[:, None])
