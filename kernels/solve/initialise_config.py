"""Settings of the first guess."""

from __future__ import annotations

from pydantic import Field

from ..settings import StageConfig


class FirstGuessConfig(StageConfig):
    """Settings of the first guess."""

    yaws: int = Field(default=24, ge=4, le=72)
    """Facings tried per slot."""
    template_axes: int = Field(default=3, ge=0, le=8)
    """Pose templates: the mean and this many principal directions of the prior, both ways."""
    template_spread: float = Field(default=1.3, gt=0)
    """How far the templates go along a direction, standard deviations."""
    keypoint_sigma: float = Field(default=0.1, gt=0)
    """Misfit of a template's keypoint, box sizes: noise plus how unlike the templates people stand."""
    keypoint_cap: float = Field(default=9.0, gt=0)
    """Most one keypoint may cost, sigmas squared."""
    turn_sigma_rad: float = Field(default=0.15, gt=0)
    """Turn from one slot to the next."""
    heading_weight: float = Field(default=2.0, ge=0)
    """Cost of facing against the walking direction at 1 m/s, per slot."""
    stature_m: float = Field(default=1.70, gt=0.5, lt=2.5)
    """Mean of the stature prior, metres."""
    stature_sigma_m: float = Field(default=0.09, gt=0)
    """Its spread."""
    stature_noise: float = Field(default=0.08, gt=0)
    """Relative error of one window's image scale."""
