"""How many frames a second a camera gives: counted over a span, never taken from what it states."""

from __future__ import annotations

from collections import deque

_SPAN = 64
_TRUSTED_AFTER = 16


class FrameRate:
    """Count over span of the last arrivals."""

    def __init__(self) -> None:
        self._arrivals_ns: deque[int] = deque(maxlen=_SPAN)

    def push(self, arrival_ns: int) -> None:
        self._arrivals_ns.append(arrival_ns)

    def clear(self) -> None:
        """After a gap: what came before says nothing of what comes now."""
        self._arrivals_ns.clear()

    @property
    def fps(self) -> float | None:
        """None until there are enough frames to be believed."""
        count = len(self._arrivals_ns)
        span_ns = self._arrivals_ns[-1] - self._arrivals_ns[0] if count else 0
        if count < _TRUSTED_AFTER or span_ns <= 0:
            return None
        return (count - 1) / (span_ns / 1e9)
