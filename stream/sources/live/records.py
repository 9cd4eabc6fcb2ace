"""What is said of a live camera: the state it is in, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CameraPhase(StrEnum):
    """Where a camera stands; published on every change."""

    STARTING = "starting"
    """Being opened for the first time."""
    RUNNING = "running"
    """Frames come."""
    PAUSED = "paused"
    """Held by an operator; the connection is closed."""
    STALLED = "stalled"
    """Open, and no frame for `stall_s`."""
    RECONNECTING = "reconnecting"
    """Lost; being opened again, `attempt` times so far."""
    ENDED = "ended"
    """A recording at its end, or removed by an operator. For good."""
    FAILED = "failed"
    """Given up: nothing that time mends. For good, until an operator says otherwise."""


class SourceFault(StrEnum):
    """Why a camera gives no frames."""

    REFUSED = "refused"
    """Nobody listens there, or no route."""
    AUTH_FAILED = "auth_failed"
    NOT_FOUND = "not_found"
    """The host or the path is unknown."""
    TLS = "tls"
    TIMEOUT = "timeout"
    """It took the connection and says nothing."""
    CODEC_UNSUPPORTED = "codec_unsupported"
    NO_VIDEO = "no_video"
    """Open, and no video stream in it."""
    SILENT = "silent"
    """It gave frames, and gives none any more."""
    CLOSED = "closed"
    """The other side ended the stream."""
    RESOLUTION_CHANGED = "resolution_changed"
    BROKEN = "broken"
    """Bytes that are no video, packet after packet."""
    DECODER_DIED = "decoder_died"
    """The process that decodes was killed, or crashed."""
    BUSY = "busy"
    """The device is in use, or the camera takes no more connections."""


@dataclass(frozen=True)
class CameraState:
    """One change of one camera; also what holds until the next."""

    camera: str
    phase: CameraPhase
    since_ns: int
    """Wall clock of the change, ns since 1970."""
    fault: SourceFault | None = None
    """Why, for stalled, reconnecting and failed."""
    text: str = ""
    """The same in words, without credentials."""
    attempt: int = 0
    """Tries since frames last came."""
    next_try_s: float = 0.0
    """How long the next try is put off."""

    def __str__(self) -> str:
        count = f"({self.attempt})" if self.phase is CameraPhase.RECONNECTING else ""
        return f"{self.camera} {self.phase}{count}" + (f": {self.text}" if self.text else "")
