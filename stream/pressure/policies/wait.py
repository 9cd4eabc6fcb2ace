"""Recordings: nothing is ever dropped; who brings more than there is room for waits."""

from __future__ import annotations

from collections.abc import Mapping

from .policy import Admission, Waiting


class Wait:
    """A full buffer holds its source up."""

    max_age_s: float | None = None

    @property
    def drops(self) -> Mapping[str, int]:
        return {}

    @property
    def dropped(self) -> int:
        return 0

    def admit(self, waiting: Waiting) -> Admission:
        return Admission.WAIT if waiting.full else Admission.TAKE

    def keep(self, age_s: float) -> bool:
        return True
