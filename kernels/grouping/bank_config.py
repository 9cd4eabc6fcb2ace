"""Settings of which segments move alike."""

from __future__ import annotations

from pydantic import Field

from ..settings import StageConfig


class GroupConfig(StageConfig):
    """Which segments move alike; docs/grouping.md says by which numbers this was chosen."""

    max_segments: int = Field(default=400, ge=2, le=4096)
    """Segments kept; the oldest (by first slot, then person) go first."""
    points: int = Field(default=12, ge=2, le=64)
    """Points of a path that are compared; 12 in 2.1 s are one every 0.18 s."""
    turned: bool = True
    """Compare ways regardless of the direction in which they were walked."""
    standing_reach_m: float = Field(default=0.4, ge=0)
    """Who got no farther from their start stands, unless they moved faster than:"""
    standing_speed_mps: float = Field(default=0.35, ge=0)
    """Mean speed along the path below which somebody stands."""
    min_heading_cosine: float = Field(default=0.5, ge=-1, le=1)
    """Agreement of the directions along two ways of one group; SSPD alone takes a way back for the way there."""
    max_speed_ratio: float = Field(default=1.35, ge=1)
    """The faster of two people who move alike is at most so much faster: a runner is no guide for a walker."""
    max_distance_m: float = Field(default=0.5, gt=0)
    """SSPD from its exemplar beyond which a segment is single."""
    preference_quantile: float = Field(default=0.1, ge=0, le=1)
    """Of the similarities; higher: more and smaller groups."""
