"""What a self-calibration comes to: how sure it is, or why it does not speak."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CalibrationConfidence:
    """Spread of a self-calibration over bootstrap samples of its people (one sigma).

    It covers pixel noise, lean and the spread of statures. It cannot see what all people share: a wrong mean
    stature (1 % is 1 % of scale), lens distortion, a principal point off the centre, sloping ground.
    """

    uprights: int
    """Upright observations used."""
    people: int
    """Independent people (tracks, or places where none are known) they come from."""
    focal_share: float
    """Sigma of the focal length / focal length; 0 where it was given."""
    normal_deg: float
    """Sigma of the direction of the ground's normal, degrees."""
    height_share: float
    """Sigma of the camera height / camera height, without the stature prior's own; 0 where it was given."""
    samples: int
    """Bootstrap samples that could be solved."""

    def __str__(self) -> str:
        return (
            f"focal ±{100 * self.focal_share:.1f} %, normal ±{self.normal_deg:.2f}°, "
            f"height ±{100 * self.height_share:.1f} % from {self.uprights} uprights of {self.people} people"
        )


@dataclass(frozen=True)
class Refusal:
    """No calibration, and why."""

    reason: str
    """In words, for the log and the console."""
    uprights: int
    """Upright observations at hand."""
    needed: int
    """How many there should be."""

    def __str__(self) -> str:
        return f"no calibration yet: {self.reason}"
