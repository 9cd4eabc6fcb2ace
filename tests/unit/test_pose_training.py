"""How the pose network is trained: its crops, that it learns, and what validation leaves alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from crowdstream.kernels.perception.pose import BOX_PADDING, IMAGENET_MEAN_RGB, IMAGENET_STD_RGB
from crowdstream.lab.perception.pose.network import PoseNetConfig
from crowdstream.lab.perception.pose.recipe import PoseRecipe, PoseRecipeConfig
from crowdstream.lab.training.config import FitConfig
from crowdstream.lab.training.loop import fit
from crowdstream.lab.training.recipe import ChoosesMatrices, ExportsItself, Finishes
from crowdstream.lab.training.recipes import fit_config

sys.path.insert(0, str(Path(__file__).parents[1]))
from painted_figures import PaintedFigures

SMALL = PoseNetConfig(crop_wh=(64, 64), stem=16, widths=(16, 16, 16, 16), down=(1, 0, 0, 0), up=(0, 0, 0))
FEW = PoseRecipeConfig(batch=16, validation_crops=24, statistics_crops=32)
CROPS = PaintedFigures()


def recipe(seed: int = 0) -> PoseRecipe:
    return PoseRecipe(CROPS, CROPS, seed, SMALL, FEW)


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    first, again = recipe(), recipe()
    first.loss(0)
    ours, theirs = (r.batch(CROPS, 3, 4) for r in (first, again))
    np.testing.assert_array_equal(ours.bgr, theirs.bgr)
    np.testing.assert_array_equal(ours.keypoints_px, theirs.keypoints_px)
    for other in (first.batch(CROPS, 4, 4), recipe(1).batch(CROPS, 3, 4)):
        assert not np.array_equal(other.bgr, ours.bgr)


def test_images_are_normalised_rgb() -> None:
    batch = recipe().batch(CROPS, 0, 2)
    images = batch.images(torch.device("cpu")).numpy()
    slow = (batch.bgr[..., ::-1] - np.array(IMAGENET_MEAN_RGB)) / np.array(IMAGENET_STD_RGB)
    np.testing.assert_allclose(images, slow.transpose(0, 3, 1, 2), atol=1e-5)


def test_the_height_of_a_box_is_told_in_crop_pixels() -> None:
    """The painted boxes have the aspect of the crop, which is larger by the padding."""
    np.testing.assert_allclose(recipe().batch(CROPS, 0, 3).height_px, 64 / BOX_PADDING, rtol=1e-5)


def test_it_learns(tmp_path: Path) -> None:
    taught = recipe()
    before = taught.validate()
    config = FitConfig(
        steps=60, learning_rate=2e-2, warm_up_steps=5, clip_norm=5.0, ema_decay=0.9, device="cpu"
    )
    after = fit(taught, config, tmp_path).validation
    assert before["distance_seen"] > 0.3
    assert after["distance_seen"] < 0.6 * before["distance_seen"] and after["auc"] > 0.6


def test_validation_leaves_the_network_as_it_was() -> None:
    taught = recipe()
    with torch.no_grad():
        taught.network.train()
        taught.loss(0)  # moves the running statistics
    before = {key: value.clone() for key, value in taught.network.state_dict().items()}
    assert taught.validate() == taught.validate()
    for key, value in taught.network.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_the_finished_network_is_what_was_validated() -> None:
    taught = recipe()
    with torch.no_grad():
        taught.network.train()
        taught.loss(0)
    judged = taught.validate()
    taught.finish()
    assert taught.validate() == judged
    assert not taught.network.training


def test_the_loop_knows_what_it_can_do() -> None:
    taught = recipe()
    assert isinstance(taught, Finishes) and isinstance(taught, ExportsItself)
    assert isinstance(taught, ChoosesMatrices) and fit_config("pose", {}).optimiser == "muon"


@pytest.mark.parametrize("metrics", [{}, {"distance_seen": 0.0321, "auc": 0.9}])
def test_the_card_tells_figures_or_that_there_are_none(metrics: dict[str, float]) -> None:
    card = recipe().card(metrics)
    assert ("0.0321" in card) is bool(metrics)
    assert "64" in card and card.startswith("# Pose network")
