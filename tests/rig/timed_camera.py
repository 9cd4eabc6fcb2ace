"""A camera as its frames' times alone: true times, presentation times, arrivals over a bad network, sender reports."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from crowdstream.stream.timing.capture import CaptureClock
from crowdstream.stream.timing.records import SenderReport, Stamp

S = 1_000_000_000
EPOCH_NS = 1_700_000_000 * S


@dataclass(frozen=True)
class Shot:
    """One frame."""

    true_ns: int
    """Host's clock at exposure."""
    pts_s: float | None
    arrival_ns: int
    report: SenderReport | None = None


@dataclass(frozen=True)
class TimedCamera:
    """Delay = shortest + a long-tailed rest; some pauses after which all that waited comes at once."""

    fps: float = 25.0
    seconds: float = 60.0
    ppm: float = 0.0
    """How much faster its media clock runs than the host's clock."""
    phase_s: float = 0.0
    shortest_s: float = 0.08
    tail_s: float = 0.01
    """Median of the rest of the delay, log-normal with sigma 1.2: p99 is 16 times that."""
    pauses: tuple[tuple[float, float], ...] = ()
    """(from, seconds): nothing comes, then everything."""
    first_report_s: float | None = 2.0
    """None: no sender reports."""
    report_every_s: float = 5.0
    report_noise_s: float = 0.0005
    ahead_s: float = 0.0
    """Its wall clock against the host's."""
    pts0_s: float = 1000.0
    seed: int = 0
    ahead_later: tuple[tuple[float, float], ...] = field(default=())
    """(from, ahead_s): its wall clock is set."""

    def shots(self) -> list[Shot]:
        rng = np.random.default_rng(self.seed)
        true_s = self.phase_s + np.arange(int(self.fps * self.seconds)) / self.fps
        arrival_s = true_s + self.shortest_s + self.tail_s * rng.lognormal(0.0, 1.2, len(true_s))
        for start, length in self.pauses:
            held = (true_s >= start) & (true_s < start + length)
            arrival_s[held] = np.maximum(arrival_s[held], start + length + self.shortest_s)
        arrival_s = np.maximum.accumulate(arrival_s)
        report, due_s, shots = None, self.first_report_s, []
        for t, a in zip(true_s.tolist(), arrival_s.tolist(), strict=True):
            if due_s is not None and a >= due_s + 0.02:
                report = self._report(due_s, float(rng.normal(0, self.report_noise_s)))
                due_s += self.report_every_s
            shots.append(Shot(EPOCH_NS + round(t * S), self._pts(t), EPOCH_NS + round(a * S), report))
        return shots

    def _pts(self, t_s: float) -> float:
        return self.pts0_s + t_s * (1.0 + self.ppm * 1e-6)

    def _report(self, t_s: float, noise_s: float) -> SenderReport:
        ahead_s = ([self.ahead_s] + [a for start, a in self.ahead_later if start <= t_s])[-1]
        ntp_ns = EPOCH_NS + round((t_s + ahead_s + noise_s) * S)
        return SenderReport(ntp_ns, self._pts(t_s), EPOCH_NS + round((t_s + 0.02) * S))


def stamps_of(shots: list[Shot], clock: CaptureClock | None = None) -> list[Stamp]:
    clock = clock or CaptureClock()
    return [clock.stamp(shot.pts_s, shot.arrival_ns, shot.report) for shot in shots]


def moved(shots: list[Shot], pts_s: float = 0.0, true_s: float = 0.0, arrival_s: float = 0.0) -> list[Shot]:
    """The same frames with their times shifted."""
    return [
        replace(
            shot,
            true_ns=shot.true_ns + round(true_s * S),
            arrival_ns=shot.arrival_ns + round(arrival_s * S),
            pts_s=None if shot.pts_s is None else shot.pts_s + pts_s,
        )
        for shot in shots
    ]


def errors_s(shots: list[Shot], stamps: list[Stamp]) -> np.ndarray:
    """Stamp - true time, s."""
    return np.array([(b.t_capture_ns - a.true_ns) / 1e9 for a, b in zip(shots, stamps, strict=True)])


def spacing_off(shots: list[Shot], stamps: list[Stamp]) -> np.ndarray:
    """(stamped interval - true interval) / true interval, of neighbouring frames."""
    true = np.diff([shot.true_ns for shot in shots])
    return np.asarray(np.diff([stamp.t_capture_ns for stamp in stamps]) / true - 1.0)


def rises(stamps: list[Stamp]) -> bool:
    times = [stamp.t_capture_ns for stamp in stamps]
    return all(a < b for a, b in pairwise(times))
