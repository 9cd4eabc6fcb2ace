"""People on the ground: predicted, corrected by HVIPs, and lifted onto a ground that has just been found.

Everybody is measured with their own torso height, a running mean that starts at the population's. A lift
lives the last moments again: the frames kept as `Past` correct the rows in turn, so that people who were
tracked in the image go on under the same ids, with positions and velocities in metres.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from ..kernels.hvip import TORSO_HEIGHT_M, hvip_from_keypoints
from ..kernels.tracking import plane_motion as motion
from ..kernels.tracking.plane_motion import Motion
from ..kernels.tracking.table import TrackTable
from .track_config import TrackConfig
from .track_rows import boxes_of
from .track_seen import Geometry

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
class Past:
    """What a lift onto a new ground needs of one frame."""

    t_ns: int
    person_ids: Int[Array, "R"]
    boxes_px: Float[Array, "R 4"]
    keypoints_px: Float[Array, "R 17 2"]
    confidence: Float[Array, "R 17"]


def predict_plane(config: TrackConfig, plane: Motion, dt_s: float) -> Motion:
    """Ground positions and velocities after dt_s seconds."""
    c = config
    return motion.predict(plane, dt_s, np.full(len(plane.state), c.speed_sigma_mps), c.velocity_memory_s)


def correct_plane(
    config: TrackConfig,
    geometry: Geometry,
    tracks: TrackTable,
    rows: Int[Array, "R"],
    boxes_px: Float[Array, "R 4"],
    keypoints_px: Float[Array, "R 17 2"],
    confidence: Float[Array, "R 17"],
    dt_s: float,
) -> TrackTable:
    """Ground positions from HVIPs with each person's own torso height, which they teach in turn."""
    if len(rows) == 0:
        return tracks
    c, count = config, tracks.torso_count[rows]
    sigma = np.hypot(_TORSO_SIGMA_M / np.sqrt(1.0 + count / _TORSO_PRIOR), _TORSO_FLOOR_M)
    points = hvip_from_keypoints(*geometry, keypoints_px, confidence, boxes_px, tracks.torso_m[rows], sigma)
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


def lift(
    config: TrackConfig, geometry: Geometry, tracks: TrackTable, history: Iterable[Past], now_ns: int | None
) -> TrackTable:
    """The table, which stands at now_ns, with every row on this ground; who cannot be placed is left out."""
    tracks = replace(tracks, plane=Motion.unplaced(len(tracks)))
    before = None
    for past in history:
        dt_s = 0.0 if before is None else (past.t_ns - before) / 1e9
        tracks = replace(tracks, plane=predict_plane(config, tracks.plane, dt_s))
        rows, kept = _rows_of(tracks.person_ids, past.person_ids)
        tracks = correct_plane(
            config, geometry, tracks, rows,
            past.boxes_px[kept], past.keypoints_px[kept], past.confidence[kept], dt_s or 0.1,
        )  # fmt: skip
        before = past.t_ns
    if before is not None and now_ns is not None:
        tracks = replace(tracks, plane=predict_plane(config, tracks.plane, (now_ns - before) / 1e9))
    return _place_lost(config, geometry, tracks)


def _place_lost(config: TrackConfig, geometry: Geometry, tracks: TrackTable) -> TrackTable:
    """People hidden throughout the history of a lift: under their box, very unsure; or not at all."""
    lost = np.flatnonzero(~np.isfinite(tracks.plane.position).all(axis=1))
    if len(lost) == 0:
        return tracks
    points = hvip_from_keypoints(
        *geometry, np.zeros((len(lost), 17, 2)), np.zeros((len(lost), 17)), boxes_of(tracks)[lost]
    )
    begun = motion.start(
        points.position_m[:, :2], points.covariance_m2 + np.eye(2),
        np.full(len(lost), config.speed_sigma_mps),
    )  # fmt: skip
    tracks = tracks.put(lost, plane=begun)
    return tracks.take(np.isfinite(tracks.plane.position).all(axis=1))


def _rows_of(ids: Int[Array, "M"], wanted: Int[Array, "R"]) -> tuple[Int[Array, "S"], Int[Array, "S"]]:
    """Rows of the table that hold the wanted ids, and which of the wanted those are."""
    _, rows, kept = np.intersect1d(ids, wanted, assume_unique=True, return_indices=True)
    return rows, kept
