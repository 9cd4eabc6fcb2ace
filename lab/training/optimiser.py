"""The optimisers behind one face: AdamW for everything, or Muon for hidden matrices and AdamW for the rest.

Muon (K. Jordan, 2024) replaces the momentum of a matrix by the nearest orthogonal one before it steps, so that no
direction of a layer is left behind. It is meant for matrices between hidden layers, not for the first, the last or a
linear skip.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn

from .config import FitConfig
from .errors import CheckpointError, TrainingError
from .muon import Muon
from .recipe import ChoosesMatrices, Recipe


def rate_factor(config: FitConfig, step: int, share: float) -> float:
    """Learning rate over its highest: linear warm-up, then a cosine of the share of the budget used."""
    warm = min(1.0, (step + 1) / max(1, config.warm_up_steps))
    fall = 0.5 * (1.0 + math.cos(math.pi * min(1.0, share)))
    return warm * (config.final_rate + (1.0 - config.final_rate) * fall)


def hidden_matrices(network: nn.Module) -> list[str]:
    """Matrices of transformer layers, and of layers strictly inside an `nn.Sequential`."""
    inside: set[Tensor] = set()
    for module in network.modules():
        if isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
            inside |= {p for p in module.parameters() if p.ndim == 2}
        elif isinstance(module, nn.Sequential):
            linear = [child for child in module if isinstance(child, nn.Linear)]
            inside |= {child.weight for child in linear[1:-1]}
    return [name for name, p in network.named_parameters() if p in inside]


class Optimiser:
    """All optimisers of a network, stepped and stored as one."""

    def __init__(self, recipe: Recipe, config: FitConfig) -> None:
        self.config = config
        self._names = {p: name for name, p in recipe.network.named_parameters() if p.requires_grad}
        if not self._names:
            raise TrainingError(f"the network of {recipe.name} has no weights to learn")
        turned: Collection[str] = ()
        if config.optimiser == "muon":
            own = isinstance(recipe, ChoosesMatrices)
            turned = set(recipe.hidden_matrices() if own else hidden_matrices(recipe.network))  # type: ignore[attr-defined]
        rest = [p for p, name in self._names.items() if name not in turned]
        self._parts: dict[str, torch.optim.Optimizer] = {}
        if rest:
            self._parts["adamw"] = self._adamw(rest)
        if turned:
            self._parts["muon"] = self._muon([p for p, name in self._names.items() if name in turned])

    def _adamw(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        c = self.config
        groups = [
            {"params": [p for p in weights if p.ndim >= 2], "weight_decay": c.weight_decay},
            {"params": [p for p in weights if p.ndim < 2], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        return torch.optim.AdamW(groups, lr=c.learning_rate, betas=(0.9, 0.99))

    def _muon(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        return Muon(weights, lr=self.config.learning_rate, weight_decay=self.config.weight_decay)

    @property
    def weights(self) -> list[nn.Parameter]:
        """Everything that is learned."""
        return list(self._names)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self._parts.values():
            part.zero_grad(set_to_none=True)

    def step(self, factor: float) -> None:
        """One step at a share of the highest learning rate."""
        for part in self._parts.values():
            for group in part.param_groups:
                group["lr"] = self.config.learning_rate * factor
            part.step()

    def moments(self) -> Iterator[tuple[str, Tensor]]:
        """(part/field/name of the weight, value) of everything the optimisers remember."""
        names: dict[Tensor, str] = dict(self._names)  # type: ignore[arg-type]
        for kind, part in self._parts.items():
            for weight, fields in part.state.items():
                for field, value in fields.items():
                    yield f"{kind}/{field}/{names[weight]}", value

    def restore(self, moments: dict[str, Tensor]) -> None:
        """Take up what `moments` gave.

        Raises:
            CheckpointError: moments of a weight that this optimiser does not step.
        """
        for kind, part in self._parts.items():
            weights = {self._names[p]: p for group in part.param_groups for p in group["params"]}
            for key in [key for key in moments if key.startswith(f"{kind}/")]:
                _, field, name = key.split("/", 2)
                if name not in weights:
                    raise CheckpointError(
                        f"the checkpoint steps {name} by {kind}, this run does not; resume with its settings"
                    )
                value = moments[key]
                # AdamW counts its steps on the CPU, wherever the weights are
                at = value if field == "step" else value.to(weights[name].device)
                part.state[weights[name]][field] = at
        unknown = {key.split("/", 1)[0] for key in moments} - set(self._parts)
        if unknown:
            raise CheckpointError(
                f"the checkpoint is of optimiser {sorted(unknown)}, this run's is {self.config.optimiser}"
            )
