"""The running mean of the weights, which is steadier than the weights themselves.

    m <- d m + (1 - d) w,   d = min(decay, (1 + k) / (10 + k)) at step k

The short memory of the first steps keeps the random start out of the mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Mean weights of one network."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.mean: dict[str, Tensor] = {
            name: p.detach().clone() for name, p in network.named_parameters() if p.requires_grad
        }

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step."""
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        for name, weight in network.named_parameters():
            if name in self.mean:
                self.mean[name].lerp_(weight, 1.0 - decay)

    @contextmanager
    def inside(self, network: nn.Module) -> Iterator[None]:
        """The network with its mean weights, in evaluation mode; afterwards as it was."""
        training = network.training
        self._exchange(network)
        network.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self._exchange(network)
            network.train(training)

    def put_into(self, network: nn.Module) -> None:
        """Leave the mean weights in the network, in evaluation mode."""
        with torch.no_grad():
            for name, weight in network.named_parameters():
                if name in self.mean:
                    weight.copy_(self.mean[name])
        network.eval()

    def _exchange(self, network: nn.Module) -> None:
        for name, weight in network.named_parameters():
            if name in self.mean:
                weight.data, self.mean[name] = self.mean[name], weight.data
