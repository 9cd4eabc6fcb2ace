"""How far the lifter is believed."""

from __future__ import annotations

from pydantic import Field

from ..settings import StageConfig


class LiftedConfig(StageConfig):
    """How far the lifter is believed."""

    pose_weight: float = Field(default=1.0, ge=0)
    """Factor on the inverse variance of its angles. More brings joints nearer still, and jitter with it."""
    place_weight: float = Field(default=0.0, ge=0)
    """The same of its place: track and interaction point know it better."""
    fade_slots: float = Field(default=4.0, gt=0)
    """Slots over which a known person's last pose gives way to the lifter's."""
