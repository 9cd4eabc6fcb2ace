"""A result against annotated boxes alone: identity in the picture, and ground error where a camera is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ...kernels.hvip import foot_point_of_boxes
from ...kernels.metrics.track_rows import TrackRows
from ...stream.calibration_file import load_calibration
from ...stream.export.recording import Recording
from ..bench.identity import ground_error
from .camera_frames import identity_of, mot_rows
from .errors import EvaluateError

Array = np.ndarray


def score_mot(truth: TrackRows, found: TrackRows, calibration: Path | None = None) -> dict[str, Any]:
    """`identity` of a report (and `ground`), for one clip.

    Args:
        calibration: camera of the clip; adds the distance of the result's ground points to the foot points of the
            annotated boxes they match.

    Raises:
        EvaluateError: not one frame in common.
        CalibrationError: the camera file makes no sense.
    """
    common = np.intersect1d(truth.frame, found.frame)
    if len(common) == 0:
        raise EvaluateError(
            f"truth has frames {truth.frame.min()}-{truth.frame.max()}, the result "
            f"{_span(found)}: none in common; are they of one clip?"
        )
    results: dict[str, Any] = {
        "identity": identity_of(found, _without_ground(truth)),
        "counts": {
            "frames": len(np.unique(truth.frame)),
            "people": len(np.unique(truth.person_ids)),
            "person_frames": len(truth.frame),
            "predicted_people": len(np.unique(found.person_ids)),
            "predicted_person_frames": len(found.frame),
        },
    }
    if calibration is not None:
        held = load_calibration(calibration)
        placed = np.isfinite(found.ground_m).all(axis=1)
        errors = ground_error(
            "result", _table(found, placed), _table(truth, None), (held.camera, held.ground)
        )
        results["ground"] = {m.key.removeprefix("identity.result.ground_error_"): m.value for m in errors}
        foot = np.asarray(foot_point_of_boxes(held.camera, held.ground, truth.box_px))[:, :2]
        on_ground = TrackRows(truth.frame, truth.person_ids, truth.box_px, foot)
        results["identity"] = identity_of(found, on_ground)
    return results


def rows_of_log(path: Path) -> TrackRows:
    """The tracks of a recorded log's last session, late rows merged in; frames counted from 1, as MOT does.

    Raises:
        LogError: no log there.
        ExportError: nothing was published in it.
    """
    frames, ids = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    boxes, grounds = [np.zeros((0, 4))], [np.zeros((0, 2))]
    for frame in Recording(path).frames():
        frames.append(np.full(len(frame.person_ids), frame.index + 1, np.int64))
        ids.append(frame.person_ids.astype(np.int64))
        boxes.append(frame.boxes_px.astype(np.float64))
        grounds.append(np.asarray(frame.position_m, np.float64)[:, :2])
    return TrackRows(*(np.concatenate(part) for part in (frames, ids, boxes, grounds)))


def rows_of_file(path: Path) -> TrackRows:
    """MOT text, or a log by its name's end.

    Raises:
        CrowdstreamError: not there, or neither.
    """
    return rows_of_log(path) if path.suffix == ".cslog" else mot_rows(path)


def _without_ground(rows: TrackRows) -> TrackRows:
    return TrackRows(rows.frame, rows.person_ids, rows.box_px, np.full((len(rows.frame), 2), np.nan))


def _table(rows: TrackRows, keep: Array | None) -> Float[Array, "R 10"]:
    """As `lab.bench.identity` holds MOT text; -1 for unknown places."""
    out = np.full((len(rows.frame), 10), -1.0)
    out[:, 0], out[:, 1] = rows.frame, rows.person_ids
    out[:, 2:4], out[:, 4:6] = rows.box_px[:, :2], rows.box_px[:, 2:] - rows.box_px[:, :2]
    out[:, 6] = 1.0
    if keep is not None:
        out[keep, 7:9], out[keep, 9] = rows.ground_m[keep], 0.0
    return out


def _span(rows: TrackRows) -> str:
    return f"{rows.frame.min()}-{rows.frame.max()}" if len(rows.frame) else "none"
