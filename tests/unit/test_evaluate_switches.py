"""Energy terms and components by name: each takes out its own term and nothing else."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

from crowdstream.configs.load import load_config
from crowdstream.kernels.solve.gauss_newton import fused_weights
from crowdstream.kernels.solve.gauss_newton_config import LiveConfig
from crowdstream.kernels.solve.weights import EnergyWeights
from crowdstream.lab.evaluate.errors import SwitchError
from crowdstream.lab.evaluate.question import Question
from crowdstream.lab.evaluate.switches import (
    COMPONENTS,
    LIVE_TERMS,
    PAPER_TERMS,
    energy_names,
    without_components,
    without_energies,
)


def _told(field: str) -> str | None:
    """What the record says under a field."""
    source = inspect.getsource(EnergyWeights)
    found = re.search(rf'^    {field}: float = .*\n    """(.*)"""', source, re.M)
    return found.group(1) if found else None


@pytest.mark.parametrize("name", sorted(PAPER_TERMS))
def test_paper_loses_these_weights_and_no_other(name: str) -> None:
    weights = without_energies(load_config("paper"), [name]).solve.paper.weights
    fresh = EnergyWeights()
    changed = {
        field for field in EnergyWeights.model_fields if getattr(weights, field) != getattr(fresh, field)
    }
    assert {f"paper.weights.{field}" for field in changed} == set(PAPER_TERMS[name])
    assert all(getattr(weights, field) == 0.0 for field in changed)


def test_every_weight_of_paper_can_be_taken_out() -> None:
    lambdas = {name for name in EnergyWeights.model_fields if "lambda" in (_told(name) or "")}
    taken = {path.removeprefix("paper.weights.") for paths in PAPER_TERMS.values() for path in paths}
    assert taken == lambdas


@pytest.mark.parametrize("name", sorted(set(LIVE_TERMS) - {"track", "vae", "lifter"}))
def test_live_term_weighs_nothing_that_counts(name: str) -> None:
    config = without_energies(load_config("live"), [name]).solve.live
    before, after = fused_weights(LiveConfig()), fused_weights(config)
    changed = {field for field in before._fields if getattr(before, field) != getattr(after, field)}
    weights = {field for field in changed if not field.endswith("scale")}
    assert weights, name
    for field in weights:
        assert float(getattr(after, field)) <= 1e-6 * max(float(getattr(before, field)), 1e-2), field


@pytest.mark.parametrize(("name", "part"), [("vae", "projection"), ("lifter", "lifted")])
def test_what_networks_say_weighs_nothing_either(name: str, part: str) -> None:
    solve = without_energies(load_config("live"), [name]).solve
    weights = {
        field: value
        for field, value in getattr(solve, part).model_dump().items()
        if field.endswith("_weight")
    }
    assert len(weights) == 2 and set(weights.values()) == {0.0}
    assert solve.live == LiveConfig()


def test_the_track_says_nothing_either() -> None:
    """Its sigmas go to the kernels with the observations, not with the weights."""
    live = without_energies(load_config("live"), ["track"]).solve.live
    assert min(live.track_sigma_m, live.track_hidden_sigma_m) >= 1e3
    assert fused_weights(live) == fused_weights(LiveConfig())


def test_the_other_preset_stays() -> None:
    config = without_energies(load_config("paper"), ["hvip"])
    assert config.solve.live == LiveConfig()
    assert load_config("paper").solve.paper.weights.hvip > 0


def test_unknown_names_are_answered_with_the_known() -> None:
    with pytest.raises(SwitchError, match=r"gravity.*reprojection.*upright"):
        without_energies(load_config("live"), ["gravity"])
    with pytest.raises(SwitchError, match=r"track.*paper.*reprojection"):
        without_energies(load_config("paper"), ["track"])
    with pytest.raises(SwitchError, match=r"environment.*live.*reprojection"):
        without_energies(load_config("live"), ["environment"])
    with pytest.raises(SwitchError, match=r"vae.*motion-prior.*stitching"):
        without_components(load_config("live"), ["vae"])


def test_without_the_help_of_others_gaps_are_filled_all_the_same() -> None:
    asked = load_config("live", ["refine.enabled=true", "stitch.enabled=true"])
    full = asked.refine
    assert without_components(asked, ["amc"]).refine == full.model_copy(update={"amc": False})
    assert without_components(asked, ["group"]).refine == full.model_copy(
        update={"amc": False, "group": False}
    )
    assert full.fill and without_components(asked, ["group"]).refine.fill
    assert not without_components(asked, ["refine"]).refine.enabled
    assert not without_components(asked, ["stitching"]).stitch.enabled
    for name in ("amc", "group", "refine", "stitching"):
        got = without_components(asked, [name])
        assert got.model_copy(update={"refine": full, "stitch": asked.stitch}) == asked, name
    everything = without_components(asked, COMPONENTS)
    assert not (everything.refine.enabled or everything.stitch.enabled or everything.solve.lifter)


@pytest.mark.parametrize("preset", ["live", "paper"])
def test_components_go_and_nothing_else_does(preset: str) -> None:
    asked = load_config(preset, ["solve.motion_prior=true", "solve.lifter=true"])
    for name, on in (("motion-prior", "lifter"), ("lifter", "motion_prior")):
        config = without_components(asked, [name])
        assert getattr(config.solve, name.replace("-", "_")) is False
        assert getattr(config.solve, on) is True
        assert config.model_copy(update={"solve": asked.solve}) == asked
    both = without_components(asked, ["lifter", "motion-prior"]).solve
    assert (both.lifter, both.motion_prior, both.paper.motion_iterations) == (False, False, 0)
    assert without_components(asked, ["lifter"]).solve.paper == asked.solve.paper


def test_a_question_without_something_is_asked_without_it() -> None:
    settings = ("solve.motion_prior=true", "solve.lifter=true")
    config = Question("live", settings, without=("motion-prior",), without_energy=("lifter",)).config()
    assert config.solve.motion_prior is False and config.solve.lifter is True
    assert config.solve.lifted.pose_weight == 0.0


def test_names_follow_the_preset() -> None:
    assert "track" in energy_names("live")
    assert "track" not in energy_names("paper")
    assert set(energy_names("paper")) - set(energy_names("live")) == {"environment", "connect", "amc"}


def test_paper_windows_stand_side_by_side_unless_asked() -> None:
    assert Question("paper").config().window.hop == 64
    assert Question("paper", ("window.hop=16",)).config().window.hop == 16
    assert Question("live").config().window.hop == 16
    assert np.isclose(Question("paper").config().window.frames, 64)
