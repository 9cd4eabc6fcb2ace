"""The engine's figures of the moment; one report every few seconds, and on every change of a camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .histogram import Counts

RUNNING = "running"
BAD_PHASES = ("failed", "reconnecting", "stalled")
"""Phases that somebody should look at."""
PHASES = ("starting", RUNNING, "paused", "ended", *BAD_PHASES)
"""Values of `CameraPhase`, which is not imported here: whoever reads a report need not load a decoder."""


@dataclass(frozen=True)
class CameraHealth:
    """One camera."""

    name: str
    phase: str
    """Of `CameraPhase`."""
    fault: str = ""
    text: str = ""
    source: str = ""
    """Where it comes from, without credentials."""
    frames: int = 0
    """Handed to perception since the start."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Frames left out, by cause."""
    fps_in: float = 0.0
    """Frames a second that came, over the last seconds."""
    fps_out: float = 0.0
    """Frames a second that were tracked."""
    frame_age_s: float | None = None
    """Since the newest frame came; None before the first."""
    reconnects: int = 0
    clock: str = ""
    """Of `ClockOrigin`."""
    skew_s: float | None = None
    """Of its clock against the host's, as far as known."""
    drift_ppm: float | None = None
    calibrated: bool = False
    people: int = 0
    """In the newest frame."""
    tracks: int = 0
    """Since the start."""
    offset_s: float | None = None
    """Of its frames against those of the reference camera of the array, within a frame; None without a pair."""
    slips: int = 0
    """Whole frames it has slipped against the reference, as free-running cameras do."""


@dataclass(frozen=True)
class StageHealth:
    """One stage's worker."""

    name: str
    """camera, perception, tracking, solver, refiner, publisher."""
    place: str = ""
    """Node, or empty for this machine."""
    restarts: int = 0
    queued: int = 0
    """What waits for it."""
    queue_limit: int = 0
    busy_s: float = 0.0
    """Processor seconds since the start, those of workers that were replaced with them. Of a live camera without its
    decoder, which is a process below it."""


@dataclass(frozen=True)
class HealthReport:
    """Everything at one moment. Counters only ever go up within a session."""

    t_ns: int
    """Wall clock, ns since 1970."""
    sid: str
    uptime_s: float
    ready: bool
    """At least one camera runs and the networks are loaded."""
    cameras: tuple[CameraHealth, ...] = ()
    stages: tuple[StageHealth, ...] = ()
    drops: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(stage, cause) -> count."""
    latency_ms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """live, window -> p50, p95 over the last minutes."""
    latency: Mapping[str, Counts] = field(default_factory=dict)
    """live, window -> the same since the start, as a histogram."""
    window_work: Mapping[str, Counts] = field(default_factory=dict)
    """Stage (solver, refiner) -> seconds of work a window, since the start."""
    windows: int = 0
    """Committed."""
    person_frames: int = 0
    people: int = 0
    effort_level: int = 0
    """Rung of the degradation ladder; 0 is everything."""
    effort_why: str = ""
    refine_lag_s: float | None = None
    """From the end of a segment to its refinement, newest."""
    subscribers: int = 0
    subscriber_dropped: int = 0
    log_bytes: int = 0
    """With all that was laid aside."""
    logs_laid_aside: int = 0
    logs_removed: int = 0
    """Of those that were laid aside, as the settings ask."""
    logs_refused: int = 0
    """Times the disk would not let a log be laid aside or removed."""
    not_recorded: int = 0
    """Commits the disk refused."""
    recording: bool = False
    """A log is written, and the newest commit is in it."""
    networks: Mapping[str, str] = field(default_factory=dict)
    """Role -> name on rung."""
    resident_bytes: int = 0
    """Of all processes of the engine."""
    version: str = ""
