"""Checkpoints: whole or not there, plain tensors and JSON, and a line for what does not fit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from crowdstream.lab.training import checkpoint as checkpoint_module
from crowdstream.lab.training.config import FitConfig
from crowdstream.lab.training.errors import CheckpointError
from crowdstream.lab.training.log import LOG, read_log
from crowdstream.lab.training.loop import fit

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_recipe import ToyRecipe

sys.path.pop(0)


def config(**fields: Any) -> FitConfig:
    return FitConfig(**{"steps": 4, "warm_up_steps": 2, "log_every_steps": 1, **fields})


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    fit(ToyRecipe(), config(), tmp_path / "run")
    return tmp_path / "run"


def test_a_folder_holds_one_checkpoint_of_tensors_and_json(trained: Path) -> None:
    names = sorted(path.name for path in trained.iterdir() if path.name != "tensorboard")
    assert names == ["checkpoint-00000004.safetensors", "checkpoint.json", "log.jsonl"]
    facts = json.loads((trained / "checkpoint.json").read_text())
    assert facts["step"] == 4 and facts["name"] == "toy" and facts["skipped"] == 0
    kinds = {key.split("/")[0] for key in load_file(trained / facts["tensors"])}
    assert kinds == {"network", "mean", "moments"}


def test_a_crash_between_the_two_files_loses_nothing(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine stops after the tensors of step 6 are written and before the JSON is."""
    write = checkpoint_module.write_whole

    def crashing(path: Path, data: bytes) -> None:
        if path.name == "checkpoint.json":
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(checkpoint_module, "write_whole", crashing)
    with pytest.raises(CheckpointError, match=r"cannot write a checkpoint to .*: No space left on device"):
        fit(ToyRecipe(), config(steps=6), trained, resume=True)
    monkeypatch.undo()
    resumed, straight = ToyRecipe(), ToyRecipe()
    assert fit(resumed, config(steps=6), trained, resume=True).steps == 6
    fit(ToyRecipe(), config(), trained.parent / "twin")
    fit(straight, config(steps=6), trained.parent / "twin", resume=True)
    for key, value in straight.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[key])
    assert len(list(trained.glob("checkpoint-*"))) == 1


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    checkpoint_module.write_whole(path, b"old")

    def refuse(number: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(checkpoint_module.os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        checkpoint_module.write_whole(path, b"new")
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_lines_written_after_the_checkpoint_are_taken_out(trained: Path) -> None:
    """A sitting that crashed at step 9 wrote further than the checkpoint, and half a line."""
    with (trained / LOG).open("a") as file:
        file.write('{"step": 9, "seconds": 1.0, "loss": {"total": 1.0}}\n{"step": 10, "sec')
    fit(ToyRecipe(), config(steps=6), trained, resume=True)
    steps = [line["step"] for line in read_log(trained) if "loss" in line]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_finished_fit_resumed_is_finished(trained: Path) -> None:
    recipe = ToyRecipe()
    result = fit(recipe, config(), trained, resume=True)
    assert result.steps == 4 and not result.interrupted and set(result.validation) == {"mse"}


def test_none_there(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"no checkpoint in .*: expected checkpoint\.json there; train without"
    ):
        fit(ToyRecipe(), config(), tmp_path, resume=True)


def test_another_recipe(trained: Path) -> None:
    other = ToyRecipe()
    other.name = "lifter"
    with pytest.raises(CheckpointError, match="holds a fit of toy, expected lifter; name another folder"):
        fit(other, config(), trained, resume=True)


def test_another_size(trained: Path) -> None:
    with pytest.raises(CheckpointError, match=r"another size or kind \(.*layers\.0\.weight\)"):
        fit(ToyRecipe(width=12), config(), trained, resume=True)


@pytest.mark.parametrize("began", ["adamw", "muon"])
def test_another_optimiser(tmp_path: Path, began: str) -> None:
    fit(ToyRecipe(), config(optimiser=began), tmp_path)
    other = {"adamw": "muon", "muon": "adamw"}[began]
    with pytest.raises(CheckpointError, match="checkpoint"):
        fit(ToyRecipe(), config(optimiser=other), tmp_path, resume=True)


@pytest.mark.parametrize("damage", ["cut", "gone", "text"])
def test_damaged_tensors(trained: Path, damage: str) -> None:
    path = trained / "checkpoint-00000004.safetensors"
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-40] if damage == "cut" else b"these are no tensors at all")
    with pytest.raises(CheckpointError, match="missing or damaged"):
        fit(ToyRecipe(), config(), trained, resume=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "cannot be read"),
        ("[]", "no checkpoint of version 1"),
        ('{"version": 2, "name": "toy", "tensors": "x"}', "no checkpoint of version 1"),
    ],
)
def test_damaged_json(trained: Path, text: str, said: str) -> None:
    (trained / "checkpoint.json").write_text(text)
    with pytest.raises(CheckpointError, match=said):
        fit(ToyRecipe(), config(), trained, resume=True)


@pytest.mark.parametrize("lost", ["step", "skipped_in_row"])
def test_json_without_a_number(trained: Path, lost: str) -> None:
    facts = json.loads((trained / "checkpoint.json").read_text())
    del facts[lost]
    (trained / "checkpoint.json").write_text(json.dumps(facts))
    with pytest.raises(CheckpointError, match=lost):
        fit(ToyRecipe(), config(), trained, resume=True)
