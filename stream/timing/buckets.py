"""Frames of several cameras -> buckets of one moment each, by capture time.

One camera is the reference: the slowest of those that send frames and whose times lie with most others'; of about
equals, the one that is it already. Each of its frames opens a bucket; every other camera gives the frame nearest to
it, at most half a frame of the slowest camera away, and each frame is given once. A bucket closes when every camera
has gone beyond it, or when the reference has gone on by `wait_s`. A camera that has sent nothing for `gone_s` (while
the others sent what takes that long) is not waited for; if it was the reference, another one is.

Only capture times and the order of pushing count: no clock, no randomness. O(cameras) a frame; memory: some hundred
frames (pairs of numbers) a camera.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...kernels.errors import ShapeError
from .pairing import Bucket, CameraPairing, PairingReport, Phase

_TRUSTED = 16
"""Frames after which a measured rate counts (cameras pause and burst)."""
_SPAN = 64
_PENDING = 256
_BREAK_NS = 1_000_000_000
_RECKON = 64
"""Frames between two looks at who the reference is."""
_FIRST_RATE_HZ = 30.0


@dataclass
class _Camera:
    """One camera's frames that wait, and its counters."""

    rate_hz: float | None
    phase: Phase = field(default_factory=Phase)
    waiting: deque[tuple[int, int]] = field(default_factory=deque)  # time, index; times rise
    times: deque[int] = field(default_factory=lambda: deque(maxlen=_SPAN))
    newest_ns: int | None = None
    frames: int = 0
    paired: int = 0
    alone: int = 0
    late: int = 0
    slips: int = 0
    heard: int = 0  # frames of all cameras when its last one came
    gone: bool = True
    measured_hz: float | None = None

    def measure(self, t_ns: int) -> None:
        """The rate anew every few frames; none over a pause, or from one timeline to another."""
        if self.newest_ns is not None and not 0 < t_ns - self.newest_ns <= _BREAK_NS:
            self.times.clear()
        self.times.append(t_ns)
        if len(self.times) >= _TRUSTED and self.frames % _TRUSTED == 0:
            self.measured_hz = (len(self.times) - 1) * 1e9 / (self.times[-1] - self.times[0])

    @property
    def believed_hz(self) -> float:
        return self.measured_hz or self.rate_hz or _FIRST_RATE_HZ


class Buckets:
    """Pairs the frames of the cameras of one engine, for health and for who wants several views of a moment."""

    def __init__(
        self, rates_hz: Mapping[str, float | None], wait_s: float = 0.5, gone_s: float = 2.0
    ) -> None:
        """
        Args:
            rates_hz: the cameras in order, with the rates they say they have; None: to be measured.
            wait_s: how far the reference may run ahead of a camera that is waited for.
            gone_s: a camera silent for longer is not waited for.
        """
        self._cameras = {name: _Camera(rate) for name, rate in rates_hz.items()}
        self._wait_ns, self._gone_s = round(wait_s * 1e9), gone_s
        self._reference: str | None = None
        self._heard = self._buckets = self._complete = 0
        self._tolerance_ns = round(0.5e9 / _FIRST_RATE_HZ)
        self._closed_ns: int | None = None
        self._closed_with: frozenset[str] = frozenset()
        self._notes: deque[str] = deque(maxlen=64)

    def add(self, camera: str, rate_hz: float | None = None) -> None:
        """One more camera; one that is known stays as it is."""
        self._cameras.setdefault(camera, _Camera(rate_hz))

    def remove(self, camera: str) -> None:
        """Forgets a camera and its counters; one that is not known is none."""
        self._cameras.pop(camera, None)
        if camera == self._reference:
            self._elect()

    def drain_notes(self) -> list[str]:
        """What an operator wants to read once, since the last call: the first slip of each camera."""
        notes = list(self._notes)
        self._notes.clear()
        return notes

    def push(self, camera: str, index: int, t_capture_ns: int) -> list[Bucket]:
        """Takes a camera's next frame; returns the buckets that are closed by it, in order.

        Raises:
            ShapeError: a camera that was not announced.
        """
        own = self._cameras.get(camera)
        if own is None:
            raise ShapeError(f"unknown camera '{camera}'; the buckets know {', '.join(self._cameras)}")
        self._take(camera, own, index, t_capture_ns)
        closed: list[Bucket] = []
        while (head := self._next_ready()) is not None:
            closed.append(self._close(*head))
        return closed

    def report(self) -> PairingReport:
        """Counters and estimates as they stand."""
        return PairingReport(
            reference=self._reference,
            tolerance_s=self._tolerance_ns * 1e-9 if self._reference else None,
            buckets=self._buckets,
            complete=self._complete,
            cameras={name: self._pairing(name, own) for name, own in self._cameras.items()},
        )

    def _pairing(self, name: str, own: _Camera) -> CameraPairing:
        line, own_reference = own.phase.line, name == self._reference
        return CameraPairing(
            frames=own.frames,
            paired=own.paired,
            alone=own.alone,
            late=own.late,
            slips=own.slips,
            rate_hz=own.measured_hz,
            offset_s=0.0 if own_reference else own.phase.offset_s,
            drift_ppm=line.ppm if line else (0.0 if own_reference else None),
            drift_se_ppm=line.ppm_se if line else (0.0 if own_reference else None),
            gone=own.gone,
        )

    # --- what comes -------------------------------------------------------------------------------

    def _take(self, name: str, own: _Camera, index: int, t_ns: int) -> None:
        self._heard += 1
        own.frames += 1
        own.measure(t_ns)
        if own.newest_ns is not None and t_ns <= own.newest_ns:
            own.alone += len(own.waiting)
            own.waiting.clear()
            own.phase = Phase()
            if name == self._reference:
                self._closed_ns = None
        own.newest_ns, own.heard = t_ns, self._heard
        returned, own.gone = own.gone, False
        if returned or self._heard % _RECKON == 0 or own.frames == _TRUSTED or self._reference is None:
            self._reckon()
        if self._closed_ns is not None and t_ns < self._closed_ns + self._tolerance_ns:
            surplus = name in self._closed_with and t_ns >= self._closed_ns - self._tolerance_ns
            own.alone += surplus
            own.late += not surplus
            return
        if len(own.waiting) >= _PENDING:
            own.waiting.popleft()
            own.alone += 1
        own.waiting.append((t_ns, index))

    def _reckon(self) -> None:
        """Half a frame of the slowest, who is gone, and whether the reference still serves."""
        sending = [c.believed_hz for c in self._cameras.values() if not c.gone]
        self._tolerance_ns = int(0.5e9 / min(sending, default=_FIRST_RATE_HZ))
        total_hz = sum(sending)
        for own in self._cameras.values():
            others_hz = max(1.0, total_hz - own.believed_hz)
            own.gone = own.gone or (self._heard - own.heard) / others_hz > self._gone_s
        if self._reference is None or self._reference not in self._candidates() or self._too_fast():
            self._elect()

    def _too_fast(self) -> bool:
        """Another camera is clearly slower than the reference: some of its buckets must stay without a partner."""
        own_hz = self._cameras[self._reference].measured_hz if self._reference else None
        others = [self._cameras[name].measured_hz for name in self._candidates()]
        return own_hz is not None and any(hz is not None and hz < 0.9 * own_hz for hz in others)

    def _candidates(self) -> list[str]:
        """Cameras that send frames, at times that lie with the others'."""
        newest = {n: c.newest_ns for n, c in self._cameras.items() if not c.gone and c.newest_ns is not None}
        if not newest:
            return []
        middle = statistics.median_low(newest.values())
        near_ns = self._wait_ns + round(self._gone_s * 1e9)
        return [name for name, t_ns in newest.items() if abs(t_ns - middle) <= near_ns]

    def _elect(self) -> None:
        """Another reference: offsets and drifts begin anew, what was closed stays closed."""
        candidates = self._candidates()
        # rates as announced or measured, to a tenth: a rate that jitters must not move the reference
        self._reference = min(candidates, key=lambda n: round(self._cameras[n].believed_hz, 1), default=None)
        self._closed_ns = None
        for own in self._cameras.values():
            own.phase = Phase()

    # --- what goes --------------------------------------------------------------------------------

    def _next_ready(self) -> tuple[int, int] | None:
        """The oldest frame of the reference, if nothing nearer to it can come."""
        if self._reference is None or not self._cameras[self._reference].waiting:
            return None
        reference = self._cameras[self._reference]
        t_ns, index = reference.waiting[0]
        assert reference.newest_ns is not None
        if reference.newest_ns - t_ns < self._wait_ns:
            enough_ns = t_ns + self._tolerance_ns
            for own in self._cameras.values():
                if own is not reference and not own.gone and (own.newest_ns or 0) < enough_ns:
                    return None
        return t_ns, index

    def _close(self, t_ns: int, index: int) -> Bucket:
        assert self._reference is not None
        tolerance_ns = self._tolerance_ns
        reference = self._cameras[self._reference]
        reference.waiting.popleft()
        reference_hz = reference.measured_hz
        frames, missing = {self._reference: (index, t_ns)}, []
        for name, own in self._cameras.items():
            if own is reference:
                continue
            partner = _nearest(own, t_ns, tolerance_ns)
            if partner is None:
                if not own.gone:
                    missing.append(name)
                continue
            frames[name] = (partner[1], partner[0])
            own.paired += 1
            slipped = own.phase.push(t_ns, partner[0] - t_ns, own.measured_hz, reference_hz)
            if slipped and not own.slips:
                self._notes.append(self._slip_note(name, own))
            own.slips += slipped
        if len(frames) > 1:
            reference.paired += 1
        else:
            reference.alone += 1
        bucket = Bucket(self._buckets, t_ns, frames, tuple(missing))
        self._buckets += 1
        self._complete += not missing
        self._closed_ns, self._closed_with = t_ns, frozenset(frames)
        return bucket

    def _slip_note(self, name: str, own: _Camera) -> str:
        line = own.phase.line
        text = f"camera {name} runs free of {self._reference} and has slipped a frame"
        if line is not None and line.slope:
            every_s = 1.0 / (own.believed_hz * abs(line.slope))
            text += f": one in {every_s:.0f} s ({line.ppm:+.0f} ppm)"
        return text + "; frames are paired with the nearest as before"


def _nearest(own: _Camera, t_ns: int, tolerance_ns: int) -> tuple[int, int] | None:
    """Takes the frame nearest to a time, the earlier of equals; those before it stay alone for good."""
    best: tuple[int, int] | None = None
    while own.waiting and own.waiting[0][0] <= t_ns + tolerance_ns:
        frame = own.waiting[0]
        if (
            frame[0] >= t_ns - tolerance_ns
            and best is not None
            and abs(frame[0] - t_ns) >= abs(best[0] - t_ns)
        ):
            break
        own.waiting.popleft()
        if best is not None or frame[0] < t_ns - tolerance_ns:
            own.alone += 1
        if frame[0] >= t_ns - tolerance_ns:
            best = frame
    return best
