"""The training loop: budgets, what is validated, numbers that are not finite, being stopped."""

from __future__ import annotations

import math
import os
import signal
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from crowdstream.lab.training import log as log_module
from crowdstream.lab.training.config import FitConfig
from crowdstream.lab.training.errors import TrainingError
from crowdstream.lab.training.log import read_log
from crowdstream.lab.training.loop import MOST_SKIPPED_IN_ROW, StepReport, fit

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_recipe import ToyRecipe

sys.path.pop(0)


class Clock:
    """A second a look."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def config(**fields: Any) -> FitConfig:
    return FitConfig(**{"steps": 6, "warm_up_steps": 2, **fields})


def weights(recipe: ToyRecipe) -> Tensor:
    return torch.cat([p.detach().flatten() for p in recipe.network.parameters()])


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_it_learns(tmp_path: Path, optimiser: str) -> None:
    recipe = ToyRecipe(width=32)
    recipe.network.eval()
    with torch.no_grad():
        before = recipe.validate()["mse"]
    result = fit(recipe, config(steps=60, learning_rate=4e-2, ema_decay=0.9, optimiser=optimiser), tmp_path)
    assert result.steps == 60 and not result.interrupted
    assert result.validation["mse"] < 0.3 * before


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        recipe = ToyRecipe()
        fit(recipe, config(seed=seed), tmp_path / name)
        found.append(weights(recipe))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_wall_budget_ends_on_time_and_anneals_fully(tmp_path: Path) -> None:
    result = fit(
        ToyRecipe(),
        config(steps=None, minutes=0.5, final_rate=0.0, log_every_steps=1),
        tmp_path,
        clock=Clock(),
    )
    assert 30.0 <= result.seconds <= 33.0
    rates = [line["learning_rate"] for line in read_log(tmp_path) if "loss" in line]
    assert rates[-1] < 0.01 * max(rates)
    top = int(np.argmax(rates))
    assert all(a >= b for a, b in zip(rates[top:], rates[top + 1 :], strict=False))


def test_the_first_budget_used_up_ends_it(tmp_path: Path) -> None:
    assert fit(ToyRecipe(), config(steps=5, minutes=60.0), tmp_path / "steps").steps == 5
    timed = fit(ToyRecipe(), config(steps=10**6, minutes=0.1), tmp_path / "time", clock=Clock())
    assert timed.steps < 10


def test_what_is_validated_is_what_is_left_in_the_network(tmp_path: Path) -> None:
    recipe = ToyRecipe()
    fit(recipe, config(steps=9, ema_decay=0.99), tmp_path)
    last = recipe.validated[-1]
    for key, value in recipe.network.state_dict().items():
        assert torch.equal(value, last[key])
    assert not recipe.network.training


class Finishing(ToyRecipe):
    """Doubles its last bias when all is learned."""

    def finish(self) -> None:
        self.learned = weights(self)
        assert not torch.is_grad_enabled() and not self.network.training
        self.network.layers[4].bias.mul_(2.0)


def test_a_recipe_finishes_its_network_once_and_is_measured_after_it(tmp_path: Path) -> None:
    recipe, plain = Finishing(), ToyRecipe()
    fit(recipe, config(), tmp_path / "finishing")
    fit(plain, config(), tmp_path / "plain")
    assert torch.equal(recipe.learned, weights(plain))
    assert torch.equal(recipe.network.layers[4].bias, 2 * plain.network.layers[4].bias)
    assert torch.equal(recipe.validated[-1]["layers.4.bias"], recipe.network.layers[4].bias)
    tensors = "checkpoint-00000006.safetensors"  # what is resumed is what was learned
    assert (tmp_path / "finishing" / tensors).read_bytes() == (tmp_path / "plain" / tensors).read_bytes()


def test_looking_does_not_change_what_is_learned(tmp_path: Path) -> None:
    """Validations and checkpoints after every step or never: the same weights."""
    often, seldom = ToyRecipe(), ToyRecipe()
    each = {"validate_every_minutes": 1e-9, "checkpoint_every_minutes": 1e-9, "log_every_steps": 1}
    fit(often, config(**each), tmp_path / "often", clock=Clock())
    fit(seldom, config(), tmp_path / "seldom")
    assert len(often.validated) >= 6 and len(seldom.validated) == 1
    assert torch.equal(weights(often), weights(seldom))


def test_the_global_generator_and_the_threads_are_as_before(tmp_path: Path) -> None:
    recipe = ToyRecipe()
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    threads = torch.get_num_threads()
    fit(recipe, config(threads=1), tmp_path)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


class Sometimes(ToyRecipe):
    """Its total, or its gradient alone, is not finite in some steps."""

    def __init__(self, bad: set[int], gradient_only: bool = False) -> None:
        super().__init__()
        self.bad, self.gradient_only = bad, gradient_only
        self.before: list[Tensor] = []

    def loss(self, step: int) -> dict[str, Tensor]:
        self.before.append(weights(self))
        losses = super().loss(step)
        if step in self.bad:
            if self.gradient_only:  # the root of nothing: finite, its slope not
                losses["total"] = losses["total"] + (0.0 * losses["total"]).sqrt()
            else:
                losses["total"] = losses["total"] * math.nan
        return losses


@pytest.mark.parametrize("gradient_only", [False, True])
def test_a_step_that_is_not_finite_is_skipped_and_counted(tmp_path: Path, gradient_only: bool) -> None:
    recipe = Sometimes({2, 3}, gradient_only)
    told: list[StepReport] = []
    result = fit(recipe, config(log_every_steps=1), tmp_path, progress=told.append)
    assert result.skipped == 2
    assert torch.equal(recipe.before[2], recipe.before[4])  # nothing moved
    assert not torch.equal(recipe.before[4], recipe.before[5])
    assert [math.isnan(report.loss) for report in told] == [False, False, True, True, False, False]
    lines = [line for line in read_log(tmp_path) if "loss" in line]
    assert [line["skipped"] for line in lines] == [0, 0, 1, 2, 2, 2]
    assert all(math.isfinite(v) for v in result.loss.values()) and torch.isfinite(weights(recipe)).all()


def test_too_many_in_a_row_end_it_and_say_what_to_do(tmp_path: Path) -> None:
    fine = fit(Sometimes(set(range(1, MOST_SKIPPED_IN_ROW))), config(steps=24), tmp_path / "fine")
    assert fine.skipped == MOST_SKIPPED_IN_ROW - 1
    with pytest.raises(TrainingError, match=r"total not finite in 20 steps in a row, to step 25; lower"):
        fit(Sometimes(set(range(5, 60))), config(steps=100), tmp_path / "bad")


def test_ctrl_c_leaves_a_checkpoint_and_the_handlers_as_before(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def progress(report: StepReport) -> None:
        if report.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    result = fit(ToyRecipe(), config(), tmp_path, progress=progress)
    assert result.interrupted and result.steps == 3
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    straight = ToyRecipe()
    fit(straight, config(), tmp_path / "straight")
    resumed = ToyRecipe()
    assert fit(resumed, config(), tmp_path, resume=True).steps == 6
    assert torch.equal(weights(resumed), weights(straight))


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    def progress(report: StepReport) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(ToyRecipe(), config(), tmp_path, progress=progress)


def test_a_folder_with_a_fit_is_not_overwritten(tmp_path: Path) -> None:
    fit(ToyRecipe(), config(), tmp_path)
    with pytest.raises(TrainingError, match="holds a fit already; resume it"):
        fit(ToyRecipe(), config(), tmp_path)


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="device 'warp' cannot be used here; expected auto, cpu or cuda"):
        fit(ToyRecipe(), config(device="warp"), tmp_path)


def test_the_log_holds_means_and_validation(tmp_path: Path) -> None:
    told: list[StepReport] = []
    result = fit(ToyRecipe(), config(log_every_steps=4), tmp_path, progress=told.append)
    first, second, last = read_log(tmp_path)
    assert [first["step"], second["step"], last["step"]] == [4, 6, 6]
    assert first["loss"]["total"] == pytest.approx(np.mean([report.loss for report in told[:4]]))
    assert second["loss"]["twice"] == pytest.approx(2 * second["loss"]["total"])
    assert last["validation"] == result.validation
    assert {"seconds", "learning_rate", "gradient_norm", "skipped"} <= set(first)


def test_tensorboard_is_written_where_it_is_installed_and_missed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(log_module.importlib.util, "find_spec", lambda name: None)
    fit(ToyRecipe(), config(), tmp_path / "without", say=said.append)
    assert len(said) == 1 and "pip install" in said[0]
    assert not (tmp_path / "without" / "tensorboard").exists()

    scalars: list[tuple[str, float, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int | None) -> None:
            assert folder == str(tmp_path / "with" / "tensorboard") and purge_step is None

        def add_scalar(self, tag: str, value: float, step: int) -> None:
            scalars.append((tag, value, step))

        def close(self) -> None:
            scalars.append(("closed", 0.0, 0))

    fake = types.ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    monkeypatch.setattr(log_module.importlib.util, "find_spec", lambda name: object())
    fit(ToyRecipe(), config(), tmp_path / "with", say=said.append)
    assert len(said) == 1
    assert {"loss/total", "fit/learning_rate", "validation/mse", "closed"} <= {tag for tag, _, _ in scalars}
