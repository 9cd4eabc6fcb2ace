"""Which cells answer for which person: task-aligned assignment (Feng et al. 2021, TOOD, eq. 2), a batch at once.

    t = s^a u^b         s: the cell's score, u: IoU of its box with the person's

A person gets the k cells of largest t among those whose centre lies in the box; a cell that several people want goes
to the one it overlaps most. What the score is to become is t, scaled so that the person's best cell gets sqrt(max u):

    y = t / max t * sqrt(max u)

TOOD has max u itself. The root keeps the scores of small people up, whose boxes are never exact on so few pixels,
while the order among one person's cells stays. O(B M A) for B pictures of M people and A cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from ....kernels.settings import StageConfig

FINEST_HALF_PX = 4.001
"""Half a cell of the finest stride: so narrow a box reaches one column of cells all the same."""
_TINY = 1e-12


class AssignConfig(StageConfig):
    """How cells are chosen."""

    cells: int = Field(default=10, ge=1)
    """Cells that answer for one person, at most (k)."""
    score_power: float = Field(default=0.5, ge=0.0)
    """a"""
    overlap_power: float = Field(default=6.0, gt=0.0)
    """b"""


@dataclass(frozen=True)
class Truth:
    """People of B pictures, padded to M rows."""

    boxes_px: Float[Tensor, "B M 4"]
    """x1, y1, x2, y2."""
    wanted: Bool[Tensor, "B M"]
    """To be found."""
    ignored: Bool[Tensor, "B M"]
    """Neither to be found nor to be passed over: hardly visible, or too small. Rows that are neither are padding."""


@dataclass(frozen=True)
class Assignment:
    """What each of A cells is to answer."""

    person: Int[Tensor, "B A"]
    """Row of the person, -1 for none."""
    target: Float[Tensor, "B A"]
    """What the score is to be; 0 where there is nobody."""
    counts: Bool[Tensor, "B A"]
    """False: the cell lies in an ignored box and answers for nobody."""


@torch.no_grad()
def assign(
    score: Float[Tensor, "B A"],
    boxes_px: Float[Tensor, "B A 4"],
    centre_px: Float[Tensor, "A 2"],
    truth: Truth,
    config: AssignConfig,
) -> Assignment:
    """Cells for people.

    Args:
        score: what the cells believe, 0 to 1.
        boxes_px: what they say.
        centre_px: where they are.
        truth: who is there.
        config: exponents and number of cells.
    """
    inside = _inside(centre_px, truth.boxes_px)
    open_ = inside & truth.wanted[..., None]
    overlap = pair_iou(truth.boxes_px, boxes_px) * open_
    aligned = score[:, None].pow(config.score_power) * overlap.pow(config.overlap_power)
    chosen = _best(aligned, config.cells) & (aligned > _TINY)
    # a cell answers for one person only: the one it overlaps most
    rival = torch.where(chosen, overlap, -1.0)
    best, person = _max_rows(rival)
    taken = best >= 0.0
    own = chosen & (_row_numbers(person, truth) == person[:, None]) & taken[:, None]
    target = _targets(aligned * own, overlap * own)
    counts = taken | ~(inside & truth.ignored[..., None]).any(dim=1)
    return Assignment(torch.where(taken, person, -1), target, counts)


def pair_iou(a_px: Float[Tensor, "B M 4"], b_px: Float[Tensor, "B A 4"]) -> Float[Tensor, "B M A"]:
    """Intersection over union of every pair of a picture; 0 where both are empty."""
    # one side at a time: B M A numbers are many, and four of each would be more
    left, top, right, bottom = (a_px[..., i, None] for i in range(4))
    width = torch.minimum(right, b_px[:, None, :, 2]) - torch.maximum(left, b_px[:, None, :, 0])
    height = torch.minimum(bottom, b_px[:, None, :, 3]) - torch.maximum(top, b_px[:, None, :, 1])
    shared = width.clamp_min_(0.0).mul_(height.clamp_min_(0.0))
    union = (area(a_px)[..., None] + area(b_px)[:, None]).sub_(shared)
    return shared.div_(union.clamp_min_(1e-9))


def area(boxes_px: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n"]:
    """Of x1, y1, x2, y2; 0 for empty ones."""
    sides = (boxes_px[..., 2:] - boxes_px[..., :2]).clamp_min(0.0)
    return sides[..., 0] * sides[..., 1]


def _inside(centre_px: Float[Tensor, "A 2"], boxes_px: Float[Tensor, "B M 4"]) -> Bool[Tensor, "B M A"]:
    middle = 0.5 * (boxes_px[..., :2] + boxes_px[..., 2:])
    half = (0.5 * (boxes_px[..., 2:] - boxes_px[..., :2])).clamp_min(FINEST_HALF_PX)
    across = (centre_px[:, 0] - middle[..., 0, None]).abs_() < half[..., 0, None]
    return across & ((centre_px[:, 1] - middle[..., 1, None]).abs_() < half[..., 1, None])


def _best(aligned: Float[Tensor, "B M A"], count: int) -> Bool[Tensor, "B M A"]:
    """Each person's `count` best cells."""
    rows = aligned.topk(min(count, aligned.shape[2]), dim=2, sorted=False).indices
    return torch.zeros_like(aligned, dtype=torch.bool).scatter_(2, rows, True)


def _max_rows(values: Float[Tensor, "B M A"]) -> tuple[Float[Tensor, "B A"], Int[Tensor, "B A"]]:
    """Largest over people and its row, which must exist even where there is nobody."""
    if values.shape[1] == 0:
        shape = (values.shape[0], values.shape[2])
        return values.new_full(shape, -1.0), torch.full(shape, -1, dtype=torch.long, device=values.device)
    best = values.max(dim=1)
    return best.values, best.indices


def _row_numbers(person: Int[Tensor, "B A"], truth: Truth) -> Int[Tensor, "1 M 1"]:
    return torch.arange(truth.boxes_px.shape[1], device=person.device)[None, :, None]


def _targets(aligned: Float[Tensor, "B M A"], overlap: Float[Tensor, "B M A"]) -> Float[Tensor, "B A"]:
    """y of every cell; rows of cells that are not a person's own hold 0."""
    if aligned.shape[1] == 0:
        return aligned.new_zeros((aligned.shape[0], aligned.shape[2]))
    share = aligned / aligned.amax(dim=2, keepdim=True).clamp_min(_TINY)
    return (share * overlap.amax(dim=2, keepdim=True).sqrt()).amax(dim=1)
