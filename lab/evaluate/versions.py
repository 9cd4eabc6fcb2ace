"""What was published, as the streaming metrics want it: rows on the truth's slots, each with whose they are.

Whose: who the final result says the person is in that slot (one match for all versions, or revisions would be mixed
up with matching); rows of people or slots that the final result does not hold go to the nearest true person within
a metre on the ground. Tracks are named by the final identity map, so that a join, which consumers are told of, is not a
change of identity. Slots of a refined person that are ABSENT are taken back, and so are the rows of a gap when the join
over it is split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ...kernels.metrics.alignment import Similarity
from ...kernels.metrics.matching import Matches
from ...kernels.metrics.people import People
from ...kernels.metrics.streaming import StreamingScorer
from ...kernels.metrics.versions import NOBODY, Versions, nearest_true_rows, rows_of_matches
from ...kernels.solve.problem import MODEL_RATE_HZ, Provenance
from ...stream.identity import IdentityChange, IdentityEvent, IdentityMap
from .published import LiveVersion, Published, WindowVersion
from .truth import Truth

Array = np.ndarray

_SLOT_NS = 1e9 / MODEL_RATE_HZ


@dataclass(frozen=True)
class _Owners:
    """Who a published person is in a slot, by the final match."""

    truth: Truth
    ids: Int[Array, "M"]
    rows: Int[Array, "M F"]

    def of(
        self, slot: Int[Array, "R"], person_ids: Int[Array, "R"], ground_m: Float[Array, "R 3"]
    ) -> Int[Array, "R"]:
        place = np.searchsorted(self.ids, person_ids)
        known = (place < len(self.ids)) & (self.ids[np.minimum(place, len(self.ids) - 1)] == person_ids)
        out = np.full(len(slot), NOBODY, np.int64)
        out[known] = self.rows[place[known], slot[known]]
        rest = np.flatnonzero((out == NOBODY) & np.isfinite(ground_m).all(axis=1))
        if len(rest) == 0:
            return out
        near = nearest_true_rows(self.truth.people, slot[rest], ground_m[rest])
        taken = set(zip(slot[out != NOBODY].tolist(), out[out != NOBODY].tolist(), strict=True))
        free = [(s, t) not in taken for s, t in zip(slot[rest].tolist(), near.tolist(), strict=True)]
        out[rest] = np.where(free, near, NOBODY)
        return out


def versions_of(
    published: Published, truth: Truth, predicted: People, matches: Matches, world: Similarity | None
) -> Iterator[Versions]:
    """Everything that was published, in the order in which it could be had.

    Args:
        predicted: the final result.
        matches: of it to the truth.
        world: from the engine's world into the truth's; None for the same.
    """
    owners = _Owners(
        truth, predicted.person_ids, rows_of_matches(matches.predicted_of_true, len(predicted.person_ids))
    )
    who = published.who()
    every: list[tuple[int, str, LiveVersion | WindowVersion | IdentityEvent]] = [
        *((v.ready_ns, "live", v) for v in published.live),
        *((v.ready_ns, "late", v) for v in published.late),
        *((v.ready_ns, "window", v) for v in published.windows),
        *((event.t_capture_ns, "identity", event) for event in published.identity),
    ]
    for _, tier, each in sorted(every, key=lambda e: e[0]):
        if isinstance(each, LiveVersion):
            made = _live(tier, each, who, owners, world)
        elif isinstance(each, WindowVersion):
            made = _window(each, who, owners, world)
        else:
            made = _split(each, who, truth.t_ns)
        if made is not None:
            yield made


def _live(
    tier: str, version: LiveVersion, who: IdentityMap, owners: _Owners, world: Similarity | None
) -> Versions | None:
    frame = who.frame(version.tracked)
    slot = _slots(np.array([frame.t_capture_ns]), owners.truth.t_ns)[0]
    rows = np.flatnonzero(frame.confirmed & np.isfinite(frame.position_m).all(axis=1))
    if slot < 0 or len(rows) == 0:
        return None
    ground = _moved(np.asarray(frame.position_m[rows], np.float64), world)
    ids, slots = frame.person_ids[rows].astype(np.int64), np.full(len(rows), slot, np.int64)
    return Versions(tier, version.ready_ns, slots, ids, owners.of(slots, ids, ground), ground)


def _window(
    version: WindowVersion, who: IdentityMap, owners: _Owners, world: Similarity | None
) -> Versions | None:
    solution = who.window(version.solution)
    times = solution.t0_ns + np.round(np.arange(solution.provenance.shape[1]) * _SLOT_NS).astype(np.int64)
    slots = _slots(times, owners.truth.t_ns)
    there = solution.provenance != Provenance.ABSENT
    row, at = np.nonzero(there & (slots >= 0))
    gone_row, gone_at = np.nonzero(~there & (slots >= 0) & (solution.rev > 0))
    if len(row) + len(gone_row) == 0:
        return None
    ground = _moved(solution.ground_m[row, at].astype(np.float64), world)
    ids, slot = solution.person_ids[row].astype(np.int64), slots[at]
    return Versions(
        "refined" if solution.rev > 0 else "window", version.ready_ns, slot, ids, owners.of(slot, ids, ground),
        ground, _moved(solution.joints_m[row, at].astype(np.float64), world), solution.provenance[row, at],
        slots[gone_at], solution.person_ids[gone_row].astype(np.int64),
    )  # fmt: skip


def _split(event: IdentityEvent, who: IdentityMap, t_ns: Int[Array, "F"]) -> Versions | None:
    """The rows of the gap over which tracks were joined, taken back."""
    gap = np.flatnonzero((t_ns > event.lost_ns) & (t_ns < event.found_ns))
    if event.change is not IdentityChange.SPLIT or len(gap) == 0:
        return None
    none, nowhere = np.zeros(0, np.int64), np.zeros((0, 3))
    person = np.full(len(gap), who.person_of(event.previous), np.int64)
    return Versions(
        "late", event.t_capture_ns, none, none, none, nowhere, gone_slot=gap, gone_person_ids=person
    )


def _slots(times: Int[Array, "T"], t_ns: Int[Array, "F"]) -> Int[Array, "T"]:
    """The truth's slot nearest to each time; -1 beyond its ends."""
    slot = np.round((times - t_ns[0]) / _SLOT_NS).astype(np.int64)
    return np.where((slot >= 0) & (slot < len(t_ns)), slot, -1)


def _moved(points_m: Float[Array, "*batch 3"], world: Similarity | None) -> Float[Array, "*batch 3"]:
    return points_m if world is None else world.apply(points_m)


def streaming_of(
    published: Published,
    truth: Truth,
    predicted: People,
    matches: Matches,
    world: Similarity | None,
    num_frames: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scores and drawings of the streaming metrics.

    Args:
        num_frames: that the camera took; fewer live messages than that were dropped.
    """
    scorer = StreamingScorer(truth.people, truth.t_ns)
    for versions in versions_of(published, truth, predicted, matches, world):
        scorer.push(versions)
    scorer.count_frames(num_frames, max(num_frames - len(published.live), 0))
    scores = scorer.finish()
    return dict(scores.as_dict()), dict(scores.plots())
