"""`crowdstream train` as its user meets it: what it writes, how it goes on, and one line for what is wrong."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from crowdstream.actors.main import main
from crowdstream.kernels.settings import StageConfig
from crowdstream.lab.training import recipes
from crowdstream.lab.training.recipes import KINDS, Kind, prepare
from crowdstream.stream.network_file import load_network
from crowdstream.stream.prior_files import load_lifter, load_motion_prior, load_pose_vae

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_mocap import write_mocap
from toy_recipe import ToyConfig, ToyNetwork, ToyRecipe

sys.path.pop(0)


@pytest.fixture(scope="module")
def mocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mocap(tmp_path_factory.mktemp("train") / "mocap")


class ToySettings(StageConfig):
    batch: int = 4


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Callable[[], ToyRecipe]:
    """A pose prior that is none, and costs nothing; gives the recipe that was made last."""
    made: list[ToyRecipe] = []

    def make(training: Any, validation: Any, seed: int, size: ToyConfig, settings: ToySettings) -> ToyRecipe:
        made.append(ToyRecipe(seed, size.width))
        return made[-1]

    kind = Kind("toy", lambda: (make, ToySettings, ToyConfig), {"width": 16}, {"minutes": 5.0})
    monkeypatch.setitem(recipes.KINDS, "pose-prior", kind)
    return lambda: made[-1]


def train(*words: str | Path, capsys: pytest.CaptureFixture[str], code: int = 0) -> tuple[str, str]:
    """Standard output and the last line of standard error of `crowdstream train`."""
    with pytest.raises(SystemExit) as caught:
        main(["train", *map(str, words)])
    said = capsys.readouterr()
    assert caught.value.code == code, said.err
    return said.out, said.err.strip().splitlines()[-1] if said.err.strip() else ""


def test_what_a_training_leaves(
    mocap: Path, tmp_path: Path, toy: Callable[[], ToyRecipe], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    words = ("pose-prior", "--mocap", mocap, "-o", folder, "--steps", "5", "--size", "large", "--json")
    out, _ = train(*words, "--set", "learning_rate=0.01", "--set", "batch=3", capsys=capsys)
    summary = json.loads(out)
    assert summary["steps"] == 5 and summary["skipped"] == 0
    assert summary["baselines"] == {"mse": 3.0} and set(summary["validation"]) == {"mse"}
    assert Path(summary["file"]) == folder / "toy.safetensors"
    assert summary["bytes"] == (folder / "toy.safetensors").stat().st_size
    assert {"checkpoint.json", "log.jsonl", "run.json", "toy.md"} <= {p.name for p in folder.iterdir()}
    back = load_network(folder / "toy.safetensors", "toy", ToyConfig, ToyNetwork, "pose-prior")
    assert back.config.width == 16
    for name, weight in toy().network.named_parameters():
        assert torch.equal(back.get_parameter(name), weight.half().float())
    card = (folder / "toy.md").read_text()
    assert "learning_rate 0.01" in card and "`crowdstream train pose-prior --mocap mocap --size large" in card
    assert "Held back by subject, never by window: 13." in card and "| cmu | CMU | 1 |" in card
    assert str(tmp_path) not in card


def test_the_table_shows_values_beside_baselines(
    mocap: Path, tmp_path: Path, toy: Callable[[], ToyRecipe], capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = train("pose-prior", "--mocap", mocap, "-o", tmp_path / "run", "--steps", "2", capsys=capsys)
    row = next(line for line in out.splitlines() if "mse" in line)
    assert row.split()[-2] == "3" and "toy.safetensors" in out and "kernels/weights/" in out


def test_a_stopped_training_goes_on_from_its_folder_alone(
    mocap: Path,
    tmp_path: Path,
    toy: Callable[[], ToyRecipe],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, straight = tmp_path / "run", tmp_path / "straight"
    words = ("pose-prior", "--mocap", mocap, "--steps", "6", "--seed", "3", "--set", "learning_rate=0.02")
    train(*words, "-o", straight, capsys=capsys)
    learn = ToyRecipe.loss

    def stopped(self: ToyRecipe, step: int) -> dict[str, torch.Tensor]:
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return learn(self, step)

    monkeypatch.setattr(ToyRecipe, "loss", stopped)
    _, line = train(*words, "-o", folder, capsys=capsys, code=130)
    assert line == f"stopped after 3 steps; go on with: crowdstream train pose-prior --resume {folder}"
    assert not (folder / "toy.safetensors").exists()
    monkeypatch.setattr(ToyRecipe, "loss", learn)
    train("pose-prior", "--resume", folder, capsys=capsys)
    assert (folder / "toy.safetensors").read_bytes() == (straight / "toy.safetensors").read_bytes()
    again, _ = train("pose-prior", "--resume", folder, "--json", capsys=capsys)  # nothing is left to do
    assert json.loads(again)["steps"] == 6
    more, _ = train("pose-prior", "--resume", folder, "--steps", "8", "--json", capsys=capsys)
    assert json.loads(more)["steps"] == 8


def test_mistakes_of_usage(mocap: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str | Path) -> str:
        with pytest.raises(SystemExit) as caught:
            main(["train", *map(str, words)])
        text = " ".join(capsys.readouterr().err.replace("│", " ").split())
        assert caught.value.code == 2, text
        return text

    run = tmp_path / "run"
    assert "nothing called 'gait' can be trained; expected one of pose-prior" in said("gait", "-o", run)
    assert "no size 'huge'; expected small or large" in said("lifter", "--size", "huge")
    assert "no folder for the results" in said("lifter", "--mocap", mocap)
    assert "goes on in its own folder" in said("lifter", "--resume", run, "-o", mocap)
    assert "--seed cannot change" in said("lifter", "--resume", run, "--seed", "1")
    assert not run.exists()


def test_no_motion_capture_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CROWDSTREAM_MOCAP", raising=False)
    train("lifter", "-o", tmp_path / "run", capsys=capsys, code=2)
    assert not (tmp_path / "run").exists()


def test_one_line_for_what_is_wrong(
    mocap: Path, tmp_path: Path, toy: Callable[[], ToyRecipe], capsys: pytest.CaptureFixture[str]
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "note").touch()
    run = tmp_path / "run"

    def line(*words: str | Path) -> str:
        return train("pose-prior", *words, capsys=capsys, code=1)[1]

    assert "no motion capture at" in line("--mocap", tmp_path / "nowhere", "-o", run)
    assert "is not empty; name a new folder, or go on there" in line("--mocap", mocap, "-o", full)
    assert "is a file; name a new folder" in line("--mocap", mocap, "-o", full / "note")
    assert "no training in" in line("--resume", full)
    unknown = line("--mocap", mocap, "-o", run, "--set", "bach=3")
    assert "unknown key 'bach'; did you mean 'batch'" in unknown and "learning_rate" in unknown
    assert "expected stage.key=value" in line("--mocap", mocap, "-o", run, "--set", "batch")
    assert "learning_rate = 'fast'" in line("--mocap", mocap, "-o", run, "--set", "learning_rate=fast")
    assert not run.exists()


SMALL = {
    "pose-prior": ("batch=16", "network.width=16"),
    "motion-prior": (
        "batch=4",
        "network.width=16",
        "network.frequencies=15",
        "start_windows=40",
        "balance_windows=9",
    ),
    "lifter": ("batch=3", "network.width=16", "network.layers=1", "bodies=4", "start_windows=100"),
}
LOADERS = {"pose-prior": load_pose_vae, "motion-prior": load_motion_prior, "lifter": load_lifter}


@pytest.mark.parametrize("kind", SMALL)
def test_every_kind_trains_and_loads(
    kind: str, mocap: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    settings = [word for item in SMALL[kind] for word in ("--set", item)]
    out, _ = train(kind, "--mocap", mocap, "-o", folder, "--steps", "1", "--json", *settings, capsys=capsys)
    summary = json.loads(out)
    assert summary["steps"] == 1 and summary["validation"]
    network = LOADERS[kind](Path(summary["file"]))  # type: ignore[operator]
    assert network.config.width == 16
    card = (folder / f"{KINDS[kind].file}.md").read_text()
    for part in ("## Recipe", "## Figures", "## Limits", "## Recordings", "## How this file was made"):
        assert part in card or (part == "## Recipe" and kind == "pose-prior")


@pytest.mark.parametrize("kind", SMALL)
def test_batches_go_where_the_network_is(kind: str, mocap: Path) -> None:
    """On torch's meta device, which mixes with no other, as a GPU's; and a step is its own, whatever came before."""
    recipe = prepare(kind, [mocap], overrides=SMALL[kind]).recipe
    torch.manual_seed(0)
    first = {key: value.item() for key, value in recipe.loss(7).items()}
    recipe.loss(3)
    torch.manual_seed(0)
    assert {key: value.item() for key, value in recipe.loss(7).items()} == first
    recipe.network.to("meta")
    losses = recipe.loss(7)
    assert {value.device.type for value in losses.values()} == {"meta"}
    losses["total"].backward()
