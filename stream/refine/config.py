"""Settings of the refiner."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...kernels.grouping.alignment_config import AlignConfig
from ...kernels.grouping.bank_config import GroupConfig
from ...kernels.grouping.told_config import ToldConfig
from ...kernels.settings import StageConfig


class RefineConfig(StageConfig):
    """Refinement of completed segments, in the background."""

    enabled: bool = True
    """Refine at all."""
    preset: Literal["live", "paper"] = "live"
    """`live`: the aligned guide as a Gaussian observation. `paper`: equations 15-18 over the latents, as printed."""
    fill: bool = True
    """Give a body to people while they are hidden, between two sightings."""
    group: bool = True
    """Let people who move alike help (equations 15-17)."""
    amc: bool = True
    """Use the aligned guide; without it groups are only reported."""
    max_gap_s: float = Field(default=10.0, gt=0, le=120)
    """Longest gap that is filled."""
    facing: bool = True
    """Guides tell walkers, too, how people face along the way they go."""
    min_gap_s: float = Field(default=0.4, ge=0, le=10)
    """Shorter ones were bridged by the windows well enough."""
    min_sightings: tuple[int, int] = (8, 30)
    """Sightings in the 1.6 s on either side of a gap: at least so many on each, and so many together. Fewer are most
    often boxes of nobody that happened to fall to one track."""
    max_speed_change_mps: float = Field(default=1.1, gt=0)
    """A gap whose length asks for a speed further from those at its ends joins two people; it is left open."""
    seen_confidence: float = Field(default=0.4, ge=0, le=1)
    """Keypoints from which on a joint counts as seen."""
    poor_share: float = Field(default=0.03, gt=0, le=1)
    """Weight of hidden joints from which a segment is guided."""
    guide_share: float = Field(default=0.15, ge=0, le=1)
    """Weight of hidden joints up to which a segment may guide."""
    candidates: int = Field(default=16, ge=1, le=400)
    """Segments of others that are tried as guides of one; the same person's are all tried."""
    align: AlignConfig = AlignConfig()
    """How segments are laid along guides."""
    told: ToldConfig = ToldConfig()
    """How guides are mixed."""
    groups: GroupConfig = GroupConfig()
    """Who moves alike, and how many segments are kept as guides (`max_segments`; the oldest go first)."""
    max_poor: int = Field(default=64, ge=1, le=4096)
    """Person-segments refined a step; the poorest are left to their windows' answer, counted."""
    waiting: int = Field(default=8, ge=1, le=256)
    """Windows waiting for the refiner; beyond, a recording waits and a live view leaves windows unrefined, counted."""
    niceness: int = Field(default=10, ge=0, le=19)
    """How far the refiner's process stands back for the others."""
    threads: int = Field(default=1, ge=1, le=64)
    """Threads it may use."""
