"""How much a peer may send: a bucket that fills at a rate, and a wait where it is empty."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Allowance:
    """A token bucket; time is an argument."""

    per_s: float
    burst: float
    """What may come at once after a pause."""
    _left: float = -1.0
    _at_s: float = 0.0

    def __post_init__(self) -> None:
        self._left = self.burst

    def take(self, amount: float, now_s: float) -> float:
        """Takes it and returns the seconds to wait before anything else is taken; 0 within the allowance.

        More than there is may be taken: it is waited for afterwards, so that one large piece is never refused.
        """
        self._fill(now_s)
        self._left -= amount
        return max(0.0, -self._left / self.per_s)

    def try_take(self, amount: float, now_s: float) -> bool:
        """Takes it where there is enough."""
        self._fill(now_s)
        if self._left < amount:
            return False
        self._left -= amount
        return True

    def _fill(self, now_s: float) -> None:
        passed_s = max(0.0, now_s - self._at_s)
        self._left = min(self.burst, self._left + passed_s * self.per_s)
        self._at_s = now_s
