"""Training: stopped anywhere and resumed is never stopped; the learning rate's shape; every weight is stepped once."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from crowdstream.lab.training.average import WeightAverage
from crowdstream.lab.training.config import FitConfig
from crowdstream.lab.training.loop import StepReport, fit
from crowdstream.lab.training.optimiser import Optimiser, hidden_matrices, rate_factor
from crowdstream.lab.training.recipe import step_random, step_seed

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_recipe import ToyRecipe

sys.path.pop(0)


class Stopped(Exception):
    """A crash."""


def _trained(folder: Path, config: FitConfig, cuts: list[int]) -> bytes:
    """The last checkpoint of a fit that crashes after some of its steps."""
    for cut in [*cuts, None]:

        def progress(report: StepReport, cut: int | None = cut) -> None:
            if report.step == cut:
                raise Stopped

        try:
            fit(ToyRecipe(), config, folder, resume=(folder / "checkpoint.json").is_file(), progress=progress)
        except Stopped:
            pass
    return (folder / f"checkpoint-{config.steps:08d}.safetensors").read_bytes()


@settings(max_examples=6, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 5), unique=True, max_size=3).map(sorted),
    optimiser=st.sampled_from(["adamw", "muon"]),
    seed=st.integers(0, 2**31),
)
def test_a_crash_anywhere_changes_no_byte(cuts: list[int], optimiser: str, seed: int) -> None:
    """Six steps straight, or with crashes in between: the same weights, means and moments."""
    config = FitConfig(
        steps=6, warm_up_steps=3, optimiser=optimiser, seed=seed, checkpoint_every_minutes=1e-9, ema_decay=0.5
    )  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as root:
        assert _trained(Path(root) / "cut", config, cuts) == _trained(Path(root) / "straight", config, [])


@given(step=st.integers(0, 10**6), share=st.floats(0, 1), warm=st.integers(0, 1000), floor=st.floats(0, 1))
def test_the_learning_rate_rises_then_falls(step: int, share: float, warm: int, floor: float) -> None:
    config = FitConfig(steps=1, warm_up_steps=warm, final_rate=floor)
    now = rate_factor(config, step, share)
    assert 0 <= now <= 1 + 1e-12
    assert rate_factor(config, step + 1, share) >= now  # warming up at a share
    assert rate_factor(config, step, min(1.0, share + 0.1)) <= now + 1e-12  # falling with the share
    assert rate_factor(config, 10**6, 1.0) == pytest.approx(floor)
    assert rate_factor(config, 10**6, 0.0) == pytest.approx(1.0)


@given(steps=st.integers(0, 100), seconds=st.floats(0, 1e4), more=st.integers(0, 100))
def test_the_share_grows_with_what_is_used_and_ends_at_one(steps: int, seconds: float, more: int) -> None:
    config = FitConfig(steps=50, minutes=60.0)
    share = config.share(steps, seconds)
    assert 0 <= share <= config.share(steps + more, seconds + more) <= 1
    assert (share == 1) == (steps >= 50 or seconds >= 3600)


def test_every_step_has_its_own_numbers() -> None:
    seeds = {step_seed(seed, step) for seed in range(4) for step in range(200)}
    assert len(seeds) == 800 and all(0 <= seed < 2**63 for seed in seeds)
    assert step_random(3, 5).random() == step_random(3, 5).random() != step_random(3, 6).random()


@given(decay=st.floats(0, 0.999), count=st.integers(1, 20))
@settings(deadline=None)
def test_the_mean_of_constant_weights_is_those_weights(decay: float, count: int) -> None:
    network = nn.Linear(3, 2)
    mean = WeightAverage(network, decay)
    for step in range(count):
        mean.update(network, step)
    assert torch.allclose(mean.mean["weight"], network.weight, atol=1e-6)


def test_the_mean_lies_between_old_and_new() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 0.0)
    mean = WeightAverage(network, 0.999)
    nn.init.constant_(network.weight, 1.0)
    before = 0.0
    for step in range(6):
        mean.update(network, step)
        now = float(mean.mean["weight"])
        assert before < now < 1.0
        before = now
    with mean.inside(network):
        assert network.weight.item() == before
    assert network.weight.item() == 1.0


def test_muon_and_adamw_share_out_every_weight() -> None:
    """A network that forgets nothing moves everywhere: each weight is stepped by exactly one of them."""
    recipe = ToyRecipe()
    optimiser = Optimiser(recipe, FitConfig(steps=1, optimiser="muon"))
    losses = recipe.loss(0)
    losses["total"].backward()
    before = {name: p.detach().clone() for name, p in recipe.network.named_parameters()}
    optimiser.step(1.0)
    for name, weight in recipe.network.named_parameters():
        assert not torch.equal(weight, before[name]), name
    turned = {key.split("/")[2] for key, _ in optimiser.moments() if key.startswith("muon/")}
    rest = {key.split("/")[2] for key, _ in optimiser.moments() if key.startswith("adamw/")}
    assert turned == {"layers.2.weight"} and turned | rest == set(before) and not turned & rest


def test_hidden_matrices_are_those_between_layers() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    network = nn.ModuleDict({"embed": nn.Linear(3, 8), "layer": layer, "head": nn.Linear(8, 3)})
    assert set(hidden_matrices(network)) == {
        "layer.self_attn.in_proj_weight",
        "layer.self_attn.out_proj.weight",
        "layer.linear1.weight",
        "layer.linear2.weight",
    }


def test_vectors_are_not_decayed() -> None:
    recipe = ToyRecipe()
    optimiser = Optimiser(recipe, FitConfig(steps=1, weight_decay=0.5, learning_rate=0.1))
    before = {name: p.detach().clone() for name, p in recipe.network.named_parameters()}
    (0.0 * recipe.loss(0)["total"]).backward()
    optimiser.step(1.0)
    for name, weight in recipe.network.named_parameters():
        factor = 0.95 if weight.ndim == 2 else 1.0
        assert torch.allclose(weight, factor * before[name], atol=1e-7), name
