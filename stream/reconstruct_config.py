"""Settings of the solve stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..kernels.settings import StageConfig
from ..kernels.solve.finish_config import FinishConfig
from ..kernels.solve.gauss_newton_config import LiveConfig
from ..kernels.solve.initialise_config import FirstGuessConfig
from ..kernels.solve.lifted_config import LiftedConfig
from ..kernels.solve.prior_target_config import ProjectionConfig
from ..kernels.solve.rmsprop_config import PaperConfig


class ReconstructConfig(StageConfig):
    """Settings of the solve stage."""

    preset: Literal["live", "paper"] = "live"
    """`live`: Gauss-Newton, warm started. `paper`: the printed optimisation, from scratch each window."""
    warm_start: bool = True
    """Carry bodies from window to window; `paper` starts from scratch and only joins its motion to them (eq. 14)."""
    motion_prior: bool = True
    """Use the motion prior."""
    pose_prior: str = "gaussian"
    """E_pose of `paper` (eq. 8): gaussian, learned, or a file of one's own, VPoser v2 among them. `live` needs the
    Gaussian's quadratic and keeps to it."""
    lifter: bool = True
    """Use the lifter: for the first bodies, in `live` also as a term."""
    forget_windows: int = Field(default=2, ge=1)
    """People not seen for this many windows are forgotten."""
    betas_weight_max: float = Field(default=640.0, gt=0)
    """Most observed person-frames that betas may rest on, so that they stay open to correction."""
    live: LiveConfig = LiveConfig()
    """The live solver."""
    paper: PaperConfig = PaperConfig()
    """The yardstick."""
    first_guess: FirstGuessConfig = FirstGuessConfig()
    """First bodies without the lifter."""
    lifted: LiftedConfig = LiftedConfig()
    """How far the lifter is believed."""
    projection: ProjectionConfig = ProjectionConfig()
    """How the motion prior is asked and believed (`live`)."""
    finish: FinishConfig = FinishConfig()
    """Provenance and confidence."""
