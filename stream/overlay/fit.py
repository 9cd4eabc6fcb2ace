"""What a log says as a whole, and whether a video is the one it was made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ...kernels.camera import CameraModel
from ...kernels.ground import Ground
from ..export.recording import Recording
from ..sources.file import FileSource
from ..wire.schema import CameraInfo
from .config import OverlayError

Array = np.ndarray

SAMPLES = 20_000
"""Places kept for the bird's-eye view, at most."""
SLACK_S = 1.0
"""A log may end so much before its video without a remark."""
MAX_DRIFT_S = 0.25
"""Between the times of a frame in log and video, beside a constant."""
_ADVICE = "give the video the log was made from"


@dataclass(frozen=True)
class LogFacts:
    """One camera of one session."""

    camera: str
    size_px: tuple[int, int]
    model: CameraModel | None
    """None: tracks live in the picture only."""
    ground: Ground | None
    ground_z_m: float
    places_m: Float[Array, "P 2"]
    """Where people were, world x, y."""
    middles_px: Float[Array, "Q 2"]
    """Middles of their boxes."""
    first_index: int
    last_index: int
    t0_ns: int
    """Capture time of the first frame of the log."""
    t1_ns: int
    num_frames: int
    stop_at: int = 1 << 62
    """Frames of the video from here on lie beyond the log's end and are not drawn."""
    zoom: int = 1
    """Pixels of the picture drawn on, for one of the video and axis."""
    notes: tuple[str, ...] = ()


def read_facts(recording: Recording, wanted: str, video_camera: str) -> LogFacts:
    """One pass over the live tier.

    Args:
        wanted: the camera asked for; empty: the one named as the video, else the only one.

    Raises:
        OverlayError: no such camera, several to choose from, or nobody in the log.
    """
    info = _choose(recording, wanted, video_camera)
    index, stamps, places, middles, people = [], [], [], [], 0
    for frame in recording.frames():
        if frame.camera != info.name:
            continue
        index.append(frame.index)
        stamps.append(frame.t_capture_ns)
        people += len(frame.person_ids)
        good = np.isfinite(frame.position_m).all(axis=1)
        places.append(frame.position_m[good, :2])
        middles.append((frame.boxes_px[:, :2] + frame.boxes_px[:, 2:]) / 2)
    if not people and not recording.num_windows:
        raise OverlayError(
            f"{recording.path} holds nobody: {len(index)} frames of camera '{info.name}', no person in any; "
            "nothing to draw"
        )
    ground = recording.schema.ground if recording.schema is not None else None
    notes = list(recording.notes)
    model = info.model if ground is not None else None
    if model is None:
        notes.append(
            f"camera '{info.name}' has no calibration in this log: boxes and skeletons are drawn, no bodies"
        )
    all_places = _thin(np.concatenate(places) if places else np.zeros((0, 2)))
    return LogFacts(
        camera=info.name, size_px=info.size_px, model=model, ground=ground,
        ground_z_m=_height(ground, all_places), places_m=all_places,
        middles_px=_thin(np.concatenate(middles) if middles else np.zeros((0, 2))),
        first_index=min(index, default=0), last_index=max(index, default=0),
        t0_ns=min(stamps, default=0), t1_ns=max(stamps, default=0), num_frames=len(index), notes=tuple(notes),
    )  # fmt: skip


def enlarged(facts: LogFacts, zoom: int) -> LogFacts:
    """The same for a picture `zoom` times as large; pixel centres lie on whole numbers in both."""
    model = facts.model
    if model is not None:
        K = model.K * np.array([[zoom], [zoom], [1.0]])
        K[:2, 2] += (zoom - 1) / 2
        model = replace(model, K=K, size_px=(model.size_px[0] * zoom, model.size_px[1] * zoom))
    size = (facts.size_px[0] * zoom, facts.size_px[1] * zoom)
    return replace(facts, model=model, size_px=size, middles_px=enlarge_px(facts.middles_px, zoom), zoom=zoom)


def enlarge_px(px: Array, zoom: int) -> Array:
    """Where pixels lie in the larger picture."""
    return np.asarray(px * zoom + (zoom - 1) / 2)


def _choose(recording: Recording, wanted: str, video_camera: str) -> CameraInfo:
    cameras = recording.schema.cameras if recording.schema is not None else ()
    names = ", ".join(camera.name for camera in cameras) or "none"
    if not cameras:
        raise OverlayError(f"{recording.path} names no camera: it was ended before its first frame")
    for name in (wanted,) if wanted else (video_camera,):
        for camera in cameras:
            if camera.name == name:
                return camera
    if wanted:
        raise OverlayError(f"no camera '{wanted}' in {recording.path}; it has {names}")
    if len(cameras) > 1:
        raise OverlayError(
            f"{recording.path} has the cameras {names}, none of them named '{video_camera}'; choose with --camera"
        )
    return cameras[0]


def _thin(values: Float[Array, "P 2"]) -> Float[Array, "p 2"]:
    return np.asarray(values[:: max(1, len(values) // SAMPLES)], np.float64)


def _height(ground: Ground | None, places_m: Float[Array, "P 2"]) -> float:
    """World z of the ground in the middle of the crowd."""
    if ground is None:
        return 0.0
    middle = np.median(places_m, axis=0) if len(places_m) else np.zeros(2)
    plane = ground.plane_at(middle)
    return float((plane.offset_m - plane.normal[:2] @ middle) / plane.normal[2])


def check_fit(facts: LogFacts, source: FileSource, video: Path, sure: bool) -> LogFacts:
    """The facts, with a note where the log ends before the video.

    Args:
        sure: a user said that this is the camera.

    Raises:
        OverlayError: another picture size, another rate, fewer frames than the log has, or many more.
    """
    if source.size_px != facts.size_px:
        (vw, vh), (lw, lh) = source.size_px, facts.size_px
        raise OverlayError(
            f"'{video}' is {vw}x{vh} px, camera '{facts.camera}' of the log {lw}x{lh} px; {_ADVICE}"
        )
    log_s, steps = (facts.t1_ns - facts.t0_ns) / 1e9, facts.last_index - facts.first_index
    if steps and log_s and source.fps and abs(steps / source.fps - log_s) > max(MAX_DRIFT_S, 0.05 * log_s):
        raise OverlayError(
            f"'{video}' runs at {source.fps:.4g} frames/s, camera '{facts.camera}' of the log at "
            f"{steps / log_s:.4g}; {_ADVICE}"
        )
    has, needs = source.num_frames, facts.last_index + 1
    if has is None:
        return facts
    lengths = (
        f"'{video}' has {has} frames ({has / source.fps:.1f} s), the log {needs} ({needs / source.fps:.1f} s)"
    )
    if has < needs - 2 - needs // 100:
        raise OverlayError(f"{lengths}; {_ADVICE}")
    if has > needs + max(2.0, SLACK_S * source.fps):
        if not sure and source.camera != facts.camera:
            raise OverlayError(f"{lengths}; {_ADVICE}, or say with --camera {facts.camera} that it is")
        note = f"{lengths}: drawn up to where the log ends"
        return replace(facts, stop_at=needs, notes=(*facts.notes, note))
    return facts


class SharedClock:
    """Times of video frames on the clock of the log."""

    def __init__(self, video: Path) -> None:
        self._video = video
        self._offset_ns: int | None = None
        self._first_ns = 0

    def of(self, index: int, video_ns: int, log_ns: int | None) -> int:
        """Capture time of a frame.

        Args:
            log_ns: what the log says of it; None where it has no frame of that number.

        Raises:
            OverlayError: the two clocks have come apart: another video.
        """
        if log_ns is None:
            return video_ns + (self._offset_ns or 0)
        if self._offset_ns is None:
            self._offset_ns, self._first_ns = log_ns - video_ns, log_ns
        elif abs(log_ns - video_ns - self._offset_ns) > MAX_DRIFT_S * 1e9:
            since_s = (log_ns - self._first_ns) / 1e9
            video_s = (video_ns + self._offset_ns - self._first_ns) / 1e9
            raise OverlayError(
                f"frame {index} is {video_s:.2f} s into '{self._video}' and {since_s:.2f} s into the log; {_ADVICE}"
            )
        return log_ns
