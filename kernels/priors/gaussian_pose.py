"""The Gaussian pose prior: body poses as a multivariate normal, with a 32-d latent (VPoser's role, eq. 8).

    pose = mean + C z + residual,   z ~ N(0, I),   z = E (pose - mean),   E C = I
    E_pose = 1/2 |z|^2                                    (DyCrowd eq. 8; its constant is left out)

`pose` is the axis-angle of SMPL's joints 1..21 laid end to end (63 numbers); the two hands stay at zero.
It is linear, so decoding is one product and the live solver can use the full covariance as a quadratic.
Its weakness is that of every Gaussian: it knows which joints bend together, not that a knee stops when
straight.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import ShapeError

BODY_JOINTS = 21
"""SMPL joints 1..21: the whole body but root and hands."""
POSE_DIM = 3 * BODY_JOINTS
LATENT_DIM = 32


@dataclass(frozen=True)
class GaussianPosePrior:
    """A normal distribution of body poses (radians, axis-angle of joints 1..21)."""

    mean: Float[Tensor, "P"]
    """The average pose, rad."""
    covariance: Float[Tensor, "P P"]
    """As measured, rad^2."""
    precision: Float[Tensor, "P P"]
    """Inverse of the regularised covariance, rad^-2."""
    components: Float[Tensor, "P L"]
    """C, rad: column l is what z_l = 1 adds. Principal directions in metres of joint motion, scaled."""
    residual_std: Float[Tensor, "P"]
    """Spread of each angle that the components leave out, rad."""
    encoder: Float[Tensor, "L P"]
    """E, rad^-1: the left inverse of C that keeps joints, not angles, close."""

    def __post_init__(self) -> None:
        p, latent = self.components.shape
        want = {"mean": (p,), "covariance": (p, p), "precision": (p, p), "residual_std": (p,)}
        want["encoder"] = (latent, p)
        for name, shape in want.items():
            got = tuple(getattr(self, name).shape)
            if got != shape:
                raise ShapeError(f"GaussianPosePrior.{name}: got {got}, expected {shape} (P={p}, L={latent})")

    def encode(self, pose_rotvec: Float[Tensor, "*batch 24 3"]) -> Float[Tensor, "*batch L"]:
        """Latent of a body pose (least squares in joint motion); root and hands are not looked at."""
        body = pose_rotvec[..., 1 : 1 + BODY_JOINTS, :].flatten(-2)
        return (body - self.mean) @ self.encoder.T

    def decode(
        self, z: Float[Tensor, "*batch L"], root_rotvec: Float[Tensor, "*batch 3"]
    ) -> Float[Tensor, "*batch 24 3"]:
        """The pose of a latent under a given root rotation; hands at zero. Linear in both, rad."""
        body = (self.mean + z @ self.components.T).reshape(*z.shape[:-1], BODY_JOINTS, 3)
        hands = torch.zeros_like(body[..., :2, :])
        return torch.cat([root_rotvec[..., None, :], body, hands], dim=-2)

    def squared_distance(self, pose_rotvec: Float[Tensor, "*batch 24 3"]) -> Float[Tensor, "*batch"]:
        """Mahalanobis distance squared to the mean under the regularised full covariance."""
        off = pose_rotvec[..., 1 : 1 + BODY_JOINTS, :].flatten(-2) - self.mean
        return torch.einsum("...p,pq,...q->...", off, self.precision, off)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> GaussianPosePrior:
        """The same prior elsewhere or in another precision."""
        return GaussianPosePrior(
            mean=self.mean.to(device, dtype),
            covariance=self.covariance.to(device, dtype),
            precision=self.precision.to(device, dtype),
            components=self.components.to(device, dtype),
            residual_std=self.residual_std.to(device, dtype),
            encoder=self.encoder.to(device, dtype),
        )
