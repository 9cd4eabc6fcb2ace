"""How a crowd is pictured."""

from __future__ import annotations

from pydantic import Field

from ....kernels.settings import StageConfig


class RenderConfig(StageConfig):
    """Looks of the people and the place, faults of the camera, and what the video may cost."""

    seed: int = Field(default=0, ge=0)
    """Of clothes, ground, light and noise; the motion is not touched by it."""
    samples: int = Field(default=4, ge=1, le=4)
    """Rays per pixel where people are."""
    shutter_s: float = Field(default=0.008, ge=0.0, le=0.1)
    """Exposure of a frame: fast limbs blur. 0: none."""
    blur_steps: int = Field(default=2, ge=1, le=4)
    """Moments of one exposure that share the rays of a pixel; no more than there are rays."""
    noise: float = Field(default=1.6, ge=0.0, le=20.0)
    """Standard deviation of the sensor's noise at mid-grey, 8-bit levels."""
    lens_blur_px: float = Field(default=0.55, ge=0.0, le=5.0)
    """Standard deviation of the lens' blur."""
    vignette: float = Field(default=0.18, ge=0.0, le=1.0)
    """Share of light missing in the corners."""
    sun_elevation_deg: float | None = Field(default=None, ge=15.0, le=85.0)
    """Height of the sun; None: by the seed."""
    sun_azimuth_deg: float | None = Field(default=None, ge=-360.0, le=360.0)
    """Where the light comes from, counter-clockwise from world +x; None: by the seed."""
    carried_share: float = Field(default=0.4, ge=0.0, le=1.0)
    """Share of people with a backpack or a bag."""
    coarse_below_px: float = Field(default=220.0, ge=0.0)
    """People less tall than this are drawn with 2,600 faces instead of 10,500; under a third of it with 900."""
    crf: int = Field(default=23, ge=0, le=51)
    """H.264's constant rate factor: 18 is hardly to be told from the original, 30 is coarse."""
    preset: str = "veryfast"
    """x264's effort."""
