"""Settings of how a segment is laid along a guide."""

from __future__ import annotations

from pydantic import Field

from ..settings import StageConfig


class AlignConfig(StageConfig):
    """How a segment is laid along a guide."""

    rotation_sigma: float = Field(default=0.35, gt=0)
    """Spread of one joint's 6D rotation between two people in the same phase; smaller finds the phase more sharply."""
    step_sigma: float = Field(default=0.35, gt=0)
    """Spread of the steps through the guide about the ratio of the speeds."""
    pace: tuple[float, float] = (0.6, 1.6)
    """Slowest and fastest ratio of the speeds that is believed."""
