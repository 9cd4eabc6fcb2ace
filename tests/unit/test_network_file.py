"""Files of networks: what goes in comes out, the same bytes each time, and a line for each thing that can be wrong."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.lifter.lifter import Lifter, LifterConfig
from crowdstream.kernels.priors.motion_prior import MotionPrior, MotionPriorConfig
from crowdstream.kernels.priors.pose_vae import PoseVAE, PoseVAEConfig
from crowdstream.stream.errors import ModelError
from crowdstream.stream.network_file import load_network, save_network
from crowdstream.stream.prior_files import load_lifter, load_motion_prior, load_pose_vae

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_recipe import ToyConfig, ToyNetwork, ToyRecipe

sys.path.pop(0)

META = {"kind": "toy", "version": "1", "config": '{"width": 8}'}


def load(path: Path | None) -> ToyNetwork:
    return load_network(path, "toy", ToyConfig, ToyNetwork, "toy-prior")


@pytest.fixture
def network() -> ToyNetwork:
    return ToyRecipe(seed=3).network


@pytest.fixture
def tensors(network: ToyNetwork) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in network.state_dict().items()}


def test_there_and_back(network: ToyNetwork, tmp_path: Path) -> None:
    path = tmp_path / "new" / "toy.safetensors"
    save_network(path, network, "toy", "# card\n")
    assert path.with_suffix(".md").read_text() == "# card\n"
    assert sorted(p.name for p in path.parent.iterdir()) == ["toy.md", "toy.safetensors"]
    back = load(path)
    assert not back.training and back.config == network.config
    for (name, old), new in zip(network.named_parameters(), back.parameters(), strict=True):
        assert new.dtype == torch.float32 and not new.requires_grad
        assert torch.equal(new, old.half().float()), name
    assert torch.equal(back.mean, network.mean)  # a number too small for float16
    assert torch.equal(back.scratch, network.scratch)


def test_weights_take_two_bytes_each(network: ToyNetwork, tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    save_network(path, network, "toy")
    assert not path.with_suffix(".md").exists()
    count = sum(p.numel() for p in network.parameters())
    assert 2 * count < path.stat().st_size < 2 * count + 1500
    assert {key for key, value in load_file(path).items() if value.dtype == torch.float32} == {"mean"}


def test_the_same_bytes_each_time_with_tensors_aligned(network: ToyNetwork, tmp_path: Path) -> None:
    found = set()
    for k in range(6):
        save_network(tmp_path / f"{k}.safetensors", network, "toy")
        found.add((tmp_path / f"{k}.safetensors").read_bytes())
    assert len(found) == 1
    data = found.pop()
    (length,) = struct.unpack("<Q", data[:8])
    assert length % 8 == 0
    assert json.loads(data[8 : 8 + length])["__metadata__"]["kind"] == "toy"


def test_loading_draws_no_random_numbers(network: ToyNetwork, tmp_path: Path) -> None:
    save_network(tmp_path / "toy.safetensors", network, "toy")
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    load(tmp_path / "toy.safetensors")
    assert torch.equal(torch.rand(2), expected)


def test_a_saved_network_is_not_changed_nor_bound_to_its_file(network: ToyNetwork, tmp_path: Path) -> None:
    before = network.layers[0].weight.detach().clone()
    save_network(tmp_path / "toy.safetensors", network, "toy")
    back = load(tmp_path / "toy.safetensors")
    (tmp_path / "toy.safetensors").write_bytes(b"\0" * 4000)
    assert torch.equal(network.layers[0].weight, before)
    assert torch.equal(back.layers[0].weight, before.half().float())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_weights_that_cannot_be_stored(network: ToyNetwork, tmp_path: Path, value: float) -> None:
    with torch.no_grad():
        network.layers[2].weight[0, 0] = value
    with pytest.raises(
        ModelError, match=r"toy: layers\.2\.weight reaches .*, expected finite numbers below 65,504"
    ):
        save_network(tmp_path / "toy.safetensors", network, "toy")
    assert list(tmp_path.iterdir()) == []


def test_a_network_without_sizes(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no config record"):
        save_network(tmp_path / "toy.safetensors", nn.Linear(2, 2), "toy")


def test_a_place_that_cannot_be_written(network: ToyNetwork, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"cannot write .*; name another file"):
        save_network(tmp_path / "file" / "toy.safetensors", network, "toy")


def _damage(path: Path, tensors: dict[str, Tensor], case: str) -> None:
    meta = dict(META)
    if case == "kind":
        meta["kind"] = "lifter"
    elif case == "version":
        meta["version"] = "9"
    elif case == "config":
        meta["config"] = '{"width": 8, "depth": 3}'
    elif case == "config text":
        meta["config"] = "width 8"
    elif case == "gone":
        del tensors["layers.0.bias"]
    elif case == "more":
        tensors["layers.9.bias"] = torch.zeros(2)
    elif case == "shape":
        tensors["layers.0.bias"] = torch.zeros(9)
    elif case == "whole numbers":
        tensors["layers.0.bias"] = torch.zeros(8, dtype=torch.int64)
    elif case == "nan":
        tensors["layers.0.bias"][3] = float("nan")
    save_file(tensors, path, meta if case != "no metadata" else None)
    if case == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif case == "text":
        path.write_text("a network, honestly")
    elif case == "empty":
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("kind", "is of kind 'lifter', expected 'toy'"),
        ("no metadata", "is of kind None, expected 'toy'"),
        ("version", "is of version '9', this build reads version '1'; update crowdstream"),
        ("config", r"sizes this build does not know \(depth: "),
        ("config text", "sizes this build does not know"),
        ("gone", r"has no tensor 'layers\.0\.bias'"),
        ("more", r"has tensor 'layers\.9\.bias', which its kind of network has not"),
        ("shape", r"layers\.0\.bias has shape \(9,\), expected \(8,\)"),
        ("whole numbers", r"layers\.0\.bias holds torch\.int64, expected torch\.float32"),
        ("nan", r"layers\.0\.bias holds numbers that are not finite"),
        ("cut", "no safetensors file, or a damaged one"),
        ("text", "no safetensors file, or a damaged one"),
        ("empty", "no safetensors file, or a damaged one"),
    ],
)
def test_what_can_be_wrong_with_a_file(
    tensors: dict[str, Tensor], tmp_path: Path, case: str, said: str
) -> None:
    path = tmp_path / "toy.safetensors"
    _damage(path, tensors, case)
    with pytest.raises(ModelError, match=said) as caught:
        load(path)
    line = str(caught.value)
    assert str(path) in line and "crowdstream train toy-prior" in line and "\n" not in line


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no toy at .*nowhere: expected a safetensors file; train one with"):
        load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"no toy at .*weights/toy\.safetensors"):
        load(None)  # this build ships none


def test_sizes_that_make_no_network(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "toy.safetensors", META)

    def refuse(config: ToyConfig) -> ToyNetwork:
        raise ShapeError("patch 5 does not divide 64")

    with pytest.raises(ModelError, match=r"no network of its sizes can be built \(patch 5"):
        load_network(tmp_path / "toy.safetensors", "toy", ToyConfig, refuse, "toy-prior")


KINDS: list[tuple[str, Any, nn.Module]] = [
    ("pose_vae", load_pose_vae, PoseVAE(PoseVAEConfig(width=16))),
    ("motion_prior", load_motion_prior, MotionPrior(MotionPriorConfig(width=16, patch=16, global_width=16))),
    ("lifter", load_lifter, Lifter(LifterConfig(width=16, layers=1, patch=16))),
]


@pytest.mark.parametrize(("kind", "loader", "network"), KINDS, ids=[row[0] for row in KINDS])
def test_every_kind_comes_back_as_itself_and_as_nothing_else(
    kind: str, loader: Any, network: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / f"{kind}.safetensors"
    save_network(path, network, kind)
    back = loader(path)
    assert type(back) is type(network) and back.config == network.config
    assert set(back.state_dict()) == set(network.state_dict())
    for other, other_loader, _ in KINDS:
        if other != kind:
            with pytest.raises(ModelError, match=f"is of kind '{kind}', expected '{other}'"):
                other_loader(path)
