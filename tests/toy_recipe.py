"""The smallest thing that can be learned: a square, by a small network. Shared by the tests of training."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from crowdstream.kernels.settings import StageConfig


class ToyConfig(StageConfig):
    width: int = 8


class ToyNetwork(nn.Module):
    """y = f(x), with a buffer that is stored and one that is not."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.full((4,), 1e-6))
        self.register_buffer("scratch", torch.ones(3), persistent=False)
        width = config.width
        self.layers = nn.Sequential(
            nn.Linear(4, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x - self.mean)


class ToyRecipe:
    """Draws from torch's own generator, which the loop seeds before each step."""

    name = "toy"

    def __init__(self, seed: int = 0, width: int = 8) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.network = ToyNetwork(ToyConfig(width=width))
        with torch.no_grad():
            for weight in self.network.parameters():
                weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
        self.validated: list[dict[str, Tensor]] = []

    def loss(self, step: int) -> dict[str, Tensor]:
        x = torch.randn(16, 4)
        error = (self.network(x) - x[:, :2] ** 2).square().mean()
        return {"total": error, "twice": 2 * error.detach()}

    def validate(self) -> dict[str, float]:
        assert not self.network.training and not torch.is_grad_enabled()
        self.validated.append({k: v.clone() for k, v in self.network.state_dict().items()})
        x = torch.randn(256, 4, generator=torch.Generator().manual_seed(5))
        return {"mse": float((self.network(x) - x[:, :2] ** 2).square().mean())}

    def baselines(self) -> Mapping[str, float]:
        return {"mse": 3.0}

    def card(self, metrics: Mapping[str, float]) -> str:
        return f"# toy\n\nmse {metrics['mse']:.3f}\n"
