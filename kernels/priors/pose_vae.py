"""The learned pose prior: a variational autoencoder of body poses, 32-d latent (VPoser's role, DyCrowd eq. 8).

    q(z | pose) = N(E x + f(x), diag exp(s(x))),     x = (r - mean) / scale
    r(z)        = mean + scale (C z + g(z))
    E_pose      = 1/2 |z|^2

r is the 6D form of SMPL's joints 1..21 (126 numbers), f, s and g are small networks. E and C begin as principal
components weighted by how far the joints move (`lab.training.pose_vae`) and f and g at zero: training starts at the
error of the linear prior (`gaussian_pose`) and learns the residual, i.e. that hinges bend one way and stop when
straight. The network sees neither root nor camera, image or ground.

Smooth in both directions (SiLU), so Gauss-Newton may differentiate it. Decoding costs about 0.7 M multiplications a
pose at width 512.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ..rotation import rotmat_from_6d, rotmat_to_6d, rotmat_to_rotvec, rotvec_to_rotmat
from ..settings import StageConfig
from .gaussian_pose import BODY_JOINTS, LATENT_DIM
from .pose_prior import with_root_and_hands

SIXD_DIM = 6 * BODY_JOINTS
LOG_VARIANCE_AT_START = -5.0
"""Of q: narrow, so that training starts at the linear skip's own error."""


class PoseVAEConfig(StageConfig):
    """Sizes of the network. Weights: about 2 (layers - 1) width^2 + 350 width numbers."""

    width: int = Field(default=512, ge=16, le=2048)
    """Of the hidden layers."""
    layers: int = Field(default=2, ge=1, le=8)
    """Hidden layers of encoder and decoder each."""


class PoseVAE(nn.Module):
    """Poses of the body's 21 joints. Deterministic: `encode` gives the mean of the posterior."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: PoseVAEConfig | None = None) -> None:
        super().__init__()
        self.config = config or PoseVAEConfig()
        width, layers = self.config.width, self.config.layers
        self.register_buffer("mean", torch.zeros(SIXD_DIM))
        self.register_buffer("scale", torch.ones(SIXD_DIM))
        self.linear_in = nn.Linear(SIXD_DIM, LATENT_DIM, bias=False)
        self.linear_out = nn.Linear(LATENT_DIM, SIXD_DIM, bias=False)
        self.encoder = _network(SIXD_DIM, width, layers, 2 * LATENT_DIM)
        self.decoder = _network(LATENT_DIM, width, layers, SIXD_DIM)
        with torch.no_grad():
            self.encoder[-1].get_parameter("bias")[LATENT_DIM:] = LOG_VARIANCE_AT_START

    def posterior(
        self, rotmats: Float[Tensor, "*batch 21 3 3"]
    ) -> tuple[Float[Tensor, "*batch 32"], Float[Tensor, "*batch 32"]]:
        """Mean and log variance of q(z | pose), from local rotations of joints 1..21."""
        x = (rotmat_to_6d(rotmats).flatten(-2) - self.mean) / self.scale
        out: Tensor = self.encoder(x)
        linear: Tensor = self.linear_in(x)
        return linear + out[..., :LATENT_DIM], out[..., LATENT_DIM:]

    def encode_rotmats(self, rotmats: Float[Tensor, "*batch 21 3 3"]) -> Float[Tensor, "*batch 32"]:
        """Latent of local rotations of joints 1..21: the posterior's mean."""
        return self.posterior(rotmats)[0]

    def decode_6d(self, z: Float[Tensor, "*batch 32"]) -> Float[Tensor, "*batch 21 6"]:
        """The bare output, not yet orthonormal."""
        out: Tensor = self.mean + self.scale * (self.linear_out(z) + self.decoder(z))
        return out.reshape(*z.shape[:-1], BODY_JOINTS, 6)

    def decode_rotmats(self, z: Float[Tensor, "*batch 32"]) -> Float[Tensor, "*batch 21 3 3"]:
        """Local rotations of joints 1..21 of a latent. Differentiable."""
        return rotmat_from_6d(self.decode_6d(z))

    def encode(self, pose_rotvec: Float[Tensor, "*batch 24 3"]) -> Float[Tensor, "*batch 32"]:
        """Latent of a body pose (axis-angle, rad); root and hands are not looked at."""
        return self.encode_rotmats(rotvec_to_rotmat(pose_rotvec[..., 1 : 1 + BODY_JOINTS, :]))

    def decode(
        self, z: Float[Tensor, "*batch 32"], root_rotvec: Float[Tensor, "*batch 3"]
    ) -> Float[Tensor, "*batch 24 3"]:
        """The pose of a latent under a given root rotation, rad; hands at zero.

        Differentiable but where a joint turns by exactly pi, which no body does.
        """
        return with_root_and_hands(root_rotvec, rotmat_to_rotvec(self.decode_rotmats(z)))

    def forward(self, pose_rotvec: Float[Tensor, "*batch 24 3"]) -> Float[Tensor, "*batch 24 3"]:
        """The pose as the prior tells it."""
        return self.decode(self.encode(pose_rotvec), pose_rotvec[..., 0, :])


def _network(inputs: int, width: int, layers: int, outputs: int) -> nn.Sequential:
    """Hidden layers of SiLU; the last layer begins at zero, so that the linear skip alone is where training starts."""
    sizes = [inputs] + [width] * layers
    parts: list[nn.Module] = []
    for before, after in pairwise(sizes):
        parts += [nn.Linear(before, after), nn.SiLU()]
    last = nn.Linear(width, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*parts, last)
