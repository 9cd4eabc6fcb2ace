"""What the prior fills in begins and ends where it was seen."""

from __future__ import annotations

import torch

from crowdstream.kernels.priors.attach import attach
from crowdstream.kernels.rotation import rotvec_to_rotmat

SEEN = torch.ones(1, 64, 22, dtype=torch.bool)


def _motions(seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    turn = 0.2 * torch.randn(1, 1, 22, 3, generator=generator)
    off = 0.05 * torch.randn(1, 1, 22, 3, generator=generator)
    path = torch.cumsum(0.02 * torch.randn(1, 64, 3, generator=generator), 1)
    return (
        rotvec_to_rotmat(turn.expand(1, 64, 22, 3)),
        rotvec_to_rotmat((turn + off).expand(1, 64, 22, 3)),
        path,
    )


def _gap(first: int, last: int) -> torch.Tensor:
    seen = SEEN.clone()
    seen[:, first:last] = False
    return seen


def test_a_constant_error_of_the_prior_is_taken_back_across_a_gap() -> None:
    true, told, path = _motions(0)
    rotmats, root = attach(told, path + 0.1, true, path, _gap(20, 40))
    torch.testing.assert_close(rotmats[:, 20:40], true[:, 20:40], atol=2e-5, rtol=0)
    torch.testing.assert_close(root[:, 20:40], path[:, 20:40])


def test_what_was_seen_stays_as_decoded() -> None:
    true, told, path = _motions(1)
    rotmats, root = attach(told, path + 0.1, true, path, _gap(20, 40))
    for frames in (slice(0, 20), slice(40, 64)):
        assert torch.equal(rotmats[:, frames], told[:, frames])
        assert torch.equal(root[:, frames], path[:, frames] + 0.1)


def test_hidden_input_is_not_looked_at() -> None:
    true, told, path = _motions(2)
    seen = _gap(20, 64)
    spoilt, elsewhere = true.clone(), path.clone()
    spoilt[:, 20:], elsewhere[:, 20:] = torch.eye(3), 99.0
    both = attach(told, path, true, path, seen), attach(told, path, spoilt, elsewhere, seen)
    for clean, other in zip(*both, strict=True):
        assert torch.equal(clean, other)


def test_a_joint_that_is_never_seen_stays_as_decoded() -> None:
    true, told, path = _motions(3)
    seen = SEEN.clone()
    seen[:, :, 4] = False
    rotmats, _ = attach(told, path, true, path, seen)
    torch.testing.assert_close(rotmats[:, :, 5], told[:, :, 5], atol=1e-5, rtol=0)


def test_rotations_stay_rotations() -> None:
    true, told, path = _motions(4)
    rotmats, _ = attach(told, path, true, path, _gap(5, 60))
    torch.testing.assert_close(rotmats @ rotmats.mT, torch.eye(3).expand_as(rotmats), atol=1e-5, rtol=0)
