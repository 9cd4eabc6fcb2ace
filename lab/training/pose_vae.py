"""How the pose prior is trained: losses, validation against the linear prior, model card.

    L = 100 mean_j |J(pose) - J(decoded)|  +  100 w_r mean_j |R - R'|_F  +  w_kl KL(q | N(0, I))  +  w_m |moments|^2

Joint distances are in metres on the reference skeleton, so the first term is the error in centimetres. The
Kullback-Leibler term is kept small: the latent is searched by an optimiser, and what it cannot say cannot be fitted. What it
leaves undone, that all poses together fill N(0, I) and no thin shell in it, is asked for directly: mean and covariance of the
batch's posteriors (z of a random pose of the batch) are drawn towards 0 and I. E_pose then measures every direction alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ...kernels.priors.gaussian_pose import LATENT_DIM
from ...kernels.priors.pose_vae import PoseVAE, PoseVAEConfig
from ...kernels.rotation import rotmat_from_6d
from ...kernels.settings import StageConfig
from ..motion.track import MotionTrack
from .pose_bank import PoseBank, PoseBankConfig
from .pose_start import joints_of, linear_start
from .recipe import step_random

SAMPLES = 4096
"""Drawn latents and poses that the figures of the latent rest on."""
STRAIGHT = float(np.sin(np.deg2rad(10.0)))
"""A shin that lies more than 10 degrees before its thigh bends the wrong way."""
KNEES, SHIN, THIGH_FORWARD = (4, 5), (0.0, -1.0, 0.0), 2


class PoseRecipeConfig(StageConfig):
    """What a step sees and what it is judged by."""

    batch: int = Field(default=512, ge=2)
    """Poses a step."""
    rotation: float = Field(default=0.03, ge=0)
    """w_r, metres: what moves no joint (twist of wrists, the head) counts by its rotation."""
    kl: float = Field(default=6e-3, ge=0)
    """w_kl, cm per nat."""
    moments: float = Field(default=2e-2, ge=0)
    """w_m, cm."""
    bank: PoseBankConfig = PoseBankConfig()


class PoseVAERecipe:
    """Recipe of the loop; a batch depends on (seed, step) alone."""

    name = "pose-prior"

    def __init__(
        self,
        training: Sequence[MotionTrack],
        validation: Sequence[MotionTrack],
        seed: int = 0,
        size: PoseVAEConfig | None = None,
        config: PoseRecipeConfig | None = None,
    ) -> None:
        """
        Args:
            training: recordings to learn from.
            validation: recordings of other subjects; may be empty.
            seed: first weights, batches and noise.
            size: of the network.
            config: of losses and batches.
        """
        self.config = config or PoseRecipeConfig()
        self.seed = seed
        self.bank = PoseBank(training, self.config.bank)
        self._held_back = PoseBank(validation, self.config.bank) if validation else None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = PoseVAE(size)
        linear_start(self.network, self.bank, seed)

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of one batch, in centimetres and nats."""
        c = self.config
        random = step_random(self.seed, step)
        device = self.network.mean.device
        rotmats = self.bank.draw(c.batch, random).to(device)
        noise = torch.from_numpy(random.standard_normal((c.batch, LATENT_DIM)).astype(np.float32)).to(device)
        mean, log_variance = self.network.posterior(rotmats)
        variance = log_variance.exp()
        decoded = self.network.decode_rotmats(mean + noise * variance.sqrt())
        joints = 100 * (joints_of(decoded) - joints_of(rotmats)).norm(dim=-1).mean()
        rotation = 100 * (decoded - rotmats).flatten(-2).norm(dim=-1).mean()
        kl = 0.5 * (mean.square() + variance - 1 - log_variance).sum(-1).mean()
        moments = moment_distance(mean, variance)
        total = joints + c.rotation * rotation + c.kl * kl + c.moments * moments
        return {"total": total, "joints_cm": joints, "rotation_cm": rotation, "kl": kl, "moments": moments}

    def validate(self) -> dict[str, float]:
        """Joint errors of held-back poses by category, and how the latent is filled; see `card` for the names."""
        metrics = self._latent_figures()
        if self._held_back is not None:
            bank = self._held_back
            errors = reconstruction_mm(self.network, bank.sixd)
            metrics["pose.recon_mpjpe_mm"] = float(errors.mean())
            metrics["pose.recon_p95_mm"] = float(np.quantile(errors, 0.95))
            for name in sorted(set(bank.category.tolist())):
                metrics[f"pose.recon_mpjpe_mm.{name}"] = float(errors[bank.category == name].mean())
        return metrics

    def _latent_figures(self) -> dict[str, float]:
        random = np.random.default_rng([self.seed, 2])
        device = self.network.mean.device
        poses = self.bank.sixd[self.bank.rows(SAMPLES, random)].unflatten(-1, (-1, 6)).to(device)
        mean, log_variance = self.network.posterior(rotmat_from_6d(poses))
        spread = torch.linalg.eigvalsh(torch.cov(mean.T) + torch.diag(log_variance.exp().mean(0)))
        z = torch.from_numpy(random.standard_normal((SAMPLES, LATENT_DIM)).astype(np.float32)).to(device)
        drawn = self.network.decode_rotmats(z)
        return {
            "pose.latent_mean_max": float(mean.mean(0).abs().max()),
            "pose.latent_variance_min": float(spread[0]),
            "pose.latent_variance_max": float(spread[-1]),
            "pose.sampled_knees_backwards": float(knees_backwards(drawn).float().mean()),
            "pose.recorded_knees_backwards": float(knees_backwards(rotmat_from_6d(poses)).float().mean()),
        }

    def card(self, metrics: Mapping[str, float]) -> str:
        """Model card."""
        rows = "\n".join(f"| `{key}` | {value:.3g} |" for key, value in sorted(metrics.items()))
        return CARD.format(frames=len(self.bank), rows=rows, width=self.network.config.width)


def moment_distance(mean: Float[Tensor, "B L"], variance: Float[Tensor, "B L"]) -> Float[Tensor, ""]:
    """Squared distance of the first two moments of a batch's mixed posteriors from those of N(0, I)."""
    centre = mean.mean(0)
    off = mean - centre
    covariance = off.T @ off / (len(mean) - 1) + torch.diag(variance.mean(0))
    eye = torch.eye(mean.shape[1], dtype=mean.dtype, device=mean.device)
    return centre.square().sum() + (covariance - eye).square().sum()


def reconstruction_mm(
    network: PoseVAE, sixd: Float[Tensor, "F 126"], rows: int = 8192
) -> Float[np.ndarray, "F"]:
    """Mean distance of 22 joints after encoding and decoding, root rotation left out, mm, of every pose."""
    parts = []
    with torch.no_grad():
        for part in sixd.to(network.mean.device).split(rows):
            true = rotmat_from_6d(part.reshape(len(part), -1, 6))
            found = network.decode_rotmats(network.encode_rotmats(true))
            parts.append(1e3 * (joints_of(found) - joints_of(true)).norm(dim=-1).mean(-1))
    return np.asarray(torch.cat(parts).cpu().numpy(), np.float64)


def knees_backwards(rotmats: Float[Tensor, "*batch 21 3 3"]) -> Float[Tensor, "*batch 2"]:
    """1 where a knee bends more than 10 degrees forwards: the shin points ahead of its thigh."""
    knees = rotmats[..., [joint - 1 for joint in KNEES], :, :]
    shin = knees @ torch.tensor(SHIN, dtype=rotmats.dtype, device=rotmats.device)
    return (shin[..., THIGH_FORWARD] > STRAIGHT).to(rotmats.dtype)


CARD = """# Pose prior (learned)

Read by `crowdstream.stream.prior_files.load_pose_vae`; code: `kernels/priors/pose_vae.py` (E_pose, eq. 8 of DyCrowd).

A variational autoencoder of body poses: SMPL joints 1..21 as 6D rotations, 32 latent numbers, {width} wide, a linear skip in
both directions that began as principal components weighted by joint motion. Root rotation, hands, shape and images are no part
of it. `z` is unit normal over the training poses as drawn; `E_pose = 1/2 |z|^2`.

## Data
{frames:,} poses at 30 Hz, each also mirrored, some with arms or legs of another frame, categories balanced (half by what
crowds do, a quarter by recorded time, a quarter all alike; `lab/training/pose_bank.py`). Sources and terms:

- CMU Graphics Lab Motion Capture Database, http://mocap.cs.cmu.edu : free for all uses, no resale of the data. The database was
  created with funding from NSF EIA-0196217.
- Open Motion Data Project, ACCAD, The Ohio State University: CC BY 3.0.
- Open 3D Engine, Motion Matching gem: (c) Contributors to the Open 3D Engine Project, Apache-2.0 OR MIT.
- 100STYLE dataset by Ian Mason, Sebastian Starke, Taku Komura: CC BY 4.0.

All were retargeted to one skeleton and resampled. No recording is in the weights' file. The weights are under this project's own licence.

## Figures
On subjects that were not trained on: mean distance of 22 joints after encoding and decoding, root rotation removed, mm. The
latent's figures: mean and extreme variances of the latents of training poses; share of 4,096 drawn latents (and of recorded
poses) with a knee bent more than 10 degrees the wrong way.

| metric | value |
|---|---|
{rows}

## Limits
Few people, most of them walking or dancing; nobody on stairs, on a phone or in a queue; wrists of some sources do not move.
Poses on the floor are held worst.
"""
