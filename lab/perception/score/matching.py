"""Which found box is which true one, as detection is scored everywhere (Everingham et al. 2010, section 4.2).

    by falling score, each found box takes the free true box it overlaps most, if IoU >= 0.5

One to one within a frame. A box is matched by boxes of higher score alone, so the pairs at a threshold are the pairs
whose score reaches it: one matching serves every threshold. O(N M) a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ....kernels.perception.nms import iou
from .errors import ScoreError

Array = np.ndarray

SAME_IOU = 0.5
"""Overlap from which a found box is the true one."""
ON_SOMEBODY_IOU = 0.2
"""A false box that overlaps somebody by this much is a second or a misplaced box of them; others are of nobody."""
NEVER = -np.inf
"""Score of a true box that nothing found."""


@dataclass(frozen=True)
class ClipBoxes:
    """Boxes in some frames of a clip, found or true."""

    size_px: tuple[int, int]
    """(width, height) of the pictures."""
    frames: tuple[int, ...]
    """F indices from 0, rising."""
    boxes_px: tuple[Float[Array, "N 4"], ...]
    """By frame: x1 y1 x2 y2 on pixel edges."""
    scores: tuple[Float[Array, "N"], ...]
    """By frame; ones for the truth."""

    def __post_init__(self) -> None:
        sizes = len(self.frames), len(self.boxes_px), len(self.scores)
        if len(set(sizes)) > 1 or any(
            len(b) != len(s) for b, s in zip(self.boxes_px, self.scores, strict=True)
        ):
            raise ScoreError(
                f"boxes of a clip: {sizes[0]} frames, {sizes[1]} sets of boxes, {sizes[2]} of scores; expected "
                "one set a frame and one score a box"
            )

    @property
    def count(self) -> int:
        """Boxes in all frames."""
        return sum(len(scores) for scores in self.scores)

    def at_least(self, score: float) -> ClipBoxes:
        """Only the boxes of this score or more."""
        keep = [scores >= score for scores in self.scores]
        return ClipBoxes(
            self.size_px,
            self.frames,
            tuple(boxes[k] for boxes, k in zip(self.boxes_px, keep, strict=True)),
            tuple(scores[k] for scores, k in zip(self.scores, keep, strict=True)),
        )

    def all_px(self) -> Float[Array, "R 4"]:
        """Boxes of all frames in one array, frame by frame."""
        return np.concatenate([np.zeros((0, 4)), *self.boxes_px])

    def frame_of_row(self) -> Int[Array, "R"]:
        """Place of each row of `all_px` in `frames`."""
        return np.repeat(np.arange(len(self.frames)), [len(scores) for scores in self.scores])


@dataclass(frozen=True)
class ClipMatch:
    """Found boxes (R rows, frame by frame) against true ones (T rows, frame by frame)."""

    scores: Float[Array, "R"]
    """Of the found boxes."""
    truth_of_found: Int[Array, "R"]
    """Row of the true box; -1 where it is nobody's."""
    nearest_iou: Float[Array, "R"]
    """Largest overlap with any true box of the frame, taken or not."""
    score_of_truth: Float[Array, "T"]
    """Score of the box that found each true one; -inf where none did."""

    @property
    def hit(self) -> Bool[Array, "R"]:
        return np.asarray(self.truth_of_found >= 0)

    @property
    def of_nobody(self) -> Bool[Array, "R"]:
        """False boxes that lie on nobody; the other false ones are second or misplaced boxes."""
        return np.asarray(~self.hit & (self.nearest_iou < ON_SOMEBODY_IOU))


def match_frame(
    found_px: Float[Array, "N 4"],
    scores: Float[Array, "N"],
    truth_px: Float[Array, "M 4"],
    same_iou: float = SAME_IOU,
) -> tuple[Int[Array, "N"], Float[Array, "N"]]:
    """Row of the true box of each found one (-1: none), and its largest overlap with any."""
    taken = np.full(len(found_px), -1, np.int64)
    if not (len(found_px) and len(truth_px)):
        return taken, np.zeros(len(found_px))
    over = iou(np.asarray(found_px, np.float64), np.asarray(truth_px, np.float64))
    free = np.ones(len(truth_px), bool)
    for row in np.argsort(-scores, kind="stable"):
        open_iou = np.where(free, over[row], -1.0)
        best = int(open_iou.argmax())
        if open_iou[best] >= same_iou:
            taken[row], free[best] = best, False
    return taken, over.max(axis=1)


def match_clip(found: ClipBoxes, truth: ClipBoxes, same_iou: float = SAME_IOU) -> ClipMatch:
    """Every frame matched by itself.

    Raises:
        ScoreError: the two are not of the same frames.
    """
    if found.frames != truth.frames:
        raise ScoreError(
            f"cannot compare boxes of {len(found.frames)} frames with boxes of {len(truth.frames)} others; "
            "score both on the same frames"
        )
    rows, nearest = [np.zeros(0, np.int64)], [np.zeros(0)]
    score_of_truth = np.full(truth.count, NEVER)
    start = 0
    for boxes, scores, true in zip(found.boxes_px, found.scores, truth.boxes_px, strict=True):
        taken, over = match_frame(boxes, scores, true, same_iou)
        hit = taken >= 0
        score_of_truth[start + taken[hit]] = scores[hit]
        rows.append(np.where(hit, taken + start, -1))
        nearest.append(over)
        start += len(true)
    return ClipMatch(
        np.concatenate([np.zeros(0), *found.scores]).astype(np.float64),
        np.concatenate(rows),
        np.concatenate(nearest),
        score_of_truth,
    )
