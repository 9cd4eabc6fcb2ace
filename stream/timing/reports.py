"""Sender reports of one camera as a line from its media clock to its wall clock.

A frame's time is that of the report plus what has passed on the media clock since (RFC 3550, 6.4.1); several reports
are fitted robustly, so that one late or mad report moves nothing and the drift of the media clock against the
camera's wall clock is taken in. A report far off the line waits for a second one that agrees with it: then the
camera's wall clock has been set, and the line begins anew. A wall clock years off (1970 after a power cut) is
refused at once, and how far it is off is remembered for health.
"""

from __future__ import annotations

from .drift import DriftFit, Line
from .records import SenderReport

_NOISE_S = 0.0005
_REPORTS = 32
"""Some minutes: clocks that are disciplined by NTP are not straight for longer."""


class ReportedClock:
    """Wall clock of the camera, as far as its reports tell. Memory: some dozen reports."""

    def __init__(self, max_error_ns: int, step_ns: int, age_ns: int) -> None:
        self._max_error_ns, self._step_ns, self._age_ns = max_error_ns, step_ns, age_ns
        self._fit = DriftFit(_REPORTS, _NOISE_S)
        self._newest_ns = 0  # media time of the newest report believed
        self._odd_ns: int | None = None
        self._last: SenderReport | None = None
        self.taken = 0
        self.refused = 0
        """Reports of an absurd wall clock, off the line, or older than one before."""
        self.error_ns: int | None = None
        """Host - camera at the last report, where that was absurd."""

    @property
    def line(self) -> Line | None:
        return self._fit.line

    def clear(self) -> None:
        """The media clock began anew: nothing said of it before holds."""
        self._fit.clear()
        self._odd_ns = None

    def is_new(self, report: SenderReport | None) -> bool:
        """Not the one that came last: callers hand on the newest report with every frame."""
        return report is not None and report != self._last

    def push(self, report: SenderReport, media_ns: int) -> None:
        """Takes a new report.

        Args:
            media_ns: its media time, on the line that frames are on.
        """
        self._last = report
        error_ns = report.arrival_ns - report.ntp_ns
        if abs(error_ns) > self._max_error_ns:
            self.error_ns = error_ns
            self.refused += 1
            return
        self.error_ns = None
        offset_ns, line = report.ntp_ns - media_ns, self._fit.line
        if line is not None and media_ns <= self._newest_ns:
            self.refused += 1
            return
        if line is not None and abs(offset_ns - line.at(media_ns)) > self._step_ns:
            odd, self._odd_ns = self._odd_ns, offset_ns
            if odd is None or abs(offset_ns - odd) > self._step_ns:
                self.refused += 1
                return
            self._fit.clear()
        self._odd_ns = None
        self._newest_ns = media_ns
        self._fit.push(media_ns, offset_ns)
        self.taken += 1

    def offset_ns(self, media_ns: int) -> int | None:
        """Camera's wall clock - media clock at a media time; None without a report young enough."""
        line = self._fit.line
        if line is None or abs(media_ns - self._newest_ns) > self._age_ns:
            return None
        return line.at(media_ns)
