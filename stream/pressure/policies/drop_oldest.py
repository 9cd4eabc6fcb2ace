"""Live: what is newest counts. The oldest goes when there is no room, and whatever waited beyond the budget.

The rule looks at what waits and at nothing else. A rule that drops by rates instead (announced against measured)
can hold a camera at a fraction of its frames for good, because what it measures is what it has let through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .policy import Admission, Waiting

STALE = "stale"
FULL = "buffer_full"


class DropOldest:
    """Drops the oldest first: until the next one is young enough, and until there is room."""

    def __init__(self, max_age_s: float = 0.5, full_cause: str = FULL, stale_cause: str = STALE) -> None:
        """
        Args:
            max_age_s: the staleness budget, counted from arrival: a camera that pauses and then sends what it held
                back at once is not late.
            full_cause, stale_cause: what drops are counted under.
        """
        self.max_age_s: float | None = max_age_s
        self._budget_s = max_age_s
        self._full, self._stale = full_cause, stale_cause
        self._drops: Counter[str] = Counter()

    @property
    def drops(self) -> Mapping[str, int]:
        return dict(self._drops)

    @property
    def dropped(self) -> int:
        """All causes together."""
        return self._drops.total()

    def admit(self, waiting: Waiting) -> Admission:
        if not waiting.full:
            return Admission.TAKE
        self._drops[self._full] += 1
        return Admission.MAKE_ROOM if waiting.capacity > 0 else Admission.LEAVE_OUT

    def keep(self, age_s: float) -> bool:
        if age_s <= self._budget_s:
            return True
        self._drops[self._stale] += 1
        return False
