"""How the motion prior is trained: windows, occlusions, noise, loss, validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...kernels.priors.motion_prior import DecodedMotion, MotionPrior, MotionPriorConfig
from ...kernels.priors.motion_state import assemble, place_joints, segment_frame
from ...kernels.priors.projection import first_seen
from ...kernels.rotation import rotvec_to_rotmat
from ...kernels.settings import StageConfig
from ..evaluate.priors.baselines import load_baselines
from ..evaluate.priors.interpolate import SlerpAnswers
from ..evaluate.priors.motion import MotionScores, score_answers, score_motion
from ..evaluate.priors.questions import RECON
from ..evaluate.priors.window_pca import PcaAnswers
from ..motion.augment import AugmentConfig, Augmenter
from ..motion.occlusions import draw_occlusion
from ..motion.reference import REST_JOINTS_M
from ..motion.track import MotionTrack
from ..motion.windows import MotionWindows, WindowBank, WindowSampler
from .contact_balance import balance_contacts
from .linear_start import linear_start
from .motion_card import motion_card
from .motion_loss import MotionLossConfig, motion_loss

VALIDATION_STRIDE = 32
BALANCE_BATCH = 200
REST = torch.tensor(REST_JOINTS_M[:22], dtype=torch.float32)


class MotionRecipeConfig(StageConfig):
    """What a step sees."""

    batch: int = Field(default=96, ge=1)
    """Windows."""
    start_windows: int = Field(default=12000, ge=1)
    """Windows that the linear start is fitted to."""
    balance_windows: int = Field(default=1600, ge=1)
    """Windows that the contact head's bias is set on, after training."""
    noisy_share: float = Field(default=0.35, ge=0, le=1)
    """Share of windows whose visible entries are disturbed, as a solver's output is."""
    noise_rad: float = Field(default=0.12, ge=0)
    """Largest standard deviation of that disturbance of a joint angle; half of it lasts, half changes each frame."""
    noise_m: float = Field(default=0.03, ge=0)
    """The same of the pelvis's position."""
    sample_latent: bool = True
    augment: AugmentConfig = AugmentConfig()
    loss: MotionLossConfig = MotionLossConfig()


def in_segment(windows: MotionWindows, seen: Bool[Tensor, "B 64 22"]) -> tuple[Tensor, Tensor]:
    """Rotations and pelvis path of windows in the frames of their first seen slots."""
    rows = torch.arange(len(windows))
    first = first_seen(seen)
    frame = segment_frame(windows.rotmats[rows, first, 0], windows.root_m[rows, first])
    root_rotmat, path = frame.to_segment(windows.rotmats[:, :, 0], windows.root_m)
    return torch.cat([root_rotmat[:, :, None], windows.rotmats[:, :, 1:]], 2), path


def disturb(
    rotmats: Float[Tensor, "B 64 22 3 3"],
    root_m: Float[Tensor, "B 64 3"],
    config: MotionRecipeConfig,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """The motion as a solver might hand it over: angles and path off, partly for long, partly from frame to frame."""
    batch = len(root_m)
    much = torch.rand(batch, 1, 1, 1, generator=generator)

    def noise(*shape: int) -> Tensor:
        slow = torch.randn(batch, 9, *shape, generator=generator).flatten(2)
        slow = torch.nn.functional.interpolate(
            slow.transpose(1, 2), size=64, mode="linear", align_corners=True
        )
        fast = torch.randn(batch, 64, *shape, generator=generator)
        share = torch.rand(batch, 1, *[1] * len(shape), generator=generator)
        return share * fast + (1 - share) * slow.transpose(1, 2).reshape(batch, 64, *shape)

    turn = rotvec_to_rotmat(noise(22, 3) * config.noise_rad * much)
    return rotmats @ turn, root_m + noise(3) * config.noise_m * much[..., 0]


class MotionPriorRecipe:
    """The recipe; `loss(step)` depends on seed and step alone."""

    name = "motion-prior"

    def __init__(
        self,
        training: Sequence[MotionTrack],
        validation: Sequence[MotionTrack],
        seed: int = 0,
        size: MotionPriorConfig | None = None,
        config: MotionRecipeConfig | None = None,
    ) -> None:
        self.config = config or MotionRecipeConfig()
        self.seed = seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = MotionPrior(size or MotionPriorConfig())
        self._bank = WindowBank(training)
        self._sampler = WindowSampler(self._bank, seed)
        self._augment = Augmenter(self.config.augment, seed)
        self._held_back = tuple(validation)
        self._validation = WindowBank(validation).in_order(VALIDATION_STRIDE) if validation else None
        self._beside: dict[str, float] | None = None
        self.prepare(self.config.start_windows)

    def prepare(self, count: int) -> None:
        """Principal components of clean windows as the linear skip."""
        states = []
        for part in range(0, count, 1000):
            windows, seen = self._draw(10**9 + part, min(1000, count - part))
            rotmats, path = in_segment(windows, seen)
            joints, _ = place_joints(rotmats, path, REST)
            states.append(assemble(joints, rotmats, path, REST))
        linear_start(self.network, torch.cat(states))

    def _draw(self, step: int, count: int) -> tuple[MotionWindows, Tensor]:
        random = np.random.default_rng([self.seed, step])
        self._sampler.reseed(int(random.integers(2**62)))
        windows = self._sampler.draw(count)
        self._augment.reseed(step)
        return self._augment(windows), draw_occlusion(count, random)

    def hidden_matrices(self) -> list[str]:
        """What Muon turns: every matrix between the first and the last layer."""
        ends = ("embed", "place", "decode_place", "head", "to_spread", "local_", "global_in", "global_out")
        return [n for n, p in self.network.named_parameters() if p.ndim == 2 and not n.startswith(ends)]

    def loss(self, step: int) -> dict[str, Tensor]:
        """Loss of one batch."""
        c = self.config
        windows, seen = self._draw(step, c.batch)
        generator = torch.Generator().manual_seed((self.seed << 40) + step)
        rotmats, path = in_segment(windows, seen)
        with torch.no_grad():
            joints, _ = place_joints(rotmats, path, REST)
            state = assemble(joints, rotmats, path, REST)
            rows = torch.arange(round(c.noisy_share * c.batch))
            noisy, noisy_path = disturb(rotmats[rows], path[rows], c, generator)
            noisy_joints, _ = place_joints(noisy, noisy_path, REST)
            state[rows] = assemble(noisy_joints, noisy, noisy_path, REST)
        device = self.network.mean.device  # batches are made on the CPU, whose augmentation they need
        mean, log_variance = self.network.encode(state.to(device), seen.to(device))
        z = mean
        if c.sample_latent:
            noise = torch.randn(mean.shape, generator=generator).to(device)
            z = mean + (0.5 * log_variance).exp() * noise
        decoded = self.network.decode(z)
        target = DecodedMotion(rotmats.to(device), path.to(device), decoded.contact_logits)
        return motion_loss(
            self.network,
            decoded,
            target,
            joints.to(device),
            windows.contact.to(device),
            windows.contact_known.to(device),
            mean,
            log_variance,
            c.loss,
        )

    def finish(self) -> None:
        """Contacts told as often as they happen, on training windows."""
        logits, labels = [], []
        for part in range(0, self.config.balance_windows, BALANCE_BATCH):
            count = min(BALANCE_BATCH, self.config.balance_windows - part)
            windows, seen = self._draw(2 * 10**9 + part // BALANCE_BATCH, count)
            seen = torch.ones_like(seen)
            rotmats, path = in_segment(windows, seen)
            joints, _ = place_joints(rotmats, path, REST)
            mean, _ = self.network.encode(assemble(joints, rotmats, path, REST), seen)
            known = windows.contact_known
            logits.append(self.network.decode(mean).contact_logits[known].flatten(0, 1))
            labels.append(windows.contact[known].flatten(0, 1))
        balance_contacts(self.network, torch.cat(logits), torch.cat(labels))

    def validate(self) -> dict[str, float]:
        """Errors on held-back windows, mm, over all and over walking; contact F1."""
        if self._validation is None:
            return {}
        scores = score_motion(self.network, self._validation)
        found = self._means(scores)
        if scores.contact is not None:
            f1, _, _ = scores.contact.scores(np.ones(len(self._validation), bool))
            found["contact_f1"] = float("nan") if f1 is None else f1
        return found

    def baselines(self) -> dict[str, float]:
        """The better of interpolation and of the shipped linear model of windows, on the same windows."""
        if self._validation is None:
            return {}
        if self._beside is None:
            linear = PcaAnswers(load_baselines().motion)
            both = [self._means(score_answers(who, self._validation)) for who in (SlerpAnswers(), linear)]
            # interpolation has nothing to fill where nothing is hidden: what it is shown is no answer
            plain = {key: value for key, value in both[0].items() if not key.startswith(RECON.name)}
            self._beside = {key: min(value, plain.get(key, value)) for key, value in both[1].items()}
        return self._beside

    def card(self, metrics: Mapping[str, float]) -> str:
        """The model card."""
        c = self.config
        return motion_card(c.batch, c.noisy_share, metrics, self.baselines())

    def _means(self, scores: MotionScores) -> dict[str, float]:
        assert self._validation is not None
        track = self._validation.track.tolist()
        walking = np.array([self._held_back[k].category == "walk" for k in track], bool)
        found = {}
        for name, error in scores.mpjpe_mm.items():
            found[f"{name}_mpjpe_mm"] = float(error.mean())
            if walking.any():
                found[f"{name}_mpjpe_mm.walk"] = float(error[walking].mean())
        return found
