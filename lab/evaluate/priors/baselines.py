"""Linear models of motion and of pose, fitted on the recordings that the priors learn from; small enough to ship.

The motion's 384 components are smooth: 20 of 64 frequencies (DCT over time) hold 99.9 % of them, and eight bits each,
with a scale for every component and frequency, are enough. The stored fit reconstructs unseen windows as well as the
one it was made from, to 0.1 mm, in a seventh of its half-precision size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ....kernels.errors import CrowdstreamError
from ....kernels.priors.gaussian_pose import GaussianPosePrior
from ....kernels.priors.motion_prior import dct_rows
from ....kernels.priors.motion_state import SEGMENT_FRAMES
from ...mocap import MocapClip
from ...motion.track import motion_tracks
from ...motion.windows import WindowBank
from ...pose_prior import CATEGORY_SHARES
from ...pose_prior import fit as fit_pose_prior
from .window_pca import FRAME_DIM, Progress, WindowPca, fit_window_pca

Array = np.ndarray

SHIPPED = "baselines.npz"
FREQUENCIES = 20
"""Of the DCT over time that are stored."""
_ADVICE = "give a folder of recordings or a file of --save-fit to --fit"
_POSE = ("mean", "covariance", "precision", "components", "residual_std", "encoder")


@dataclass(frozen=True)
class Baselines:
    """What a prior has to beat."""

    motion: WindowPca
    """384 components of whole windows."""
    pose: GaussianPosePrior
    """32 components of single poses."""
    clips: tuple[str, ...]
    """Names of the recordings they were fitted on."""

    def __repr__(self) -> str:
        return f"Baselines({len(self.clips)} recordings, {self.motion.windows} windows)"


def fit_baselines(
    clips: Sequence[MocapClip], stride: int = 16, seed: int = 0, progress: Progress | None = None
) -> Baselines:
    """Both models of given recordings; under a minute for two hours of them.

    Raises:
        CrowdstreamError: nothing as long as a window among them.
    """
    known = [clip if clip.category in CATEGORY_SHARES else _other(clip) for clip in clips]
    if not known:
        raise CrowdstreamError("no recording to fit the linear baselines on; expected at least one")
    motion = fit_window_pca(WindowBank(motion_tracks(known)), stride, seed, progress=progress)
    pose = fit_pose_prior(known)
    tensors = {name: torch.from_numpy(getattr(pose, name).astype(np.float32)) for name in _POSE}
    return Baselines(motion, GaussianPosePrior(**tensors), tuple(clip.name for clip in clips))


def save_baselines(path: Path, baselines: Baselines) -> None:
    """Write an npz of about a megabyte.

    Raises:
        CrowdstreamError: the file cannot be written.
    """
    motion = baselines.motion
    levels, scale = _packed(motion.components)
    arrays = {
        "levels": levels, "scale": scale, "mean": motion.mean.numpy(), "variances": motion.variances.numpy(),
        "noise": np.float64(motion.noise), "windows": np.int64(motion.windows), "clips": np.array(baselines.clips),
    } | {f"pose_{name}": getattr(baselines.pose, name).numpy() for name in _POSE}  # fmt: skip
    try:
        with path.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    except OSError as exc:
        raise CrowdstreamError(
            f"cannot write baselines {path}: {exc.strerror or exc}; name another file"
        ) from exc


def load_baselines(path: Path | None = None) -> Baselines:
    """Of `save_baselines`; None for those that ship, fitted on the recordings of the shipped priors.

    Raises:
        CrowdstreamError: missing, damaged, or another kind of file.
    """
    file = path or _shipped()
    arrays = _arrays(file)
    try:
        motion = WindowPca(
            torch.from_numpy(arrays["mean"]),
            _unpacked(arrays["levels"], arrays["scale"]),
            torch.from_numpy(arrays["variances"]),
            float(arrays["noise"]),
            int(arrays["windows"]),
        )
        pose = GaussianPosePrior(**{name: torch.from_numpy(arrays[f"pose_{name}"]) for name in _POSE})
    except (ValueError, KeyError, TypeError, RuntimeError) as exc:
        raise CrowdstreamError(f"{file} holds no baselines ({exc}); {_ADVICE}") from exc
    return Baselines(motion, pose, tuple(str(name) for name in arrays["clips"]))


def learned_clips() -> tuple[str, ...]:
    """Names of the recordings that the shipped baselines, and the shipped weights, learned from.

    Raises:
        CrowdstreamError: the shipped file is missing or damaged.
    """
    return tuple(str(name) for name in _arrays(_shipped(), ("clips",))["clips"])


def _shipped() -> Path:
    return Path(str(resources.files("crowdstream.lab.evaluate.priors") / SHIPPED))


def _arrays(file: Path, names: Sequence[str] | None = None) -> dict[str, Array]:
    try:
        with np.load(file, allow_pickle=False) as npz:
            return {name: npz[name] for name in names or npz.files}
    except (OSError, ValueError, EOFError, KeyError, BadZipFile) as exc:
        raise CrowdstreamError(f"cannot read baselines {file}: {exc}; {_ADVICE}") from exc


def _packed(components: Float[Tensor, "K D"]) -> tuple[Array, Array]:
    """(int8 levels, float32 scales) of the components' waves."""
    frames = components.reshape(-1, SEGMENT_FRAMES, FRAME_DIM)
    waves = torch.einsum("ft,ktd->kfd", dct_rows(FREQUENCIES), frames)
    scale = waves.abs().amax(2, keepdim=True).clamp_min(1e-12) / 127
    return torch.round(waves / scale).to(torch.int8).numpy(), scale.numpy()


def _unpacked(levels: Array, scale: Array) -> Float[Tensor, "K D"]:
    """Orthonormal again: rounding bends the components by a percent. Waves are, where their motions are."""
    waves = torch.from_numpy(levels).float() * torch.from_numpy(scale)
    basis, corner = torch.linalg.qr(waves.flatten(1).T)
    straight = (basis * corner.diagonal().sign()).T.reshape(waves.shape)
    return torch.einsum("ft,kfd->ktd", dct_rows(FREQUENCIES), straight).flatten(1)


def _other(clip: MocapClip) -> MocapClip:
    return MocapClip(**{**vars(clip), "category": "other"})
