"""Any pose prior from a file, told apart by what the file holds.

nothing given      the learned one that ships (`kernels.priors.pose_vae`)
.npz               the Gaussian (`covariance` inside), or a VPoser v2 state dict
.safetensors       the learned one (its metadata say so), or a VPoser v2 state dict
folder, .ckpt ...  a user's VPoser v2
"""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from safetensors import SafetensorError, safe_open

from ..kernels.priors.pose_prior import PosePrior
from .errors import ModelError
from .prior_files import load_pose_prior, load_pose_vae
from .vposer_file import ENDINGS, MARK, load_vposer


def load_any_pose_prior(path: Path | None = None) -> PosePrior:
    """A pose prior, float32 on the CPU.

    Args:
        path: see above; None takes the learned prior that ships.

    Raises:
        ModelError: no such file, an unknown kind, or a damaged one.
    """
    if path is None:
        return load_pose_vae()
    path = Path(path)
    if not path.exists():
        raise ModelError(
            f"no pose prior at {path}; give a file of crowdstream train pose-prior, your VPoser v2, or nothing"
        )
    if path.suffix == ".npz" and not _is_vposer_npz(path):
        return load_pose_prior(path)
    if path.suffix == ".safetensors" and not _is_vposer_safetensors(path):
        return load_pose_vae(path)
    if path.is_dir() or path.suffix in ENDINGS:
        return load_vposer(path)
    raise ModelError(
        f"pose prior {path} ends in {path.suffix!r}, expected one of {', '.join(ENDINGS)} or a folder"
    )


def _is_vposer_npz(path: Path) -> bool:
    try:
        with np.load(path, allow_pickle=False) as file:
            return any(MARK in name for name in file.files)
    except (OSError, ValueError, EOFError, BadZipFile):
        return False  # whoever reads it next says what is wrong


def _is_vposer_safetensors(path: Path) -> bool:
    try:
        with safe_open(path, framework="np") as file:
            return any(MARK in name for name in file.keys())
    except (OSError, SafetensorError):
        return False
