"""When each frame of one live camera was taken, from presentation times, arrivals and sender reports.

    media    presentation time on one rising line (`media.MediaClock`)
    host     media + shortest delay seen: arrival without the bursts (`delay.ShortestDelay`)
    camera   media + line through the sender reports (`reports.ReportedClock`)

    t_capture = media + off,    off goes to  camera - media  where reports are fresh (origin ntp_sr),
                                        to  host - media + lead  else               (origin host)

`lead` is what the camera's clock was ahead of the host's when last known; 0 before. So a camera whose reports stop
goes on where it was, and one whose reports come late is not torn from where it began.

Rules of `off`:
    it moves by at most `slew_rate` of the time that passes, so frames of a burst keep their spacing and stamps rise;
    by `catch_up_rate` while stamps lie after the frames' own arrival by more than the timeline had to begin with (the
    first frames after connecting come in a burst);
    a target that leaps by more than `slew_s` begins a new timeline: forward, the stamps leap with it; backward, they
    go on right after the last one and the rest is slewed, for a topic's times never go back.
A media clock that is set or begins anew (`MediaClock`), and a clock made for a camera that was there before
(`after_ns`), begin a new timeline at the frame's arrival, or right after the last stamp where that is later.

So whatever two stamps less than `slew_s` apart say, the frames were taken that far apart, within the slew and, across
the border of two timelines, the jitter of one arrival. Deterministic; O(1) a frame; bounded memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ..records import ClockOrigin
from .config import TimingConfig
from .delay import ShortestDelay
from .media import MediaClock
from .records import SenderReport, Stamp
from .reports import ReportedClock

_FIRST_INTERVAL_NS = 40_000_000
_LONGEST_INTERVAL_NS = 1_000_000_000
_HUDDLE_NS = 1_000
_FEW = 5
"""So many frames in a row without a usable presentation time are taken to lie evenly; more follow their arrival."""
_REPORT_SPAN_NS = 60_000_000_000
"""Reports further off the frames' media time are of another line."""


@dataclass(frozen=True)
class ClockQuality:
    """What is known of a camera's clock, for health."""

    origin: ClockOrigin
    skew_ns: int | None
    """As in the last `Stamp`."""
    drift_ppm: float | None
    """How much faster the camera's wall clock runs than its media clock (ntp_sr), or this machine's does (host)."""
    drift_se_ppm: float | None
    clock_error_ns: int | None
    """This machine's clock minus the camera's, where the camera's is too far off to be believed."""
    timelines: int
    """Begun so far."""
    wraps: int
    unusable: int
    """Frames whose presentation time could not be used."""
    reports: int
    reports_refused: int

    def __str__(self) -> str:
        text = f"{self.origin}"
        if self.skew_ns is not None:
            text += f", {self.skew_ns / 1e6:+.1f} ms to the host"
        if self.drift_ppm is not None:
            text += f", drift {self.drift_ppm:+.1f} ppm"
        if self.clock_error_ns is not None:
            behind = "behind" if self.clock_error_ns > 0 else "ahead"
            text += (
                f"; the camera's own clock is {abs(self.clock_error_ns) / 1e9:.0f} s {behind} and not used"
            )
        return text


class CaptureClock:
    """Stamps the frames of one camera, in order of decoding."""

    def __init__(self, config: TimingConfig | None = None, after_ns: int | None = None) -> None:
        """
        Args:
            after_ns: last stamp given to this camera by a clock before this one (a reconnect); all stamps lie after
                it, and the first begins a new timeline.
        """
        c = self.config = config or TimingConfig()
        self._media = MediaClock(round(c.step_s * 1e9))
        self._delay = ShortestDelay(c.delay_window_s, c.step_hold_s, c.step_s)
        self._reports = ReportedClock(
            round(c.max_clock_error_s * 1e9), round(c.report_step_s * 1e9), round(c.report_age_s * 1e9)
        )
        self._slew_ns = round(c.slew_s * 1e9)
        self._most_ahead_ns = round(c.step_s * 1e9)
        self._most_off_ns = 2 * round(c.max_clock_error_s * 1e9)
        self._granted_ns = 0
        self._last_ns = after_ns
        self._fresh = after_ns is not None  # the next stamp begins a new timeline
        self._off_ns: int | None = None
        self._target_ns = 0
        self._lead_ns = 0
        self._media_ns: int | None = None
        self._interval_ns = _FIRST_INTERVAL_NS
        self._unstamped = 0  # frames in a row without a usable presentation time
        self._origin = ClockOrigin.HOST
        self._skew_ns: int | None = None
        self._timelines = 1

    @property
    def quality(self) -> ClockQuality:
        """After the last frame."""
        by_reports = self._origin is ClockOrigin.NTP_SR
        line = self._reports.line if by_reports else self._delay.line
        return ClockQuality(
            self._origin, self._skew_ns,
            None if line is None or line.points < 3 else line.ppm,
            None if line is None or line.points < 3 else line.ppm_se,
            self._reports.error_ns, self._timelines, self._media.wraps, self._media.unusable,
            self._reports.taken, self._reports.refused,
        )  # fmt: skip

    def stamp(
        self, pts_s: float | Fraction | None, arrival_ns: int, report: SenderReport | None = None
    ) -> Stamp:
        """The capture time of the next frame.

        Args:
            pts_s: presentation time in seconds, on the scale of `SenderReport.rtp_s`; None: the frame has none.
            arrival_ns: when its last byte came (or it was decoded), this machine's clock, ns since 1970.
            report: the newest sender report; the same one may be given again and again.
        """
        shortest = None if self._media_ns is None else self._delay.at(self._media_ns)
        reading = self._media.read(pts_s, arrival_ns, shortest)
        if reading.restarted:
            self._delay.clear()
            self._reports.clear()
            self._off_ns = self._media_ns = None
            self._fresh = True
        if reading.media_ns is not None:
            self._take_report(report, reading.media_ns)
            t_ns = self._from_media(reading.media_ns, arrival_ns)
        else:
            t_ns = self._from_arrival(arrival_ns)
        new_timeline, self._fresh = self._fresh, False
        self._timelines += new_timeline
        self._last_ns = t_ns
        return Stamp(t_ns, self._origin, self._skew_ns, new_timeline)

    def _take_report(self, report: SenderReport | None, media_ns: int) -> None:
        if report is None or not self.config.sender_reports or not self._reports.is_new(report):
            return
        at_ns = self._media.on_line(report.rtp_s)
        if abs(at_ns - media_ns) <= _REPORT_SPAN_NS:
            self._reports.push(report, at_ns)

    def _from_media(self, media_ns: int, arrival_ns: int) -> int:
        """The rules of `off`, as in the head of this file."""
        passed_ns = 0 if self._media_ns is None else media_ns - self._media_ns
        each_ns = passed_ns // (1 + self._unstamped)
        if 0 < each_ns < _LONGEST_INTERVAL_NS:
            self._interval_ns += (each_ns - self._interval_ns) // 8
        self._media_ns, self._unstamped = media_ns, 0
        shortest_ns = self._delay.push(media_ns, arrival_ns)
        target_ns = self._aim(media_ns, shortest_ns)
        leap_ns, self._target_ns = target_ns - self._target_ns, target_ns
        if self._off_ns is None:
            self._off_ns = target_ns
        elif abs(leap_ns) > self._slew_ns or target_ns - self._off_ns > 2 * self._slew_ns:
            self._off_ns, self._fresh = target_ns, True
        else:
            self._off_ns += self._slew(target_ns - self._off_ns, passed_ns, media_ns, arrival_ns)
        t_ns = media_ns + self._off_ns
        if self._last_ns is not None:
            usual_ns = self._interval_ns if self._fresh or not passed_ns else each_ns
            t_ns = max(t_ns, self._after_last(usual_ns, arrival_ns))
        self._grant(t_ns - arrival_ns, passed_ns)
        self._off_ns = t_ns - media_ns
        self._skew_ns = shortest_ns - self._off_ns
        return t_ns

    def _after_last(self, usual_ns: int, arrival_ns: int) -> int:
        """The earliest stamp that may follow the last one: a share of a frame later, so that nobody seems to leap.

        Only where the last one lies far in the future (presentation times that run at a multiple of real time) the
        frames huddle together until time has come that far.
        """
        assert self._last_ns is not None
        most_ns = self._most_ahead_ns if self._origin is ClockOrigin.HOST else self._most_off_ns
        if self._last_ns - arrival_ns - self._lead_ns - self._granted_ns > most_ns and not self._fresh:
            return self._last_ns + _HUDDLE_NS
        return self._last_ns + max(_HUDDLE_NS, int((1.0 - self.config.catch_up_rate) * usual_ns))

    def _grant(self, ahead_ns: int, passed_ns: int) -> None:
        """A timeline that has to begin after its arrival, behind the last one, is slewed and not hurried back."""
        if self._fresh:
            self._granted_ns = max(0, ahead_ns - self._lead_ns)
        else:
            self._granted_ns = max(0, self._granted_ns - int(self.config.slew_rate * passed_ns))

    def _aim(self, media_ns: int, shortest_ns: int) -> int:
        """Where `off` is to go; sets origin and lead."""
        camera_ns = self._reports.offset_ns(media_ns)
        if camera_ns is None:
            self._origin = ClockOrigin.HOST
            return shortest_ns + self._lead_ns
        self._origin = ClockOrigin.NTP_SR
        self._lead_ns = camera_ns - shortest_ns
        return camera_ns

    def _slew(self, error_ns: int, passed_ns: int, media_ns: int, arrival_ns: int) -> int:
        """How far `off` moves towards its target in this frame."""
        assert self._off_ns is not None
        # by the host's clock, a stamp from arrivals after the arrival is wrong for sure
        too_late_ns = media_ns + self._off_ns - arrival_ns - self._lead_ns
        ahead = self._origin is ClockOrigin.HOST and too_late_ns > self._granted_ns
        rate = self.config.catch_up_rate if ahead and error_ns < 0 else self.config.slew_rate
        most_ns = int(rate * passed_ns)
        return max(-most_ns, min(most_ns, error_ns))

    def _from_arrival(self, arrival_ns: int) -> int:
        """A frame without a usable presentation time: after the last by about an interval, and not far from arrival."""
        self._unstamped += 1
        t_ns = arrival_ns + self._lead_ns
        if self._last_ns is None:
            return t_ns
        if self._unstamped <= _FEW and self._off_ns is not None:
            t_ns = min(t_ns, self._last_ns + self._interval_ns)
        else:
            self._origin, self._skew_ns = ClockOrigin.HOST, None
        t_ns = max(t_ns, self._after_last(self._interval_ns, arrival_ns))
        self._grant(t_ns - arrival_ns, 0)
        return t_ns
