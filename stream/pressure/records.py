"""How much the engine does, and how hard pressed it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """What the stages spend; the first rung of the ladder is everything."""

    level: int = 0
    """Rung of the ladder, 0 at its top."""
    detect_stride: int = 1
    """Times the configured stride: the detector looks at fewer frames."""
    pose_rate: float = 1.0
    """Share of the configured pose rate."""
    pose_budget: int | None = None
    """Poses a frame at most, beside the configured budget; None: as configured."""
    solve_iterations: float = 1.0
    """Share of the configured outer iterations of the live solver (at least one)."""
    refine: bool = True
    """Whether windows go to the refiner."""


FULL_EFFORT = Effort()


@dataclass(frozen=True)
class Load:
    """How full the buffers are; what the ladder is driven by. Never announced rates, only what waits."""

    frames: float
    """Fullest buffer of frames before perception, 0 (empty) to 1 (dropping)."""
    windows: float
    """Unsolved windows against those allowed, 0..1."""
    age_s: float
    """Age of the oldest frame that waits for perception, s."""
    dropped: int
    """Frames and windows dropped since the last sample, for want of time."""
    dropped_windows: int = 0
    """Windows among them."""
    arrived: int = 1
    """Frames that came since the last sample: while none come, an empty buffer says nothing of spare time."""
