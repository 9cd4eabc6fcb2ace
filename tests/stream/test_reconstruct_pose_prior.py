"""`solve.pose_prior`: which prior of poses preset `paper` takes, and what is said when it cannot be read."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from walking import BODY, walkers

from crowdstream.kernels.solve.rmsprop_config import PaperConfig
from crowdstream.stream.errors import ModelError
from crowdstream.stream.reconstruct import make_reconstructor
from crowdstream.stream.reconstruct_config import ReconstructConfig

SHORT = PaperConfig(root_iterations=1, smpl_iterations=3, motion_iterations=0)


def _solved(pose_prior: str) -> np.ndarray:
    config = ReconstructConfig(
        preset="paper", paper=SHORT, pose_prior=pose_prior, lifter=False, motion_prior=False
    )
    problem, _ = walkers([0.3], slots=6)
    return make_reconstructor(config, BODY).solve(problem).pose_rotvec


def test_the_learned_prior_is_another_prior() -> None:
    assert np.abs(_solved("gaussian") - _solved("learned")).max() > 1e-3


def test_the_shipped_learned_file_by_its_path_is_the_learned_prior() -> None:
    shipped = Path(__file__).parents[2] / "kernels" / "weights" / "pose_vae.safetensors"
    np.testing.assert_array_equal(_solved("learned"), _solved(str(shipped)))


def test_a_missing_file_is_said_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no pose prior at .*VPoser v2"):
        _solved(str(tmp_path / "none.ckpt"))


def test_preset_live_does_not_read_it(tmp_path: Path) -> None:
    config = ReconstructConfig(pose_prior=str(tmp_path / "none"), lifter=False, motion_prior=False)
    make_reconstructor(config, BODY).close()
