"""Settings of what is said about an answer."""

from __future__ import annotations

from pydantic import Field

from ..settings import StageConfig


class FinishConfig(StageConfig):
    """Settings of what is said about an answer."""

    interpolated_gap_s: float = Field(default=0.4, gt=0)
    """Unseen slots between observations this close are interpolated, longer ones infilled."""
    misfit: float = Field(default=0.08, gt=0)
    """Re-projection error, in box sizes, at which confidence has fallen to 0.61."""
    fade_s: float = Field(default=1.0, gt=0)
    """Confidence of unseen slots falls by e over this distance from the nearest observation."""
    doubt_m: float = Field(default=0.15, gt=0)
    """Expected error of the motion prior, metres, at which confidence has fallen to 0.61."""
