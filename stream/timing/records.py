"""What is known of a frame's capture time."""

from __future__ import annotations

from dataclasses import dataclass

from ..records import ClockOrigin


@dataclass(frozen=True)
class SenderReport:
    """RTCP sender report: one moment, on the camera's wall clock and on its media clock."""

    ntp_ns: int
    """Wall clock of the camera, ns since 1970."""
    rtp_s: float
    """The same moment in the stream's presentation time, s."""
    arrival_ns: int
    """When it came here, wall clock of the host, ns since 1970."""


@dataclass(frozen=True)
class Stamp:
    """Capture time of one frame."""

    t_capture_ns: int
    """ns since 1970. Never before that of the camera's frame before, unless `new_timeline`."""
    origin: ClockOrigin
    skew_ns: int | None
    """How far this time may be off the host's clock as far as can be told; None: nothing to tell it from."""
    new_timeline: bool = False
    """The clock stepped, wrapped, or changed its origin by more than can be slewed: what came before and what comes
    now cannot be compared, so a new window begins."""
