"""How the detector is trained: its pictures, that it learns, and what is done at the end."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from crowdstream.lab.perception.detector.batches import padded, stack, wanted
from crowdstream.lab.perception.detector.metrics import curve
from crowdstream.lab.perception.detector.network import DetectorConfig
from crowdstream.lab.perception.detector.recipe import BETA, DetectorRecipe, DetectorRecipeConfig
from crowdstream.lab.perception.picture import Picture
from crowdstream.lab.training.config import FitConfig
from crowdstream.lab.training.loop import fit
from crowdstream.lab.training.optimiser import Optimiser

sys.path.insert(0, str(Path(__file__).parents[1]))
from painted_people import PaintedPeople

SMALL = DetectorConfig(stem=8, widths=(8, 16, 16, 16), convs=(0, 0, 0, 0), neck=16)
FEW = DetectorRecipeConfig(
    batch=4,
    sizes_px=((96, 96), (128, 96)),
    validation_pictures=24,
    calibration_pictures=24,
    statistics_pictures=16,
)
SCENES = PaintedPeople()


def recipe(seed: int = 0) -> DetectorRecipe:
    return DetectorRecipe(SCENES, SCENES, seed, SMALL, FEW)


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    first, again = recipe(), recipe()
    first.loss(0)
    ours, theirs = (r.batch(SCENES, 3, 4) for r in (first, again))
    np.testing.assert_array_equal(ours.bgr, theirs.bgr)
    assert torch.equal(ours.truth.boxes_px, theirs.truth.boxes_px)
    for other in (first.batch(SCENES, 4, 4), recipe(1).batch(SCENES, 3, 4)):
        assert other.bgr.shape != ours.bgr.shape or not np.array_equal(other.bgr, ours.bgr)


def test_sizes_change_from_step_to_step() -> None:
    shapes = {recipe().batch(SCENES, step, 1).bgr.shape[1:3] for step in range(12)}
    assert shapes == {(96, 96), (96, 128)}


def test_a_letterbox_keeps_people_where_they_are() -> None:
    rng = np.random.default_rng(3)
    pictures = [padded(SCENES, rng, (96, 64), 1.0) for _ in range(8)]
    assert all(p.bgr.shape == (64, 96, 3) for p in pictures)
    assert sum((p.bgr[-1] == 114).all() for p in pictures) >= 6
    for p in pictures:
        grey = (p.bgr == 114).all(axis=2)
        bottom = 64 - int(np.argmin(grey.all(axis=1)[::-1]))
        assert not len(p.boxes_px) or p.boxes_px[:, 3].max() <= bottom


def test_who_is_wanted() -> None:
    boxes = np.array([[0, 0, 10, 30], [0, 0, 10, 30], [0, 0, 4, 9.5], [5, 5, 5, 40]], np.float32)
    visible = np.array([0.3, 0.2, 1.0, 1.0], np.float32)
    none = np.zeros((4, 17, 2), np.float32), np.zeros((4, 17), np.uint8)
    picture = Picture(np.zeros((64, 64, 3), np.uint8), boxes, boxes, visible, *none)
    empty = Picture(picture.bgr, boxes[:0], boxes[:0], visible[:0], none[0][:0], none[1][:0])
    assert wanted(picture).tolist() == [True, False, False, False]
    truth = stack([empty, picture]).truth
    assert not (truth.wanted[0] | truth.ignored[0]).any()
    assert truth.ignored[1].tolist() == [False, True, True, True]


def test_validation_leaves_the_network_as_it_was() -> None:
    asked = recipe()
    before = {key: value.clone() for key, value in asked.network.state_dict().items()}
    with torch.no_grad():
        first, second = asked.validate(), asked.validate()
    assert first == second
    assert all(torch.equal(before[key], value) for key, value in asked.network.state_dict().items())


def test_muon_turns_the_kernels_between_as_matrices() -> None:
    """A step along a kernel is nearly an orthogonal matrix; first and last convolution are AdamW's."""
    taught = recipe()
    before = {name: p.detach().clone() for name, p in taught.network.named_parameters()}
    optimiser = Optimiser(taught, FitConfig(steps=1, optimiser="muon", learning_rate=1e-2, weight_decay=0.0))
    taught.loss(0)["total"].backward()
    optimiser.step(1.0)
    turned = {key.split("/", 2)[2] for key, _ in optimiser.moments() if key.startswith("muon/")}
    kernels = {name for name, p in before.items() if p.ndim == 4}
    assert kernels - turned == {"stem.0.weight", "head.predict.weight"} and turned < kernels
    for name in sorted(turned)[:6]:
        step = (taught.network.get_parameter(name).detach() - before[name]).flatten(1)
        sizes = torch.linalg.svdvals(step) / (1e-2 * 0.2 * max(step.shape) ** 0.5)
        assert sizes.median() == pytest.approx(1.0, abs=0.35), name


def test_learns_and_ends_at_the_operating_point(tmp_path: Path) -> None:
    taught = recipe()
    losses: list[float] = []
    config = FitConfig(
        steps=70, learning_rate=1e-2, warm_up_steps=5, clip_norm=10, ema_decay=0.9, threads=1, device="cpu"
    )
    result = fit(taught, config, tmp_path, progress=lambda report: losses.append(report.loss))
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])
    assert result.validation["detector.ap50"] > 0.3
    # on the very pictures that the shift was measured on, it is met exactly
    found = taught._look(taught.network, SCENES, 2**40, FEW.calibration_pictures)
    assert curve(found, 0.5).best(BETA)[0] == pytest.approx(0.45, abs=0.01)
    assert "0.45" in taught.card(result.validation)
