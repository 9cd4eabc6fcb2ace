"""Identity benchmark: our tracks and ByteTrack's on the same detections, scored by a public library.

Both the other tracker and the metrics (CLEAR, HOTA, identity) come from the `trackers` package, so nothing
of ours judges ourselves. The operating point of ByteTrack is the package's own defaults with every
detection of score 0.3 and more; on PETS09 S2.L1 (first half, RTMDet-nano at 640x480) that gives
IDF1 0.859, MOTA 0.888, 5 switches, the best of several tried by MOTA.

Ground errors are distances between x, y of the result and the foot point of the annotated box that its own box
matches (IoU 0.5), found through the calibration. `detections` is the yardstick: foot points of bare boxes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
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
from ...stream.calibration_file import load_calibration
from ...stream.records import Observation, TrackedFrame
from .metric import Direction, Metric

Array = np.ndarray

BYTETRACK_MIN_SCORE = 0.3
_MATCH_OVERLAP = 0.5
"""IoU from which a result and a given box are the same person: the custom of CLEAR and of identity scores."""


_SCORE_TOL = 0.01
"""Identity scores are ratios of counts on one clip: a run is the same every time, so little may be lost."""
_GROUND_TOL_M = 0.005


def run_identity(
    result: Path, truth: Path, calibration: Path | None = None, detections: Path | None = None
) -> list[Metric]:
    """The figures of `crowdstream bench identity`.

    Args:
        result: MOT text of a run: `frame,id,left,top,width,height,conf,x,y,z`; x, y, z in ground metres.
        truth: the same layout with the annotated boxes.
        calibration: camera file, for ground errors.
        detections: what the tracker was given (`crowdstream bench detections`), for ByteTrack's figures.

    Raises:
        CrowdstreamError: the `trackers` package is not there, or a file is not, or makes no sense.
    """
    metrics = _trackers()
    ours, given = read_mot(result), read_mot(truth)
    rivals = {"crowdstream": ours}
    placed = {"crowdstream": ours}
    seen = None if detections is None else read_mot(detections)
    if seen is not None:
        rivals["bytetrack"] = byte_track(seen)
    geometry = None
    if calibration is not None:
        held = load_calibration(calibration)
        geometry = (held.camera, held.ground)
        if seen is not None:
            placed["detections"] = _placed(seen[seen[:, 6] >= BYTETRACK_MIN_SCORE], geometry)
            placed["bytetrack"] = _placed(rivals["bytetrack"], geometry)
    figures: list[Metric] = []
    with tempfile.TemporaryDirectory() as folder:
        # the library scores rows of class 1 only; annotations often carry -1 there
        target = _for_scoring(Path(folder) / "truth.txt", given)
        for name, rows in rivals.items():
            figures += _score(metrics, name, _for_scoring(Path(folder) / f"{name}.txt", rows), target)
    if geometry is not None:
        for name, rows in placed.items():
            figures += ground_error(name, rows, given, geometry)
    return figures


def byte_track(detections: Float[Array, "R 10"], **settings: float) -> Float[Array, "S 10"]:
    """ByteTrack of the `trackers` package over detections in MOT layout, as MOT rows without places."""
    _trackers()
    import supervision
    from trackers import ByteTrackTracker

    tracker = ByteTrackTracker(**settings)
    rows: list[Float[Array, "10"]] = []
    first, last = (int(f(detections[:, 0])) for f in (np.min, np.max))
    for frame in range(first, last + 1):  # frames without a detection age its tracks, too
        seen = detections[(detections[:, 0] == frame) & (detections[:, 6] >= BYTETRACK_MIN_SCORE)]
        out = tracker.update(supervision.Detections(xyxy=_xyxy(seen), confidence=seen[:, 6]))
        for box, person, score in zip(out.xyxy, out.tracker_id, out.confidence, strict=True):
            if person >= 0:
                rows.append(_mot_row(frame - 1, int(person) + 1, box, float(score), np.full(3, np.nan)))
    return np.array(rows).reshape(-1, 10)


def detection_rows(observations: Iterable[Observation]) -> Float[Array, "R 10"]:
    """What perception saw as MOT rows: id -1, no places."""
    rows = [
        _mot_row(o.index, -1, o.boxes_px[k], float(o.scores[k]), np.full(3, np.nan))
        for o in observations
        for k in range(len(o.scores))
    ]
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
    """Writes MOT rows as text, with confidence and ground position (-1 where there is none)."""
    rows = np.where(np.isfinite(rows), rows, -1.0)
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
        try:
            values = [float(v) if v.strip() else np.nan for v in line.split(",")[:10]]
        except ValueError:
            values = []
        if len(values) < 6:
            raise CrowdstreamError(
                f"{path}, line {row + 1}: {line[:60]!r} is no MOT row; expected frame,id,left,top,width,height,..."
            )
        table[row, : len(values)] = values
    return table


def ground_error(
    name: str,
    result: Float[Array, "R 10"],
    truth: Float[Array, "S 10"],
    geometry: tuple[CameraModel, Ground],
) -> list[Metric]:
    """Distance on the ground between results and the foot points of the annotated boxes they match."""
    camera, ground = geometry
    foot = foot_point_of_boxes(camera, ground, _xyxy(truth))
    errors: list[Float[Array, "M"]] = []
    result = result[~(result[:, 7:] == -1.0).all(axis=1)]  # no ground yet, by the layout's custom
    for frame in np.unique(truth[:, 0]):
        t, r = np.flatnonzero(truth[:, 0] == frame), np.flatnonzero(result[:, 0] == frame)
        a, b = _pairs(overlap_matrix(_xyxy(truth[t]), _xyxy(result[r])))
        errors.append(np.linalg.norm(foot[t[a], :2] - result[r[b], 7:9], axis=-1))
    found = np.concatenate(errors) if errors else np.zeros(0)
    found = found[np.isfinite(found)]
    if len(found) == 0:
        return []
    lower, key = Direction.LOWER, f"identity.{name}.ground_error"
    return [
        Metric(f"{key}_median", float(np.median(found)), "m", lower, 0.0, _GROUND_TOL_M),
        Metric(f"{key}_p90", float(np.percentile(found, 90)), "m", lower, 0.0, 2 * _GROUND_TOL_M),
        Metric(f"{key}_count", float(len(found)), "person-frames"),
    ]


def _placed(rows: Float[Array, "R 10"], geometry: tuple[CameraModel, Ground]) -> Float[Array, "R 10"]:
    """The rows placed by the foot points of their boxes alone."""
    out = rows.copy()
    out[:, 7:] = foot_point_of_boxes(*geometry, _xyxy(rows))
    return out


def _score(metrics: Any, name: str, result: Path, truth: Path) -> list[Metric]:
    got = metrics.evaluate_mot_sequence(truth, result, ["CLEAR", "HOTA", "Identity"])
    higher, key = Direction.HIGHER, f"identity.{name}"
    return [
        Metric(f"{key}.idf1", float(got.Identity.IDF1), "ratio", higher, 0.0, _SCORE_TOL),
        Metric(f"{key}.mota", float(got.CLEAR.MOTA), "ratio", higher, 0.0, _SCORE_TOL),
        Metric(f"{key}.hota", float(got.HOTA.HOTA), "ratio", higher, 0.0, _SCORE_TOL),
        Metric(f"{key}.switches", float(got.CLEAR.IDSW), "count", Direction.LOWER, 0.0, 2.0),
        Metric(f"{key}.false_positives", float(got.CLEAR.CLR_FP), "person-frames"),
        Metric(f"{key}.misses", float(got.CLEAR.CLR_FN), "person-frames"),
    ]


def _trackers() -> Any:
    try:
        import trackers.eval
    except ImportError as exc:
        raise CrowdstreamError(
            "the identity benchmark needs the public `trackers` package, which is not installed; "
            "install it with: pip install 'crowdstream[bench]' (or 'trackers>=2.6')"
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
