"""Rows of somebody who was hidden, once it is known that they came back: where they were, frame by frame.

The place is that of a walker with both ends given (`kernels.tracking.gap_motion.bridge`), its covariance honest; the
box is carried along from the nearer end. Rows are not seen, have no score and no keypoints, and stand under the id of
the earlier track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from ...kernels.tracking.boxes import from_foot_and_size, to_foot_and_size
from ...kernels.tracking.carry import carry_boxes, surface_points
from ...kernels.tracking.gap_motion import bridge
from ...kernels.tracking.plane_motion import Motion
from ..records import TrackedFrame
from ..track_seen import Geometry

Array = np.ndarray

_WALK_SIGMA_MPS, _WALK_MEMORY_S = 1.0, 20.0


def gap_rows(
    lost: TrackedFrame, found: TrackedFrame, end: Motion, begin: Motion, headers: Sequence[TrackedFrame],
    geometry: Geometry,
) -> list[TrackedFrame]:  # fmt: skip
    """One record a frame between the two sightings, oldest first.

    Args:
        lost, found: the rows of the last and the first sighting, alone.
        headers: frames without rows, in order; those outside the gap are passed over.
    """
    between = [h for h in headers if lost.t_capture_ns < h.t_capture_ns < found.t_capture_ns]
    if not between:
        return []
    gap_s = (found.t_capture_ns - lost.t_capture_ns) / 1e9
    at_s = np.array([(h.t_capture_ns - lost.t_capture_ns) / 1e9 for h in between])
    walk = bridge(end, begin, gap_s, at_s, _WALK_SIGMA_MPS, _WALK_MEMORY_S)
    boxes = _boxes(lost, found, end, begin, walk.position, at_s / gap_s, geometry)
    position = surface_points(geometry[1], walk.position)
    return [
        replace(
            header, person_ids=lost.person_ids, confirmed=np.ones(1, bool), seen=np.zeros(1, bool),
            boxes_px=boxes[k : k + 1].astype(np.float32), scores=np.zeros(1, np.float32),
            keypoints_px=np.zeros((1, 17, 2), np.float32), confidence=np.zeros((1, 17), np.float32),
            position_m=position[k : k + 1], covariance_m2=walk.position_covariance[k : k + 1],
            velocity_mps=walk.velocity[k : k + 1],
        )
        for k, header in enumerate(between)
    ]  # fmt: skip


def _boxes(
    lost: TrackedFrame, found: TrackedFrame, end: Motion, begin: Motion, places_m: Float[Array, "K 2"],
    share: Float[Array, "K"], geometry: Geometry,
) -> Float[Array, "K 4"]:  # fmt: skip
    """Both ends' boxes carried to each place, blended by how far the gap is gone."""
    carried = []
    for row, state in ((lost, end), (found, begin)):
        foot, size = to_foot_and_size(row.boxes_px)
        many = np.ones((len(places_m), 1))
        carried.append(carry_boxes(
            *geometry, many * state.position, places_m, many * foot, many * size,
        ))  # fmt: skip
    foot, size = ((1.0 - share[:, None]) * a + share[:, None] * b for a, b in zip(*carried, strict=True))
    return from_foot_and_size(foot, size)
