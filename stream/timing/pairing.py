"""What is said of the pairing of cameras, and how one camera's phase runs against another's.

Two free-running cameras of 30 Hz whose rates differ by 400 ppm are a frame apart after 80 s: the offset between
paired frames grows to half a frame, leaps to minus half, and one frame has stayed alone. `Phase` unwraps
that sawtooth, so that its tilt is the drift and each whole frame of it a slip, counted once however the stamps jitter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from .drift import DriftFit, Line

_MEAN_OF = 64
_FORGET_NS = 20_000_000_000
"""Without a pair for this long, nobody knows how many frames were slipped meanwhile."""
_POINT_NS = 1_000_000_000
_FREE_RUNNING_PPM = 1000.0
_SAME_RATE = 0.02


@dataclass(frozen=True)
class Bucket:
    """Frames of several cameras of one moment."""

    number: int
    """From 0, in order of time."""
    t_ns: int
    """Capture time of the reference camera's frame."""
    frames: Mapping[str, tuple[int, int]]
    """camera -> (index, t_capture_ns); the reference among them."""
    missing: tuple[str, ...] = ()
    """Cameras that send frames, and have none here."""

    @property
    def error_ns(self) -> int:
        """How far the furthest frame is from the reference's."""
        return max(abs(t_ns - self.t_ns) for _, t_ns in self.frames.values())


@dataclass(frozen=True)
class CameraPairing:
    """One camera's share. Counters only ever go up."""

    frames: int
    paired: int
    alone: int
    """Had no partner, or shared it with a nearer frame (a camera faster than the reference)."""
    late: int
    """Came after their bucket was closed."""
    slips: int
    """Whole frames by which the camera ran away from the reference."""
    rate_hz: float | None
    """Measured; None: not yet."""
    offset_s: float | None
    """Mean of the last pairs: camera - reference, at most half a frame."""
    drift_ppm: float | None
    """Of its frames against the reference's; None: not known, or another rate."""
    drift_se_ppm: float | None
    gone: bool
    """Sends nothing at present; nobody waits for it."""


@dataclass(frozen=True)
class PairingReport:
    """All cameras at one moment."""

    reference: str | None
    tolerance_s: float | None
    buckets: int
    complete: int
    """Buckets in which no camera that sends frames is missing."""
    cameras: Mapping[str, CameraPairing] = field(default_factory=dict)


class Phase:
    """Where the frames of one camera lie between those of the reference. Bounded memory."""

    def __init__(self) -> None:
        self._recent: deque[int] = deque(maxlen=_MEAN_OF)
        self._fit = DriftFit(120, 0.0005, _FREE_RUNNING_PPM)
        self._last: tuple[int, int] | None = None  # time, wrapped phase
        self._turns_ns = 0
        self._mark_ns = 0
        self._sum: list[int] = []
        self._since_ns = 0

    @property
    def offset_s(self) -> float | None:
        return sum(self._recent) / len(self._recent) * 1e-9 if self._recent else None

    @property
    def line(self) -> Line | None:
        """Unwrapped phase over time; None before it stands on some points."""
        line = self._fit.line
        return line if line is not None and line.points >= 5 else None

    def push(self, t_ns: int, offset_ns: int, rate_hz: float | None, reference_hz: float | None) -> int:
        """Takes a pair; returns how many frames were slipped with it (mostly none)."""
        self._recent.append(offset_ns)
        if rate_hz is None or reference_hz is None or abs(rate_hz / reference_hz - 1.0) > _SAME_RATE:
            self._last = None
            return 0
        frame_ns = round(1e9 / reference_hz)
        if self._last is None or not 0 < t_ns - self._last[0] <= _FORGET_NS:
            self._fit.clear()
            self._turns_ns, self._mark_ns, self._sum = 0, offset_ns, []
        else:
            step_ns = offset_ns - self._last[1]
            self._turns_ns -= frame_ns * round(step_ns / frame_ns)
        self._last = t_ns, offset_ns
        phase_ns = offset_ns + self._turns_ns
        self._note(t_ns, phase_ns)
        slipped = int(abs(phase_ns - self._mark_ns) / frame_ns)
        self._mark_ns += slipped * (frame_ns if phase_ns > self._mark_ns else -frame_ns)
        return slipped

    def _note(self, t_ns: int, phase_ns: int) -> None:
        """One point of the drift for every second."""
        if not self._sum:
            self._since_ns = t_ns
        self._sum.append(phase_ns)
        if t_ns - self._since_ns >= _POINT_NS or len(self._sum) >= 1000:
            self._fit.push((self._since_ns + t_ns) // 2, sum(self._sum) // len(self._sum))
            self._sum = []
