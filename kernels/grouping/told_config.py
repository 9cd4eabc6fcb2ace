"""Settings of how guides are mixed."""

from __future__ import annotations

from pydantic import Field

from ..settings import StageConfig


class ToldConfig(StageConfig):
    """How guides are mixed."""

    guides: int = Field(default=8, ge=1, le=64)
    """Best ones that are mixed."""
    temperature: float = Field(default=15.0, gt=0)
    """Log evidence by which one guide must be better to count e times as much."""
    own_bonus: float = Field(default=20.0, ge=0)
    """Log evidence that a segment of the same person has ahead: the paper's in-sequence case first."""
    sigma_rad: float = Field(default=0.1, gt=0)
    """Error of a guide's rotation about each axis even when all agree: people differ, and guides are estimates."""
