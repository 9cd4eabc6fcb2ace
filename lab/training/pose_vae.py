"""How the pose prior is trained: losses, validation against the linear prior, model card.

    L = 100 mean_j |J(pose) - J(decoded)|  +  100 w_r mean_j |R - R'|_F  +  w_kl KL(q | N(0, I))  +  w_m |moments|^2
      + w_h hinges(decoded z ~ N(0, I))

Joint distances are in metres on the reference skeleton, so the first term is the error in centimetres. The
Kullback-Leibler term is kept small: the latent is searched by an optimiser, and what it cannot say cannot be fitted.
What it leaves undone, that all poses together fill N(0, I), is asked for directly: mean and covariance of the batch's
mixed posteriors are drawn towards 0 and I, and latents drawn from N(0, I) may bend no knee or elbow the wrong way.
The first two terms count every drawn pose alike, KL and moments as often as it is met (`PoseBank.draw`).
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
from .card import figures_table
from .pose_bank import PoseBank, PoseBankConfig
from .pose_start import joints_of, linear_start
from .recipe import step_random

SAMPLES = 4096
"""Drawn latents and poses that the figures of the latent rest on."""
WRONG = float(np.sin(np.deg2rad(10.0)))
"""A hinge that lies more than 10 degrees beyond straight bends the wrong way."""
ALLOWED = float(np.sin(np.deg2rad(4.0)))
"""Beyond straight without cost: some skeletons stand with their knees so."""
HINGES = (4, 5, 18, 19)
"""Knees, elbows."""
BONES = torch.tensor([[0.0, -1.0, 0.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
"""From the hinge to the next joint in the rest pose."""
WRONG_SIDE = torch.tensor([1.0, 1.0, -1.0, -1.0])
"""Shins never point ahead of their thighs (z), forearms never behind their upper arms."""


class PoseRecipeConfig(StageConfig):
    """What a step sees and what it is judged by."""

    batch: int = Field(default=256, ge=2)
    """Poses a step."""
    rotation: float = Field(default=0.03, ge=0)
    """w_r, metres: what moves no joint (twist of wrists, the head) counts by its rotation."""
    kl: float = Field(default=1e-2, ge=0)
    """w_kl, cm per nat."""
    moments: float = Field(default=2e-2, ge=0)
    """w_m, cm."""
    hinges: float = Field(default=20.0, ge=0)
    """w_h, cm: against drawn bodies whose knees or elbows bend the wrong way."""
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
        rotmats, counts = (each.to(device) for each in self.bank.draw(c.batch, random))
        noise = torch.from_numpy(random.standard_normal((c.batch, LATENT_DIM)).astype(np.float32)).to(device)
        mean, log_variance = self.network.posterior(rotmats)
        variance = log_variance.exp()
        decoded = self.network.decode_rotmats(mean + noise * variance.sqrt())
        joints = 100 * (joints_of(decoded) - joints_of(rotmats)).norm(dim=-1).mean()
        rotation = 100 * (decoded - rotmats).flatten(-2).norm(dim=-1).mean()
        kl = (counts * 0.5 * (mean.square() + variance - 1 - log_variance).sum(-1)).mean()
        moments = moment_distance(mean, variance, counts)
        fresh = noise[: max(1, c.batch // 4)].roll(1, 0)
        hinges = (wrong_way(self.network.decode_rotmats(fresh)) - ALLOWED).clamp_min(0.0).mean()
        parts = {"joints_cm": joints, "rotation_cm": rotation, "kl": kl, "moments": moments, "hinges": hinges}
        total = joints + c.rotation * rotation + c.kl * kl + c.moments * moments + c.hinges * hinges
        return {"total": total, **parts}

    def validate(self) -> dict[str, float]:
        """Joint errors of held-back poses by category, and how the latent is filled; see `card` for the names."""
        metrics = self._latent_figures()
        if self._held_back is not None:
            metrics |= _errors_by_category(self.network, self._held_back)
        return metrics

    def _latent_figures(self) -> dict[str, float]:
        random = np.random.default_rng([self.seed, 2])
        device = self.network.mean.device
        poses = self.bank.sixd[self.bank.rows(SAMPLES, random, crowd=True)].reshape(SAMPLES, -1, 6).to(device)
        mean, log_variance = self.network.posterior(rotmat_from_6d(poses))
        spread = torch.linalg.eigvalsh(torch.cov(mean.T) + torch.diag(log_variance.exp().mean(0)))
        z = torch.from_numpy(random.standard_normal((SAMPLES, LATENT_DIM)).astype(np.float32)).to(device)
        drawn = self.network.decode_rotmats(z)
        return {
            "pose.latent_mean_max": float(mean.mean(0).abs().max()),
            "pose.latent_variance_min": float(spread[0]),
            "pose.latent_variance_max": float(spread[-1]),
            "pose.drawn_wrong_way": float((wrong_way(drawn) > WRONG).float().mean()),
            "pose.recorded_wrong_way": float((wrong_way(rotmat_from_6d(poses)) > WRONG).float().mean()),
        }

    def card(self, metrics: Mapping[str, float]) -> str:
        """Model card."""
        figures = figures_table(metrics, self._linear_figures())
        return CARD.format(frames=len(self.bank), width=self.network.config.width, figures=figures)

    def _linear_figures(self) -> dict[str, float]:
        """The joint errors of the linear start alone: 32 principal components, fitted on the training split."""
        with torch.random.fork_rng(devices=[]):
            linear = PoseVAE(self.network.config)
        linear_start(linear, self.bank, self.seed)
        return _errors_by_category(linear, self._held_back) if self._held_back is not None else {}


def moment_distance(
    mean: Float[Tensor, "B L"], variance: Float[Tensor, "B L"], counts: Float[Tensor, "B"]
) -> Float[Tensor, ""]:
    """Squared distance of the first two moments of a batch's mixed posteriors from those of N(0, I)."""
    weight = (counts / counts.sum())[:, None]
    centre = (weight * mean).sum(0)
    off = mean - centre
    covariance = off.T @ (weight * off) + torch.diag((weight * variance).sum(0))
    eye = torch.eye(mean.shape[1], dtype=mean.dtype, device=mean.device)
    return centre.square().sum() + (covariance - eye).square().sum()


def reconstruction_mm(
    network: PoseVAE, sixd: Float[Tensor, "F 126"], rows: int = 8192
) -> Float[np.ndarray, "F"]:
    """Mean distance of 22 joints after encoding and decoding, root rotation left out, mm, of every pose."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(sixd), rows):
            part = sixd[start : start + rows].to(network.mean.device)
            true = rotmat_from_6d(part.reshape(len(part), -1, 6))
            found = network.decode_rotmats(network.encode_rotmats(true))
            parts.append(1e3 * (joints_of(found) - joints_of(true)).norm(dim=-1).mean(-1))
    return np.asarray(torch.cat(parts).cpu().numpy(), np.float64)


def _errors_by_category(network: PoseVAE, bank: PoseBank) -> dict[str, float]:
    errors = reconstruction_mm(network, bank.sixd)
    figures = {"pose.recon_mpjpe_mm": errors.mean(), "pose.recon_p95_mm": np.quantile(errors, 0.95)}
    for name in sorted(set(bank.category.tolist())):
        figures[f"pose.recon_mpjpe_mm.{name}"] = errors[bank.category == name].mean()
    return {key: float(value) for key, value in figures.items()}


def wrong_way(rotmats: Float[Tensor, "*batch 21 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Sine of the angle by which knees and elbows (left, right) lie beyond straight; negative as they should be."""
    hinges = rotmats[..., [joint - 1 for joint in HINGES], :, :]
    bones = torch.einsum("...jab,jb->...ja", hinges, BONES.to(rotmats))
    return bones[..., 2] * WRONG_SIDE.to(rotmats)


CARD = """# Pose prior (learned)

Read by `crowdstream.stream.prior_files.load_pose_vae`; code: `kernels/priors/pose_vae.py` (E_pose, eq. 8 of DyCrowd).

A variational autoencoder of body poses: SMPL joints 1..21 as 6D rotations, 32 latent numbers, {width} wide, a linear
skip in both directions that began as principal components weighted by joint motion. Root rotation, hands, shape and
images are no part of it. `z` is about unit normal over the people one meets in a crowd; `E_pose = 1/2 |z|^2`.

{frames:,} poses, each also mirrored, some with arms or legs of another frame. Rare categories are drawn more often
than they are met, so that they can be told, and count in the latent's distribution for what they are
(`lab/training/pose_bank.py`).

## Figures
On subjects that were not trained on: mean distance of 22 joints after encoding and decoding, root rotation removed,
mm; the baseline is 32 principal components of the same poses, weighted by joint motion. Of the latent: mean and
extreme variances over the crowd; share of knees and elbows bent more than 10 degrees the wrong way in 4,096 drawn
latents, and in recorded poses.

{figures}

## Limits
Few people, most of them walking or dancing; nobody on stairs, on a phone or in a queue; the wrists of some sources do
not move. Poses on the floor are held worst. The weights are under this project's own licence.
"""
