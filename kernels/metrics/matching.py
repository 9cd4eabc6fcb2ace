"""Which predicted person is which true one: three ways, never mixed.

- `match_author`: each true person takes its best-OKS prediction of the frame (above 1e-6). Where several take the
  same one, the most similar keeps it and the others are unmatched ("collisions dropped"; the evaluator's own order
  of rows decides there, which a metric must not depend on). Nothing is forbidden by distance: a prediction barely
  in reach is taken, so false ones hurt the pose errors and not the count.
- `match_people`: optimal assignment per frame. A pair is admissible where the boxes overlap by half or the OKS of
  the whole skeletons is a half; the assignment maximises the sum of IoU + OKS over admissible pairs. Boxes and
  keypoints of the truth are those of the whole body, so wholly hidden people can be matched as any other.
  Matching is in the picture alone: a wrong depth is an error of the match, not the lack of one.
- `match_tracks`: of frame-wise pairs, those of one predicted identity per true identity, chosen one to one so that
  as many frames as possible are shared. What motion and trajectory errors are measured on: identity switches are
  the business of identity metrics.

People with joints or a ground point that are not finite count as absent on either side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from ..errors import ShapeError
from ..tracking.boxes import overlap_matrix
from .oks import OKS_FLOOR, oks_matrix
from .people import People

Array = np.ndarray

MIN_SIMILARITY = 0.5
"""Box IoU (the custom of CLEAR) or keypoint similarity from which two people can be the same."""


@dataclass(frozen=True)
class Matches:
    """Frame-wise pairs of two `People`."""

    predicted_of_true: Int[Array, "N F"]
    """Row of the predicted person for each true person and frame; -1 where unmatched or absent."""
    num_true: int
    """Person-frames of the truth: matched or not."""
    num_predicted: int
    """Person-frames of the prediction: matched or not."""

    @property
    def num_matched(self) -> int:
        return int((self.predicted_of_true >= 0).sum())


def usable(people: People) -> Bool[Array, "N F"]:
    """Person-frames that are present and whose joints and ground point are numbers.

    >>> from crowdstream.kernels.metrics.examples import standing_people
    >>> crowd = standing_people([[0.0, 8.0, 0.0], [1.0, 9.0, 0.0]], num_frames=2)
    >>> crowd.joints_m[0, 1, 5] = np.nan
    >>> usable(crowd).tolist()
    [[True, False], [True, True]]
    """
    finite = np.isfinite(people.joints_m).all(axis=(2, 3)) & np.isfinite(people.ground_m).all(axis=2)
    return np.asarray(people.present & finite)


def check_comparable(predicted: People, truth: People) -> None:
    """Both sides must have the same frames.

    Raises:
        ShapeError: numbers of frames or rates differ.

    >>> from crowdstream.kernels.metrics.examples import standing_people
    >>> crowd = standing_people([[0.0, 8.0, 0.0]], num_frames=2)
    >>> check_comparable(crowd, crowd)
    """
    frames, wanted = predicted.present.shape[1], truth.present.shape[1]
    if frames != wanted or abs(predicted.rate_hz - truth.rate_hz) > 1e-6 * truth.rate_hz:
        raise ShapeError(
            f"cannot compare {frames} predicted frames at {predicted.rate_hz:g} Hz with {wanted} true ones at "
            f"{truth.rate_hz:g} Hz; put both on one frame axis first"
        )


def match_author(predicted: People, truth: People) -> Matches:
    """The authors' matching: best OKS per true person, collisions dropped.

    >>> from crowdstream.kernels.metrics.examples import standing_people
    >>> truth = standing_people([[0.0, 8.0, 0.0], [1.0, 9.0, 0.0]])
    >>> match_author(standing_people([[1.0, 9.0, 0.0]]), truth).predicted_of_true.tolist()
    [[-1], [0]]
    """
    check_comparable(predicted, truth)
    here, there = usable(predicted), usable(truth)
    out = np.full(truth.present.shape, -1, dtype=np.int64)
    for f in range(here.shape[1]):
        p, t = np.flatnonzero(here[:, f]), np.flatnonzero(there[:, f])
        if len(p) == 0 or len(t) == 0:
            continue
        similar = oks_matrix(predicted.keypoints_px[p, f], truth.keypoints_px[t, f], truth.box_px[t, f])
        best, value = similar.argmax(axis=1), similar.max(axis=1)
        order = np.lexsort((-value, best))  # of those that take the same one, the most similar first
        first = order[np.diff(best[order], prepend=-1) != 0]
        first = first[value[first] > OKS_FLOOR]
        out[t[first], f] = p[best[first]]
    return Matches(out, int(there.sum()), int(here.sum()))


def match_people(predicted: People, truth: People) -> Matches:
    """Optimal assignment per frame by box overlap and keypoint similarity (profile `corrected`).

    >>> from crowdstream.kernels.metrics.examples import standing_people
    >>> truth = standing_people([[0.0, 8.0, 0.0], [2.0, 9.0, 0.0]])
    >>> match_people(standing_people([[2.02, 9.0, 0.0], [5.0, 9.0, 0.0]]), truth).predicted_of_true.tolist()
    [[-1], [0]]
    """
    check_comparable(predicted, truth)
    here, there = usable(predicted), usable(truth)
    out = np.full(truth.present.shape, -1, dtype=np.int64)
    for f in range(here.shape[1]):
        p, t = np.flatnonzero(here[:, f]), np.flatnonzero(there[:, f])
        if len(p) == 0 or len(t) == 0:
            continue
        boxes = np.asarray(truth.box_px[t, f], np.float64)
        drawn = predicted.keypoints_px[p, f], truth.keypoints_px[t, f]
        similar = oks_matrix(
            *drawn, boxes, floor=MIN_SIMILARITY
        )  # those out of its reach overlap little, too
        overlap = overlap_matrix(_finite(boxes), _finite(predicted.box_px[p, f]))
        value = np.where(np.maximum(overlap, similar) >= MIN_SIMILARITY, overlap + similar, 0.0)
        a, b = _assign(value)
        out[t[a], f] = p[b]
    return Matches(out, int(there.sum()), int(here.sum()))


def match_tracks(matches: Matches) -> Matches:
    """Keeps of each true person the frames matched to one predicted identity, the same for no one else.

    The pairs of identities share as many frames as possible in all.

    >>> found = Matches(np.array([[0, 0, 1, -1], [1, 1, 0, 1]]), 8, 7)
    >>> match_tracks(found).predicted_of_true.tolist()
    [[0, 0, -1, -1], [1, 1, -1, 1]]
    """
    found = matches.predicted_of_true
    out = np.full(found.shape, -1, dtype=np.int64)
    person, frame = np.nonzero(found >= 0)
    if len(person):
        row = found[person, frame]
        shared = np.zeros((found.shape[0], int(row.max()) + 1))
        np.add.at(shared, (person, row), 1.0)
        identity = np.full(found.shape[0], -1)
        a, b = _assign(shared)
        identity[a] = b
        keep = identity[person] == row
        out[person[keep], frame[keep]] = row[keep]
    return Matches(out, matches.num_true, matches.num_predicted)


def matched_rows(
    matches: Matches,
) -> tuple[Int[Array, "M"], Int[Array, "M"], Int[Array, "M"]]:
    """True person, frame and predicted person of each matched person-frame, by true person and then frame.

    >>> [x.tolist() for x in matched_rows(Matches(np.array([[3, -1, 2]]), 3, 2))]
    [[0, 0], [0, 2], [3, 2]]
    """
    person, frame = np.nonzero(matches.predicted_of_true >= 0)
    return person, frame, matches.predicted_of_true[person, frame]


def _assign(value: Float[Array, "N P"]) -> tuple[Int[Array, "K"], Int[Array, "K"]]:
    """Pairs of greatest total value; those of no value are no pairs."""
    a, b = linear_sum_assignment(-value)
    good = value[a, b] > 0
    return a[good], b[good]


def _finite(box_px: Float[Array, "P 4"]) -> Float[Array, "P 4"]:
    box = np.asarray(box_px, np.float64)
    return np.where(np.isfinite(box).all(axis=1, keepdims=True), box, 0.0)
