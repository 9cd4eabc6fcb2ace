"""Where the lifter's training starts: means, scales, the body's skeleton, and the skip as a ridge regression.

    S = (X^T X + lambda n I)^-1 X^T Y

over tokens of lessons: X a token's scaled features, Y its bodies (6D rotations, pelvis from the reference). Tokens
without a sighting are part of it: there the regression says the average stance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...kernels.lifter.lifter import OUT, Lifter
from ...kernels.lifter.rays import CONFIDENCE, FEATURES, POINTS, SEEN
from ...kernels.rotation import rotmat_to_6d
from .lesson import Lesson

RIDGE = 0.01
LEAST_SCALE = 0.02


def answers(lesson: Lesson) -> Tensor:
    """(B, T, 135): what the network should say of each slot."""
    return torch.cat([rotmat_to_6d(lesson.rotmats).flatten(-2), lesson.joints_m[:, :, 0]], -1)


@torch.no_grad()
def linear_start(network: Lifter, lesson: Lesson) -> None:
    """Set scales and skip of a fresh network from one large lesson of the training split."""
    features = lesson.features.flatten(0, 1)
    known = torch.ones_like(features)
    known[:, POINTS] = (features[:, CONFIDENCE] > 0).float().repeat_interleave(2, -1)
    known[:, CONFIDENCE] = (features[:, CONFIDENCE] > 0).float()
    known[:, CONFIDENCE.stop : SEEN] = features[:, SEEN : SEEN + 1]
    count = known.sum(0).clamp_min(1)
    mean = (features * known).sum(0) / count
    spread = (((features - mean) * known) ** 2).sum(0) / count
    network.mean.copy_(mean)
    network.scale.copy_(spread.sqrt().clamp_min(LEAST_SCALE))
    patch = network.config.patch
    x = network.scaled(lesson.features).reshape(-1, patch * FEATURES)
    y = answers(lesson).reshape(-1, patch * OUT)
    middle = y.mean(0)
    off = x.mean(0)
    x, y = (x - off).double(), (y - middle).double()
    gram = x.T @ x + RIDGE * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(gram, x.T @ y).T.float()
    network.skip.weight.copy_(weight)
    network.skip.bias.copy_(middle - weight @ off)
