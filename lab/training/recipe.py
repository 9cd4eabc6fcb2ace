"""What the loop needs to know of a network to train it, and where its random numbers come from.

A batch depends on (seed, step) alone, never on what was drawn before it: then a fit that was stopped and resumed is
the fit that was never stopped. The loop seeds torch's own generator before every step; what a recipe draws by numpy
comes from `step_random(seed, step)`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn


class Recipe(Protocol):
    """A network, its data and its losses. Its own tensors live where the network's parameters are."""

    @property
    def name(self) -> str:
        """What is trained, for messages, e.g. motion-prior."""
        ...

    @property
    def network(self) -> nn.Module:
        """With a `config` record; the loop moves it to the device before the first step."""
        ...

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of the step's batch; "total" is minimised, the rest is logged. The network is in training mode."""
        ...

    def validate(self) -> dict[str, float]:
        """Metrics on held-back data. The network is on the CPU with its mean weights, without gradients."""
        ...

    def card(self, metrics: Mapping[str, float]) -> str:
        """The model card (Markdown) of the trained network."""
        ...


@runtime_checkable
class ChoosesMatrices(Protocol):
    """A recipe that says itself which weights Muon may turn."""

    def hidden_matrices(self) -> Collection[str]:
        """Names of matrices, or kernels of convolutions, of the network."""
        ...


@runtime_checkable
class Finishes(Protocol):
    """A recipe that sets something once when the weights are learned, such as a threshold."""

    def finish(self) -> None:
        """Change the network, which is on the CPU with its mean weights, without gradients; validation follows."""
        ...


@runtime_checkable
class HasBaselines(Protocol):
    """A recipe that knows what plain methods reach on its validation."""

    def baselines(self) -> Mapping[str, float]:
        """Under the names of the metrics they belong to."""
        ...


@runtime_checkable
class ExportsItself(Protocol):
    """A recipe whose network ships in another form than safetensors."""

    def export(self, folder: Path, file: str, card: str) -> Path:
        """Write the network, on the CPU with its mean weights, as FOLDER/<file>.* with its card; the network's path."""
        ...


def step_seed(seed: int, step: int) -> int:
    """A seed for one step, below 2^63."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def step_random(seed: int, step: int) -> np.random.Generator:
    """The step's own generator."""
    return np.random.default_rng([seed, step])
