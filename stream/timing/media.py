"""The media clock of one camera: presentation times as one rising line, or the word that they are not to be used.

Cameras hand out 32-bit counters at 90 kHz (13.3 h) and recorders 33-bit ones (26.5 h): a fall by just that much is
undone, and is no event. Frames without a presentation time, times that do not rise and times that lie further ahead
than any delay allows are not used; when two of them in a row agree with each other, the clock has been set or the
stream begun anew, and a new line begins there. So one mad stamp costs one frame's stamp, and a mad clock
(constant, random, missing) leaves arrival.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

WRAPS_NS = tuple((1 << bits) * 1_000_000_000 // 90_000 for bits in (32, 33))
"""Lengths of the counters in use, ns."""
_WRAP_SLACK_NS = 10_000_000_000
"""Bursts and pauses that may lie on a wrap; a ten-thousandth of its length."""


@dataclass(frozen=True)
class Reading:
    """What a presentation time is worth."""

    media_ns: int | None
    """On the line; None: not to be used."""
    restarted: bool = False
    """A new line begins here: nothing from before can be compared with it."""


class MediaClock:
    """Reads the presentation times of one camera, in order of decoding. O(1), no history."""

    def __init__(self, step_ns: int) -> None:
        """
        Args:
            step_ns: how much earlier than the shortest delay a frame may seem to come.
        """
        self._step_ns = step_ns
        self._base_ns = 0
        self._last: tuple[int, int] | None = None  # media, arrival
        self._odd: tuple[int, int] | None = None
        self.wraps = 0
        self.unusable = 0
        """Frames whose presentation time was there and was not used."""

    def read(self, pts_s: float | Fraction | None, arrival_ns: int, shortest_ns: int | None) -> Reading:
        """Takes the next frame.

        Args:
            shortest_ns: least arrival - media known, ns; None: nothing is known.
        """
        if pts_s is None:
            return Reading(None)
        raw_ns = round(pts_s * 1_000_000_000)
        media_ns = raw_ns + self._base_ns
        if self._last is None:
            self._last = media_ns, arrival_ns
            return Reading(media_ns)
        passed_ns = arrival_ns - self._last[1]
        for wrap_ns in WRAPS_NS:
            onward_ns = media_ns + wrap_ns - self._last[0]
            if onward_ns > 0 and abs(onward_ns - passed_ns) <= _WRAP_SLACK_NS:
                self._base_ns += wrap_ns
                media_ns += wrap_ns
                self.wraps += 1
                break
        too_early = shortest_ns is not None and arrival_ns - media_ns < shortest_ns - self._step_ns
        if media_ns > self._last[0] and not too_early:
            self._last, self._odd = (media_ns, arrival_ns), None
            return Reading(media_ns)
        return self._unusual(raw_ns, arrival_ns)

    def on_line(self, media_s: float | Fraction) -> int:
        """Another time of the same clock (of a sender report), on the line as it stands now, ns."""
        media_ns = round(media_s * 1_000_000_000) + self._base_ns
        if self._last is not None:
            for wrap_ns in WRAPS_NS:  # the report is of before the wrap, or the wrap has yet to be seen
                if abs(abs(media_ns - self._last[0]) - wrap_ns) <= 6 * _WRAP_SLACK_NS:
                    media_ns += wrap_ns if media_ns < self._last[0] else -wrap_ns
                    break
        return media_ns

    def _unusual(self, raw_ns: int, arrival_ns: int) -> Reading:
        """Whether a second odd time in a row agrees with the first."""
        media_ns = raw_ns + self._base_ns
        odd, self._odd = self._odd, (media_ns, arrival_ns)
        if odd is None or not 0 < media_ns - odd[0] <= arrival_ns - odd[1] + self._step_ns:
            self.unusable += 1
            return Reading(None)
        self._base_ns, self._odd = 0, None
        self._last = raw_ns, arrival_ns
        return Reading(raw_ns, restarted=True)
