"""Energy terms and components by name: each takes out its own term and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.configs.load import load_config
from crowdstream.kernels.solve.gauss_newton import LiveConfig
from crowdstream.kernels.solve.weights import EnergyWeights
from crowdstream.lab.evaluate.errors import SwitchError
from crowdstream.lab.evaluate.question import Question
from crowdstream.lab.evaluate.switches import (
    COMPONENTS,
    LIVE_TERMS,
    PAPER_TERMS,
    absent_components,
    energy_names,
    without_energies,
)


@pytest.mark.parametrize("name", sorted(PAPER_TERMS))
def test_paper_loses_one_weight(name: str) -> None:
    weights = without_energies(load_config("paper"), [name]).solve.paper.weights
    fresh = EnergyWeights()
    changed = [
        field for field in EnergyWeights.model_fields if getattr(weights, field) != getattr(fresh, field)
    ]
    assert changed == [PAPER_TERMS[name]]
    assert getattr(weights, PAPER_TERMS[name]) == 0.0


@pytest.mark.parametrize("name", sorted(set(LIVE_TERMS) - {"track"}))
def test_live_term_weighs_nothing_that_counts(name: str) -> None:
    config = without_energies(load_config("live"), [name]).solve.live
    before, after = LiveConfig().weights(), config.weights()
    changed = {field for field in before._fields if getattr(before, field) != getattr(after, field)}
    weights = {field for field in changed if not field.endswith("scale")}
    assert weights, name
    for field in weights:
        assert float(getattr(after, field)) <= 1e-6 * max(float(getattr(before, field)), 1e-2), field


def test_the_track_says_nothing_either() -> None:
    """Its sigmas go to the kernels with the observations, not with the weights."""
    live = without_energies(load_config("live"), ["track"]).solve.live
    assert min(live.track_sigma_m, live.track_hidden_sigma_m) >= 1e3
    assert live.weights() == LiveConfig().weights()


def test_the_other_preset_stays() -> None:
    config = without_energies(load_config("paper"), ["hvip"])
    assert config.solve.live == LiveConfig()
    assert load_config("paper").solve.paper.weights.hvip > 0


def test_unknown_names_are_answered_with_the_known() -> None:
    with pytest.raises(SwitchError, match=r"gravity.*reprojection.*upright"):
        without_energies(load_config("live"), ["gravity"])
    with pytest.raises(SwitchError, match=r"track.*paper.*reprojection"):
        without_energies(load_config("paper"), ["track"])
    with pytest.raises(SwitchError, match=r"vae.*motion-prior.*stitching"):
        absent_components(["vae"])


def test_absent_components_are_named_once_in_the_order_of_the_method() -> None:
    assert absent_components(["amc", "lifter", "amc"]) == ("lifter", "amc")
    assert absent_components([]) == ()
    assert absent_components(COMPONENTS) == COMPONENTS


def test_names_follow_the_preset() -> None:
    assert "track" in energy_names("live")
    assert "track" not in energy_names("paper")
    assert set(energy_names("paper")) < set(energy_names("live"))


def test_paper_windows_stand_side_by_side_unless_asked() -> None:
    assert Question("paper").config().window.hop == 64
    assert Question("paper", ("window.hop=16",)).config().window.hop == 16
    assert Question("live").config().window.hop == 16
    assert np.isclose(Question("paper").config().window.frames, 64)
