"""Projection of a motion: what the prior says comes back into the world, at the person's own size and ground."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crowdstream.kernels.priors.motion_prior import LATENT_DIM, DecodedMotion, MotionPrior, MotionPriorConfig
from crowdstream.kernels.priors.motion_state import BODY_JOINTS, ROOT, ROOT_ROTATION, ROTATIONS
from crowdstream.kernels.priors.projection import project
from crowdstream.kernels.rotation import rotvec_to_rotmat
from crowdstream.lab.motion.reference import REST_JOINTS_M
from crowdstream.lab.motion.windows import WindowBank

sys.path.insert(0, str(Path(__file__).parents[1]))
from motion_clips import tracks

sys.path.pop(0)


class Echo(MotionPrior):
    """Knows every motion: what is put in comes out."""

    def __init__(self) -> None:
        super().__init__(
            MotionPriorConfig(
                width=16,
                heads=1,
                encoder_layers=1,
                decoder_layers=1,
                global_width=16,
                patch=16,
                frequencies=4,
            )
        )
        self.rest_joints_m.copy_(torch.tensor(REST_JOINTS_M[:22]))
        self.heard = torch.zeros(0)

    def encode(
        self, state: Float[Tensor, "B T 330"], seen: Bool[Tensor, "B T 22"]
    ) -> tuple[Float[Tensor, "B 384"], Float[Tensor, "B 384"]]:
        self.heard = state
        return torch.zeros(len(state), LATENT_DIM), torch.zeros(len(state), LATENT_DIM)

    def decode(self, z: Float[Tensor, "B 384"]) -> DecodedMotion:
        body = self.heard[..., ROTATIONS].unflatten(-1, (BODY_JOINTS, 3, 3))
        root = self.heard[..., None, ROOT_ROTATION].unflatten(-1, (3, 3))
        return DecodedMotion(
            torch.cat([root, body], 2), self.heard[..., ROOT], torch.zeros(*body.shape[:2], 8)
        )


@pytest.mark.parametrize("first", (0, 11))
def test_what_goes_in_comes_out(first: int) -> None:
    w = WindowBank(tracks()).in_order(64).part(slice(0, 14, 5))
    count = len(w)
    turn = rotvec_to_rotmat(torch.tensor([0.0, 0.0, 2.1]))
    size, ground = torch.tensor([0.7, 1.0, 1.2]), torch.tensor([-1.0, 0.0, 2.5])
    rotmats = w.rotmats.clone()
    rotmats[:, :, 0] = turn @ rotmats[:, :, 0]
    root = (turn @ w.root_m[..., None]).squeeze(-1) * size[:, None, None] + torch.tensor([9.0, -4.0, 0.0])
    root[..., 2] += ground[:, None]
    seen = torch.ones(count, 64, 22, dtype=torch.bool)
    seen[:, :first] = False
    prior = Echo()
    told = project(prior, rotmats, root, seen, ground, size)
    assert float((told.rotmats - rotmats).abs().max()) < 1e-5
    assert float((told.root_m - root).abs().max()) < 1e-4
    assert float((told.contact - 0.5).abs().max()) == 0.0
    # and what the prior saw was of the reference size, over the origin where the person was first seen
    path = prior.heard[..., ROOT]
    assert float(path[:, first, :2].abs().max()) < 1e-5
    assert float((path[..., 2] - w.root_m[..., 2]).abs().max()) < 1e-5
