"""Settings of detection and 2D pose."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from ..kernels.perception.tiling import TileConfig
from ..kernels.settings import StageConfig


class Tiling(StrEnum):
    """How large frames are cut."""

    OFF = "off"
    """One pass over the whole picture."""
    AUTO = "auto"
    """From camera and ground where they stand, uniform before; one pass where that is enough."""


class AppearanceSource(StrEnum):
    """What people are recognised by when they come back."""

    OFF = "off"
    """Nothing."""
    COLOUR = "colour"
    """Colours of torso and legs: some 0.1 ms a person."""
    REID = "reid"
    """A network (`inference.reid`): some milliseconds a person, so a few people take turns in each picture."""


class PerceptionConfig(StageConfig):
    """Detection and 2D pose."""

    detector_long_side_px: int = Field(default=960, ge=64, le=4096, multiple_of=32)
    """Longer side of the detector's input (networks of a fixed size have their own)."""
    max_upscale: float = Field(default=4 / 3, ge=0.25, le=8)
    """Input pixels per frame pixel of a whole picture at most; a small one is not blown up to the full input.
    PETS09, 480 px wide, MOTA and detector time at 1, 4/3 and 2 times: 0.86, 0.91, 0.76; 27, 45, 145 ms."""
    score_threshold: float = Field(default=0.1, ge=0, le=1)
    """Boxes below this are left out; low ones are kept because they help the tracker hold on."""
    detect_stride: int = Field(default=1, ge=1, le=64)
    """Detect on every n-th frame; between, poses are run on predicted boxes where the caller has some."""
    pose_threshold: float = Field(default=0.4, ge=0, le=1)
    """Only boxes with at least this score get a pose."""
    pose_rate_hz: float | None = Field(default=15.0, gt=0)
    """Frames a second of a camera that get poses (people in the frames between keep their boxes); null: all."""
    pose_budget: int | None = Field(default=None, ge=0)
    """Poses per frame at most; null: everybody."""
    appearance: AppearanceSource = AppearanceSource.COLOUR
    """What appearance codes are made of: colour, reid, off."""
    appearance_rate_hz: float | None = Field(default=5.0, gt=0)
    """Frames a second of a camera that get codes, among those that get poses; null: all of those."""
    merge_iou: float = Field(default=0.5, gt=0, lt=1)
    """Boxes of different tiles that overlap by more are one person."""
    tiling: Tiling = Tiling.AUTO
    """How large frames are cut: off, auto."""
    tiles: TileConfig = TileConfig()
    """Sizes and statures that tiles are derived from."""
    threads: int = Field(default=2, ge=1, le=256)
    """Cores: passes of the detector and batches of crops that run side by side."""
