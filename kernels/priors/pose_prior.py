"""What a pose prior is to the solve: a latent of unit normal size that stands for the body's joints (DyCrowd eq. 8).

    z = encode(pose),   pose = decode(z, root),   E_pose = 1/2 |z|^2

Three stand behind this face: the Gaussian (`gaussian_pose`), the learned one (`pose_vae`) and a user's own VPoser v2
(`stream.vposer_file`). Only the 21 body joints are theirs: the root is handed through, the hands stay at zero.

Which one where. Holding a pose and judging it pull apart: the learned prior holds poses of unseen people at less than
half the linear prior's error, and by the same token lets a solve from one camera explain more of its noise. With the
printed weights, two earlier trainings of it ended nearer to the pixels and farther from the truth than the Gaussian
(four people, 60 against 55 mm), so the Gaussian stays the
default of both presets; the others are there to be asked for (`stream.pose_prior_file`).

Preset `live` needs more than this face: its normal equations take the prior as one fixed quadratic with the full
covariance. A learned one would enter as |pose - decode(z0) - J dz|^2 + |z0 + dz|^2 about its own projection z0 of each
pose, J = d decode / d z: some 32 decodings a person-frame (20 M multiplications, more than all other terms together)
unless one J serves a whole window. Worth trying only where crowds of unusual poses show a gain.
"""

from __future__ import annotations

import copy
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn


@runtime_checkable
class PosePrior(Protocol):
    """A distribution of body poses with a latent of 32 numbers."""

    def encode(self, pose_rotvec: Float[Tensor, "*batch 24 3"]) -> Float[Tensor, "*batch L"]:
        """Latent of a pose (axis-angle, rad); root and hands are not looked at."""
        ...

    def decode(
        self, z: Float[Tensor, "*batch L"], root_rotvec: Float[Tensor, "*batch 3"]
    ) -> Float[Tensor, "*batch 24 3"]:
        """The pose of a latent under a given root rotation, rad; hands at zero. Differentiable."""
        ...

    def to(self, device: torch.device | str, dtype: torch.dtype) -> PosePrior:
        """This prior elsewhere or in another precision; a network moves itself (see `settled`)."""
        ...


def settled(prior: PosePrior, device: torch.device | str, dtype: torch.dtype) -> PosePrior:
    """The prior where a solve wants it, its numbers fixed; the one given stays as it is.

    `nn.Module.to` moves the module itself and its parameters ask for gradients: neither is wanted of a prior
    that several solves share.
    """
    if not isinstance(prior, nn.Module):
        return prior.to(device, dtype)
    twin: PosePrior = copy.deepcopy(prior).eval().requires_grad_(False).to(device, dtype)
    return twin


def with_root_and_hands(
    root_rotvec: Float[Tensor, "*batch 3"], body_rotvec: Float[Tensor, "*batch 21 3"]
) -> Float[Tensor, "*batch 24 3"]:
    """A whole SMPL pose from its body joints: the root in front, two hands at zero behind."""
    return torch.cat(
        [root_rotvec[..., None, :], body_rotvec, torch.zeros_like(body_rotvec[..., :2, :])], dim=-2
    )
