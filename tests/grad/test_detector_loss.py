"""The detector's losses: against plain formulas, and their gradients against finite differences, float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from crowdstream.lab.perception.detector import losses
from crowdstream.lab.perception.detector.assign import Truth, assign
from crowdstream.lab.perception.detector.grid import boxes_of, cells
from crowdstream.lab.perception.detector.losses import (
    LossConfig,
    detector_losses,
    giou,
    quality_focal,
    relative_distance,
)

CPU = torch.device("cpu")


def boxes(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    low = 20 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    side = 4 + 20 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    return torch.cat([low, low + side], dim=1)


def giou_reference(a: list[float], b: list[float]) -> float:
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return shared / union - (hull - union) / hull


def test_giou_equals_its_formula() -> None:
    a, b = boxes(40, 0), boxes(40, 1)
    expected = [giou_reference(p, q) for p, q in zip(a.tolist(), b.tolist(), strict=True)]
    assert min(expected) < 0 < max(expected)
    torch.testing.assert_close(giou(a, b), torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(giou(a, a), torch.ones(40, dtype=torch.float64))


def test_giou_gradient() -> None:
    assert gradcheck(lambda a: giou(a, boxes(12, 3)), boxes(12, 2).requires_grad_())


def test_relative_distance_knows_no_scale_and_its_gradient() -> None:
    a, b = boxes(12, 4), boxes(12, 5)
    torch.testing.assert_close(relative_distance(7 * a, 7 * b), relative_distance(a, b))
    assert gradcheck(lambda x: relative_distance(x, b), a.requires_grad_())


def test_quality_focal_equals_its_formula() -> None:
    logits, targets, counted = [-2.0, 0.3, 1.5, 4.0], [0.0, 0.7, 1.0, 0.0], [True, True, True, False]
    total = 0.0
    for z, y, counts in zip(logits, targets, counted, strict=True):
        p = 1 / (1 + math.exp(-z))
        total += counts * (y - p) ** 2 * -(y * math.log(p) + (1 - y) * math.log(1 - p))
    given = quality_focal(
        *(torch.tensor([x], dtype=torch.float64) for x in (logits, targets)), torch.tensor([counted])
    )
    assert given.item() == pytest.approx(total)


def test_quality_focal_gradient_and_minimum() -> None:
    target = torch.rand(2, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    counts = torch.ones(2, 9, dtype=torch.bool)
    logit = torch.randn(
        2, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    ).requires_grad_()
    assert gradcheck(lambda z: quality_focal(z, target, counts), logit)
    assert quality_focal(target.logit(), target, counts).item() == pytest.approx(0.0, abs=1e-12)


def scene() -> tuple[Tensor, Truth]:
    where = cells((64, 64), CPU)
    raw = 0.1 * torch.randn(
        2, len(where.corner), 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    raw[..., :2] += 0.5
    raw[..., 2:4] += 1.0
    people = torch.tensor(
        [[[5.0, 8.0, 21.0, 50.0], [30.0, 10.0, 52.0, 60.0]], [[12.0, 4.0, 30.0, 44.0], [0.0] * 4]]
    )
    wanted = torch.tensor([[True, False], [True, False]])
    ignored = torch.tensor([[False, True], [False, False]])
    return raw, Truth(people, wanted, ignored)


def test_whole_loss_along_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Along random directions, with the assignment held as the losses hold it: without gradient."""
    raw, truth = scene()
    where, config = cells((64, 64), CPU), LossConfig()
    given = assign(raw[..., 4].sigmoid(), boxes_of(raw, where), where.centre_px, truth, config.assign)
    monkeypatch.setattr(losses, "assign", lambda *_: given)
    raw.requires_grad_()
    (gradient,) = torch.autograd.grad(detector_losses(raw, where, truth, config)["total"], raw)
    step = 1e-6
    for seed in range(3):
        way = torch.randn(raw.shape, dtype=raw.dtype, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            above, below = (
                detector_losses(raw + k * way, where, truth, config)["total"] for k in (step, -step)
            )
        assert ((above - below) / (2 * step)).item() == pytest.approx((gradient * way).sum().item(), rel=1e-4)


def test_ignored_people_teach_nothing() -> None:
    raw, truth = scene()
    where = cells((64, 64), CPU)
    raw.requires_grad_()
    (gradient,) = torch.autograd.grad(detector_losses(raw, where, truth, LossConfig())["total"], raw)
    x1, y1, x2, y2 = truth.boxes_px[0, 1].tolist()
    x, y = where.centre_px.T
    there = (x > x1) & (x < x2) & (y > y1) & (y < y2)
    assert there.any() and gradient[0, there].abs().max() == 0.0
    assert gradient[0, ~there, 4].abs().min() > 0.0


def test_descent_finds_the_people() -> None:
    """The losses alone, without a network between, lead every cell's numbers to boxes that fit."""
    raw, truth = scene()
    where = cells((64, 64), CPU)
    raw = raw.float().requires_grad_()
    optimiser = torch.optim.Adam([raw], lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        detector_losses(raw, where, truth, LossConfig())["total"].backward()
        optimiser.step()
    best = raw[1, :, 4].argmax()
    box = boxes_of(raw.detach(), where)[1, best]
    assert giou(box[None], truth.boxes_px[1, :1]).item() > 0.9
    assert raw[1, best, 4].sigmoid().item() > 0.8
