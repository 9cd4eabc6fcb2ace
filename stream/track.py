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
from ..kernels.hvip import TORSO_HEIGHT_M, hvip_from_keypoints
from ..kernels.tracking import plane_motion as motion
from ..kernels.tracking.association import Side, Weights, match
from ..kernels.tracking.boxes import (
    BORDER_PX,
    from_foot_and_size,
    overlap_matrix,
    repair_cut,
    to_foot_and_size,
)
from ..kernels.tracking.carry import carry_boxes, surface_points
from ..kernels.tracking.plane_motion import Motion
from ..kernels.tracking.table import TrackTable
from .records import Observation, TrackedFrame
from .track_backfill import Backfill
from .track_config import TrackConfig as TrackConfig

Array = np.ndarray

_TORSO_PRIOR = 10.0
"""Observations that the population's torso height is worth."""
_TORSO_SIGMA_M = 0.07
"""Its spread among adults (as in HvipNoise)."""
_TORSO_FLOOR_M = 0.03
"""Gait moves the torso up and down by this much, however well its height is known."""
_TORSO_CLIP_M = 0.25
"""Seen torso heights further off than this are errors of the pose."""


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


@dataclass(frozen=True)
class _Seen:
    """The usable detections of one frame in an order of their own: best score first, ties by place."""

    boxes_px: Float[Array, "N 4"]
    scores: Float[Array, "N"]
    keypoints_px: Float[Array, "N 17 2"]
    confidence: Float[Array, "N 17"]
    appearance: Float[Array, "N A"]
    position: Float[Array, "N 2"]
    """Ground metres, or foot pixels in the image fallback."""
    covariance: Float[Array, "N 2 2"]

    def side(self) -> Side:
        return Side(
            self.position, self.covariance, self.boxes_px, self.keypoints_px, self.confidence,
            self.appearance, np.zeros(len(self.scores)),
        )  # fmt: skip


@dataclass(frozen=True)
class _Past:
    """What a lift onto a new ground needs of one frame."""

    t_ns: int
    person_ids: Int[Array, "R"]
    boxes_px: Float[Array, "R 4"]
    keypoints_px: Float[Array, "R 17 2"]
    confidence: Float[Array, "R 17"]


class TrackingStage:
    """Tracks the people of one camera."""

    def __init__(self, config: TrackConfig, camera: str, size_px: tuple[int, int]) -> None:
        self.config = config
        self.camera = camera
        self.size_px = size_px
        self._geometry: tuple[CameraModel, Ground] | None = None
        self._tracks = TrackTable.empty()
        self._next_id = 1
        self._t_ns: int | None = None
        self._past: deque[_Past] = deque()
        self._backfill = Backfill(config.bridge_s, config.forget_s, config.speed_sigma_mps)
        self._ended: list[EndedTrack] = []

    @property
    def has_ground(self) -> bool:
        """Positions are metres on the ground, not NaN."""
        return self._geometry is not None

    def drain_backfill(self) -> list[TrackedFrame]:
        """Rows of earlier frames that became known since the last call (see `track_backfill`)."""
        return self._backfill.drain()

    def drain_ended(self) -> list[EndedTrack]:
        """The confirmed people forgotten since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def predict_boxes(self, t_capture_ns: int) -> tuple[Int[Array, "M"], Float[Array, "M 4"]]:
        """Ids and boxes of everybody tracked, at a time not before the last frame's; changes nothing."""
        dt_s = 0.0 if self._t_ns is None else (t_capture_ns - self._t_ns) / 1e9
        tracks = self._predicted(self._tracks, t_capture_ns, dt_s)
        return tracks.person_ids.copy(), _boxes(tracks)

    def set_geometry(self, camera: CameraModel, ground: Ground) -> None:
        """Track on this ground from now on. People keep their ids: their last moments are lived again."""
        self._geometry = (camera, ground)
        tracks = replace(self._tracks, plane=Motion.unplaced(len(self._tracks)))
        before = None
        for past in self._past:
            dt_s = 0.0 if before is None else (past.t_ns - before) / 1e9
            tracks = replace(tracks, plane=self._predict_plane(tracks.plane, dt_s))
            rows, kept = _rows_of(tracks.person_ids, past.person_ids)
            tracks = self._correct_plane(
                tracks, rows, past.boxes_px[kept], past.keypoints_px[kept], past.confidence[kept], dt_s or 0.1
            )
            before = past.t_ns
        if before is not None and self._t_ns is not None:
            tracks = replace(tracks, plane=self._predict_plane(tracks.plane, (self._t_ns - before) / 1e9))
        tracks = self._place_lost(tracks)
        self._tracks = self._mark_seen(tracks, np.arange(len(tracks)), None)

    def step(self, observation: Observation) -> TrackedFrame:
        """The people of this frame. A frame older than the last one changes nothing and is counted."""
        t_ns = observation.t_capture_ns
        if self._t_ns is not None and t_ns < self._t_ns:
            return self._rows(observation, TrackTable.empty(), np.zeros(0, np.int64), None, {"track_late": 1})
        dt_s = 0.0 if self._t_ns is None else (t_ns - self._t_ns) / 1e9
        self._t_ns = t_ns
        # 1. everybody to now
        self._tracks = self._predicted(self._tracks, t_ns, dt_s)
        # 2. what was seen, and by whom
        seen, drops = self._usable(observation)
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
        frame = self._rows(observation, tracks, detection, seen, drops)
        self._backfill.push(frame)
        return frame

    # --- prediction -------------------------------------------------------------------------------

    def _predicted(self, tracks: TrackTable, t_ns: int, dt_s: float) -> TrackTable:
        if dt_s <= 0.0 or len(tracks) == 0:
            return tracks
        c = self.config
        foot = motion.predict(tracks.foot, dt_s, self._pixel_speed(tracks), c.velocity_memory_s)
        size = motion.predict(tracks.size, dt_s, np.full(len(tracks), c.size_speed), c.velocity_memory_s)
        tracks = replace(tracks, foot=foot, size=size, plane=self._predict_plane(tracks.plane, dt_s))
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

    def _predict_plane(self, plane: Motion, dt_s: float) -> Motion:
        c = self.config
        return motion.predict(plane, dt_s, np.full(len(plane.state), c.speed_sigma_mps), c.velocity_memory_s)

    def _pixel_speed(self, tracks: TrackTable) -> Float[Array, "M"]:
        """Spread of foot velocities in px/s: a person's height in the image is the scale."""
        scale = self.config.speed_sigma_mps / self.config.stature_m
        return np.asarray(scale * np.exp(tracks.size.state[:, 1]))

    # --- observation and matching -----------------------------------------------------------------

    def _usable(self, observation: Observation) -> tuple[_Seen, dict[str, int]]:
        boxes = np.asarray(observation.boxes_px, np.float64).reshape(-1, 4)
        scores = np.asarray(observation.scores, np.float64)
        sound = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        keep = np.flatnonzero(sound & (scores >= self.config.low_score))
        keep = keep[np.lexsort((*boxes[keep].T, -scores[keep]))]
        boxes, scores = boxes[keep], scores[keep]
        keypoints = np.asarray(observation.keypoints_px, np.float64)[keep]
        confidence = np.where(np.isfinite(observation.confidence), observation.confidence, 0.0)[keep]
        appearance = np.asarray(observation.appearance, np.float64)
        appearance = appearance[keep] if len(appearance) else np.zeros((len(keep), 0))
        if self._geometry is None:
            position, covariance = self._measure_foot(boxes)
            covariance = covariance + self._border_doubt(boxes)
        else:
            points = hvip_from_keypoints(*self._geometry, keypoints, confidence.astype(np.float64), boxes)
            position, covariance = points.position_m[:, :2], points.covariance_m2
        seen = _Seen(
            boxes, scores, keypoints, confidence.astype(np.float64), appearance, position, covariance
        )
        placed = np.isfinite(position).all(axis=1)
        drops = dict(observation.drops)
        if not placed.all():
            drops["track_off_ground"] = int((~placed).sum())
            seen = _Seen(**{name: value[placed] for name, value in vars(seen).items()})
        return seen, drops

    def _measure_foot(
        self, boxes_px: Float[Array, "N 4"]
    ) -> tuple[Float[Array, "N 2"], Float[Array, "N 2 2"]]:
        foot, log_size = to_foot_and_size(boxes_px)
        sigma = 0.5 + self.config.box_noise_share * np.exp(log_size[:, 1])
        return foot, (sigma**2)[:, None, None] * np.eye(2)

    def _border_doubt(self, boxes_px: Float[Array, "N 4"]) -> Float[Array, "N 2 2"]:
        """Variance that the foot of a box has because the border of the picture cuts it: half its size."""
        size = boxes_px[:, 2:] - boxes_px[:, :2]
        far = boxes_px[:, 2:] >= np.array(self.size_px, np.float64) - BORDER_PX
        cut = far | np.stack([boxes_px[:, 0] <= BORDER_PX, np.zeros(len(size), bool)], axis=-1)
        return np.asarray(np.where(cut, 0.25 * size**2, 0.0)[:, :, None] * np.eye(2))

    def _match(self, seen: _Seen, t_ns: int) -> Int[Array, "P 2"]:
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
        boxes = _boxes(tracks)
        old = tracks.pose_box_px
        zoom = (boxes[:, 2:] - boxes[:, :2]) / np.maximum(old[:, 2:] - old[:, :2], 1.0)
        keypoints = boxes[:, None, :2] + (tracks.keypoints_px - old[:, None, :2]) * zoom[:, None]
        return Side(
            place.position, place.position_covariance, boxes, keypoints, tracks.confidence,
            tracks.appearance, np.where(tracks.confirmed, 0.0, self.config.match.tentative_penalty),
        )  # fmt: skip

    # --- correction -------------------------------------------------------------------------------

    def _correct(self, seen: _Seen, pairs: Int[Array, "P 2"], t_ns: int, dt_s: float) -> Float[Array, "P 4"]:
        """Matched tracks take in their detections. Returns the boxes as used (cut ones made whole)."""
        c, tracks = self.config, self._tracks
        rows, found = pairs[:, 0], pairs[:, 1]
        if len(rows) == 0:
            return np.zeros((0, 4))
        boxes, cut = repair_cut(
            seen.boxes_px[found], _boxes(tracks)[rows], c.cut_height, c.cut_width, self.size_px
        )
        foot_px, foot_cov = self._measure_foot(boxes)
        # a cut box says little of the size: it may also be a person who bends down, so it says something
        _, log_size = to_foot_and_size(seen.boxes_px[found])
        doubt = np.where(cut, 16.0, 1.0)[:, None, None]
        size_cov = doubt * c.size_noise**2 * np.diag([4.0, 1.0])
        foot = motion.update(tracks.foot.take(rows), foot_px, foot_cov)
        size = motion.update(tracks.size.take(rows), log_size, size_cov)
        posed = (seen.confidence[found] > 0).any(axis=1)
        tracks = self._correct_plane(
            tracks, rows, boxes, seen.keypoints_px[found], seen.confidence[found], dt_s
        )
        tracks = tracks.put(
            rows, foot=foot, size=size, hits=tracks.hits[rows] + 1, misses=np.zeros(len(rows), np.int64)
        )
        tracks = tracks.put(
            rows[posed], keypoints_px=seen.keypoints_px[found[posed]],
            confidence=seen.confidence[found[posed]], pose_box_px=boxes[posed],
        )  # fmt: skip
        tracks = _blend_appearance(tracks, rows, seen.appearance[found])
        self._tracks = self._mark_seen(tracks, rows, t_ns)
        return boxes

    def _correct_plane(
        self,
        tracks: TrackTable,
        rows: Int[Array, "R"],
        boxes_px: Float[Array, "R 4"],
        keypoints_px: Float[Array, "R 17 2"],
        confidence: Float[Array, "R 17"],
        dt_s: float,
    ) -> TrackTable:
        """Ground positions from HVIPs with each person's own torso height, which they teach in turn."""
        if self._geometry is None or len(rows) == 0:
            return tracks
        c, count = self.config, tracks.torso_count[rows]
        sigma = np.hypot(_TORSO_SIGMA_M / np.sqrt(1.0 + count / _TORSO_PRIOR), _TORSO_FLOOR_M)
        points = hvip_from_keypoints(
            *self._geometry, keypoints_px, confidence, boxes_px, tracks.torso_m[rows], sigma
        )
        good = np.isfinite(points.position_m).all(axis=1)
        rows, points_xy, cov = rows[good], points.position_m[good, :2], points.covariance_m2[good]
        plane, fresh = tracks.plane.take(rows), ~np.isfinite(tracks.plane.state[rows, 0])
        factor = motion.correlated_noise_factor(dt_s, c.noise_memory_s)
        updated = motion.update(plane, points_xy, factor * cov)
        begun = motion.start(points_xy, cov, np.full(len(rows), c.speed_sigma_mps))
        updated = updated.put(np.flatnonzero(fresh), begun.take(fresh))
        seen_m, known_m = points.torso_height_m[good], tracks.torso_m[rows]
        learn = np.isfinite(seen_m) & (np.abs(seen_m - TORSO_HEIGHT_M) < 2.0 * _TORSO_CLIP_M)
        step = np.clip(np.where(learn, seen_m - known_m, 0.0), -_TORSO_CLIP_M, _TORSO_CLIP_M)
        weight = np.minimum(tracks.torso_count[rows] + learn, 20.0 * _TORSO_PRIOR)
        torso = known_m + np.where(learn, step / (_TORSO_PRIOR + weight), 0.0)
        return tracks.put(rows, plane=updated, torso_m=torso, torso_count=weight)

    def _mark_seen(self, tracks: TrackTable, rows: Int[Array, "R"], t_ns: int | None) -> TrackTable:
        """Notes where a row is now, so that a hidden person's box can be carried along from there."""
        when = tracks.seen_ns[rows] if t_ns is None else np.full(len(rows), t_ns)
        return tracks.put(
            rows, seen_ns=when, seen_plane_m=tracks.plane.position[rows],
            seen_foot_px=tracks.foot.position[rows], seen_log_size=tracks.size.position[rows],
        )  # fmt: skip

    def _place_lost(self, tracks: TrackTable) -> TrackTable:
        """People hidden throughout the history of a lift: under their box, very unsure; or not at all."""
        lost = np.flatnonzero(~np.isfinite(tracks.plane.position).all(axis=1))
        if len(lost) == 0 or self._geometry is None:
            return tracks
        points = hvip_from_keypoints(
            *self._geometry, np.zeros((len(lost), 17, 2)), np.zeros((len(lost), 17)), _boxes(tracks)[lost]
        )
        begun = motion.start(
            points.position_m[:, :2], points.covariance_m2 + np.eye(2),
            np.full(len(lost), self.config.speed_sigma_mps),
        )  # fmt: skip
        tracks = tracks.put(lost, plane=begun)
        return tracks.take(np.isfinite(tracks.plane.position).all(axis=1))

    # --- life and death ---------------------------------------------------------------------------

    def _births(self, seen: _Seen, pairs: Int[Array, "P 2"], t_ns: int) -> Int[Array, "B 2"]:
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
            self._tracks = _same_appearance(self._tracks, seen.appearance.shape[1])
            self._tracks = self._tracks.joined(self._newborn(seen, np.array(born), t_ns))
        return np.stack([rows, np.array(born, np.int64)], axis=-1)

    def _newborn(self, seen: _Seen, found: Int[Array, "B"], t_ns: int) -> TrackTable:
        c, b = self.config, len(found)
        boxes = seen.boxes_px[found]
        foot_px, foot_cov = self._measure_foot(boxes)
        _, log_size = to_foot_and_size(boxes)
        size_cov = np.tile(c.size_noise**2 * np.diag([4.0, 1.0]), (b, 1, 1))
        speed = np.full(b, c.speed_sigma_mps)
        plane = Motion.unplaced(b)
        if self._geometry is not None:
            plane = motion.start(seen.position[found], seen.covariance[found], speed)
        ids = np.arange(self._next_id, self._next_id + b, dtype=np.int64)
        self._next_id += b
        return TrackTable(
            person_ids=ids, born_ns=np.full(b, t_ns), seen_ns=np.full(b, t_ns),
            hits=np.ones(b, np.int64), misses=np.zeros(b, np.int64), confirmed=np.zeros(b, bool),
            foot=motion.start(foot_px, foot_cov, speed / c.stature_m * np.exp(log_size[:, 1])),
            size=motion.start(log_size, size_cov, np.full(b, c.size_speed)), plane=plane,
            torso_m=np.full(b, TORSO_HEIGHT_M), torso_count=np.zeros(b),
            keypoints_px=seen.keypoints_px[found], confidence=seen.confidence[found], pose_box_px=boxes,
            appearance=seen.appearance[found], seen_plane_m=plane.position, seen_foot_px=foot_px,
            seen_log_size=log_size, entry_m=seen.position[found],
        )  # fmt: skip

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
        gone = unseen & tracks.confirmed & (hidden_s > np.where(outside, c.exit_s, c.forget_s))
        gone |= unseen & ~tracks.confirmed & (hidden_s > c.tentative_gap_s) & (tracks.misses >= 2)
        self._note_ended(tracks.take(gone & tracks.confirmed))
        self._tracks = tracks.take(~gone)
        shown = ~gone & (~unseen | (tracks.confirmed & (hidden_s <= c.coast_s) & ~outside))
        return tracks.take(shown), detection[shown]

    def _inside(self, tracks: TrackTable) -> Bool[Array, "M"]:
        """The box is wholly in the picture: who vanishes while crossing its border has left, not been hidden."""
        boxes = _boxes(tracks)
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
        self, t_ns: int, seen: _Seen, pairs: Int[Array, "P 2"], boxes_px: Float[Array, "P 4"]
    ) -> None:
        found = pairs[:, 1]
        self._past.append(_Past(
            t_ns, self._tracks.person_ids[pairs[:, 0]], boxes_px, seen.keypoints_px[found], seen.confidence[found]
        ))  # fmt: skip
        while self._past[0].t_ns < t_ns - self.config.lift_s * 1e9:
            self._past.popleft()

    # --- output -----------------------------------------------------------------------------------

    def _rows(
        self,
        observation: Observation,
        tracks: TrackTable,
        detection: Int[Array, "M"],
        seen: _Seen | None,
        drops: dict[str, int],
    ) -> TrackedFrame:
        m = len(tracks)
        order = np.argsort(tracks.person_ids, kind="stable")
        tracks, detection = tracks.take(order), detection[order]
        has = detection >= 0
        scores = np.zeros(m, np.float32)
        keypoints, confidence = np.zeros((m, 17, 2), np.float32), np.zeros((m, 17), np.float32)
        if seen is not None:
            scores[has] = seen.scores[detection[has]]
            keypoints[has], confidence[has] = (
                seen.keypoints_px[detection[has]],
                seen.confidence[detection[has]],
            )
        position = np.full((m, 3), np.nan)
        if self._geometry is not None and m:
            position = surface_points(self._geometry[1], tracks.plane.position)
        return TrackedFrame(
            camera=observation.camera, index=observation.index, t_capture_ns=observation.t_capture_ns,
            clock=observation.clock, size_px=observation.size_px, person_ids=tracks.person_ids,
            confirmed=tracks.confirmed, seen=has, boxes_px=_boxes(tracks).astype(np.float32), scores=scores,
            keypoints_px=keypoints, confidence=confidence, position_m=position,
            covariance_m2=tracks.plane.position_covariance.copy(),
            velocity_mps=tracks.plane.velocity.copy(), drops=drops,
        )  # fmt: skip


def _boxes(tracks: TrackTable) -> Float[Array, "M 4"]:
    return from_foot_and_size(tracks.foot.position, tracks.size.position)


def _pair(values: Float[Array, "2"]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _rows_of(ids: Int[Array, "M"], wanted: Int[Array, "R"]) -> tuple[Int[Array, "S"], Int[Array, "S"]]:
    """Rows of the table that hold the wanted ids, and which of the wanted those are."""
    _, rows, kept = np.intersect1d(ids, wanted, assume_unique=True, return_indices=True)
    return rows, kept


def _same_appearance(tracks: TrackTable, size: int) -> TrackTable:
    """The table with codes of this size; codes of another network are forgotten."""
    if tracks.appearance.shape[1] == size:
        return tracks
    return replace(tracks, appearance=np.zeros((len(tracks), size)))


def _blend_appearance(tracks: TrackTable, rows: Int[Array, "R"], codes: Float[Array, "R A"]) -> TrackTable:
    """Running mean of the unit codes; zero rows stand for none."""
    if codes.shape[1] == 0:
        return tracks
    tracks = _same_appearance(tracks, codes.shape[1])
    known = (codes != 0).any(axis=1)
    old = tracks.appearance[rows[known]]
    fresh = ~(old != 0).any(axis=1, keepdims=True)
    mean = np.where(fresh, codes[known], 0.9 * old + 0.1 * codes[known])
    mean = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
    return tracks.put(rows[known], appearance=mean)
