"""What detector and pose network are built of, and the statistics of their batch normalisation for mean weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

BATCH_NORM_MOMENTUM = 0.03


class Conv(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, rectified: bool = True
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, momentum=BATCH_NORM_MOMENTUM),
        ]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if rectified else []))


class Residual(nn.Module):
    """ReLU(x + f(x)), f of two convolutions that begins as nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Conv(channels, channels)
        self.second = Conv(channels, channels, rectified=False)
        norm = self.second[1]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return torch.relu_(x + self.second(self.first(x)))


@contextmanager
def measured_statistics(network: nn.Module) -> Iterator[None]:
    """Batch normalisation takes the plain mean of the statistics of all that the network is shown inside.

    The running ones belong to weights of the past, not to their mean. Afterwards the network is in evaluation mode.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    momentum = [m.momentum for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for a plain mean
    network.train()
    try:
        with torch.no_grad():
            yield
    finally:
        network.eval()
        for norm, value in zip(norms, momentum, strict=True):
            norm.momentum = value
