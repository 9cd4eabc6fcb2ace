"""The tracking stage: Observation -> TrackedFrame, on the ground or, before one stands, in the image.

One step: predict everybody to the frame's time; match high scores with all, then low scores with those
seen lately; correct the matched; begin new people; confirm, forget; hand out the rows. Time is the frame's
capture time, so any rate and any gap will do. Nothing depends on the order of the detections.

The output never lags. What becomes known later (the first frames of a person just confirmed, the way of
someone hidden who has come back) is handed on by `drain_backfill`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from ..kernels.camera import CameraModel
from ..kernels.ground import Ground
from ..kernels.tracking import plane_motion as motion
from ..kernels.tracking.association import Side, Weights, match
from ..kernels.tracking.boxes import BORDER_PX, overlap_matrix, repair_cut, to_foot_and_size
from ..kernels.tracking.carry import carry_boxes
from ..kernels.tracking.table import TrackTable
from .records import Observation, TrackedFrame
from .track_backfill import Backfill
from .track_config import TrackConfig
from .track_plane import Past, correct_plane, lift, predict_plane
from .track_rows import blend_appearance, boxes_of, mark_seen, newborn_rows, same_appearance, tracked_frame
from .track_seen import Geometry, Seen, measure_foot, usable

Array = np.ndarray

_BLACK_OUT = 3.0
"""Frames that come so many times further apart than the two before were not all taken: a camera was away, or its
clock was set. (At a steady low rate people are followed from frame to frame, however far apart those are.)"""


@dataclass(frozen=True)
class EndedTrack:
    """What is kept of somebody who is gone: enough to be recognised when seen again (stitching)."""

    person_id: int
    entry_ns: int
    exit_ns: int
    entry: tuple[float, float]
    """First place: ground metres, or foot pixels where no ground stood then."""
    exit: tuple[float, float]
    """Last place, the same way."""
    velocity: tuple[float, float]
    """At the last place, 1/s."""
    torso_m: float
    appearance: Float[Array, "A"]
    hits: int


class TrackingStage:
    """Tracks the people of one camera."""

    def __init__(self, config: TrackConfig, camera: str, size_px: tuple[int, int]) -> None:
        self.config = config
        self.camera = camera
        self.size_px = size_px
        self._geometry: Geometry | None = None
        self._tracks = TrackTable.empty()
        self._next_id = 1
        self._t_ns: int | None = None
        self._dt_s = 0.0
        self._past: deque[Past] = deque()
        longest_s = max(config.forget_s, config.wait_s)
        self._backfill = Backfill(config.bridge_s, longest_s, config.speed_sigma_mps)
        self._ended: list[EndedTrack] = []

    @property
    def has_ground(self) -> bool:
        """Positions are metres on the ground, not NaN."""
        return self._geometry is not None

    @property
    def table(self) -> TrackTable:
        """Everybody tracked, after the last frame; never changed in place."""
        return self._tracks

    def drain_backfill(self) -> list[TrackedFrame]:
        """Rows of earlier frames that became known since the last call (see `track_backfill`)."""
        return self._backfill.drain()

    def drain_ended(self) -> list[EndedTrack]:
        """The confirmed people forgotten since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def begin_anew(self, next_id: int) -> None:
        """Nobody is tracked any more, and time may go back; ids go on, from `next_id` at least."""
        fresh = TrackingStage(self.config, self.camera, self.size_px)
        fresh._geometry, fresh._next_id = self._geometry, max(self._next_id, next_id)
        vars(self).update(vars(fresh))

    def predict_boxes(self, t_capture_ns: int) -> tuple[Int[Array, "M"], Float[Array, "M 4"]]:
        """Ids and boxes of everybody tracked, at a time not before the last frame's; changes nothing."""
        dt_s = 0.0 if self._t_ns is None else (t_capture_ns - self._t_ns) / 1e9
        tracks = self._predicted(self._tracks, t_capture_ns, dt_s)
        return tracks.person_ids.copy(), boxes_of(tracks)

    def set_geometry(self, camera: CameraModel, ground: Ground) -> None:
        """Track on this ground from now on. People keep their ids: their last moments are lived again."""
        self._geometry = (camera, ground)
        tracks = lift(self.config, self._geometry, self._tracks, self._past, self._t_ns)
        self._tracks = mark_seen(tracks, np.arange(len(tracks)), None)

    def step(self, observation: Observation) -> TrackedFrame:
        """The people of this frame. A frame older than the last one changes nothing and is counted."""
        t_ns = observation.t_capture_ns
        if self._t_ns is not None and t_ns < self._t_ns:
            nobody, none = TrackTable.empty(), np.zeros(0, np.int64)
            return tracked_frame(self._geometry, observation, nobody, none, None, {"track_late": 1})
        dt_s = 0.0 if self._t_ns is None else (t_ns - self._t_ns) / 1e9
        self._t_ns = t_ns
        # 1. everybody to now
        self._tracks = self._predicted(self._tracks, t_ns, dt_s)
        if 0.0 < _BLACK_OUT * self._dt_s < dt_s:
            self._forget_unseen(t_ns)
        self._dt_s = dt_s
        # 2. what was seen, and by whom
        seen, drops = usable(self.config, self._geometry, self.size_px, observation)
        pairs = self._match(seen, t_ns)
        # 3. correct those, begin the new ones
        boxes = self._correct(seen, pairs, t_ns, dt_s)
        newborn = self._births(seen, pairs, t_ns)
        pairs = np.concatenate([pairs, newborn])
        self._remember(t_ns, seen, pairs, np.concatenate([boxes, seen.boxes_px[newborn[:, 1]]]))
        # 4. believe, forget
        detection = np.full(len(self._tracks), -1, np.int64)
        detection[pairs[:, 0]] = pairs[:, 1]
        shown = self._settle(detection, observation.detected, t_ns)
        # 5. hand out
        tracks, detection = shown
        frame = tracked_frame(self._geometry, observation, tracks, detection, seen, drops)
        self._backfill.push(frame)
        return frame

    # --- prediction -------------------------------------------------------------------------------

    def _predicted(self, tracks: TrackTable, t_ns: int, dt_s: float) -> TrackTable:
        if dt_s <= 0.0 or len(tracks) == 0:
            return tracks
        c = self.config
        foot = motion.predict(tracks.foot, dt_s, self._pixel_speed(tracks), c.velocity_memory_s)
        size = motion.predict(tracks.size, dt_s, np.full(len(tracks), c.size_speed), c.velocity_memory_s)
        tracks = replace(tracks, foot=foot, size=size, plane=predict_plane(c, tracks.plane, dt_s))
        hidden = np.flatnonzero(tracks.misses > 0)
        if self._geometry is None or len(hidden) == 0:
            return tracks
        carried_foot, carried_size = carry_boxes(
            *self._geometry, tracks.seen_plane_m[hidden], tracks.plane.position[hidden],
            tracks.seen_foot_px[hidden], tracks.seen_log_size[hidden],
        )  # fmt: skip
        foot, size = tracks.foot.take(hidden), tracks.size.take(hidden)
        foot.state[:, :2], size.state[:, :2] = carried_foot, carried_size
        return tracks.put(hidden, foot=foot, size=size)

    def _pixel_speed(self, tracks: TrackTable) -> Float[Array, "M"]:
        """Spread of foot velocities in px/s: a person's height in the image is the scale."""
        scale = self.config.speed_sigma_mps / self.config.stature_m
        return np.asarray(scale * np.exp(tracks.size.state[:, 1]))

    # --- observation and matching -----------------------------------------------------------------

    def _match(self, seen: Seen, t_ns: int) -> Int[Array, "P 2"]:
        """Two rounds (BYTE): high scores with everybody, then low scores with the rest of those seen lately."""
        c, m = self.config, self.config.match
        weights = Weights(
            m.appearance, m.pose, m.distance_sigma, m.overlap, m.spread, m.gate_sigma, m.unmatched
        )
        tracks, detections = self._side(), seen.side()
        high = np.flatnonzero(seen.scores >= c.high_score)
        first = match(tracks, detections.take(high), weights)
        first[:, 1] = high[first[:, 1]]
        lately = (t_ns - self._tracks.seen_ns) / 1e9 <= c.low_score_gap_s
        rest = np.setdiff1d(np.flatnonzero(lately), first[:, 0])
        low = np.flatnonzero(seen.scores < c.high_score)
        second = match(tracks.take(rest), detections.take(low), replace(weights, unmatched=m.low_unmatched))
        second = np.stack([rest[second[:, 0]], low[second[:, 1]]], axis=-1)
        return np.concatenate([first, second])

    def _side(self) -> Side:
        tracks = self._tracks
        place = tracks.foot if self._geometry is None else tracks.plane
        boxes = boxes_of(tracks)
        old = tracks.pose_box_px
        zoom = (boxes[:, 2:] - boxes[:, :2]) / np.maximum(old[:, 2:] - old[:, :2], 1.0)
        keypoints = boxes[:, None, :2] + (tracks.keypoints_px - old[:, None, :2]) * zoom[:, None]
        position, covariance = self._whereabouts(place)
        return Side(
            position, covariance, boxes, keypoints, tracks.confidence,
            tracks.appearance, np.where(tracks.confirmed, 0.0, self.config.match.tentative_penalty),
        )  # fmt: skip

    def _whereabouts(self, place: motion.Motion) -> tuple[Float[Array, "M 2"], Float[Array, "M 2 2"]]:
        """Predicted places; whoever stood and is waited for beyond `forget_s` is expected where they stood."""
        tracks, assumed = self._tracks, place.position_covariance
        if self._geometry is None or self._t_ns is None:
            return place.position, assumed
        waits = (self._t_ns - tracks.seen_ns) / 1e9 > self.config.forget_s
        there = self.config.stand_sigma_m**2 * np.eye(2)
        return (
            np.where(waits[:, None], tracks.seen_plane_m, place.position),
            np.where(waits[:, None, None], there, assumed),
        )

    def _patience(self, tracks: TrackTable, hidden_s: Float[Array, "M"]) -> Float[Array, "M"]:
        """How long each hidden person is waited for."""
        c = self.config
        if self._geometry is None:
            return np.full(len(tracks), c.wait_s)
        # a hidden velocity only fades, so what it was is still known
        fade = np.exp(np.minimum(hidden_s / c.velocity_memory_s, 50.0))
        stood = np.linalg.norm(tracks.plane.velocity, axis=1) * fade <= c.stand_mps
        stood &= (tracks.seen_ns - tracks.born_ns) / 1e9 >= c.stand_known_s
        return np.where(stood, max(c.wait_s, c.forget_s), c.forget_s)

    # --- correction -------------------------------------------------------------------------------

    def _correct(self, seen: Seen, pairs: Int[Array, "P 2"], t_ns: int, dt_s: float) -> Float[Array, "P 4"]:
        """Matched tracks take in their detections. Returns the boxes as used (cut ones made whole)."""
        c, tracks = self.config, self._tracks
        rows, found = pairs[:, 0], pairs[:, 1]
        if len(rows) == 0:
            return np.zeros((0, 4))
        boxes, cut = repair_cut(
            seen.boxes_px[found], boxes_of(tracks)[rows], c.cut_height, c.cut_width, self.size_px
        )
        foot_px, foot_cov = measure_foot(c, boxes)
        # a cut box says little of the size: it may also be a person who bends down, so it says something
        _, log_size = to_foot_and_size(seen.boxes_px[found])
        doubt = np.where(cut, 16.0, 1.0)[:, None, None]
        size_cov = doubt * c.size_noise**2 * np.diag([4.0, 1.0])
        foot = motion.update(tracks.foot.take(rows), foot_px, foot_cov)
        size = motion.update(tracks.size.take(rows), log_size, size_cov)
        posed = (seen.confidence[found] > 0).any(axis=1)
        if self._geometry is not None:
            keypoints, confidence = seen.keypoints_px[found], seen.confidence[found]
            tracks = correct_plane(c, self._geometry, tracks, rows, boxes, keypoints, confidence, dt_s)
        tracks = tracks.put(
            rows, foot=foot, size=size, hits=tracks.hits[rows] + 1, misses=np.zeros(len(rows), np.int64)
        )
        tracks = tracks.put(
            rows[posed], keypoints_px=seen.keypoints_px[found[posed]],
            confidence=seen.confidence[found[posed]], pose_box_px=boxes[posed],
        )  # fmt: skip
        tracks = blend_appearance(tracks, rows, seen.appearance[found])
        self._tracks = mark_seen(tracks, rows, t_ns)
        return boxes

    # --- life and death ---------------------------------------------------------------------------

    def _births(self, seen: Seen, pairs: Int[Array, "P 2"], t_ns: int) -> Int[Array, "B 2"]:
        """New tracks for good detections that nobody claims and that double nobody."""
        c = self.config
        free = np.setdiff1d(np.flatnonzero(seen.scores >= c.birth_score), pairs[:, 1])
        taken = [int(j) for j in pairs[:, 1]]
        born: list[int] = []
        overlaps = overlap_matrix(seen.boxes_px[free], seen.boxes_px)
        for row, j in enumerate(free):
            if not taken or overlaps[row, taken].max() <= c.birth_overlap:
                born.append(int(j))
                taken.append(int(j))
        rows = np.arange(len(self._tracks), len(self._tracks) + len(born))
        if born:
            size = seen.appearance.shape[1] or self._tracks.appearance.shape[1]
            self._tracks = same_appearance(self._tracks, size)
            begun = newborn_rows(c, self._geometry, seen, np.array(born), self._next_id, t_ns, size)
            self._tracks = self._tracks.joined(begun)
            self._next_id += len(born)
        return np.stack([rows, np.array(born, np.int64)], axis=-1)

    def _settle(
        self, detection: Int[Array, "M"], detected: bool, t_ns: int
    ) -> tuple[TrackTable, Int[Array, "S"]]:
        """Confirms and forgets. Returns the tracks to show and their detections (-1: predicted)."""
        c, tracks = self.config, self._tracks
        unseen = detection < 0
        tracks = replace(
            tracks,
            misses=tracks.misses + (unseen if detected else 0),
            confirmed=tracks.confirmed | (tracks.hits >= c.confirm_hits),
        )
        hidden_s = (t_ns - tracks.seen_ns) / 1e9
        outside = unseen & ~self._inside(tracks)
        gone = (
            unseen
            & tracks.confirmed
            & (hidden_s > np.where(outside, c.exit_s, self._patience(tracks, hidden_s)))
        )
        gone |= unseen & ~tracks.confirmed & (hidden_s > c.tentative_gap_s) & (tracks.misses >= 2)
        self._note_ended(tracks.take(gone & tracks.confirmed))
        self._tracks = tracks.take(~gone)
        shown = ~gone & (~unseen | (tracks.confirmed & (hidden_s <= c.coast_s) & ~outside))
        return tracks.take(shown), detection[shown]

    def _forget_unseen(self, t_ns: int) -> None:
        """After a black-out nobody is waited for longer than if its frames had come; the stitcher may know them."""
        tracks = self._tracks
        hidden_s = (t_ns - tracks.seen_ns) / 1e9
        waited_s = np.where(tracks.confirmed, self._patience(tracks, hidden_s), self.config.forget_s)
        gone = hidden_s > waited_s
        self._note_ended(tracks.take(gone & tracks.confirmed))
        self._tracks = tracks.take(~gone)

    def _inside(self, tracks: TrackTable) -> Bool[Array, "M"]:
        """The box is wholly in the picture: who vanishes while crossing its border has left, not been hidden."""
        boxes = boxes_of(tracks)
        far = np.array(self.size_px, np.float64) - BORDER_PX
        return np.asarray(((boxes[:, :2] >= BORDER_PX) & (boxes[:, 2:] <= far)).all(axis=1))

    def _note_ended(self, gone: TrackTable) -> None:
        place = gone.foot if self._geometry is None else gone.plane
        for row in range(len(gone)):
            at = gone.seen_foot_px[row] if self._geometry is None else gone.seen_plane_m[row]
            self._ended.append(EndedTrack(
                person_id=int(gone.person_ids[row]), entry_ns=int(gone.born_ns[row]),
                exit_ns=int(gone.seen_ns[row]), entry=_pair(gone.entry_m[row]), exit=_pair(at),
                velocity=_pair(place.velocity[row]), torso_m=float(gone.torso_m[row]),
                appearance=gone.appearance[row].copy(), hits=int(gone.hits[row]),
            ))  # fmt: skip

    def _remember(
        self, t_ns: int, seen: Seen, pairs: Int[Array, "P 2"], boxes_px: Float[Array, "P 4"]
    ) -> None:
        found = pairs[:, 1]
        self._past.append(Past(
            t_ns, self._tracks.person_ids[pairs[:, 0]], boxes_px, seen.keypoints_px[found], seen.confidence[found]
        ))  # fmt: skip
        while self._past[0].t_ns < t_ns - self.config.lift_s * 1e9:
            self._past.popleft()


def _pair(values: Float[Array, "2"]) -> tuple[float, float]:
    return float(values[0]), float(values[1])
