"""Settings of the live solver."""

from __future__ import annotations

from pydantic import Field

from ..settings import StageConfig


class LiveConfig(StageConfig):
    """Settings of the live solver."""

    threads: int = Field(default=2, ge=1, le=256)
    """CPU threads; the answer does not depend on it."""
    outer: int = Field(default=8, ge=1, le=100)
    """Gauss-Newton steps of a cold start."""
    outer_warm: int = Field(default=3, ge=1, le=100)
    """Gauss-Newton steps where at least half of the slots come from the window before."""
    inner: int = Field(default=14, ge=1, le=200)
    """Conjugate-gradient products a step."""
    forcing: float = Field(default=0.1, gt=0, lt=1)
    """Conjugate gradients end when the residual has fallen by this factor."""
    tolerance: float = Field(default=1e-3, ge=0, lt=1)
    """A person's solve ends when a step gains less than this share of the energy."""
    damping: float = Field(default=1e-2, gt=0)
    """First Levenberg-Marquardt damping, relative to the diagonal."""

    reprojection_sigma: float = Field(default=0.05, gt=0)
    """Noise of a keypoint, box sizes (eq. 3); wider than one frame's, because neighbouring frames err alike."""
    reprojection_robust_sigmas: float = Field(default=6.0, gt=0)
    """Geman-McClure scale of eq. 3; a narrow one loses limbs that the first guess has far off."""
    face_weight: float = Field(default=0.7, ge=0)
    """Weight of nose, eyes and ears beside the other keypoints."""
    hvip_sigma_scale: float = Field(default=1.0, gt=0)
    """Factor on the given standard deviation of the interaction point (eq. 4): its errors last many frames."""
    hvip_robust_sigmas: float = Field(default=3.0, gt=0)
    """Geman-McClure scale of eq. 4."""
    contact_sigma_m: float = Field(default=0.03, gt=0)
    """Noise of the lowest sole point's height (eq. 5), metres."""
    contact_scale_m: float = Field(default=0.10, gt=0)
    """A body whose lowest point is much higher than this is taken to be in the air."""
    translation_acceleration_sigma_m: float = Field(default=0.01, gt=0)
    """Second difference of transl at 30 Hz (eq. 6), metres."""
    joint_acceleration_sigma_m: float = Field(default=0.014, gt=0)
    """Second difference of a joint at 30 Hz (eq. 10), metres."""
    joint_velocity_sigma_m: float | None = Field(default=None, gt=0)
    """First difference of a joint at 30 Hz, metres; None: only second differences (eq. 10 is biased to rest)."""
    pose_weight: float = Field(default=0.2, ge=0)
    """Weight of the pose Gaussian per frame (eq. 8); under 1 because frames are not independent."""
    shape_weight: float = Field(default=10.0, ge=0)
    """Weight of the betas' unit Gaussian, per person (eq. 9)."""
    track_sigma_m: float = Field(default=0.5, gt=0)
    """Torso over the tracked ground point where the person is seen, metres."""
    track_hidden_sigma_m: float = Field(default=0.15, gt=0)
    """The same where nobody sees them."""
    upright_sigma_rad: float = Field(default=0.3, gt=0)
    """Lean of the pelvis."""
