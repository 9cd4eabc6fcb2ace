"""Settings of a fit that do not depend on what is learned."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ...kernels.settings import StageConfig


class FitConfig(StageConfig):
    """How long and how hard. With both budgets given, the first that is used up ends the fit."""

    steps: int | None = Field(default=None, ge=1)
    """Budget in optimiser steps. A fit by steps alone gives the same bytes again."""
    minutes: float | None = Field(default=None, gt=0)
    """Budget in minutes of wall time; the learning rate then falls with the share used, on any machine."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """The highest, after warm-up."""
    final_rate: float = Field(default=0.01, ge=0, le=1)
    """Learning rate at the end, as a share of the highest."""
    warm_up_steps: int = Field(default=100, ge=0)
    """Steps over which the learning rate rises from nothing."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled; biases, norms and other vectors are not decayed."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Longest gradient, over all weights together."""
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    """Of the running mean of the weights, which is what is validated and exported; smaller in the first steps."""
    optimiser: Literal["adamw", "muon"] = "adamw"
    """muon: hidden matrices take orthogonalised steps (`muon`), the rest AdamW."""
    validate_every_minutes: float = Field(default=10.0, gt=0)
    """Besides once at the end."""
    checkpoint_every_minutes: float = Field(default=2.0, gt=0)
    """What a crash costs at most."""
    log_every_steps: int = Field(default=20, ge=1)
    """A line of the log holds the means of so many steps."""
    threads: int = Field(default=0, ge=0)
    """Of torch on the CPU; 0 leaves them as they are."""
    device: str = "auto"
    """auto: the GPU where there is one. Else as torch names it: cpu, cuda, cuda:1."""
    seed: int = Field(default=0, ge=0)
    """Everything drawn follows from it and the step's number."""

    @model_validator(mode="after")
    def _has_budget(self) -> FitConfig:
        if self.steps is None and self.minutes is None:
            raise ValueError("neither steps nor minutes is given; a fit needs a budget")
        return self

    def share(self, steps: int, seconds: float) -> float:
        """How much of the budget is used, 0 to 1."""
        shares = []
        if self.steps is not None:
            shares.append(steps / self.steps)
        if self.minutes is not None:
            shares.append(seconds / (60.0 * self.minutes))
        return min(1.0, max(shares))
