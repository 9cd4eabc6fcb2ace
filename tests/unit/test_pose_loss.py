"""Losses of the pose network: nothing for a perfect answer, more the worse it is; slow twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from crowdstream.lab.perception.pose.loss import (
    Lessons,
    PoseLossConfig,
    answer_cells,
    divergence,
    pose_losses,
)
from crowdstream.lab.perception.pose.network import STRIDE
from crowdstream.lab.perception.pose.targets import place_targets

CELLS_WH = (12, 16)
CONFIG = PoseLossConfig()


def lessons(seed: int = 0, seen: int = 2) -> Lessons:
    rng = np.random.default_rng(seed)
    where = torch.from_numpy(rng.uniform(10, 36, (3, 17, 2)))
    return Lessons(where, torch.full((3, 17), seen), torch.full((3,), 50.0, dtype=torch.float64))


def perfect(where: Tensor) -> Tensor:
    return torch.log(place_targets(where, CELLS_WH, STRIDE, CONFIG.sigma_cells).clamp_min(1e-30))


def losses(place: Tensor, trust: Tensor, truth: Lessons) -> dict[str, float]:
    return {key: value.item() for key, value in pose_losses(place, trust, truth, STRIDE, CONFIG).items()}


def trust(logit: float) -> Tensor:
    return torch.full((3, 17), logit, dtype=torch.float64)


def test_a_perfect_place_costs_nothing_and_a_further_one_more() -> None:
    truth = lessons()
    costs = [
        losses(perfect(truth.keypoints_px + shift), trust(0.0), truth)["place"]
        for shift in (0.0, 1.0, 3.0, 6.0)
    ]
    assert costs[0] == pytest.approx(0.0, abs=1e-9)
    assert costs == sorted(costs) and costs[1] > 1e-3


def test_only_differences_between_cells_matter() -> None:
    truth = lessons(1)
    place = perfect(truth.keypoints_px + 2.0)
    lifted = place + torch.arange(17, dtype=torch.float64)[:, None, None]
    assert losses(place, trust(0.0), truth) == pytest.approx(losses(lifted, trust(0.0), truth))


def test_a_keypoint_outside_teaches_trust_alone() -> None:
    truth = lessons(2)
    where = truth.keypoints_px.clone()
    where[:, 3] = torch.tensor([-20.0, 30.0], dtype=torch.float64)
    gone = Lessons(where, truth.seen, truth.height_px)
    place = perfect(truth.keypoints_px + 1.0)
    other = place.clone()
    other[:, 3] = perfect(truth.keypoints_px - 9.0)[:, 3]
    assert losses(place, trust(0.0), gone)["place"] == pytest.approx(losses(other, trust(0.0), gone)["place"])
    sure = trust(4.0)
    sure[:, 3] = -9.0
    assert losses(place, sure, gone)["trust"] < losses(place, trust(4.0), gone)["trust"]


def test_hidden_keypoints_count_less() -> None:
    """Beside a keypoint that is placed well, a badly placed one hurts most where it is seen."""
    costs = []
    for seen in (0, 1, 2):
        truth = lessons(3)
        truth.seen[:, 0] = seen
        place = perfect(truth.keypoints_px)
        place[:, 0] = perfect(truth.keypoints_px + 4.0)[:, 0]
        costs.append(losses(place, trust(0.0), truth)["place"])
    assert costs[0] < costs[1] < costs[2]


@pytest.mark.parametrize(
    ("seen", "shift", "best"), [(2, 0.0, 1.0), (1, 0.0, 0.6), (0, 0.0, 0.35), (2, 20.0, 0.0)]
)
def test_the_best_trust_is_what_the_answer_is_worth(seen: int, shift: float, best: float) -> None:
    truth = lessons(4, seen)
    place = perfect((truth.keypoints_px - shift).clamp_min(0.0)) if shift else perfect(truth.keypoints_px)
    tried = np.linspace(0.02, 0.98, 33)
    costs = [losses(place, trust(math.log(c / (1 - c))), truth)["trust"] for c in tried]
    assert tried[int(np.argmin(costs))] == pytest.approx(best, abs=0.045)


def test_nobody_in_the_crop_is_no_loss_of_place() -> None:
    truth = lessons(5)
    gone = Lessons(truth.keypoints_px - 500.0, truth.seen, truth.height_px)
    assert losses(perfect(truth.keypoints_px), trust(0.0), gone)["place"] == 0.0


def test_divergence_against_plain_loops() -> None:
    rng = np.random.default_rng(6)
    place, target = rng.normal(size=(2, 3, 4, 5)), rng.uniform(size=(2, 3, 4, 5))
    target[0, 0, 0, :3] = 0.0
    target /= target.sum(axis=(2, 3), keepdims=True)
    ours = divergence(torch.from_numpy(place), torch.from_numpy(target))
    for n in range(2):
        for k in range(3):
            p = np.exp(place[n, k]) / np.exp(place[n, k]).sum()
            slow = sum(t * math.log(t / q) for t, q in zip(target[n, k].flat, p.flat, strict=True) if t > 0)
            assert ours[n, k].item() == pytest.approx(slow, abs=1e-12)


def test_the_answer_is_the_mean_near_the_peak_whatever_is_far_away() -> None:
    where = torch.tensor([[[21.0, 29.0]]], dtype=torch.float64)
    place = perfect(where)
    alone = answer_cells(place)[0, 0] * STRIDE
    np.testing.assert_allclose(alone.numpy(), [21.0, 29.0], atol=1.0)
    other = torch.logaddexp(place, perfect(torch.tensor([[[4.0, 58.0]]], dtype=torch.float64)) - 2.0)
    np.testing.assert_allclose(answer_cells(other)[0, 0].numpy() * STRIDE, alone.numpy(), atol=0.1)
