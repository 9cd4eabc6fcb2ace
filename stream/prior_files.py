"""Load the priors that ship with the package (or a user's own of the same contract)."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..kernels.priors.gaussian_pose import LATENT_DIM, POSE_DIM, GaussianPosePrior
from .errors import ModelError
from .network_file import load_network

if TYPE_CHECKING:
    from ..kernels.lifter.lifter import Lifter
    from ..kernels.priors.motion_prior import MotionPrior
    from ..kernels.priors.pose_vae import PoseVAE

SHIPPED_POSE_PRIOR = "pose_prior.npz"
_SHAPES = {
    "mean": (POSE_DIM,),
    "covariance": (POSE_DIM, POSE_DIM),
    "precision": (POSE_DIM, POSE_DIM),
    "components": (POSE_DIM, LATENT_DIM),
    "encoder": (LATENT_DIM, POSE_DIM),
    "residual_std": (POSE_DIM,),
}


def load_pose_prior(path: Path | None = None) -> GaussianPosePrior:
    """The Gaussian pose prior, float32 on the CPU.

    Args:
        path: npz written by `crowdstream.lab.pose_prior`; None takes the one in the package.

    Raises:
        ModelError: the file is missing or unreadable, or an array is missing, misshapen or not finite.
    """
    try:
        if path is None:
            shipped = resources.files("crowdstream.kernels") / "weights" / SHIPPED_POSE_PRIOR
            with resources.as_file(shipped) as file, np.load(file, allow_pickle=False) as npz:
                arrays = {name: npz[name] for name in npz.files}
        else:
            with np.load(path, allow_pickle=False) as npz:
                arrays = {name: npz[name] for name in npz.files}
    except (OSError, ValueError, EOFError) as exc:
        where = path or SHIPPED_POSE_PRIOR
        raise ModelError(
            f"cannot read the pose prior {where}: {exc}; write one with python -m crowdstream.lab.pose_prior"
        ) from exc
    for name, shape in _SHAPES.items():
        if name not in arrays:
            raise ModelError(
                f"pose prior {path or SHIPPED_POSE_PRIOR} has no array {name!r}, got {sorted(arrays)}"
            )
        got = arrays[name].shape
        if got != shape or not np.isfinite(arrays[name]).all():
            raise ModelError(f"pose prior {name}: got shape {got}, expected {shape} and finite numbers")
    tensors = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in _SHAPES}
    return GaussianPosePrior(**tensors)


def load_motion_prior(path: Path | None = None) -> MotionPrior:
    """The motion prior, float32 on the CPU, in evaluation mode.

    Args:
        path: file of `crowdstream train motion-prior`; None takes the shipped one.

    Raises:
        ModelError: missing, damaged, or no motion prior.
    """
    from ..kernels.priors.motion_prior import MotionPrior, MotionPriorConfig

    return load_network(path, "motion_prior", MotionPriorConfig, MotionPrior, "motion-prior")


def load_lifter(path: Path | None = None) -> Lifter:
    """The lifter, float32 on the CPU, in evaluation mode.

    Args:
        path: file of `crowdstream train lifter`; None takes the shipped one.

    Raises:
        ModelError: missing, damaged, or no lifter.
    """
    from ..kernels.lifter.lifter import Lifter, LifterConfig

    return load_network(path, "lifter", LifterConfig, Lifter, "lifter")


def load_pose_vae(path: Path | None = None) -> PoseVAE:
    """The learned pose prior, float32 on the CPU, in evaluation mode.

    Args:
        path: file of `crowdstream train pose-prior`; None takes the shipped one.

    Raises:
        ModelError: missing, damaged, or no pose prior of this project.
    """
    from ..kernels.priors.pose_vae import PoseVAE, PoseVAEConfig

    return load_network(path, "pose_vae", PoseVAEConfig, PoseVAE, "pose-prior")
