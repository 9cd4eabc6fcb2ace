"""Rows of the track table: how they begin, what they keep of a sighting, how they are handed out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from ..kernels.hvip import TORSO_HEIGHT_M
from ..kernels.perception.appearance_code import blend_codes
from ..kernels.tracking import plane_motion as motion
from ..kernels.tracking.boxes import from_foot_and_size, to_foot_and_size
from ..kernels.tracking.carry import surface_points
from ..kernels.tracking.plane_motion import Motion
from ..kernels.tracking.table import TrackTable
from .records import Observation, TrackedFrame
from .track_config import TrackConfig
from .track_seen import Geometry, Seen, measure_foot

Array = np.ndarray

APPEARANCE_MEMORY = 20.0
"""Codes that the running mean of a track goes back: some four seconds."""


def boxes_of(tracks: TrackTable) -> Float[Array, "M 4"]:
    """Filtered boxes, px."""
    return from_foot_and_size(tracks.foot.position, tracks.size.position)


def newborn_rows(
    config: TrackConfig,
    geometry: Geometry | None,
    seen: Seen,
    found: Int[Array, "B"],
    first_id: int,
    t_ns: int,
    appearance_size: int = 0,
) -> TrackTable:
    """One row for each of these detections, numbered from first_id on.

    Args:
        appearance_size: length of codes where the frame has none of its own.
    """
    c, b = config, len(found)
    boxes = seen.boxes_px[found]
    foot_px, foot_cov = measure_foot(c, boxes)
    _, log_size = to_foot_and_size(boxes)
    size_cov = np.tile(c.size_noise**2 * np.diag([4.0, 1.0]), (b, 1, 1))
    speed = np.full(b, c.speed_sigma_mps)
    plane = Motion.unplaced(b)
    if geometry is not None:
        plane = motion.start(seen.position[found], seen.covariance[found], speed)
    ids = np.arange(first_id, first_id + b, dtype=np.int64)
    codes = seen.appearance[found] if seen.appearance.shape[1] else np.zeros((b, appearance_size))
    return TrackTable(
        person_ids=ids, born_ns=np.full(b, t_ns), seen_ns=np.full(b, t_ns),
        hits=np.ones(b, np.int64), misses=np.zeros(b, np.int64), confirmed=np.zeros(b, bool),
        foot=motion.start(foot_px, foot_cov, speed / c.stature_m * np.exp(log_size[:, 1])),
        size=motion.start(log_size, size_cov, np.full(b, c.size_speed)), plane=plane,
        torso_m=np.full(b, TORSO_HEIGHT_M), torso_count=np.zeros(b),
        keypoints_px=seen.keypoints_px[found], confidence=seen.confidence[found], pose_box_px=boxes,
        appearance=codes, appearance_count=np.any(codes != 0, axis=1) * np.ones(b), seen_plane_m=plane.position,
        seen_foot_px=foot_px, seen_log_size=log_size, entry_m=seen.position[found],
    )  # fmt: skip


def mark_seen(tracks: TrackTable, rows: Int[Array, "R"], t_ns: int | None) -> TrackTable:
    """Notes where a row is now, so that a hidden person's box can be carried along from there."""
    when = tracks.seen_ns[rows] if t_ns is None else np.full(len(rows), t_ns)
    return tracks.put(
        rows, seen_ns=when, seen_plane_m=tracks.plane.position[rows],
        seen_foot_px=tracks.foot.position[rows], seen_log_size=tracks.size.position[rows],
    )  # fmt: skip


def same_appearance(tracks: TrackTable, size: int) -> TrackTable:
    """The table with codes of this size; codes of another network are forgotten."""
    if tracks.appearance.shape[1] == size:
        return tracks
    m = len(tracks)
    return replace(tracks, appearance=np.zeros((m, size)), appearance_count=np.zeros(m))


def blend_appearance(tracks: TrackTable, rows: Int[Array, "R"], codes: Float[Array, "R A"]) -> TrackTable:
    """Mean of the first codes, then a running one; zero rows stand for none, codes of size 0 for a frame without."""
    if codes.shape[1] == 0:
        return tracks
    tracks = same_appearance(tracks, codes.shape[1])
    known = (codes != 0).any(axis=1)
    rows, codes = rows[known], codes[known]
    count = tracks.appearance_count[rows] + 1.0
    mean = blend_codes(tracks.appearance[rows], codes, np.maximum(1.0 / count, 1.0 / APPEARANCE_MEMORY))
    return tracks.put(rows, appearance=mean, appearance_count=count)


def tracked_frame(
    geometry: Geometry | None,
    observation: Observation,
    tracks: TrackTable,
    detection: Int[Array, "M"],
    seen: Seen | None,
    drops: dict[str, int],
) -> TrackedFrame:
    """The rows in order of their ids, each with its detection (-1: predicted)."""
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
    if geometry is not None and m:
        position = surface_points(geometry[1], tracks.plane.position)
    return TrackedFrame(
        camera=observation.camera, index=observation.index, t_capture_ns=observation.t_capture_ns,
        clock=observation.clock, size_px=observation.size_px, person_ids=tracks.person_ids,
        confirmed=tracks.confirmed, seen=has, boxes_px=boxes_of(tracks).astype(np.float32), scores=scores,
        keypoints_px=keypoints, confidence=confidence, position_m=position,
        covariance_m2=tracks.plane.position_covariance.copy(),
        velocity_mps=tracks.plane.velocity.copy(), drops=drops, skew_ns=observation.skew_ns,
    )  # fmt: skip
