"""Settings of the degradation ladder."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field

from ...kernels.settings import StageConfig

Share = Annotated[float, Field(gt=0, lt=1)]
Stride = Annotated[int, Field(ge=2, le=64)]
Budget = Annotated[int, Field(ge=0, le=4096)]


class PressureConfig(StageConfig):
    """How an engine that may drop frames spends less while its buffers are full, and more again afterwards."""

    enabled: bool = True
    """Use the ladder; only where frames may be dropped (live cameras, `runtime.drop_late`): recordings wait instead."""
    high: float = Field(default=0.7, gt=0, le=1)
    """Fullness of a buffer from which on it presses; 1: it is dropping."""
    low: float = Field(default=0.25, ge=0, lt=1)
    """Fullness up to which there is time to spare."""
    hold_down_s: float = Field(default=1.0, gt=0, le=60)
    """Pressure that lasts so long costs a rung. Longer than a camera's pause at an I-frame and what follows at once."""
    hold_up_s: float = Field(default=5.0, gt=0, le=600)
    """Spare time that lasts so long gives a rung back."""
    trial_s: float = Field(default=30.0, gt=0, le=3600)
    """A rung that was given back and is lost again within this time was too much; the next try waits twice as long."""
    back_off_s: float = Field(default=120.0, gt=0, le=3600)
    """No try waits for longer."""
    silent_s: float = Field(default=2.0, gt=0, le=60)
    """When no frame has come for so long, an empty buffer says nothing of spare time."""
    pause_refining: bool = True
    """First rung: nothing goes to the refiner."""
    pose_rates: tuple[Share, ...] = Field(default=(0.5, 0.33), max_length=8)
    """Next: shares of the pose rate, falling."""
    solve_iterations: tuple[Share, ...] = Field(default=(0.34,), max_length=8)
    """Next, and the only ones beside the first when windows wait and frames do not: shares of the solver's steps,
    falling."""
    detect_strides: tuple[Stride, ...] = Field(default=(2, 3, 4), max_length=8)
    """Next: factors on the detector's stride, rising."""
    pose_budgets: tuple[Budget, ...] = Field(default=(24, 12), max_length=8)
    """Last: poses a frame at most, falling."""

    def model_post_init(self, context: object) -> None:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low:g} is not below high = {self.high:g}")
        if self.back_off_s < self.hold_up_s:
            raise ValueError(
                f"back_off_s = {self.back_off_s:g} is shorter than hold_up_s = {self.hold_up_s:g}"
            )
        for name, sign in (
            ("pose_rates", -1), ("solve_iterations", -1), ("detect_strides", 1), ("pose_budgets", -1)
        ):  # fmt: skip
            steps = getattr(self, name)
            if any(sign * (after - before) <= 0 for before, after in pairwise(steps)):
                side = "above" if sign > 0 else "below"
                raise ValueError(f"{name} = {list(steps)}: expected each {side} the one before it")
