"""Identity benchmark: our tracks and ByteTrack's on the same detections, scored by a public library.

Both the other tracker and the metrics (CLEAR, HOTA, identity) come from the `trackers` package, so nothing
of ours judges ourselves. The operating point of ByteTrack is the package's own defaults with every
detection of score 0.3 and more; on PETS09 S2.L1 (first half, RTMDet-nano at 640x480) that gives
IDF1 0.859, MOTA 0.888, 5 switches, the best of several tried by MOTA.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from ...kernels.camera import CameraModel
from ...kernels.errors import CrowdstreamError
from ...kernels.ground import Ground
from ...kernels.hvip import foot_point_of_boxes
from ...kernels.tracking.boxes import overlap_matrix
from ...stream.records import Observation, TrackedFrame

Array = np.ndarray

BYTETRACK_MIN_SCORE = 0.3
_MATCH_OVERLAP = 0.5
"""IoU from which a result and a given box are the same person: the custom of CLEAR and of identity scores."""


@dataclass(frozen=True)
class MetricRow:
    """One figure of a benchmark."""

    key: str
    value: float
    unit: str
    direction: str
    """`higher` or `lower` is better, or `info`."""


def score_identity(
    result_mot: Path,
    truth_mot: Path,
    observations: Iterable[Observation] = (),
    geometry: tuple[CameraModel, Ground] | None = None,
) -> list[MetricRow]:
    """Scores a tracking result, and ByteTrack on the same detections where they are given.

    Args:
        result_mot: `frame,id,left,top,width,height,conf,x,y,z` (x, y, z: ground metres; may be missing).
        truth_mot: the same layout with the annotated boxes.
        observations: what the tracker was given; none: no rows for ByteTrack.
        geometry: calibration for the ground error against the foot points of the annotated boxes.

    Raises:
        CrowdstreamError: the `trackers` package is not there, or a file holds nothing.
    """
    metrics = _trackers()
    result, truth = read_mot(result_mot), read_mot(truth_mot)
    with tempfile.TemporaryDirectory() as folder:
        # the library scores rows of class 1 only; annotations often carry -1 there
        given = _for_scoring(Path(folder) / "truth.txt", truth)
        rows = _score(metrics, "crowdstream", _for_scoring(Path(folder) / "ours.txt", result), given)
        seen = list(observations)
        if seen:
            rivals = byte_track(seen)
            rows += _score(metrics, "bytetrack", _for_scoring(Path(folder) / "byte.txt", rivals), given)
            if geometry is not None:
                rows += ground_error("detections", _bare_detections(seen, geometry), truth, geometry)
    if geometry is not None:
        rows += ground_error("crowdstream", result, truth, geometry)
    return rows


def byte_track(observations: list[Observation], **settings: float) -> Float[Array, "R 10"]:
    """ByteTrack of the `trackers` package over the same detections, as MOT rows."""
    _trackers()
    import supervision
    from trackers import ByteTrackTracker

    tracker = ByteTrackTracker(**settings)
    rows: list[Float[Array, "10"]] = []
    for seen in observations:
        keep = seen.scores >= BYTETRACK_MIN_SCORE
        detections = supervision.Detections(
            xyxy=np.asarray(seen.boxes_px[keep], np.float64).reshape(-1, 4),
            confidence=np.asarray(seen.scores[keep], np.float64),
        )
        out = tracker.update(detections)
        for box, person, score in zip(out.xyxy, out.tracker_id, out.confidence, strict=True):
            if person >= 0:
                rows.append(_mot_row(seen.index, int(person) + 1, box, float(score), np.full(3, np.nan)))
    return np.array(rows).reshape(-1, 10)


def mot_rows(frames: Iterable[TrackedFrame]) -> Float[Array, "R 10"]:
    """The confirmed rows of tracked frames in MOT layout, frames counted from 1."""
    rows = [
        _mot_row(f.index, int(f.person_ids[k]), f.boxes_px[k], float(f.scores[k]), f.position_m[k])
        for f in frames
        for k in np.flatnonzero(f.confirmed)
    ]
    return np.array(rows).reshape(-1, 10)


def write_mot(path: Path, rows: Float[Array, "R 10"]) -> Path:
    """Writes MOT rows as text, with confidence and ground position."""
    np.savetxt(path, rows, fmt=["%d", "%d", *["%.3f"] * 8], delimiter=",")
    return path


def read_mot(path: Path) -> Float[Array, "R 10"]:
    """Reads MOT text; missing last columns become NaN.

    Raises:
        CrowdstreamError: no such file, or nothing in it.
    """
    if not path.is_file():
        raise CrowdstreamError(f"no MOT file at {path}; write one with `crowdstream export LOG --format mot`")
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    if not lines:
        raise CrowdstreamError(f"{path} is empty; expected lines of frame,id,left,top,width,height,conf,...")
    table = np.full((len(lines), 10), np.nan)
    for row, line in enumerate(lines):
        values = [float(v) if v.strip() else np.nan for v in line.split(",")[:10]]
        table[row, : len(values)] = values
    return table


def ground_error(
    name: str,
    result: Float[Array, "R 10"],
    truth: Float[Array, "S 10"],
    geometry: tuple[CameraModel, Ground],
) -> list[MetricRow]:
    """Distance on the ground between results and the foot points of the annotated boxes they match."""
    camera, ground = geometry
    foot = foot_point_of_boxes(camera, ground, _xyxy(truth))
    errors: list[Float[Array, "M"]] = []
    for frame in np.unique(truth[:, 0]):
        t, r = np.flatnonzero(truth[:, 0] == frame), np.flatnonzero(result[:, 0] == frame)
        a, b = _pairs(overlap_matrix(_xyxy(truth[t]), _xyxy(result[r])))
        errors.append(np.linalg.norm(foot[t[a], :2] - result[r[b], 7:9], axis=-1))
    found = np.concatenate(errors) if errors else np.zeros(0)
    found = found[np.isfinite(found)]
    if len(found) == 0:
        return []
    return [
        MetricRow(f"{name}.ground_error_median", float(np.median(found)), "m", "lower"),
        MetricRow(f"{name}.ground_error_p90", float(np.percentile(found, 90)), "m", "lower"),
        MetricRow(f"{name}.ground_error_count", float(len(found)), "person-frames", "info"),
    ]


def _bare_detections(
    observations: list[Observation], geometry: tuple[CameraModel, Ground]
) -> Float[Array, "R 10"]:
    """Detections as MOT rows without identity, placed by the foot point of the box alone."""
    rows = []
    for o in observations:
        place = foot_point_of_boxes(*geometry, np.asarray(o.boxes_px, np.float64))
        rows += [_mot_row(o.index, 0, o.boxes_px[k], float(o.scores[k]), place[k]) for k in range(len(place))]
    return np.array(rows).reshape(-1, 10)


def _score(metrics: Any, name: str, result: Path, truth: Path) -> list[MetricRow]:
    got = metrics.evaluate_mot_sequence(truth, result, ["CLEAR", "HOTA", "Identity"])
    return [
        MetricRow(f"{name}.idf1", float(got.Identity.IDF1), "ratio", "higher"),
        MetricRow(f"{name}.mota", float(got.CLEAR.MOTA), "ratio", "higher"),
        MetricRow(f"{name}.hota", float(got.HOTA.HOTA), "ratio", "higher"),
        MetricRow(f"{name}.switches", float(got.CLEAR.IDSW), "count", "lower"),
        MetricRow(f"{name}.false_positives", float(got.CLEAR.CLR_FP), "person-frames", "lower"),
        MetricRow(f"{name}.misses", float(got.CLEAR.CLR_FN), "person-frames", "lower"),
    ]


def _trackers() -> Any:
    try:
        import trackers.eval
    except ImportError as exc:
        raise CrowdstreamError(
            "the identity benchmark needs the public `trackers` package, which is not installed; "
            "install it with: pip install 'trackers>=2.6'"
        ) from exc
    return trackers.eval


def _mot_row(
    index: int, person: int, box: Float[Array, "4"], score: float, position: Float[Array, "3"]
) -> Float[Array, "10"]:
    x1, y1, x2, y2 = (float(v) for v in box)
    return np.array([index + 1, person, x1, y1, x2 - x1, y2 - y1, score, *position])


def _for_scoring(path: Path, rows: Float[Array, "R 10"]) -> Path:
    """MOT text with confidence 1 and class 1, the only rows that the library counts."""
    with path.open("w") as out:
        for r in rows:
            out.write(f"{int(r[0])},{int(r[1])},{r[2]:.3f},{r[3]:.3f},{r[4]:.3f},{r[5]:.3f},1,1,-1,-1\n")
    return path


def _xyxy(rows: Float[Array, "R 10"]) -> Float[Array, "R 4"]:
    return np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)


def _pairs(overlaps: Float[Array, "T R"]) -> tuple[Int[Array, "M"], Int[Array, "M"]]:
    a, b = linear_sum_assignment(-np.where(overlaps >= _MATCH_OVERLAP, overlaps, 0.0))
    good = overlaps[a, b] >= _MATCH_OVERLAP
    return a[good], b[good]
