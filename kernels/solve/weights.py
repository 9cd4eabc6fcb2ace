"""The weights of eqs 3-14 as printed, and the switches for what the printed equations get wrong.

The defaults are the paper to the letter (sec. IV-B and algorithms 2.10 of the project's notes). `mended()`
turns every switch to its repaired form with the weights that go with it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..settings import StageConfig

FACE_KEYPOINT_WEIGHTS = (0.3, 0.0, 0.0, 0.0, 0.0)
"""Nose, eyes, ears: a face is 12 cm of guessed offsets from the head joint, and no SMPL joint of its own."""


class EnergyWeights(StageConfig):
    """How much each energy counts and in which form."""

    reprojection: float = Field(default=100.0, ge=0)
    """lambda_2D of eq. 3."""
    hvip: float = Field(default=10_000.0, ge=0)
    """lambda_h of eq. 4."""
    contact: float = Field(default=50.0, ge=0)
    """lambda_c of eq. 5."""
    translation_smoothness: float = Field(default=50.0, ge=0)
    """lambda_t-trans of eq. 6."""
    pose_prior: float = Field(default=0.5, ge=0)
    """lambda_phi of eq. 8."""
    shape: float = Field(default=1.0, ge=0)
    """lambda_shape of eq. 9."""
    pose_smoothness: float = Field(default=10.0, ge=0)
    """lambda_t-pose of eq. 10."""
    vae: float = Field(default=0.2, ge=0)
    """lambda_vae of eq. 12."""
    contact_height: float = Field(default=500.0, ge=0)
    """lambda_ch of eq. 13."""
    contact_velocity: float = Field(default=1_000.0, ge=0)
    """lambda_cv of eq. 13."""
    connect: float = Field(default=100.0, ge=0)
    """lambda_con of eq. 14."""
    amc: float = Field(default=0.03, ge=0)
    """lambda_AMC of eq. 17."""
    amc_softness: float = Field(default=0.1, gt=0)
    """gamma of eq. 17's soft-DTW, which the paper does not name; 0.1 is what joints 5 degrees apart cost a slot."""

    keypoint_weights: tuple[float, ...] = Field(
        default=FACE_KEYPOINT_WEIGHTS + (1.0,) * 12, min_length=17, max_length=17
    )
    """Factor on sigma of each COCO keypoint."""
    sigma: Literal["binary", "soft"] = "binary"
    """Eq. 3: sigma is 1 from `sigma_min` up (printed), or the confidence itself."""
    sigma_min: float = Field(default=0.3, ge=0, le=1)
    """Keypoints of less confidence do not count, in either form."""
    box_scale: Literal["inverse_size", "inverse_size_squared"] = "inverse_size"
    """Eqs 3, 4: delta = 1 / size (printed; large boxes dominate), or reference_size / size^2 (scale-free)."""
    reference_size_px: float = Field(default=150.0, gt=0)
    """Box size at which both forms of delta agree."""
    min_size_px: float = Field(default=16.0, gt=0)
    """Smaller boxes count as this large: their delta would be all noise."""
    reprojection_robust_px: float | None = Field(default=None, gt=0)
    """Eq. 3: Geman-McClure scale, px; None for squares (printed)."""
    hvip_sigma_floor_px: float | None = Field(default=None, gt=0)
    """Eq. 4: observations count by variance, fully at this sigma; None: all alike (printed)."""
    hvip_robust_sigmas: float | None = Field(default=None, gt=0)
    """Eq. 4: Geman-McClure scale in sigmas of the observation; None for squares (printed)."""
    contact_form: Literal["printed", "signed"] = "printed"
    """Eq. 5: min |distance| (a sunk body scores 0), or |min distance|."""
    contact_vertices: Literal["soles", "mesh"] = "soles"
    """Eq. 5: which vertices are tried; the whole mesh is as printed and about a hundred times dearer."""
    difference_order: Literal[1, 2] = 1
    """Eqs 6, 10, 14: first differences (printed; pulls towards standing still) or second."""
    contact_height_m: float = Field(default=0.08, ge=0)
    """h of eq. 13, which the paper does not name; 0.08 m is what contact labels are made with."""
    contact_height_form: Literal["printed", "band"] = "printed"
    """Eq. 13: |z - h| (printed; lifts resting toes), or max(0, |z| - h) as its text says."""
    contact_probability: Literal["free", "held"] = "free"
    """Eq. 13: c moves with the latent (printed; a contact may be denied), or is taken as told."""

    @classmethod
    def mended(cls) -> EnergyWeights:
        """Every switch in its repaired form.

        Not the printed weights, because the terms change their nature: second differences of people are a
        thirtieth of the first, so both smoothness weights and the seam's grow; the printed E_2D outweighs the
        priors sixfold for a detector whose error is 2 % of the box, so the priors and the ground gain. The motion
        prior's lambda follows the same noise (a latent of 384 numbers against 64 slots of keypoints), and a resting
        joint that slides 5 mm in a slot costs about what a keypoint does that is off by 1.5 px of 150.
        """
        return cls(
            contact=200.0,
            translation_smoothness=5_000.0,
            pose_prior=2.0,
            shape=2.0,
            pose_smoothness=500.0,
            vae=60.0,
            contact_velocity=50_000.0,
            connect=5_000.0,
            sigma="soft",
            sigma_min=0.05,
            box_scale="inverse_size_squared",
            hvip_sigma_floor_px=1.0,
            hvip_robust_sigmas=3.0,
            contact_form="signed",
            difference_order=2,
            contact_height_form="band",
            contact_probability="held",
        )
