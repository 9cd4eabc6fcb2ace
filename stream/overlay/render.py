"""A log over its video, frame by frame.

    video frame -> the log's frame of the same number, bodies at its capture time
    -> shadows, rings, bodies -> labels -> bird's-eye view -> status line -> encoder

Frames are matched by their number and by capture time; a video whose size, length or times are not those of the log
is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ...kernels.body.data import BodyData
from ...kernels.hvip import hvip_from_keypoints
from ..body_files import load_body
from ..export.recording import Recording
from ..records import Frame, PixelFormat, TrackedFrame
from ..sources.file import FileSource
from .birdseye import BirdsEye, make_map
from .config import Colouring, OverlayConfig, OverlayError
from .crowd_layer import CrowdLayer, nominal_height_px
from .encode import video_target
from .fit import LogFacts, SharedClock, check_fit, enlarge_px, enlarged, read_facts
from .flat import draw_flat
from .ground_marks import draw_rings
from .lettering import chip
from .moments import Bodies, BodyCursor
from .palette import body_bgr
from .status_line import Counts, draw_status, height_of

Array = np.ndarray
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class OverlayReport:
    """What was drawn and what it cost."""

    path: Path
    camera: str
    size_px: tuple[int, int]
    frames: int
    people: int
    """Different ids drawn."""
    person_frames: int
    """Bodies, rings and boxes drawn, frame by frame."""
    bodies: int
    """Of those, bodies."""
    frames_without_people: int
    seconds: float
    """Processor time."""
    num_bytes: int
    notes: tuple[str, ...] = ()
    """What a viewer should know, one line each."""


def render_overlay(
    log: Path, video: Path, out: Path, config: OverlayConfig, progress: Progress | None = None
) -> OverlayReport:
    """Draw what a log says over the video it was made from.

    Args:
        log: written by `crowdstream run --record`.
        out: an .mp4 file; replaced only when the new one is whole.
        progress: called with (frames done, frames in all).

    Raises:
        LogError: no log at the path, or not a log.
        SourceError: the video cannot be read.
        OverlayError: nobody in the log, a video that does not fit it, or a target that cannot be written.
    """
    start = time.process_time()
    if any(out.resolve() == other.resolve() for other in (log, video)):
        raise OverlayError(f"the target {out} is a file this command reads; name another with -o")
    recording = Recording(log, config.session)
    with FileSource(video) as source:
        facts = read_facts(recording, config.camera, source.camera)
        facts = check_fit(facts, source, video, sure=bool(config.camera))
        facts = enlarged(facts, max(1, config.min_height_px // facts.size_px[1]))
        clock = SharedClock(video)
        artist = _Artist(recording, facts, config, load_body(config.body))
        ends = (config.max_frames or facts.stop_at, facts.stop_at, source.num_frames or facts.last_index + 1)
        total = min(ends)
        with video_target(out, facts.size_px, source.fps, config) as file:
            t0_ns = source.start_ns
            for done, frame in enumerate(source):
                if done >= min(ends[:2]):
                    break
                picture = to_bgr(frame, facts.zoom)
                artist.draw(picture, frame.index, frame.t_capture_ns, clock)
                file.write(picture, (frame.t_capture_ns - t0_ns) / 1e9)
                if progress is not None:
                    progress(done + 1, max(total, done + 1))
    return OverlayReport(
        path=out, camera=facts.camera, size_px=facts.size_px, frames=artist.frames, people=len(artist.people),
        person_frames=artist.person_frames, bodies=artist.bodies, frames_without_people=artist.empty,
        seconds=time.process_time() - start, num_bytes=out.stat().st_size, notes=facts.notes,
    )  # fmt: skip


def to_bgr(frame: Frame, zoom: int = 1) -> UInt8[Array, "H W 3"]:
    """A picture one may draw on, `zoom` times as large as the frame."""
    picture = np.asarray(frame.image, np.uint8)
    if frame.format is PixelFormat.I420:
        picture = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_YUV2BGR_I420).astype(
            np.uint8, copy=False
        )
    if zoom == 1:
        return np.array(picture)
    width, height = frame.size_px
    return np.asarray(
        cv2.resize(picture, (width * zoom, height * zoom), interpolation=cv2.INTER_CUBIC), np.uint8
    )


class _Artist:
    """Draws frame after frame, and counts."""

    def __init__(self, recording: Recording, facts: LogFacts, config: OverlayConfig, body: BodyData) -> None:
        self.frames = self.person_frames = self.bodies = self.empty = 0
        self.people: set[int] = set()
        self._facts, self._config = facts, config
        self._bodies = BodyCursor(recording)
        self._live = _LiveCursor(recording, facts.camera, facts.zoom)
        self._layer: CrowdLayer | None = None
        self._inset: BirdsEye | None = None
        if facts.model is not None:
            self._layer = CrowdLayer(body, facts.model, facts.size_px, config.scale)
            if config.inset:
                plan = make_map(facts.model, facts.places_m, facts.size_px)
                self._inset = BirdsEye(facts.model, plan, facts.ground_z_m, config.trail_s)
                self._corner = _corner(plan.size_px, facts)

    def draw(self, picture: UInt8[Array, "H W 3"], index: int, video_ns: int, clock: SharedClock) -> None:
        live = self._live.at(index)
        t_ns = clock.of(index, video_ns, None if live is None else live.t_capture_ns)
        counts = Counts()
        if self._layer is None:
            if live is not None and len(live.person_ids):
                counts = self._draw_flat(picture, live)
        else:
            counts = self._draw_world(picture, self._layer, live, t_ns)
        self.frames += 1
        self.person_frames += counts.people
        self.bodies += counts.window + counts.refined
        self.empty += counts.people == 0
        seconds = (t_ns - self._facts.t0_ns) / 1e9
        draw_status(picture, seconds, counts, self._config.colour is Colouring.TIER)

    def _draw_flat(self, picture: UInt8[Array, "H W 3"], live: TrackedFrame) -> Counts:
        bgr = body_bgr(self._config.colour, live.person_ids, np.full(len(live.person_ids), -1))
        draw_flat(picture, live, bgr, max(self._config.opacity, 0.5))
        if self._config.labels:
            boxes = live.boxes_px.astype(np.float64)
            _labels(picture, live.person_ids, boxes, bgr, boxes[:, 3] - boxes[:, 1])
        self.people.update(live.person_ids.tolist())
        return Counts(flat=len(live.person_ids))

    def _draw_world(
        self, picture: UInt8[Array, "H W 3"], layer: CrowdLayer, live: TrackedFrame | None, t_ns: int
    ) -> Counts:
        bodies = self._bodies.at(t_ns)
        bgr = body_bgr(self._config.colour, bodies.person_ids, bodies.rev)
        ids, places, facing, boxes = self._on_ground(live, bodies)
        ring_bgr = body_bgr(self._config.colour, ids, np.full(len(ids), -1))
        draw_rings(picture, layer.camera, places, ring_bgr, np.full(len(ids), 0.9))
        pose, body_boxes, inside = layer.draw(picture, bodies, bgr, self._config.opacity)
        if self._config.labels:
            tall = np.concatenate([nominal_height_px(layer.camera, pose)[inside], boxes[:, 3] - boxes[:, 1]])
            _labels(
                picture, np.concatenate([bodies.person_ids[inside], ids]),
                np.concatenate([body_boxes[inside], boxes]), np.concatenate([bgr[inside], ring_bgr]), tall,
            )  # fmt: skip
        if self._inset is not None:
            heading = pose.R_world[:, 0, :2, 2]
            heading = heading / np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 1e-6)
            self._inset.draw(
                picture, *self._corner, t_ns, np.concatenate([bodies.person_ids, ids]),
                np.concatenate([bodies.ground_m[:, :2], places[:, :2]]), np.concatenate([heading, facing]),
                np.concatenate([bgr, ring_bgr]), np.arange(len(bodies) + len(ids)) >= len(bodies),
            )  # fmt: skip
        self.people.update(bodies.person_ids.tolist(), ids.tolist())
        refined = int((bodies.rev > 0).sum())
        return Counts(refined, len(bodies) - refined, len(ids), 0, int(bodies.guessed.sum()))

    def _on_ground(
        self, live: TrackedFrame | None, bodies: Bodies
    ) -> tuple[Array, Float[Array, "M 3"], Float[Array, "M 2"], Float[Array, "M 4"]]:
        """Ids, places, headings and boxes of people without a body."""
        model, ground = self._facts.model, self._facts.ground
        if live is None or model is None or ground is None:
            return np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 2)), np.zeros((0, 4))
        rows = np.flatnonzero(~np.isin(live.person_ids, bodies.person_ids))
        places = live.position_m[rows].astype(np.float64)
        lost = rows[~np.isfinite(places).all(axis=1)]
        if len(lost):  # tracked before the calibration stood
            confidence = np.where(live.seen[lost, None], live.confidence[lost], 0.0)
            points = hvip_from_keypoints(
                model, ground, live.keypoints_px[lost], confidence, live.boxes_px[lost].astype(np.float64)
            )
            places[~np.isfinite(places).all(axis=1)] = points.position_m
        good = np.isfinite(places).all(axis=1)
        rows, places = rows[good], places[good]
        velocity = live.velocity_mps[rows].astype(np.float64)
        speed = np.linalg.norm(velocity, axis=1, keepdims=True)
        facing = np.where(speed > 0.3, velocity / np.maximum(speed, 1e-6), np.nan)
        return live.person_ids[rows], places, facing, live.boxes_px[rows].astype(np.float64)


class _LiveCursor:
    """The log's frames of one camera by number, rising."""

    def __init__(self, recording: Recording, camera: str, zoom: int) -> None:
        self._zoom = zoom
        self._frames: Iterator[TrackedFrame] = (f for f in recording.frames() if f.camera == camera)
        self._now: TrackedFrame | None = next(self._frames, None)

    def at(self, index: int) -> TrackedFrame | None:
        """None where the log has no frame of that number."""
        while self._now is not None and self._now.index < index:
            self._now = next(self._frames, None)
        if self._now is None or self._now.index != index:
            return None
        boxes, keypoints = self._now.boxes_px, self._now.keypoints_px
        return replace(
            self._now, boxes_px=enlarge_px(boxes, self._zoom), keypoints_px=enlarge_px(keypoints, self._zoom)
        )


def _labels(
    picture: UInt8[Array, "H W 3"], person_ids: Array, boxes: Float[Array, "N 4"], bgr: Float[Array, "N 3"],
    tall_px: Float[Array, "N"],
) -> None:  # fmt: skip
    """Ids over heads, those of nearer people (lower in the picture) on top; the nearer, the larger."""
    for row in np.argsort(boxes[:, 3], kind="stable"):
        size = int(np.clip(round(0.085 * tall_px[row]), 6, max(8, round(0.016 * picture.shape[0]))))
        colour = (float(bgr[row, 0]), float(bgr[row, 1]), float(bgr[row, 2]))
        middle = (boxes[row, 0] + boxes[row, 2]) / 2
        chip(picture, str(int(person_ids[row])), float(middle), float(boxes[row, 1]) - 2, size, colour)


def _corner(panel_px: tuple[int, int], facts: LogFacts) -> tuple[int, int]:
    """Left and top of the panel: the corner in which the fewest people walk."""
    (w, h), (pw, ph) = facts.size_px, panel_px
    gap = max(4, round(0.014 * h))
    low = h - height_of(h) - gap - ph
    corners = [(w - gap - pw, low), (gap, low), (w - gap - pw, gap), (gap, gap)]
    at = facts.middles_px
    busy = [
        int(
            (
                (at[:, 0] > x - gap)
                & (at[:, 0] < x + pw + gap)
                & (at[:, 1] > y - gap)
                & (at[:, 1] < y + ph + gap)
            ).sum()
        )
        for x, y in corners
    ]
    return corners[int(np.argmin(busy))]
