"""Tracks and truth on the camera's own frames, in MOT's manner: what identity is scored on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ...kernels.metrics.alignment import Similarity
from ...kernels.metrics.identity import score_identity, score_identity_on_ground
from ...kernels.metrics.track_rows import TrackRows
from ...kernels.solve.problem import MODEL_RATE_HZ
from ...stream.records import TrackedFrame
from ..bench.identity import read_mot
from ..virtualcrowd.truth import CrowdMotion, View
from .truth import MIN_INSIDE, inside_share

Array = np.ndarray

_OUTSIDE = MIN_INSIDE / 2
"""A found box with less of it in the picture is nobody's finding and nobody's false alarm; half of what makes a true
person count, so that nobody loses a finding to the rounding of boxes."""


def truth_rows(motion: CrowdMotion, view: View, num_frames: int) -> tuple[TrackRows, Bool[Array, "R"]]:
    """Everybody in the first frames of a view, and who of them need not be found (out of view)."""
    person, frame = np.nonzero(view.present[:, :num_frames])
    box_px = view.box_px[person, frame].astype(np.float64)
    slot = view.t_ns[frame] * MODEL_RATE_HZ / 1e9
    before = np.clip(np.floor(slot + 1e-6).astype(np.int64), 0, motion.present.shape[1] - 1)
    after = np.minimum(before + 1, motion.present.shape[1] - 1)
    share = np.where(motion.present[person, after], np.clip(slot - before, 0.0, 1.0), 0.0)[:, None]
    ground = (1.0 - share) * motion.ground_m[person, before] + share * motion.ground_m[person, after]
    rows = TrackRows(frame.astype(np.int64), view.person_ids[person].astype(np.int64), box_px, ground[:, :2])
    return rows, inside_share(box_px, view.camera.size_px) < MIN_INSIDE


def tracked_rows(
    tracked: Iterable[TrackedFrame], t_ns: Int[Array, "F"], motion: Similarity | None = None
) -> TrackRows:
    """Confirmed rows of the live tier on the frames with these capture times; rows out of view are left out.

    Args:
        motion: from the engine's world into the truth's; None for the same.
    """
    place = {int(t): f for f, t in enumerate(t_ns.tolist())}
    frames, ids = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    boxes, grounds = [np.zeros((0, 4))], [np.zeros((0, 3))]
    for frame in tracked:
        at = place.get(frame.t_capture_ns)
        if at is None:
            continue
        good = frame.confirmed & (inside_share(frame.boxes_px, frame.size_px) >= _OUTSIDE)
        frames.append(np.full(int(good.sum()), at, np.int64))
        ids.append(frame.person_ids[good].astype(np.int64))
        boxes.append(frame.boxes_px[good].astype(np.float64))
        grounds.append(np.asarray(frame.position_m[good], np.float64))
    ground = np.concatenate(grounds)
    if motion is not None:
        ground = motion.apply(ground)
    return TrackRows(np.concatenate(frames), np.concatenate(ids), np.concatenate(boxes), ground[:, :2])


def mot_rows(path: Path) -> TrackRows:
    """A MOT text file: `frame,id,left,top,width,height[,conf[,x,y,z]]`; later rows of a person in a frame win.

    Raises:
        CrowdstreamError: no such file, or not of this layout.
    """
    table = read_mot(path)
    table = table[table[:, 1] >= 0]
    keys = np.stack([table[:, 0], table[:, 1]])
    _, last = np.unique(keys[:, ::-1], axis=1, return_index=True)
    table = table[np.sort(len(table) - 1 - last)]
    unknown = np.isnan(table[:, 7:9]).any(axis=1) | (table[:, 7:10] == -1.0).all(axis=1)
    ground: Float[Array, "R 2"] = np.where(unknown[:, None], np.nan, table[:, 7:9])
    box = np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1)
    return TrackRows(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), box, ground)


def identity_of(
    found: TrackRows, truth: TrackRows, ignored: Bool[Array, "R"] | None = None
) -> dict[str, Any]:
    """IDF1, MOTA, HOTA and their parts, in the picture (IoU 0.5) and, where both sides know it, on the ground (1 m)."""
    out: dict[str, Any] = dict(score_identity(found, truth, ignored).as_dict())
    if np.isfinite(found.ground_m).any() and np.isfinite(truth.ground_m).any():
        out["ground"] = dict(score_identity_on_ground(found, truth, ignored).as_dict())
    return out
