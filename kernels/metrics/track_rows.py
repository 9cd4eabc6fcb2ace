"""Boxes with identities over time, and how alike those of two sides are, frame by frame.

Everything that scores identity (CLEAR, IDF1, HOTA) starts from the same thing: per frame, the similarity of each true
person and each found one, 0..1, where 0.5 is the least that counts as the same person.

- in the picture: intersection over union of the boxes (the custom of the MOT challenges);
- on the ground: max(0, 1 - d / (2 reach)) of the distance d between ground points, so that 0.5 is `reach` metres
  (the custom for points in TrackEval, there with reach 1 m). A person hidden behind others has no honest box, but does
  stand somewhere.

Cost O(sum over frames of true x found); kept sparse, as hardly any pair is alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from ..errors import ShapeError
from ..tracking.boxes import overlap_matrix
from .people import People
from .versions import twice

Array = np.ndarray

SAME_PERSON = 0.5
"""Similarity from which two rows can be the same person: IoU 0.5, or `reach` metres on the ground."""
EPS = float(np.finfo(np.float64).eps)
"""Slack of every threshold, as in TrackEval: a similarity of exactly 0.5 counts in spite of rounding."""


@dataclass(frozen=True)
class TrackRows:
    """R person-frames of one side, in any order; a person stands at most once in a frame."""

    frame: Int[Array, "R"]
    person_ids: Int[Array, "R"]
    box_px: Float[Array, "R 4"]
    """x1, y1, x2, y2."""
    ground_m: Float[Array, "G 2"] = field(default_factory=lambda: np.zeros((0, 2)))
    """Ground point, world metres; NaN where unknown. G = R, or 0 where it is not needed."""

    def __post_init__(self) -> None:
        r = len(self.frame)
        if not (self.person_ids.shape == (r,) and self.box_px.shape == (r, 4)):
            raise ShapeError(
                f"TrackRows: got person_ids {self.person_ids.shape}, box_px {self.box_px.shape}, "
                f"expected ({r},) and ({r}, 4)"
            )
        if self.ground_m.shape not in ((r, 2), (0, 2)):
            raise ShapeError(f"TrackRows.ground_m: got {self.ground_m.shape}, expected ({r}, 2), or (0, 2)")
        if twice(self.frame, self.person_ids):
            raise ShapeError("TrackRows: a person stands twice in a frame; give each (frame, person) one row")

    def __repr__(self) -> str:
        return f"TrackRows(R={len(self.frame)}, people={len(np.unique(self.person_ids))})"


@dataclass(frozen=True)
class FramePairs:
    """One frame: who is there on both sides, by number, and which pairs are alike at all."""

    true: Int[Array, "G"]
    """0..num_true-1, numbered over the whole clip."""
    found: Int[Array, "P"]
    row: Int[Array, "E"]
    """Position in `true` of each pair with a similarity above 0."""
    column: Int[Array, "E"]
    value: Float[Array, "E"]
    """Similarities in (0, 1]."""

    @property
    def similarity(self) -> Float[Array, "G P"]:
        dense = np.zeros((len(self.true), len(self.found)))
        dense[self.row, self.column] = self.value
        return dense


@dataclass(frozen=True)
class PairedTracks:
    """All frames in which anybody is, in order of time."""

    frames: Sequence[FramePairs]
    num_true: int
    """People of the truth (not person-frames)."""
    num_found: int


def rows_of(people: People) -> TrackRows:
    """The present person-frames of one side of a comparison."""
    person, frame = np.nonzero(people.present)
    return TrackRows(
        frame.astype(np.int64),
        people.person_ids[person].astype(np.int64),
        people.box_px[person, frame].astype(np.float64),
        people.ground_m[person, frame, :2].astype(np.float64),
    )


def pair_boxes(found: TrackRows, truth: TrackRows, dont_care: Bool[Array, "R"] | None = None) -> PairedTracks:
    """Both sides frame by frame, alike by intersection over union.

    Args:
        dont_care: rows of the truth that need not be found (e.g. hidden people): they are taken out, and with them
            the found rows that can be nobody else (see `_needless`).

    Raises:
        ShapeError: the mask has not one entry a row of the truth.
    """
    return _pair(found, truth, dont_care, None)


def pair_ground(
    found: TrackRows, truth: TrackRows, dont_care: Bool[Array, "R"] | None = None, reach_m: float = 1.0
) -> PairedTracks:
    """Both sides frame by frame, alike by nearness on the ground.

    Raises:
        ShapeError: a side has no ground points, or the mask does not fit the truth.
    """
    for name, rows in (("found", found), ("truth", truth)):
        if len(rows.ground_m) != len(rows.frame):
            raise ShapeError(
                f"{name}: has no ground points; give TrackRows.ground_m for its {len(rows.frame)} rows"
            )
    return _pair(found, truth, dont_care, reach_m)


def _pair(
    found: TrackRows, truth: TrackRows, dont_care: Bool[Array, "R"] | None, reach_m: float | None
) -> PairedTracks:
    care = np.ones(len(truth.frame), bool) if dont_care is None else ~dont_care
    if len(care) != len(truth.frame):
        raise ShapeError(
            f"dont_care: got {len(care)} entries, expected one a row of the truth, {len(truth.frame)}"
        )
    frames = np.union1d(truth.frame, found.frame)
    t_rows, f_rows = _by_frame(truth, frames), _by_frame(found, frames)
    kept: list[tuple[Array, Array, Array]] = []
    for t, f in zip(t_rows, f_rows, strict=True):
        alike = _overlaps(truth, found, t, f) if reach_m is None else _nearness(truth, found, t, f, reach_m)
        stays = ~_needless(alike, care[t])
        t, f, alike = t[care[t]], f[stays], alike[care[t]][:, stays]
        if len(t) or len(f):
            kept.append((t, f, alike))
    return _numbered(kept, truth.person_ids, found.person_ids)


def _needless(alike: Float[Array, "G P"], care: Bool[Array, "G"]) -> Bool[Array, "P"]:
    """Found rows of a frame that belong to somebody who need not be found.

    One assignment of all found to all true rows with at least `SAME_PERSON`. As in the MOT challenges, what falls to
    a don't-care row is removed. Unlike there, a row that counts comes first: in a crowd a hidden person's box often
    lies on that of whoever hides it, and must not take the only finding away from the visible one.
    """
    if care.all() or alike.size == 0:
        return np.zeros(alike.shape[1], bool)
    score = np.where(alike >= SAME_PERSON - EPS, alike + care[:, None], 0.0)
    rows, columns = linear_sum_assignment(-score)
    real = (score[rows, columns] > 0) & ~care[rows]
    out = np.zeros(alike.shape[1], bool)
    out[columns[real]] = True
    return out


def _numbered(
    kept: Sequence[tuple[Array, Array, Array]], true_ids: Int[Array, "R"], found_ids: Int[Array, "S"]
) -> PairedTracks:
    """The frames with people numbered from 0 on each side, in order of their identities."""
    none = np.zeros(0, np.int64)
    true_names, true = np.unique(true_ids[np.concatenate([none, *(k[0] for k in kept)])], return_inverse=True)
    found_names, known = np.unique(
        found_ids[np.concatenate([none, *(k[1] for k in kept)])], return_inverse=True
    )
    frames, g, p = [], 0, 0
    for t, f, alike in kept:
        row, column = np.nonzero(alike)
        frames.append(
            FramePairs(true[g : g + len(t)], known[p : p + len(f)], row, column, alike[row, column])
        )
        g, p = g + len(t), p + len(f)
    return PairedTracks(frames, len(true_names), len(found_names))


def _by_frame(rows: TrackRows, frames: Int[Array, "F"]) -> list[Int[Array, "_"]]:
    """Rows of each of the frames, ordered by person."""
    order = np.lexsort((rows.person_ids, rows.frame))
    bounds = np.searchsorted(rows.frame[order], frames)
    return np.split(order, bounds[1:]) if len(frames) else []


def _overlaps(
    truth: TrackRows, found: TrackRows, t: Int[Array, "G"], f: Int[Array, "P"]
) -> Float[Array, "G P"]:
    return overlap_matrix(truth.box_px[t].astype(np.float64), found.box_px[f].astype(np.float64))


def _nearness(
    truth: TrackRows, found: TrackRows, t: Int[Array, "G"], f: Int[Array, "P"], reach_m: float
) -> Float[Array, "G P"]:
    gap = truth.ground_m[t][:, None].astype(np.float64) - found.ground_m[f][None]
    near = 1.0 - np.hypot(gap[..., 0], gap[..., 1]) / (2.0 * reach_m)
    return np.asarray(np.where(near > 0, near, 0.0))  # a comparison with NaN (nowhere) is False
