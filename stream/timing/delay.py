"""The shortest delay from media clock to arrival: what is left of arrival times when bursts are taken out.

    d_k = arrival_k - media_k = offset of the clocks + drift + delay_k,   delay_k >= shortest > 0, long-tailed

The frames that came quickest lie on the lower envelope of d, a line whose tilt is the drift of the media clock
against this machine's. Least d of every second of media time, kept for a minute; a robust line through them gives the
tilt, the least of them along that tilt the offset. What the shortest delay itself is (exposure, encoder, network)
cannot be told from arrivals, by nobody.

O(1) a frame, O(seconds kept) once a second; memory: a pair of numbers for each second kept.
"""

from __future__ import annotations

from collections import deque

from .drift import Line, fit_line

_BUCKET_NS = 1_000_000_000
_NOISE_S = 0.001
_SLOPE_SIGMA = 100e-6


class ShortestDelay:
    """Lower envelope of arrival - media of one camera."""

    def __init__(self, window_s: float, hold_s: float, step_s: float) -> None:
        """
        Args:
            window_s: how far back the quickest frames are looked for.
            hold_s, step_s: when all frames of hold_s came later than the envelope by step_s, what was before is
                forgotten: the stream was held back for good, or this machine's clock was set.
        """
        self._window_ns = round(window_s * 1e9)
        self._hold_ns, self._step_ns = round(hold_s * 1e9), round(step_s * 1e9)
        self._least: deque[tuple[int, int]] = deque(maxlen=int(window_s) + 2)
        self._open: tuple[int, int, int] | None = None  # number of the second, media, least d in it
        self._line: Line | None = None  # through the least of the closed seconds

    @property
    def line(self) -> Line | None:
        """The envelope over the closed seconds; None in the first."""
        return self._line

    def clear(self) -> None:
        self._least.clear()
        self._open = self._line = None

    def at(self, media_ns: int) -> int | None:
        """Shortest arrival - media at a media time, ns; None before the first frame."""
        if self._open is None:
            return None
        slope = 0.0 if self._line is None else self._line.slope
        now = self._open[2] + round(slope * (media_ns - self._open[1]))
        return now if self._line is None else min(now, self._line.at(media_ns))

    def push(self, media_ns: int, arrival_ns: int) -> int:
        """Takes a frame (media times rise); returns the envelope at it."""
        delay_ns, number = arrival_ns - media_ns, media_ns // _BUCKET_NS
        if self._open is not None and self._open[0] == number:
            if delay_ns < self._open[2]:
                self._open = number, media_ns, delay_ns
        else:
            if self._open is not None:
                self._close(self._open[1], self._open[2], media_ns)
            self._open = number, media_ns, delay_ns
        found = self.at(media_ns)
        assert found is not None
        return found

    def _close(self, media_ns: int, delay_ns: int, now_ns: int) -> None:
        """A second has passed: the line anew."""
        self._least.append((media_ns, delay_ns))
        while self._least and self._least[0][0] < now_ns - self._window_ns:
            self._least.popleft()
        recent = [p for p in self._least if p[0] > now_ns - self._hold_ns - _BUCKET_NS]
        if self._line is not None and len(recent) >= min(3, self._hold_ns // _BUCKET_NS):
            held = min(delay - self._line.at(media) for media, delay in recent)
            long_enough = recent[-1][0] - recent[0][0] >= self._hold_ns - 2 * _BUCKET_NS
            if held > self._step_ns and long_enough:
                self._least = deque(recent, maxlen=self._least.maxlen)
        if not self._least:
            self._line = None
            return
        points = list(self._least)
        middle = fit_line(points, _NOISE_S, _SLOPE_SIGMA)
        lowest = min(delay - middle.at(media) for media, delay in points)
        self._line = Line(
            middle.x0_ns, middle.y0_ns + lowest, middle.slope, middle.slope_se, middle.spread_ns, len(points)
        )
