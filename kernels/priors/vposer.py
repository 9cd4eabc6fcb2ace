"""VPoser v2 re-stated, so that a user's own licensed weights can stand in as pose prior (Pavlakos et al. 2019).

    encoder   63 axis-angle numbers -> batch norm -> 512 -> batch norm -> 512 -> 512 -> N(mu, softplus(s)^2), 32-d
    decoder   32 -> 512 -> 512 -> 21 x (3, 2) -> Gram-Schmidt of the two columns -> rotations

Only the shape of the network is here; its weights are the user's (`stream.vposer_file`). Modules carry the names of the
published state dict. Always in evaluation mode: batch norms use their stored moments, nothing is dropped.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from ..rotation import rotmat_from_6d, rotmat_to_rotvec
from .gaussian_pose import BODY_JOINTS, LATENT_DIM, POSE_DIM
from .pose_prior import with_root_and_hands

WIDTH = 512
"""Of the published network."""


class _Posterior(nn.Module):
    """Two heads; only the mean is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.mu = nn.Linear(WIDTH, LATENT_DIM)
        self.logvar = nn.Linear(WIDTH, LATENT_DIM)

    def forward(self, hidden: Float[Tensor, "B W"]) -> Float[Tensor, "B L"]:
        mean: Tensor = self.mu(hidden)
        return mean


class VPoser(nn.Module):
    """Same face as the other pose priors. Differentiable but at the kinks of LeakyReLU."""

    def __init__(self) -> None:
        super().__init__()
        # places 0 (flattening) and 5, 2 (dropout) hold no weights; they keep the published numbering
        self.encoder_net = nn.Sequential(
            nn.Identity(),
            nn.BatchNorm1d(POSE_DIM),
            nn.Linear(POSE_DIM, WIDTH),
            nn.LeakyReLU(),
            nn.BatchNorm1d(WIDTH),
            nn.Identity(),
            nn.Linear(WIDTH, WIDTH),
            nn.Linear(WIDTH, WIDTH),
            _Posterior(),
        )
        self.decoder_net = nn.Sequential(
            nn.Linear(LATENT_DIM, WIDTH),
            nn.LeakyReLU(),
            nn.Identity(),
            nn.Linear(WIDTH, WIDTH),
            nn.LeakyReLU(),
            nn.Linear(WIDTH, 6 * BODY_JOINTS),
        )
        self.eval()

    def train(self, mode: bool = True) -> VPoser:
        """Stays in evaluation mode, whatever is asked."""
        return super().train(False)

    def encode(self, pose_rotvec: Float[Tensor, "*batch 24 3"]) -> Float[Tensor, "*batch 32"]:
        """Mean latent of a body pose (axis-angle, rad); root and hands are not looked at."""
        body = pose_rotvec[..., 1 : 1 + BODY_JOINTS, :].reshape(-1, POSE_DIM)
        mean: Tensor = self.encoder_net(body)
        return mean.reshape(*pose_rotvec.shape[:-2], LATENT_DIM)

    def decode_rotmats(self, z: Float[Tensor, "*batch 32"]) -> Float[Tensor, "*batch 21 3 3"]:
        """Local rotations of joints 1..21. The two columns lie side by side in the output, not one after the other."""
        out: Tensor = self.decoder_net(z)
        columns = out.reshape(*z.shape[:-1], BODY_JOINTS, 3, 2)
        return rotmat_from_6d(columns.transpose(-1, -2).flatten(-2))

    def decode(
        self, z: Float[Tensor, "*batch 32"], root_rotvec: Float[Tensor, "*batch 3"]
    ) -> Float[Tensor, "*batch 24 3"]:
        """The pose of a latent under a given root rotation, rad; hands at zero."""
        return with_root_and_hands(root_rotvec, rotmat_to_rotvec(self.decode_rotmats(z)))

    def forward(self, pose_rotvec: Float[Tensor, "*batch 24 3"]) -> Float[Tensor, "*batch 24 3"]:
        """The pose as the prior tells it."""
        return self.decode(self.encode(pose_rotvec), pose_rotvec[..., 0, :])
