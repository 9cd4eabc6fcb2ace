"""Settings of the stitcher."""

from __future__ import annotations

from pydantic import Field

from ...kernels.settings import StageConfig


class StitchConfig(StageConfig):
    """Joining of broken tracklets."""

    enabled: bool = True
    """Join them at all."""
    max_gap_s: float = Field(default=10.0, gt=0, le=120)
    """Nobody is waited for longer."""
