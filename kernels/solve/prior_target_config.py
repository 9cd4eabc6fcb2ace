"""How the motion prior is asked and believed."""

from __future__ import annotations

from pydantic import Field

from ..settings import StageConfig


class ProjectionConfig(StageConfig):
    """How the motion prior is asked and believed."""

    seen_confidence: float = Field(default=0.4, ge=0, le=1)
    """Keypoints from which on a joint counts as seen."""
    seen_weight: float = Field(default=4.0, ge=0)
    """Factor on the inverse variance of what was seen: the prior knows how people move, one camera does not."""
    hidden_weight: float = Field(default=4.0, ge=0)
    """Factor on the inverse variance of what was hidden, where only smoothness speaks against it."""
    outer_before: int = Field(default=1, ge=1, le=100)
    """Gauss-Newton steps before the projection for people who are known; more drift off after noisy keypoints."""
    outer: int = Field(default=2, ge=1, le=100)
    """Gauss-Newton steps after the projection."""
