"""Long occlusions: who came back as the same person, and what was said of them while nobody saw them.

A true person is *to be seen* in a frame where something of them is (`MIN_SEEN` of the body or more) and, if the
observations are at hand, where one of them is theirs. From that follow the gaps (`kernels.metrics.rejoined`), whatever
the engine did. Whom the engine followed is read off its seen rows: in each frame an assignment by box overlap to what
there was to be seen.

Bodies inside a gap are held against the simplest thing one can do about a gap: the root goes straight from the engine's
own last body before it to its first after it, every joint turns evenly from the one pose to the other. Both are scored
on the same person-frames: those of rejoined gaps that have a body.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from ...kernels.body.data import BodyData
from ...kernels.metrics.alignment import Similarity
from ...kernels.metrics.people import People
from ...kernels.metrics.rejoined import (
    LOOK_S,
    GapRule,
    Gaps,
    Joins,
    Rejoining,
    commonest,
    find_gaps,
    rejoining,
)
from ...kernels.metrics.versions import NOBODY
from ...kernels.tracking.boxes import overlap_matrix
from ...stream.identity import IdentityChange, IdentityEvent
from ...stream.records import TrackedFrame
from ..virtualcrowd.sightings import Sightings
from ..virtualcrowd.truth import View
from .published import Published
from .straight import StraightGap
from .truth import HIDDEN_SEEN_SHARE, MIN_INSIDE, Truth, inside_share

Array = np.ndarray

MIN_SEEN = HIDDEN_SEEN_SHARE
LENGTHS_S = ((1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 6.0), (6.0, 10.0))
"""Bins of gaps; the goal is about `GapRule`'s 2 to 6 s, the others are for comparison."""
BRIDGE_S = 1.0
"""A track that is seen again after so long was joined by the tracker itself."""
_SAME = 0.5
"""Least overlap of a track's box and what was to be seen."""


@dataclass(frozen=True)
class FollowedRows:
    """R seen rows of the engine's tracks, by track and then frame."""

    track: Int[Array, "R"]
    frame: Int[Array, "R"]
    true: Int[Array, "R"]
    """Row of the true person; -1 for nobody."""


def sighted_in(view: View, sightings: Sightings | None) -> Bool[Array, "N F"]:
    """Who is to be seen in which frame of the camera."""
    seen = view.present & (view.seen_share >= MIN_SEEN)
    if sightings is None:
        return np.asarray(seen)
    there = np.zeros_like(seen)
    row = np.searchsorted(view.person_ids, sightings.person)
    known = (sightings.person > 0) & (row < len(view.person_ids))
    there[row[known], sightings.frame[known]] = True
    return np.asarray(seen & there)


def followed(
    tracked: Iterable[TrackedFrame], view: View, sighted: Bool[Array, "N F"], sightings: Sightings | None
) -> FollowedRows:
    """Whom each seen row of each track is."""
    place = {int(t): f for f, t in enumerate(view.t_ns.tolist())}
    tracks, frames, true = ([np.zeros(0, np.int64)] for _ in range(3))
    for frame in tracked:
        at = place.get(frame.t_capture_ns)
        if at is None:
            continue
        rows = np.flatnonzero(frame.seen & frame.confirmed)
        people, boxes = _to_be_seen(view, at, sighted[:, at], sightings)
        tracks.append(frame.person_ids[rows].astype(np.int64))
        frames.append(np.full(len(rows), at, np.int64))
        true.append(_assigned(frame.boxes_px[rows], people, boxes))
    out = (np.concatenate(tracks), np.concatenate(frames), np.concatenate(true))
    order = np.lexsort((out[1], out[0]))
    return FollowedRows(*(column[order] for column in out))


def _to_be_seen(
    view: View, frame: int, sighted: Bool[Array, "N"], sightings: Sightings | None
) -> tuple[Int[Array, "S"], Float[Array, "S 4"]]:
    """True rows and boxes of what there was: the observations themselves, false ones too, or the true boxes."""
    if sightings is None:
        people = np.flatnonzero(sighted)
        return people, view.box_px[people, frame].astype(np.float64)
    a, b = np.searchsorted(sightings.frame, [frame, frame + 1])
    ids = sightings.person[a:b]
    people = np.where(ids > 0, np.searchsorted(view.person_ids, np.maximum(ids, 1)), NOBODY)
    return people, sightings.boxes_px[a:b].astype(np.float64)


def _assigned(
    boxes_px: Float[Array, "R 4"], people: Int[Array, "S"], theirs_px: Float[Array, "S 4"]
) -> Int[Array, "R"]:
    out = np.full(len(boxes_px), NOBODY, np.int64)
    if len(boxes_px) and len(people):
        overlap = overlap_matrix(boxes_px.astype(np.float64), theirs_px)
        a, b = linear_sum_assignment(-np.where(overlap >= _SAME, overlap, 0.0))
        good = overlap[a, b] >= _SAME
        out[a[good]] = people[b[good]]
    return out


def joins_of(
    rows: FollowedRows, identity: Iterable[IdentityEvent], t_ns: Int[Array, "F"]
) -> tuple[Joins, Joins]:
    """The joins that hold in the end: those of the stitcher, and those of the tracker itself."""
    in_force = {event.track: event for event in identity}
    merges = [e for e in in_force.values() if e.change is IdentityChange.MERGE and e.previous != e.track]
    look_ns = round(LOOK_S * 1e9)
    stitched = [
        (_whose(rows, t_ns, e.previous, e.lost_ns - look_ns, e.lost_ns),
         _whose(rows, t_ns, e.track, e.found_ns, e.found_ns + look_ns))
        for e in sorted(merges, key=lambda e: (e.found_ns, e.track))
    ]  # fmt: skip
    time = t_ns[rows.frame]
    again = np.flatnonzero((np.diff(rows.track) == 0) & (np.diff(time) >= BRIDGE_S * 1e9))
    bridged = [
        (_whose(rows, t_ns, int(rows.track[k]), int(time[k]) - look_ns, int(time[k])),
         _whose(rows, t_ns, int(rows.track[k]), int(time[k + 1]), int(time[k + 1]) + look_ns))
        for k in again
    ]  # fmt: skip
    return _joins(stitched), _joins(bridged)


def _joins(pairs: list[tuple[int, int]]) -> Joins:
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return Joins(table[:, 0], table[:, 1])


def _whose(rows: FollowedRows, t_ns: Int[Array, "F"], track: int, since_ns: int, until_ns: int) -> int:
    """Whom a track followed within a time; a frame's rounding on both sides."""
    a, b = np.searchsorted(rows.track, [track, track + 1])
    time = t_ns[rows.frame[a:b]]
    near = (time >= since_ns - 1_000_000) & (time <= until_ns + 1_000_000)
    return commonest(rows.true[a:b][near])


def long_occlusions(
    published: Published,
    view: View,
    truth: Truth,
    predicted: People,
    body: BodyData,
    sightings: Sightings | None = None,
    world: Similarity | None = None,
) -> dict[str, Any]:
    """The part `long_occlusions` of a report.

    Args:
        predicted: the final bodies on the truth's slots, in its world.
        sightings: the observations with who they are of, where known.
        world: from the engine's world into the truth's; None for the same.
    """
    num_frames = int(np.searchsorted(view.t_ns, truth.t_ns[-1] + 1_000_000, side="right"))
    t_ns = view.t_ns[:num_frames]
    rate_hz = 1e9 * (num_frames - 1) / max(int(t_ns[-1] - t_ns[0]), 1)
    sighted = sighted_in(view, sightings)[:, :num_frames]
    inside = (view.present & (inside_share(view.box_px, view.camera.size_px) >= MIN_INSIDE))[:, :num_frames]
    rows = followed(published.final_tracks(), view, sighted, sightings)
    named = np.full(sighted.shape, NOBODY, np.int64)
    known = rows.true != NOBODY
    named[rows.true[known], rows.frame[known]] = published.who().persons_of(rows.track[known])

    span = GapRule(min_s=LENGTHS_S[0][0], max_s=LENGTHS_S[-1][1])
    gaps = find_gaps(sighted, inside, rate_hz, span)
    found = rejoining(gaps, named, rate_hz)
    length = gaps.length_s(rate_hz)
    inner = _InnerErrors(published, truth, predicted, body, world)
    each = [inner.of(gaps, found, g, t_ns) for g in range(len(gaps))]
    stitched, bridged = joins_of(rows, published.identity, t_ns)
    goal = (length >= GapRule().min_s) & (length <= GapRule().max_s)
    return {
        **_figures(gaps, found, each, goal),
        **{f"stitched{name}": value for name, value in _judged(stitched).items()},
        **{f"bridged{name}": value for name, value in _judged(bridged).items()},
        "by_length": {
            f"{low:g}-{high:g} s": _figures(gaps, found, each, (length >= low) & (length < high))
            for low, high in LENGTHS_S
        },
    }


def _judged(joins: Joins) -> dict[str, Any]:
    share = joins.wrong_share
    return {
        "": len(joins), "_nobody": int((~joins.judged).sum()), "_wrong": int(joins.wrong.sum()),
        "_wrong_share": share if np.isfinite(share) else None,
    }  # fmt: skip


@dataclass(frozen=True)
class _Inside:
    """The K slots inside one gap in which the person counts."""

    slots: int
    bodies: int
    """Of them with a body."""
    errors_mm: Float[Array, "B 6"]
    """Of bodies of a rejoined person: root, joints about the root, joints in the world; the same of going straight."""


ERRORS = ("root_mm", "mpjpe_mm", "world_mm")
"""Of the published bodies inside a gap; `straight_` before the name for going straight."""


class _InnerErrors:
    """Bodies inside gaps against the truth."""

    def __init__(
        self, published: Published, truth: Truth, predicted: People, body: BodyData, world: Similarity | None
    ) -> None:
        self._truth, self._predicted = truth, predicted
        self._straight = StraightGap(published, body, world)
        self._row = {int(person): k for k, person in enumerate(predicted.person_ids)}

    def of(self, gaps: Gaps, found: Rejoining, gap: int, t_ns: Int[Array, "F"]) -> _Inside:
        person, people = int(gaps.person[gap]), self._truth.people
        lost_ns, found_ns = int(t_ns[gaps.lost[gap]]), int(t_ns[gaps.found[gap]])
        hidden = (self._truth.t_ns > lost_ns + 1_000_000) & (self._truth.t_ns < found_ns - 1_000_000)
        slots = np.flatnonzero(hidden & people.present[person])
        before, after = int(found.before[gap]), int(found.after[gap])
        there = np.zeros((2, len(slots)), bool)
        for k, name in enumerate((before, after)):
            if name in self._row:
                there[k] = self._predicted.present[self._row[name], slots]
        with_body = int(there.any(axis=0).sum())
        if not found.rejoined[gap] or with_body == 0:
            return _Inside(len(slots), with_body, np.zeros((0, 6)))
        at = slots[there[0]]
        straight = self._straight.joints_m(before, lost_ns, found_ns, self._truth.t_ns[at])
        if straight is None:
            return _Inside(len(slots), with_body, np.zeros((0, 6)))
        true = people.joints_m[person, at]
        own = self._predicted.joints_m[self._row[before], at]
        return _Inside(
            len(slots), with_body, np.concatenate([_errors_mm(own, true), _errors_mm(straight, true)], axis=1)
        )


def _errors_mm(found: Float[Array, "B 24 3"], true: Float[Array, "B 24 3"]) -> Float[Array, "B 3"]:
    away = found - true
    about = away - away[:, :1]
    return 1e3 * np.stack(
        [
            np.linalg.norm(away[:, 0], axis=-1),
            np.linalg.norm(about, axis=-1).mean(axis=-1),
            np.linalg.norm(away, axis=-1).mean(axis=-1),
        ],
        axis=1,
    )


def _figures(gaps: Gaps, found: Rejoining, each: list[_Inside], select: Bool[Array, "G"]) -> dict[str, Any]:
    chosen = [inside for inside, chosen in zip(each, select, strict=True) if chosen]
    tracked, rejoined = int(found.tracked[select].sum()), int(found.rejoined[select].sum())
    slots, bodies = sum(i.slots for i in chosen), sum(i.bodies for i in chosen)
    errors = np.concatenate([np.zeros((0, 6)), *(i.errors_mm for i in chosen)])
    mean = errors.mean(axis=0).tolist() if len(errors) else [None] * 6
    names = (*ERRORS, *(f"straight_{name}" for name in ERRORS))
    return {
        "gaps": int(select.sum()),
        "tracked": tracked,
        "rejoined": rejoined,
        "rejoined_share": rejoined / tracked if tracked else None,
        "person_frames": slots,
        "with_body": bodies / slots if slots else None,
        "compared": len(errors),
        **dict(zip(names, mean, strict=True)),
    }
