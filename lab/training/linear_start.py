"""Where the motion prior's training starts: its linear skip as a principal component analysis.

    w = W (DCT_k(out) - mean) = U S V^T,    C = W^-1 V S / sqrt(n),    P = sqrt(n) S^-1 V^T W,    z = P (out - mean)

over windows of the training split, local part (256 directions) and global part (128) each for itself. W is the lever
of a number: how far, in metres, it moves the body's joints; so the components spend themselves on what is seen, not on
the twist of a wrist. z then has unit variance in every direction, as the VAE's prior wants it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...kernels.priors.motion_prior import (
    GLOBAL_LATENT,
    LOCAL_LATENT,
    LOCAL_OUT,
    MotionPrior,
    output_form,
)
from ...kernels.skeleton import PARENTS
from ..motion.reference import REST_JOINTS_M

LEVER_FLOOR_M = 0.05
PELVIS_LEVER_M = 0.6
PATH_LEVER_M = 0.5
"""A metre of path counts half: errors are judged about the pelvis, but a body should also be where it was."""


def joint_levers() -> Float[Tensor, "21"]:
    """How far the 22 joints move (root mean square, metres) per radian of each body joint, in the rest pose."""
    rest = torch.tensor(REST_JOINTS_M[:22], dtype=torch.float32)
    levers = []
    for joint in range(1, 22):
        below = [joint]
        for child in range(joint + 1, 22):
            if int(PARENTS[child]) in below:
                below.append(child)
        arms = (rest[below] - rest[joint]).square().sum(-1).sum() / 22
        levers.append(float(arms + LEVER_FLOOR_M**2) ** 0.5)
    return torch.tensor(levers)


def linear_start(network: MotionPrior, states: Float[Tensor, "B 64 330"]) -> None:
    """Set means, scales and linear skips of a fresh network from clean states of the training split."""
    with torch.no_grad():
        network.mean.copy_(states.flatten(0, 1).mean(0))
        network.scale.copy_(states.flatten(0, 1).std(0).clamp_min(0.02))
        network.rest_joints_m.copy_(torch.tensor(REST_JOINTS_M[:22], dtype=torch.float32))
        out = output_form(states)
        network.out_mean.copy_(out.flatten(0, 1).mean(0))
        waves = network.dct @ (out - network.out_mean)
        k = network.config.frequencies
        local_lever = joint_levers().repeat_interleave(6).repeat(k)
        path = torch.tensor([PELVIS_LEVER_M] * 6 + [PATH_LEVER_M] * 3).repeat(k)
        for part, lever, size, inwards, outwards in (
            (waves[..., :LOCAL_OUT], local_lever, LOCAL_LATENT, network.local_in, network.local_out),
            (waves[..., LOCAL_OUT:], path, GLOBAL_LATENT, network.global_in, network.global_out),
        ):
            weighted = part.flatten(1) * lever
            values, vectors = torch.linalg.eigh((weighted.T @ weighted).double() / len(weighted))
            spread = values.flip(0)[:size].clamp_min(1e-12).sqrt()
            axes = vectors.flip(1)[:, :size]
            # a direction the data hardly have would be blown up by its inverse: floor what it is divided by
            safe = spread.clamp_min(1e-3 * float(spread[0]))
            outwards.weight.copy_((axes * safe / lever[:, None].double()).float())
            inwards.weight.copy_((axes / safe * lever[:, None].double()).T.float())
