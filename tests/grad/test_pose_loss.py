"""Gradients of the pose network's losses and of the trust they are given."""

from __future__ import annotations

import numpy as np
import torch

from crowdstream.lab.perception.pose.loss import Lessons, PoseLossConfig, pose_losses
from crowdstream.lab.perception.pose.network import STRIDE, PoseNet, PoseNetConfig

TINY = PoseNetConfig(crop_wh=(32, 32), stem=4, widths=(4, 4, 4, 4), down=(0, 0, 0, 0), up=(0, 0, 0))


def test_losses_are_differentiable_in_place_and_trust() -> None:
    rng = np.random.default_rng(0)
    where = torch.from_numpy(rng.uniform(-6, 30, (2, 17, 2)))
    truth = Lessons(where, torch.from_numpy(rng.integers(0, 3, (2, 17))), torch.full((2,), 20.0).double())
    # peaks that a small step does not move: which cell is largest is not differentiable
    place = torch.from_numpy(rng.permuted(np.tile(np.arange(48.0) / 12, (2, 17, 1)), axis=2)).reshape(
        2, 17, 8, 6
    )
    trust = torch.from_numpy(rng.normal(size=(2, 17)))

    def total(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        frozen = place.detach()  # what trust should have been is no function of place
        config = PoseLossConfig(trust=0.0)
        placed = pose_losses(a, b, truth, STRIDE, config)["total"]
        return placed + pose_losses(frozen, b, truth, STRIDE, PoseLossConfig())["trust"]

    assert torch.autograd.gradcheck(total, (place.requires_grad_(), trust.requires_grad_()), fast_mode=True)


def test_what_trust_should_have_been_gives_place_no_gradient() -> None:
    rng = np.random.default_rng(1)
    where = torch.from_numpy(rng.uniform(2, 28, (2, 17, 2)))
    truth = Lessons(where, torch.full((2, 17), 2), torch.full((2,), 20.0).double())
    place = torch.from_numpy(rng.normal(size=(2, 17, 8, 8))).requires_grad_()
    trust = torch.zeros(2, 17, dtype=torch.float64, requires_grad=True)
    pose_losses(place, trust, truth, STRIDE, PoseLossConfig())["trust"].backward()
    assert place.grad is None and trust.grad is not None and trust.grad.abs().max() > 0


def test_trust_is_differentiable_in_both_maps() -> None:
    network = PoseNet(TINY).double()
    rng = np.random.default_rng(2)
    maps = [torch.from_numpy(rng.permuted(np.arange(340.0) / 60).reshape(1, 17, 5, 4)) for _ in range(2)]
    assert torch.autograd.gradcheck(
        network.trust_logit, tuple(m.requires_grad_() for m in maps), fast_mode=True
    )
