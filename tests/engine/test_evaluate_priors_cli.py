"""The command for the priors: what it prints, what it refuses, and that a folder of that name is still a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from crowdstream.actors.main import main
from crowdstream.kernels.priors.motion_prior import MotionPrior, MotionPriorConfig
from crowdstream.kernels.priors.pose_vae import PoseVAE, PoseVAEConfig
from crowdstream.stream.network_file import save_network

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_mocap import write_mocap

sys.path.pop(0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    motion = MotionPrior(
        MotionPriorConfig(width=16, heads=2, encoder_layers=1, decoder_layers=1, global_width=16, patch=16)
    )
    save_network(folder / "motion.safetensors", motion, "motion_prior")
    save_network(folder / "pose.safetensors", PoseVAE(PoseVAEConfig(width=16)), "pose_vae")
    return [
        "--motion-prior",
        str(folder / "motion.safetensors"),
        "--pose-vae",
        str(folder / "pose.safetensors"),
    ]


def _ends(code: int, *arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *arguments])
    assert ended.value.code == code


def test_json_and_table(weights: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_mocap(tmp_path / "mocap")
    _ends(0, "prior", "--mocap", str(folder), *weights, "--json")
    told = capsys.readouterr()
    out = json.loads(told.out)
    assert out["run"]["clips"] == 1 and out["run"]["learned_clips"] == 2  # own weights: by the split
    assert out["run"]["baselines"] == "shipped" and out["run"]["baseline_windows"] > 1000
    assert isinstance(out["motion"]["pca384_mpjpe_mm"], float) and out["windows"] == 2
    assert "left out" in told.err

    kept = tmp_path / "kept.npz"
    _ends(
        0,
        "prior",
        "--mocap",
        str(folder),
        *weights,
        "--all-subjects",
        "--fit",
        str(folder),
        "--save-fit",
        str(kept),
    )
    assert "hidden legs" in capsys.readouterr().out
    _ends(0, "prior", "--mocap", str(folder), *weights, "--fit", str(kept), "--limit", "1", "--json")
    out = json.loads(capsys.readouterr().out)
    assert (
        out["windows"] == 1 and out["run"]["baselines"] == str(kept) and out["run"]["baseline_windows"] == 4
    )


def test_mistakes_are_told_in_a_line(
    weights: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _ends(1, "prior", "--mocap", str(tmp_path / "none"), *weights)
    assert capsys.readouterr().err.count("\n") == 1
    _ends(2, "prior")
    assert "--mocap" in capsys.readouterr().err
    _ends(2, "prior", "--mocap", str(tmp_path), "--without-baselines", "--fit", str(tmp_path))
    assert "--without-baselines together with --fit" in " ".join(capsys.readouterr().err.split())
    _ends(1, "lifter", "--mocap", str(tmp_path), "--lifter", str(tmp_path / "none.safetensors"))
    assert "train lifter" in capsys.readouterr().err


def test_a_folder_of_that_name_is_given_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prior").mkdir()
    monkeypatch.chdir(tmp_path)
    _ends(1, "./prior")
    assert "no virtual crowd" in capsys.readouterr().err
    _ends(1, "path")
    assert "no virtual crowd" in capsys.readouterr().err
    _ends(2)
    assert "Missing argument" in capsys.readouterr().err
