"""A user's VPoser v2 in every form it comes in, and what is said when it is something else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from crowdstream.kernels.priors.gaussian_pose import GaussianPosePrior
from crowdstream.kernels.priors.pose_vae import PoseVAE, PoseVAEConfig
from crowdstream.kernels.priors.vposer import VPoser
from crowdstream.stream.errors import ModelError
from crowdstream.stream.network_file import save_network
from crowdstream.stream.pose_prior_file import load_any_pose_prior
from crowdstream.stream.vposer_file import load_vposer

POSE = 0.3 * torch.randn(2, 24, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def made_up() -> VPoser:
    torch.manual_seed(1)
    return VPoser()


@pytest.fixture(scope="module")
def state(made_up: VPoser) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in made_up.state_dict().items()}


class Callback:
    """Of a trainer that is not installed where the file is read."""

    def __init__(self) -> None:
        self.best = 0.03


def as_snapshot(path: Path, state: dict[str, Tensor]) -> Path:
    """As its trainer wrote it: prefixed names, a body model beside it, and objects of its own."""
    held = {f"vp_model.{name}": value for name, value in state.items()}
    held["bm_train.v_template"] = torch.zeros(3)
    torch.save({"epoch": 13, "state_dict": held, "callbacks": {Callback: Callback()}}, path)
    return path


def as_folder(path: Path, state: dict[str, Tensor]) -> Path:
    (path / "snapshots").mkdir(parents=True)
    wrong = {name: torch.zeros_like(value) for name, value in state.items()}
    as_snapshot(path / "snapshots" / "V02_05_epoch=9_val_loss=0.03.ckpt", wrong)
    as_snapshot(path / "snapshots" / "V02_05_epoch=13_val_loss=0.03.ckpt", state)
    return path


def as_bare(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save(state, path)
    return path


def as_safetensors(path: Path, state: dict[str, Tensor]) -> Path:
    save_file(state, path)
    return path


def as_npz(path: Path, state: dict[str, Tensor]) -> Path:
    np.savez(path, **{name: value.numpy() for name, value in state.items()})
    return path


@pytest.mark.parametrize("load", [load_vposer, load_any_pose_prior])
@pytest.mark.parametrize(
    ("write", "name"),
    [
        (as_snapshot, "v.ckpt"),
        (as_folder, "V02_05"),
        (as_bare, "v.pt"),
        (as_safetensors, "v.safetensors"),
        (as_npz, "v.npz"),
    ],
)
def test_every_form_is_the_same_prior(
    load: Callable[[Path], VPoser],
    write: Callable[[Path, dict[str, Tensor]], Path],
    name: str,
    tmp_path: Path,
    made_up: VPoser,
    state: dict[str, Tensor],
) -> None:
    loaded = load(write(tmp_path / name, state))
    assert isinstance(loaded, VPoser) and not any(w.requires_grad for w in loaded.parameters())
    torch.testing.assert_close(loaded.encode(POSE), made_up.encode(POSE).detach())


def test_other_priors_are_told_by_what_they_hold(tmp_path: Path) -> None:
    network = PoseVAE(PoseVAEConfig(width=16, layers=1))
    save_network(tmp_path / "mine.safetensors", network, "pose_vae")
    mine = load_any_pose_prior(tmp_path / "mine.safetensors")
    assert isinstance(mine, PoseVAE) and mine.config.width == 16
    shipped = Path(__file__).parents[2] / "kernels" / "weights" / "pose_prior.npz"
    assert isinstance(load_any_pose_prior(shipped), GaussianPosePrior)
    assert isinstance(load_any_pose_prior(), PoseVAE)


class Hostile:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.mkdir, ("crime",)  # type: ignore[return-value]


def test_a_hostile_snapshot_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: dict[str, Tensor]
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": state, "callbacks": Hostile()}, "bad.ckpt")
    with pytest.raises(ModelError, match=r"bad\.ckpt"):
        load_vposer(Path("bad.ckpt"))
    assert not Path("crime").exists()


def without(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda s: without(s, "decoder_net.3.weight"), "no tensor decoder_net.3.weight"),
        (
            lambda s: s | {"encoder_net.2.weight": torch.zeros(512, 9)},
            r"shape \(512, 9\), expected \(512, 63\)",
        ),
        (lambda s: s | {"decoder_net.0.bias": torch.full((512,), torch.nan)}, "no finite"),
        (lambda s: s | {"decoder_net.9.bias": torch.zeros(3)}, "decoder_net.9.bias, which VPoser v2 has not"),
        (lambda s: {"bodyprior_enc_fc1.weight": torch.zeros(512, 63)}, "no encoder_net"),
    ],
)
def test_another_network_is_refused_in_one_line(
    spoil: Callable[[dict[str, Tensor]], dict[str, Tensor]],
    said: str,
    tmp_path: Path,
    state: dict[str, Tensor],
) -> None:
    path = as_safetensors(tmp_path / "other.safetensors", spoil(state))
    with pytest.raises(ModelError, match=said) as caught:
        load_vposer(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("load", [load_vposer, load_any_pose_prior])
@pytest.mark.parametrize(
    "name", ["gone.ckpt", "torn.ckpt", "torn.safetensors", "torn.npz", "odd.txt", "empty"]
)
def test_what_cannot_be_read_is_said_in_one_line(
    load: Callable[[Path], object], name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    elif not name.startswith("gone"):
        path.write_bytes(b"not weights at all")
    with pytest.raises(ModelError) as caught:
        load(path)
    assert "\n" not in str(caught.value) and name.split(".")[0] in str(caught.value)
