"""Windows of a live view: while as many are unsolved as may be, the next one is left out.

Windows overlap: with 64 slots and a hop of 16, up to three in a row can go and every slot still lies in one that is
solved. Those cost freshness and are counted as `solver_busy`; further ones in the same row leave slots without
bodies, and are counted as `solver_gap`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .policy import Admission, Waiting

BUSY = "solver_busy"
GAP = "solver_gap"


class LeaveOutWindow:
    """The newest window goes: those before it are in work, or warm starts of each other."""

    max_age_s: float | None = None

    def __init__(self, spare: int = 3) -> None:
        """
        Args:
            spare: windows in a row that the next one makes up for: window length over hop, less one.
        """
        self._spare = spare
        self._in_a_row = 0
        self._drops: Counter[str] = Counter()

    @property
    def drops(self) -> Mapping[str, int]:
        return dict(self._drops)

    @property
    def dropped(self) -> int:
        """Both causes together."""
        return self._drops.total()

    def admit(self, waiting: Waiting) -> Admission:
        if not waiting.full:
            self._in_a_row = 0
            return Admission.TAKE
        self._in_a_row += 1
        self._drops[BUSY if self._in_a_row <= self._spare else GAP] += 1
        return Admission.LEAVE_OUT

    def keep(self, age_s: float) -> bool:
        """A window that was taken is solved, however late: the next starts from it."""
        return True
