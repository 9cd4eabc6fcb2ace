"""A motion prior small enough for tests, and exact for people who stand still."""

from __future__ import annotations

import torch

from crowdstream.kernels.body.data import BodyData
from crowdstream.kernels.priors.motion_prior import (
    GLOBAL_OUT,
    LOCAL_LATENT,
    LOCAL_OUT,
    MotionPrior,
    MotionPriorConfig,
)

TINY = MotionPriorConfig(
    width=16,
    heads=2,
    feed_forward=1,
    encoder_layers=1,
    decoder_layers=1,
    global_width=16,
    patch=16,
    frequencies=4,
)
SCALE = 0.2
"""How much one unit of the latent adds to a DCT coefficient."""


def still_prior(body: BodyData) -> MotionPrior:
    """Latents are the lowest DCT coefficients of the decoder's output: two of the pose, four of the path.

    Stillness lies in their span, so a still body comes back as it was. Contacts are at 0.5 throughout.
    """
    torch.manual_seed(1)
    network = MotionPrior(TINY)
    with torch.no_grad():
        network.rest_joints_m.copy_(torch.tensor(body.joint_template_m[:22]))
        upright = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(22)
        network.out_mean.copy_(torch.cat([upright, torch.tensor([0.0, 0, 0.9])]))
        for inwards, outwards, used in (
            (network.local_in, network.local_out, min(LOCAL_LATENT, 2 * LOCAL_OUT)),
            (network.global_in, network.global_out, TINY.frequencies * GLOBAL_OUT),
        ):
            for layer, size in ((inwards, 1 / SCALE), (outwards, SCALE)):
                layer.weight.zero_()
                layer.weight[range(used), range(used)] = size
    return network.eval()
