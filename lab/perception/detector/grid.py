"""The cells of a picture, and the boxes they say; the torch side of `kernels.perception.yolox`.

centre = (xy + cell) s      size = exp(wh) s        for a cell (column, row) of stride s
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from ....kernels.perception.yolox import STRIDES

_LARGEST_LOG = 6.0
"""exp of it is 400 strides: beyond any picture, and far from overflow while the network is still wild."""


@dataclass(frozen=True)
class Cells:
    """All cells of one size of picture, stride by stride and row by row."""

    corner: Float[Tensor, "A 2"]
    """Column and row."""
    stride_px: Float[Tensor, "A 1"]

    @property
    def centre_px(self) -> Float[Tensor, "A 2"]:
        return (self.corner + 0.5) * self.stride_px


@lru_cache(maxsize=64)
def cells(size_px: tuple[int, int], device: torch.device) -> Cells:
    """Of a picture of (width, height), both multiples of 32."""
    width, height = size_px
    corners, strides = [], []
    for stride in STRIDES:
        rows, columns = torch.meshgrid(
            torch.arange(height // stride), torch.arange(width // stride), indexing="ij"
        )
        corners.append(torch.stack([columns.reshape(-1), rows.reshape(-1)], dim=1))
        strides.append(torch.full((rows.numel(), 1), stride))
    return Cells(torch.cat(corners).float().to(device), torch.cat(strides).float().to(device))


def boxes_of(raw: Float[Tensor, "*n A D"], where: Cells) -> Float[Tensor, "*n A 4"]:
    """x1, y1, x2, y2 in pixels that the first four numbers of every cell say. Differentiable."""
    centre = (raw[..., :2] + where.corner) * where.stride_px
    half = 0.5 * torch.exp(raw[..., 2:4].clamp(max=_LARGEST_LOG)) * where.stride_px
    return torch.cat([centre - half, centre + half], dim=-1)
