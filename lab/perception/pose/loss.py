"""What a crop costs: wrong places by cross-entropy, misplaced trust by logistic loss.

    place = sum_k w_k (-sum_u t_k(u) log p_k(u)) / sum_k w_k                   inside the crop, w by how it is seen
    trust = mean_k BCE(c_k, y_k),   y_k = worth_k exp(-|x_k - x^_k|^2 / (2 (tau s)^2))

x^ is the network's own answer (the mean of p round its peak, without gradient), s the height of the box. So c says what
a reader wants to know: how well the keypoint is seen, times how near to it the answer is. The entropy of t is taken
off, and a perfect network has place = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ....kernels.settings import StageConfig
from .targets import inside, place_targets, worth

_REACH = 2
"""Cells round the peak that the answer is the mean of."""


class PoseLossConfig(StageConfig):
    """Shapes of the targets and weights of the losses."""

    sigma_cells: float = Field(default=1.5, gt=0)
    """Width of a keypoint's distribution. Wider than a cell: DARK needs the slopes."""
    place_weights: tuple[float, float, float] = (0.3, 0.6, 1.0)
    """How much a place counts: hidden by others, by the person themselves, seen."""
    tolerance: float = Field(default=0.06, gt=0)
    """tau: distance as a share of the box's height that takes trust to 0.61 of its worth."""
    trust: float = Field(default=0.5, ge=0)
    """Weight of the trust loss; that of the place loss is 1."""


@dataclass(frozen=True)
class Lessons:
    """The truth about n crops."""

    keypoints_px: Float[Tensor, "n 17 2"]
    """Crop pixels, pixel centres."""
    seen: Int[Tensor, "n 17"]
    """2: seen; 1: hidden by the person themselves; 0: by others, or outside."""
    height_px: Float[Tensor, "n"]
    """Of the box, in crop pixels."""


def pose_losses(
    place: Float[Tensor, "n 17 h w"],
    trust_logit: Float[Tensor, "n 17"],
    truth: Lessons,
    stride: int,
    config: PoseLossConfig,
) -> dict[str, Tensor]:
    """place, trust and their weighted sum, total."""
    cells_wh = (place.shape[3], place.shape[2])
    within = inside(truth.keypoints_px, cells_wh, stride)
    weights = torch.tensor(config.place_weights, dtype=place.dtype, device=place.device)[truth.seen] * within
    target = place_targets(truth.keypoints_px, cells_wh, stride, config.sigma_cells)
    placed = divergence(place, target)
    place_loss = (weights * placed).sum() / weights.sum().clamp_min(1.0)
    with torch.no_grad():
        away = (answer_cells(place) * stride - truth.keypoints_px).norm(dim=-1)
        near = torch.exp(-0.5 * (away / (config.tolerance * truth.height_px[:, None])) ** 2)
        deserved = worth(truth.seen, within) * near
    trust_loss = F.binary_cross_entropy_with_logits(trust_logit, deserved)
    return {"total": place_loss + config.trust * trust_loss, "place": place_loss, "trust": trust_loss}


def divergence(place: Float[Tensor, "n 17 h w"], target: Float[Tensor, "n 17 h w"]) -> Float[Tensor, "n 17"]:
    """Kullback-Leibler divergence of softmax(place) from the target."""
    log_p = torch.log_softmax(place.flatten(2), dim=2)
    t = target.flatten(2)
    return (torch.xlogy(t, t) - t * log_p).sum(dim=2)


def answer_cells(place: Float[Tensor, "n 17 h w"]) -> Float[Tensor, "n 17 2"]:
    """(x, y) of the peak, in cells: the mean of softmax(place) over the 5x5 cells round the largest.

    Up to 0.2 cells nearer to the middle of its cell than the engine would read it: enough to judge trust by.
    """
    n, k, height, width = place.shape
    best = place.flatten(2).argmax(dim=2)
    x = torch.arange(width, device=place.device, dtype=place.dtype)
    y = torch.arange(height, device=place.device, dtype=place.dtype)
    near_x = (x - (best % width)[..., None]).abs() <= _REACH
    near_y = (y - (best // width)[..., None]).abs() <= _REACH
    share = torch.softmax(place.flatten(2), dim=2).reshape(n, k, height, width)
    share = share * near_y[..., :, None] * near_x[..., None, :]
    mass = share.sum(dim=(2, 3))
    across, down = (share.sum(dim=2) * x).sum(dim=2), (share.sum(dim=3) * y).sum(dim=2)
    return torch.stack([across, down], dim=-1) / mass[..., None]
