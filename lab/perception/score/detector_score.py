"""A detector against true boxes, and against the boxes of another detector where nobody knows the truth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ....kernels.perception.nms import areas, intersections
from .curve import precision_recall
from .matching import NEVER, ClipBoxes, ClipMatch, match_clip

Array = np.ndarray

SWEEP = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8)
HEIGHTS_PX = (0.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, np.inf)
"""Edges of the classes of box height."""
HIDDEN = (0.0, 0.1, 0.4, 0.7, np.inf)
"""Edges of the classes of `hidden_share`."""
SURE = 0.45
"""Score from which a box of the yardstick is taken for a person: RTMDet-nano's operating point."""


def score_against_truth(found: ClipBoxes, truth: ClipBoxes, threshold: float) -> dict[str, Any]:
    """Precision, recall and AP at IoU 0.5; recall by height and by how much of a person is hidden.

    Args:
        found: every box down to the least score.
        truth: hidden people included.
        threshold: the operating point.
    """
    match = match_clip(found, truth)
    curve = precision_recall(match)
    said = match.scores >= threshold
    seen = match.score_of_truth >= threshold
    false = said & ~match.hit
    boxes = truth.all_px()
    return {
        "at": curve.at(threshold).as_dict(),
        "best": curve.best().as_dict(),
        "ap": curve.average_precision,
        "people": truth.count,
        "false_of_nobody": int((said & match.of_nobody).sum()),
        "false_on_somebody": int((false & ~match.of_nobody).sum()),
        "recall_by_height": by_class(seen, boxes[:, 3] - boxes[:, 1], HEIGHTS_PX),
        "recall_by_hidden": by_class(seen, hidden_share(truth), HIDDEN),
        "sweep": [point.as_dict() for point in curve.sweep(SWEEP)],
    }


def score_against_yardstick(
    found: ClipBoxes, yardstick: ClipBoxes, threshold: float, sure: float = SURE
) -> dict[str, Any]:
    """How much of what another detector finds is found, and what is said that it never says.

    Args:
        found: every box down to the least score.
        yardstick: of the other detector, down to its least score.
        threshold: operating point of `found`.
        sure: score from which the other's boxes are people.
    """
    people = yardstick.at_least(sure)
    sought = match_clip(found, people)
    any_of_it = match_clip(found, yardstick)
    boxes = people.all_px()
    return {
        "at": _agreement(sought, any_of_it, threshold),
        "people": people.count,
        "found_by_height": by_class(
            sought.score_of_truth >= threshold, boxes[:, 3] - boxes[:, 1], HEIGHTS_PX
        ),
        "sweep": [_agreement(sought, any_of_it, t) for t in SWEEP],
    }


def _agreement(sought: ClipMatch, any_of_it: ClipMatch, threshold: float) -> dict[str, float]:
    """Shares at one threshold.

    found: of the other's sure boxes, those found. false: of the own boxes, those that match none of the other's, down
    to its lowest scores, one to one. of_nobody: those of them that do not even lie on one of its boxes.
    """
    said = any_of_it.scores >= threshold
    false = said & ~any_of_it.hit
    count = int(said.sum())
    return {
        "threshold": threshold,
        "found": _share(int((sought.score_of_truth >= threshold).sum()), len(sought.score_of_truth)),
        "false": _share(int(false.sum()), count),
        "of_nobody": _share(int((said & any_of_it.of_nobody).sum()), count),
        "boxes": count,
    }


def count_shared(found: ClipBoxes, truth: ClipBoxes, other: ClipBoxes, threshold: float) -> int:
    """False boxes that another detector says as well: people whom the annotation leaves out, or what fools both."""
    false = judge(found, truth, truth, threshold)
    shared = match_clip(false.said, other)
    return int((shared.hit & np.concatenate([np.zeros(0, bool), *false.false])).sum())


@dataclass(frozen=True)
class Verdicts:
    """What is right and wrong of a detector at one threshold, box by box."""

    said: ClipBoxes
    """Found boxes of the threshold or more."""
    false: tuple[Bool[Array, "N"], ...]
    """By frame, of `said`: those that match nothing they may match."""
    nearest_iou: tuple[Float[Array, "N"], ...]
    """By frame, of `said`: largest overlap with what they may match."""
    people: ClipBoxes
    """Who should have been found."""
    missed: tuple[Bool[Array, "M"], ...]
    """By frame, of `people`."""


def judge(found: ClipBoxes, people: ClipBoxes, allowed: ClipBoxes, threshold: float) -> Verdicts:
    """Every box by itself.

    Args:
        found: every box.
        people: who must be found.
        allowed: what may be found without being false; the same as `people` where they are the whole truth.
        threshold: of `found`.
    """
    said = found.at_least(threshold)
    may, must = match_clip(said, allowed), match_clip(said, people)
    ends = np.cumsum([len(scores) for scores in said.scores])[:-1]
    ends_people = np.cumsum([len(scores) for scores in people.scores])[:-1]
    return Verdicts(
        said,
        tuple(np.split(~may.hit, ends)),
        tuple(np.split(may.nearest_iou, ends)),
        people,
        tuple(np.split(must.score_of_truth == NEVER, ends_people)),
    )


def list_false(verdicts: Verdicts, most: int = 20) -> list[dict[str, Any]]:
    """The false boxes of the highest scores."""
    rows: list[dict[str, Any]] = [
        {
            "frame": frame,
            "box_px": [round(float(v), 1) for v in boxes[k]],
            "score": float(scores[k]),
            "nearest_iou": float(near[k]),
        }
        for frame, boxes, scores, false, near in zip(
            verdicts.said.frames, verdicts.said.boxes_px, verdicts.said.scores, verdicts.false,
            verdicts.nearest_iou, strict=True,
        )
        for k in np.flatnonzero(false)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -row["score"])[:most]


def hidden_share(truth: ClipBoxes) -> Float[Array, "T"]:
    """Largest share of each box that one other box of its frame covers whose foot is lower in the picture.

    Lower feet are nearer to a camera above the ground; things that hide people are not annotated.
    """
    out = []
    for boxes in truth.boxes_px:
        share = intersections(boxes, boxes) / np.maximum(areas(boxes), 1e-9)[:, None]
        nearer = boxes[None, :, 3] > boxes[:, None, 3]
        out.append(np.where(nearer, share, 0.0).max(axis=1, initial=0.0))
    return np.concatenate([np.zeros(0), *out])


def by_class(
    good: Bool[Array, "T"], value: Float[Array, "T"], edges: tuple[float, ...]
) -> list[dict[str, float]]:
    """Share of the good ones by class of a value; classes of nobody are left out."""
    out = []
    for low, high in pairwise(edges):
        inside = (value >= low) & (value < high)
        if inside.any():
            row = {"from": low, "share": float(good[inside].mean()), "count": int(inside.sum())}
            out.append(row | ({"to": high} if np.isfinite(high) else {}))
    return out


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
