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
    decide_s: float = Field(default=0.7, gt=0, le=10)
    """A new track is looked at for this long before it is asked whose it is."""
    watch_s: float = Field(default=6.0, ge=0, le=120)
    """For this long after a track began its joining may still be undone."""
    review_s: float = Field(default=0.2, gt=0, le=10)
    """Time between two looks at the open questions."""
    accept: float = Field(default=0.9, gt=0, lt=1)
    """Probability from which a track is joined."""
    keep: float = Field(default=0.5, gt=0, lt=1)
    """Probability under which a joining is undone."""
    end_s: float = Field(default=1.5, gt=0, le=10)
    """How much of a track, before its loss or after its beginning, says where it was and how fast it went."""
    noise_memory_s: float = Field(default=0.3, ge=0, le=5)
    """How long the errors of foot points stay alike."""
