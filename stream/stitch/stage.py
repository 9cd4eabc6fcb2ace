"""The stitcher: tracked frames in, identity events and the rows of the gaps out.

One step: take in who was seen; now and then look at the open questions (young tracks against lost ones); say what has
changed. Time is capture time, so any rate and any gap will do. Nothing depends on the order of the rows.

Before a ground stands nothing is joined: pixels say too little of where somebody walks. What was lost shortly before
it is found is weighed like anything else, because ends are kept as pixels.

Memory: tracks that are seen, or were lost within `max_gap_s` and `watch_s`, and headers of as many frames.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from ...kernels.camera import CameraModel
from ...kernels.ground import Ground
from ...kernels.tracking.boxes import BORDER_PX
from ...kernels.tracking.plane_motion import Motion
from ...kernels.tracking.table import TrackTable
from ..identity import IdentityChange, IdentityEvent
from ..records import TrackedFrame
from ..track_backfill import join_rows, take_rows
from ..track_seen import Geometry
from .companions import companions_of
from .config import StitchConfig
from .decisions import Pair, decide
from .ends import begin_of, end_of
from .evidence import (
    appearance_evidence,
    exit_evidence,
    group_evidence,
    in_words,
    motion_evidence,
    stature_evidence,
    within_reach,
)
from .gap_rows import gap_rows
from .scene import SceneMemory
from .tracklets import Tracklet

Array = np.ndarray

_COMPANION_S = 3.0
"""History of places kept beyond the longest gap: to see who walked beside whom."""

_PERSON_S = 1.0
"""Tracks that lived shorter are glimpses of somebody; they teach nothing of where people come from."""


class StitchStage:
    """Joins the broken tracks of one camera. Deterministic: no clock, no randomness."""

    def __init__(self, config: StitchConfig) -> None:
        self.config = config
        self.counts: Counter[str] = Counter()
        self._geometry: Geometry | None = None
        self._tracklets: dict[int, Tracklet] = {}
        self._previous: dict[int, int] = {}
        self._person: dict[int, int] = {}
        self._headers: deque[TrackedFrame] = deque()
        self._scene = SceneMemory()
        self._motion: dict[Pair, tuple[tuple[int, bool], tuple[float, float]]] = {}
        self._now_ns: int | None = None
        self._reviewed_ns: int | None = None
        self._late: list[TrackedFrame] = []
        self._doubtful: set[int] = set()

    def set_geometry(self, camera: CameraModel, ground: Ground) -> None:
        """Join on this ground from now on."""
        self._geometry = (camera, ground)
        self._motion.clear()
        for tracklet in self._tracklets.values():
            tracklet.begin = tracklet.end = None

    def step(self, frame: TrackedFrame, table: TrackTable) -> tuple[IdentityEvent, ...]:
        """One frame further.

        Args:
            table: the tracker's, after this frame.
        """
        if not self.config.enabled or (self._now_ns is not None and frame.t_capture_ns < self._now_ns):
            return ()
        self._now_ns = frame.t_capture_ns
        self._take(frame, table)
        if self._geometry is None:
            self._forget()
            return ()
        if (
            self._reviewed_ns is not None
            and frame.t_capture_ns - self._reviewed_ns < self.config.review_s * 1e9
        ):
            return ()
        self._reviewed_ns = frame.t_capture_ns
        events = self._review(final=False)
        self._forget()
        return events

    def begin_anew(self) -> None:
        """Whoever was seen so far is never joined to whoever comes; time may go back. The scene stays what it is."""
        self._tracklets.clear()
        self._previous.clear()
        self._person.clear()
        self._headers.clear()
        self._motion.clear()
        self._late.clear()
        self._doubtful.clear()
        self._now_ns = self._reviewed_ns = None

    def finish(self) -> tuple[IdentityEvent, ...]:
        """The end of the stream: a last look, also at tracks that have only begun."""
        if self._geometry is None or self._now_ns is None or not self.config.enabled:
            return ()
        return self._review(final=True)

    def drain_late(self) -> list[TrackedFrame]:
        """Rows of the gaps of those joined since the last call: one record a frame, oldest first."""
        late, self._late = self._late, []
        by_index: dict[int, list[TrackedFrame]] = {}
        for each in late:
            by_index.setdefault(each.index, []).append(each)
        return [join_rows(by_index[index]) for index in sorted(by_index)]

    # --- memory -----------------------------------------------------------------------------------

    def _take(self, frame: TrackedFrame, table: TrackTable) -> None:
        """Everybody who was seen in this frame."""
        c = self.config
        row_of = {int(track): row for row, track in enumerate(table.person_ids)}
        border = _at_border(frame)
        for row in np.flatnonzero(frame.seen).tolist():
            track = int(frame.person_ids[row])
            tracklet = self._tracklets.get(track)
            if tracklet is None:
                tracklet = Tracklet(track, frame.t_capture_ns, frame.t_capture_ns)
                tracklet.came_by_border = bool(border[row])
                self._tracklets[track] = tracklet
            tracklet.see(frame, row, c.end_s, c.max_gap_s + _COMPANION_S)
            tracklet.left_by_border = bool(border[row])
            if track in row_of:
                tracklet.look(table, row_of[track])
        placed = frame.seen & np.isfinite(frame.position_m).all(axis=1)
        self._scene.watch(frame.position_m[placed, :2], border[placed])
        self._headers.append(take_rows(frame, np.zeros(0, np.int64)))

    def _forget(self) -> None:
        """Whoever nobody can ask for any more."""
        assert self._now_ns is not None
        c, now = self.config, self._now_ns
        oldest = now - round((c.max_gap_s + c.watch_s + c.decide_s) * 1e9)
        while self._headers and self._headers[0].t_capture_ns < oldest:
            self._headers.popleft()
        followed = set(self._previous.values())
        for track in sorted(self._tracklets):
            tracklet = self._tracklets[track]
            unconfirmed = not tracklet.confirmed and tracklet.last_ns < now - 2e9
            if tracklet.last_ns >= oldest and not unconfirmed:
                continue
            if tracklet.confirmed and tracklet.places:
                self._scene.ended(tracklet.places[-1].position_m, tracklet.left_by_border, track in followed)
                self.counts["expired"] += track not in followed
            del self._tracklets[track]
        gone = [
            pair for pair in self._motion if not (pair[0] in self._tracklets and pair[1] in self._tracklets)
        ]
        for pair in gone:
            del self._motion[pair]
        for track in [t for t in self._previous if t not in self._tracklets]:
            del self._previous[track]
        self._doubtful &= self._tracklets.keys()
        for track in [t for t in self._person if t not in self._tracklets]:
            del self._person[track]

    # --- questions --------------------------------------------------------------------------------

    def _review(self, final: bool) -> tuple[IdentityEvent, ...]:
        """Young tracks against lost ones; what changed."""
        assert self._geometry is not None and self._now_ns is not None
        young = self._young(final)
        evidence = self._evidence(young)
        ratio = {pair: sum(cues.values()) for pair, cues in evidence.items()}
        standing = {t.track: self._previous[t.track] for t in young if t.track in self._previous}
        verdict = decide(ratio, standing, self.config.accept, self.config.keep)
        events: list[IdentityEvent] = []
        for tracklet in young:
            track = tracklet.track
            before, after = standing.get(track), verdict.joined.get(track)
            if before == after:
                continue
            if before is not None:
                events.append(self._split(tracklet, before, verdict.probability.get((before, track), 0.0),
                                          evidence.get((before, track), {})))  # fmt: skip
            if after is not None:
                pair = after, track
                events.append(self._merge(tracklet, after, verdict.probability[pair], evidence[pair]))
        self._doubtful.update(track for _, track in verdict.doubtful)
        self._settle(young)
        return tuple(events)

    def _young(self, final: bool) -> list[Tracklet]:
        """Tracks whose origin is an open question, in order of their ids."""
        assert self._now_ns is not None
        c, now = self.config, self._now_ns
        out = []
        for track in sorted(self._tracklets):
            t = self._tracklets[track]
            known = t.age_s >= c.decide_s or now - t.last_ns > c.decide_s * 1e9 or final
            if t.confirmed and known and now - t.first_ns <= (c.watch_s + c.decide_s) * 1e9:
                out.append(t)
            elif (lost := self._tracklets.get(self._previous.get(track, -1))) and lost.last_ns > t.first_ns:
                out.append(t)  # whom it was taken for was seen beside it: that cannot stand
        return out

    def _evidence(self, young: Sequence[Tracklet]) -> dict[Pair, dict[str, float]]:
        """All cues of every pair that is possible."""
        assert self._geometry is not None
        c, asked = self.config, {t.track for t in young}
        taken = {lost for track, lost in self._previous.items() if track not in asked}
        out: dict[Pair, dict[str, float]] = {}
        for new in young:
            if begin_of(new, self._geometry, c.end_s, c.noise_memory_s) is None:
                continue
            found = [lost for lost in self._lost_before(new) if lost.track not in taken]
            if not found:
                continue
            returns, births = self._scene_at(found), self._scene_at([new], True)[0]
            looks = appearance_evidence([lost.portrait for lost in found], new.portrait).tolist()
            moves = self._moved(found, new)
            for lost, moved, share, look in zip(found, moves, returns, looks, strict=True):
                out[lost.track, new.track] = {
                    "motion": moved[0], "group": moved[1], "exit": exit_evidence(share, births),
                    "stature": stature_evidence(lost.portrait, new.portrait),
                    "appearance": look,
                }  # fmt: skip
        return out

    def _lost_before(self, new: Tracklet) -> list[Tracklet]:
        """Everybody who can be this one: lost before, not too long ago, within reach."""
        assert self._geometry is not None and new.begin is not None
        c, found = self.config, []
        for track in sorted(self._tracklets):
            lost = self._tracklets[track]
            gap_s = (new.first_ns - lost.last_ns) / 1e9
            if lost.confirmed and 0.0 < gap_s <= c.max_gap_s:
                if end_of(lost, self._geometry, c.noise_memory_s) is not None:
                    found.append(lost)
        if not found:
            return []
        near = within_reach(_stacked([lost.end for lost in found]), new.begin, _gaps(found, new))
        return [lost for lost, possible in zip(found, near, strict=True) if possible]

    def _scene_at(self, tracklets: Sequence[Tracklet], begun: bool = False) -> list[float]:
        """Birth rates where tracks began, or shares of those who return where they ended."""
        places = _stacked([t.begin if begun else t.end for t in tracklets]).position
        border = np.array([t.came_by_border if begun else t.left_by_border for t in tracklets])
        asked = self._scene.birth_rates if begun else self._scene.return_shares
        return list(asked(places, border).tolist())

    def _moved(self, lost: Sequence[Tracklet], new: Tracklet) -> list[tuple[float, float]]:
        """Cues motion and group of each, worked out once as long as both ends stay what they are."""
        version = {each.track: (each.last_ns, new.begun_whole) for each in lost}
        known = {each.track: self._motion.get((each.track, new.track)) for each in lost}
        stale = [each for each in lost if (k := known[each.track]) is None or k[0] != version[each.track]]
        if stale:
            assert new.begin is not None
            ends, gaps = _stacked([each.end for each in stale]), _gaps(stale, new)
            motion = motion_evidence(ends, new.begin, gaps)
            for row, each in enumerate(stale):
                beside = companions_of(each, new, self._tracklets, self._previous)
                group = group_evidence(ends.take(np.array([row])), new.begin, float(gaps[row]), beside)
                self._motion[each.track, new.track] = version[each.track], (float(motion[row]), group)
        return [self._motion[each.track, new.track][1] for each in lost]

    def _settle(self, young: Sequence[Tracklet]) -> None:
        """Teaches the scene whoever was found to be new when their time is over."""
        assert self._now_ns is not None
        limit = self._now_ns - round((self.config.watch_s - self.config.review_s) * 1e9)
        for t in young:
            if t.settled or t.first_ns >= limit or t.begin is None:
                continue
            t.settled = True
            del t.head[1:]  # frames of long ago, which nobody asks for now
            self.counts["refused"] += t.track in self._doubtful and t.track not in self._previous
            self._doubtful.discard(t.track)
            if t.track not in self._previous and t.age_s >= _PERSON_S:
                self._scene.born(t.begin.position[0], t.came_by_border)

    # --- answers ----------------------------------------------------------------------------------

    def _merge(
        self, tracklet: Tracklet, lost: int, probability: float, evidence: dict[str, float]
    ) -> IdentityEvent:
        earlier = self._tracklets[lost]
        self.counts["joins"] += 1
        self._previous[tracklet.track] = lost
        self._person[tracklet.track] = self._person_of(lost)
        self._fill(earlier, tracklet)
        return self._event(
            IdentityChange.MERGE, tracklet, earlier, self._person_of(lost), probability, evidence
        )

    def _split(
        self, tracklet: Tracklet, lost: int, probability: float, evidence: dict[str, float]
    ) -> IdentityEvent:
        self.counts["splits"] += 1
        del self._previous[tracklet.track]
        self._person.pop(tracklet.track, None)
        return self._event(
            IdentityChange.SPLIT, tracklet, self._tracklets[lost], tracklet.track, probability, evidence
        )

    def _person_of(self, track: int) -> int:
        while track in self._previous and self._previous[track] in self._tracklets:
            track = self._previous[track]
        return self._person.get(track, track)

    def _event(
        self, change: IdentityChange, tracklet: Tracklet, lost: Tracklet, person: int, probability: float,
        evidence: dict[str, float],
    ) -> IdentityEvent:  # fmt: skip
        assert self._now_ns is not None
        spoken = {name: round(float(value), 3) for name, value in evidence.items() if abs(value) >= 5e-4}
        return IdentityEvent(
            change, tracklet.track, person, lost.track, self._now_ns, lost.last_ns, tracklet.first_ns,
            round(float(probability), 4), spoken,
            in_words(spoken, probability, (tracklet.first_ns - lost.last_ns) / 1e9),
        )  # fmt: skip

    def _fill(self, lost: Tracklet, new: Tracklet) -> None:
        assert self._geometry is not None and lost.end is not None and new.begin is not None
        self._late += gap_rows(
            lost.tail[-1].alone(),
            new.head[0].alone(),
            lost.end,
            new.begin,
            list(self._headers),
            self._geometry,
        )


def _stacked(ends: Sequence[Motion | None]) -> Motion:
    """One row each."""
    known = [end for end in ends if end is not None]
    return Motion(np.concatenate([e.state for e in known]), np.concatenate([e.covariance for e in known]))


def _gaps(lost: Sequence[Tracklet], new: Tracklet) -> Float[Array, "P"]:
    """Seconds from each loss to the beginning."""
    return np.array([(new.first_ns - each.last_ns) / 1e9 for each in lost])


def _at_border(frame: TrackedFrame) -> Bool[Array, "M"]:
    """Boxes that the border of the picture cuts, or nearly: who is seen so comes or goes that way."""
    boxes = frame.boxes_px.astype(np.float64)
    margin = BORDER_PX + 0.1 * (boxes[:, 3:] - boxes[:, 1:2])
    far = np.array(frame.size_px, np.float64)
    return np.asarray(((boxes[:, :2] < margin) | (boxes[:, 2:] > far - margin)).any(axis=1))
