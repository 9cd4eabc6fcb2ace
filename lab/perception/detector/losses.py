"""What the cells are taught by.

    score   |y - p|^2 BCE(p, y)                     quality focal loss (Li et al. 2020, GFL, eq. 4)
    box     1 - GIoU                                (Rezatofighi et al. 2019), weighted by y
            |dc| / size + |log size ratio|          weighted by y: pulls where boxes overlap little, alike at all sizes

All are sums over a batch divided by the sum of y. Differentiable but where two edges of boxes meet.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ....kernels.settings import StageConfig
from .assign import AssignConfig, Truth, area, assign
from .grid import Cells, boxes_of

_SMALLEST_PX = 1e-3


class LossConfig(StageConfig):
    """Weights of the losses."""

    score: float = Field(default=1.0, ge=0.0)
    overlap: float = Field(default=2.0, ge=0.0)
    """Of 1 - GIoU."""
    shape: float = Field(default=0.5, ge=0.0)
    """Of the relative distance of centres and sizes."""
    assign: AssignConfig = AssignConfig()


def detector_losses(
    raw: Float[Tensor, "B A 5"], where: Cells, truth: Truth, config: LossConfig
) -> dict[str, Tensor]:
    """The "total" and its parts "score", "overlap", "shape"; "cells" is how many answer for somebody."""
    boxes = boxes_of(raw, where)
    logit = raw[..., 4]
    given = assign(logit.detach().sigmoid(), boxes.detach(), where.centre_px, truth, config.assign)
    scale = 1.0 / given.target.sum().clamp_min(1.0)
    picture, cell = (given.person >= 0).nonzero(as_tuple=True)
    person = given.person[picture, cell]
    weight = given.target[picture, cell]
    found, true = boxes[picture, cell], truth.boxes_px[picture, person]
    parts = {
        "score": quality_focal(logit, given.target, given.counts) * scale,
        "overlap": (weight * (1.0 - giou(found, true))).sum() * scale,
        "shape": (weight * relative_distance(found, true)).sum() * scale,
    }
    total = config.score * parts["score"] + config.overlap * parts["overlap"] + config.shape * parts["shape"]
    return {"total": total, **parts, "cells": torch.as_tensor(float(len(cell)), device=raw.device)}


def quality_focal(
    logit: Float[Tensor, "B A"], target: Float[Tensor, "B A"], counts: Bool[Tensor, "B A"]
) -> Float[Tensor, ""]:
    """Sum over the cells that count."""
    distance = (target - logit.sigmoid()).square()
    cost = functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
    return (distance * cost * counts).sum()


def giou(a_px: Float[Tensor, "P 4"], b_px: Float[Tensor, "P 4"]) -> Float[Tensor, "P"]:
    """Generalised IoU of pairs: IoU minus the share of the hull that neither covers; -1 to 1."""
    low, high = torch.maximum(a_px[:, :2], b_px[:, :2]), torch.minimum(a_px[:, 2:], b_px[:, 2:])
    shared = (high - low).clamp_min(0.0).prod(dim=1)
    union = (area(a_px) + area(b_px) - shared).clamp_min(_SMALLEST_PX**2)
    outer = torch.maximum(a_px[:, 2:], b_px[:, 2:]) - torch.minimum(a_px[:, :2], b_px[:, :2])
    hull = outer.prod(dim=1).clamp_min(_SMALLEST_PX**2)
    return shared / union - (hull - union) / hull


def relative_distance(a_px: Float[Tensor, "P 4"], b_px: Float[Tensor, "P 4"]) -> Float[Tensor, "P"]:
    """Distance of centres over the size of `b`, plus the difference of logarithms of sizes; both axes summed."""
    size_a = (a_px[:, 2:] - a_px[:, :2]).clamp_min(_SMALLEST_PX)
    size_b = (b_px[:, 2:] - b_px[:, :2]).clamp_min(_SMALLEST_PX)
    centres = 0.5 * (a_px[:, :2] + a_px[:, 2:] - b_px[:, :2] - b_px[:, 2:])
    return (centres.abs() / size_b + (size_a / size_b).log().abs()).sum(dim=1)
