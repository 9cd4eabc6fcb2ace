"""Which rows of real sightings are which true people, which are second boxes, and which are nobody."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from ...kernels.perception.nms import iou
from .sightings import Sightings
from .truth import View

Array = np.ndarray

SAME_IOU = 0.4
"""A box belongs to a person whose true box it overlaps by this much."""
ON_PERSON_IOU = 0.1
ON_PERSON_SHARE = 0.5
"""A further box is a second one, not a false one, if it overlaps a person by that IoU or lies on them by that share."""
SURE_BONUS = 0.5
"""Weight of the score beside the overlap: of two boxes on a person the surer one is theirs."""


@dataclass(frozen=True)
class MatchedSightings:
    """Real sightings against the truth of the same frames."""

    row_of_person: Int[Array, "N F"]
    """Row of each true person; -1 where missed or absent."""
    second_of: Int[Array, "R"]
    """Row in the view of the person a second box lies on; -1 for the others."""
    false: Bool[Array, "R"]
    """Boxes of nobody."""
    overlap: Float[Array, "R"]
    """IoU with that person's true box (first and second boxes)."""


def match_sightings(seen: Sightings, view: View) -> MatchedSightings:
    """Best assignment in each frame by overlap and score.

    Args:
        seen: real or simulated, of the same frames as `view`.
        view: the truth.
    """
    n, f = view.present.shape
    row_of = np.full((n, f), -1)
    second = np.full(len(seen.frame), -1)
    false = np.zeros(len(seen.frame), bool)
    overlap = np.zeros(len(seen.frame))
    edges = np.searchsorted(seen.frame, np.arange(f + 1))
    for k in range(f):
        people = np.flatnonzero(view.present[:, k])
        rows = np.arange(edges[k], edges[k + 1])
        false[rows] = True
        if not (len(people) and len(rows)):
            continue
        found, truth = seen.boxes_px[rows].astype(np.float64), view.box_px[people, k].astype(np.float64)
        over = iou(found, truth)
        gain = np.where(over >= SAME_IOU, over + SURE_BONUS * seen.scores[rows][:, None], 0.0)
        a, b = linear_sum_assignment(-gain)
        real = over[a, b] >= SAME_IOU
        a, b = a[real], b[real]
        row_of[people[b], k] = rows[a]
        overlap[rows[a]] = over[a, b]
        on = _on(over, found, truth)
        false[rows] = ~on.any(axis=1)
        false[rows[a]] = False
        spare = np.setdiff1d(np.flatnonzero(on.any(axis=1)), a)
        whose = over[spare].argmax(axis=1)
        second[rows[spare]] = people[whose]
        overlap[rows[spare]] = over[spare, whose]
    return MatchedSightings(row_of, second, false, overlap)


def on_people(frame: Int[Array, "R"], boxes: Float[Array, "R 4"], view: View) -> Bool[Array, "R"]:
    """Boxes, ordered by frame, that lie on somebody as a second box does, so that they are not of nobody."""
    out = np.zeros(len(frame), bool)
    edges = np.searchsorted(frame, np.arange(view.num_frames + 1))
    for k in np.unique(frame).tolist():
        rows = slice(edges[k], edges[k + 1])
        truth = view.box_px[view.present[:, k], k].astype(np.float64)
        if len(truth):
            found = boxes[rows].astype(np.float64)
            out[rows] = _on(iou(found, truth), found, truth).any(axis=1)
    return out


def with_people(seen: Sightings, view: View) -> Sightings:
    """Real sightings with the ids of true people in them (second boxes carry them too, false ones 0)."""
    matched = match_sightings(seen, view)
    person = np.zeros(len(seen.frame), np.int64)
    n, f = np.nonzero(matched.row_of_person >= 0)
    person[matched.row_of_person[n, f]] = view.person_ids[n]
    twice = matched.second_of >= 0
    person[twice] = view.person_ids[matched.second_of[twice]]
    return replace(seen, person=person)


def _on(
    over: Float[Array, "R P"], found: Float[Array, "R 4"], truth: Float[Array, "P 4"]
) -> Bool[Array, "R P"]:
    """Which found boxes lie on which true ones, given their overlaps."""
    return np.asarray((over > ON_PERSON_IOU) | (_share_on(found, truth) > ON_PERSON_SHARE))


def _share_on(found: Float[Array, "R 4"], truth: Float[Array, "P 4"]) -> Float[Array, "R P"]:
    """Share of each found box that lies on each true one."""
    low = np.maximum(found[:, None, :2], truth[None, :, :2])
    high = np.minimum(found[:, None, 2:], truth[None, :, 2:])
    inner = np.prod(np.maximum(high - low, 0.0), axis=-1)
    return np.asarray(inner / np.maximum(np.prod(found[:, 2:] - found[:, :2], axis=1), 1e-9)[:, None])
