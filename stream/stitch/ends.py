"""Where a track began and ended on the ground, and how fast it went there.

Sightings near the end of a track are measured anew (HVIP) with the torso height that is known by now, and filtered
towards the end; the beginning is filtered backwards in time. The walk in the filter is that of somebody who goes on as
they do: the tracker's own filter must follow every turn at once and knows velocities only to 0.5 m/s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ...kernels.hvip import hvip_from_keypoints
from ...kernels.tracking.gap_motion import filter_end
from ...kernels.tracking.plane_motion import Motion
from ..track_seen import Geometry
from .tracklets import Sighting, Tracklet

Array = np.ndarray

_WALK_SIGMA_MPS, _WALK_MEMORY_S = 1.4, 20.0
"""Walk within an end: see docs/tracking.md."""
_TORSO_SIGMA_M, _TORSO_FLOOR_M, _TORSO_PRIOR = 0.07, 0.03, 10.0
"""As the tracker measures (stream.track_plane)."""


def end_of(tracklet: Tracklet, geometry: Geometry, noise_memory_s: float) -> Motion | None:
    """State at the last sighting, one row; None where the feet cannot be placed."""
    if tracklet.end is None:
        tracklet.end = _filtered(list(tracklet.tail), tracklet, geometry, noise_memory_s)
    return tracklet.end


def begin_of(tracklet: Tracklet, geometry: Geometry, end_s: float, noise_memory_s: float) -> Motion | None:
    """State at the first sighting: worked out when first asked for, and once more when `end_s` of it was seen."""
    whole = tracklet.age_s >= end_s
    if tracklet.begin is None or (whole and not tracklet.begun_whole and not tracklet.settled):
        tracklet.begin = _filtered(tracklet.head[::-1], tracklet, geometry, noise_memory_s)
        tracklet.begun_whole = whole
    return tracklet.begin


def _filtered(
    rows: Sequence[Sighting], tracklet: Tracklet, geometry: Geometry, noise_memory_s: float
) -> Motion | None:
    """The walk through the sightings, in the order given, at the last of them."""
    known = tracklet.portrait
    share = 1.0 + known.torso_count / _TORSO_PRIOR
    sigma_m = float(np.hypot(_TORSO_SIGMA_M / np.sqrt(share), _TORSO_FLOOR_M))
    points = hvip_from_keypoints(
        *geometry, _stacked(rows, "keypoints_px"), _stacked(rows, "confidence"), _stacked(rows, "boxes_px"),
        known.torso_m, sigma_m,
    )  # fmt: skip
    good = np.isfinite(points.position_m).all(axis=1)
    if not good[-1] or good.sum() < 2:
        return None
    t_s = np.array([row.t_ns - rows[0].t_ns for row in rows])[good] / 1e9
    return filter_end(
        t_s, points.position_m[good, :2], points.covariance_m2[good], _WALK_SIGMA_MPS, _WALK_MEMORY_S,
        noise_memory_s,
    )  # fmt: skip


def _stacked(rows: Sequence[Sighting], name: str) -> Float[Array, "K ..."]:
    """One column of the sightings."""
    return np.stack([getattr(each.frame, name)[each.row] for each in rows]).astype(np.float64)
