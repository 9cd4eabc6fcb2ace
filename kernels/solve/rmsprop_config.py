"""Settings of the yardstick."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..settings import StageConfig
from .weights import EnergyWeights


class PaperConfig(StageConfig):
    """Settings of the yardstick; the defaults are the printed ones."""

    root_iterations: int = Field(default=100, ge=0)
    """Steps of the root stage."""
    smpl_iterations: int = Field(default=150, ge=0)
    """Steps of the SMPL stage."""
    motion_iterations: int = Field(default=200, ge=0)
    """Steps of the motion stage; 0 leaves it out (the paper's "w/o C.G.M.")."""
    group_iterations: int = Field(default=200, ge=0)
    """Steps of the group stage (`solve.group`), which the refiner runs on poor segments."""
    learning_rate: float = Field(default=0.01, gt=0)
    """Of RMSprop; metres, radians and units of z and beta alike."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Constant (printed), or a cosine to zero within each stage: smaller last steps, clearly better ends."""
    shape_per: Literal["frame", "person"] = "frame"
    """A shape for every person-frame (printed), or one per person."""
    weights: EnergyWeights = EnergyWeights()
    """Weights and forms of the energies; `EnergyWeights.mended()` repairs the printed ones."""
    mask_confidence: float = Field(default=0.3, ge=0, le=1)
    """Keypoints of less confidence vouch for nothing in the motion prior's masks (the paper names no threshold)."""
