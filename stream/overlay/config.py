"""How an overlay looks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field

from ...kernels.settings import StageConfig
from ..errors import ExportError


class OverlayError(ExportError):
    """A log that cannot be laid over a video, or a video that cannot be read or written."""


class Colouring(StrEnum):
    """What a colour stands for."""

    TRACK = "track"
    """A person, the same all along."""
    TIER = "tier"
    """How final the answer is: live, window, refined."""


class OverlayConfig(StageConfig):
    """Settings of an overlay."""

    colour: Colouring = Colouring.TRACK
    """What a colour stands for."""
    inset: bool = True
    """Draw the bird's-eye view."""
    labels: bool = True
    """Write the id over each person."""
    opacity: float = Field(default=0.78, ge=0.05, le=1.0)
    """Of the bodies; the video shines through the rest."""
    max_frames: int = Field(default=0, ge=0)
    """Only so many frames; 0 for all."""
    camera: str = ""
    """Which camera of the log; empty: the one named as the video, else the only one."""
    body: Path | None = None
    """The SMPL file the run was given; None: the body that ships."""
    session: str = ""
    """Which session of the log; the last by default."""
    trail_s: float = Field(default=3.0, ge=0.0, le=60.0)
    """Length of the trails in the bird's-eye view, seconds."""
    min_height_px: int = Field(default=720, ge=0, le=4320)
    """Smaller videos are enlarged, by whole numbers, as long as they stay within this height; 0: never."""
    scale: int = Field(default=2, ge=1, le=4)
    """Cells a pixel and axis for smooth borders."""
    crf: int = Field(default=20, ge=0, le=51)
    """H.264 constant rate factor."""
    preset: str = "veryfast"
    """libx264 preset."""
