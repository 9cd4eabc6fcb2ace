"""Settings of the tracking stage."""

from __future__ import annotations

from pydantic import Field

from ..kernels.settings import StageConfig


class MatchConfig(StageConfig):
    """What makes a detection and a track the same person (kernels.tracking.association)."""

    appearance: float = Field(default=0.5, ge=0)
    """Weight of what appearance codes say (-ln of twice the probability that they are one person's: -0.7 to 3) when
    several matches are possible."""
    pose: float = Field(default=0.25, ge=0)
    """Weight of 1 - OKS between the predicted and the seen pose (PHALP's b1)."""
    distance_sigma: float = Field(default=1.0, gt=0)
    """Distance on the ground, in sigmas, that costs as much as 1 (PHALP's b2 in its own unit)."""
    overlap: float = Field(default=2.0, ge=0)
    """Weight of 1 - IoU of the predicted and the seen box."""
    spread: float = Field(default=1.0, ge=0)
    """Weight of a track's uncertainty: keeps one lost for long from taking everybody else's detections."""
    gate_sigma: float = Field(default=5.0, gt=0)
    """Nothing further than this is matched."""
    unmatched: float = Field(default=6.0, gt=0)
    """A match must cost less than this."""
    low_unmatched: float = Field(default=4.0, gt=0)
    """The same for the second round with low scores."""
    tentative_penalty: float = Field(default=0.5, ge=0)
    """What a track pays for not being confirmed yet."""


class TrackConfig(StageConfig):
    """Tracking of one camera, on the ground or, before one stands, in the image."""

    high_score: float = Field(default=0.5, ge=0, le=1)
    """Detections from here on are matched first, with all tracks."""
    low_score: float = Field(default=0.3, ge=0, le=1)
    """Detections from here on may carry on a track seen lately (second round)."""
    birth_score: float = Field(default=0.5, ge=0, le=1)
    """A person begins with a detection of at least this score."""
    birth_overlap: float = Field(default=0.7, gt=0, le=1)
    """A detection overlapping a person seen in this frame by more is a double, not a birth."""
    confirm_hits: int = Field(default=3, ge=1)
    """Detections after which a person is believed; the rows before are handed on late (`drain_backfill`)."""
    tentative_gap_s: float = Field(default=0.25, gt=0)
    """An unconfirmed person unseen for longer (and for two frames) is dropped."""
    low_score_gap_s: float = Field(default=0.6, gt=0)
    """The second round is for people seen within this time."""
    coast_s: float = Field(default=0.6, ge=0)
    """A hidden person is published by prediction for this long."""
    bridge_s: float = Field(default=10.0, ge=0)
    """When a hidden person comes back within this time, the gap is filled (`drain_backfill`)."""
    forget_s: float = Field(default=1.0, gt=0)
    """A hidden person who walked is waited for this long: where they are by then, prediction alone cannot say, and
    whoever else comes by is taken for them. Who they are when they come back is for the stitcher (docs/tracking.md)."""
    wait_s: float = Field(default=10.0, gt=0)
    """A hidden person who stood is waited for this long, where they stood; so is everybody before a ground stands."""
    stand_mps: float = Field(default=0.4, ge=0)
    """Up to this speed, when last seen, somebody stood."""
    stand_known_s: float = Field(default=2.0, ge=0)
    """Of people followed for less nobody can say that they stood."""
    stand_sigma_m: float = Field(default=0.25, gt=0)
    """How far from there they come back."""
    exit_s: float = Field(default=0.6, ge=0)
    """The same where their box crosses the border of the picture: they have left."""
    speed_sigma_mps: float = Field(default=1.6, gt=0, le=10)
    """Spread of people's velocity, per axis."""
    velocity_memory_s: float = Field(default=3.0, gt=0, le=60)
    """How long a velocity lasts: those hidden for longer are taken to have stopped."""
    noise_memory_s: float = Field(default=0.05, ge=0, le=5)
    """How long the errors of a detection on one person stay alike."""
    box_noise_share: float = Field(default=0.04, gt=0, lt=1)
    """Standard deviation of a box's foot point / its height (image fallback and the published box)."""
    size_noise: float = Field(default=0.1, gt=0)
    """Standard deviation of a box's log height; its width has twice as much."""
    size_speed: float = Field(default=0.05, gt=0)
    """Spread of the rate at which log sizes change, 1/s."""
    cut_height: float = Field(default=0.8, ge=0, lt=1)
    """A box shorter than this share of what was expected is cut by an occluder and made whole."""
    cut_width: float = Field(default=0.6, ge=0, lt=1)
    """The same for its width."""
    lift_s: float = Field(default=1.0, gt=0)
    """History kept for lifting the tracks onto a new ground."""
    stature_m: float = Field(default=1.7, gt=0.5, lt=2.5)
    """Gives image motion its scale before a ground stands."""
    match: MatchConfig = MatchConfig()
