"""The network: dense 3x3 convolutions to strides 8, 16, 32, a two-way neck, and one light head for all three.

    picture -> stem /2 -> /4 -> /8 -> /16 -> /32        each: a strided convolution, then plain ones in residual pairs
    neck: coarse to fine by addition (FPN, Lin et al. 2017), then fine to coarse (PAN, Liu et al. 2018)
    head: the same kernels at every stride, normalised by each stride's own statistics (RTMDet, Lyu et al. 2022)

Dense kernels, because on processors they run at ten times the rate of depthwise ones, and so few channels that all of
it costs 0.7 GMAC at 320x320. A cell says where a person's centre lies from its corner (cells), the logarithm of width
and height (in strides), and how sure it is.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ....kernels.perception.letterbox import PAD_VALUE
from ....kernels.perception.yolox import STRIDES
from ....kernels.settings import StageConfig
from ..layers import BATCH_NORM_MOMENTUM, Conv, Residual

_SPREAD = 57.0
"""Pixels are shown as (value - PAD_VALUE) / this; so the zeros that convolutions pad with are a letterbox's grey."""
_RARE = 0.01
"""What every cell believes before it has seen anything."""
_USUAL_CELLS = (2.0, 5.0)
"""Width and height that every cell expects before it has seen anybody, in strides."""


class DetectorConfig(StageConfig):
    """Sizes of the network."""

    stem: int = Field(default=16, ge=4)
    """Channels at stride 2."""
    widths: tuple[int, int, int, int] = (32, 64, 96, 128)
    """Channels at strides 4, 8, 16, 32."""
    convs: tuple[int, int, int, int] = (1, 4, 2, 2)
    """3x3 convolutions at each of those strides after the one that leads there; two and two make a residual block."""
    neck: int = Field(default=64, ge=8)
    """Channels of neck and head."""
    head_convs: int = Field(default=1, ge=1)
    """3x3 convolutions of the head."""


class Head(nn.Module):
    """The same kernels at every stride; each stride has statistics of its own."""

    def __init__(self, channels: int, convs: int, levels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, 1, 1, bias=False) for _ in range(convs))
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.BatchNorm2d(channels, momentum=BATCH_NORM_MOMENTUM) for _ in range(convs))
            for _ in range(levels)
        )
        self.predict = nn.Conv2d(channels, 5, 1)
        nn.init.normal_(self.predict.weight, std=0.01)
        with torch.no_grad():
            usual = [math.log(size) for size in _USUAL_CELLS]
            self.bias.copy_(torch.tensor([0.5, 0.5, *usual, math.log(_RARE / (1.0 - _RARE))]))

    @property
    def bias(self) -> Float[Tensor, "5"]:
        """What every cell answers before it looks: x, y, log w, log h, logit of the score."""
        assert self.predict.bias is not None
        return self.predict.bias

    def forward(self, x: Float[Tensor, "n c h w"], level: int) -> Float[Tensor, "n 5 h w"]:
        norms = self.norms[level]
        assert isinstance(norms, nn.ModuleList)
        for conv, norm in zip(self.convs, norms, strict=True):
            x = torch.relu_(norm(conv(x)))
        out: Tensor = self.predict(x)
        return out


class PersonDetector(nn.Module):
    """People in pictures. The tensors in and out are those of `kernels.perception.yolox`."""

    def __init__(self, config: DetectorConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or DetectorConfig()
        self.stem = Conv(3, c.stem, stride=2)
        self.stages = nn.ModuleList()
        before = c.stem
        for width, convs in zip(c.widths, c.convs, strict=True):
            self.stages.append(_stage(before, width, convs))
            before = width
        self.lateral = nn.ModuleList(Conv(width, c.neck, kernel=1) for width in c.widths[1:])
        self.finer = nn.ModuleList(Conv(c.neck, c.neck) for _ in STRIDES[1:])
        self.coarser = nn.ModuleList(Conv(c.neck, c.neck, stride=2) for _ in STRIDES[1:])
        self.merged = nn.ModuleList(Conv(c.neck, c.neck) for _ in STRIDES[1:])
        self.upsample = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.head = Head(c.neck, c.head_convs, len(STRIDES))

    def forward(self, images: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n A 6"]:
        """What `decode_grid` reads: x, y (cells), log w, log h (strides), objectness (always 1), score.

        Args:
            images: BGR, 0 to 255; sides multiples of 32.
        """
        raw = self.raw(images)
        score = torch.sigmoid(raw[..., 4:])
        # ones without arithmetic on shapes, which exported graphs are better without
        return torch.cat([raw[..., :4], score * 0.0 + 1.0, score], dim=-1)

    def raw(self, images: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n A 5"]:
        """x, y, log w, log h and the logit of the score of every cell: stride by stride, row by row."""
        x = self.stem((images - PAD_VALUE) * (1.0 / _SPREAD))
        features: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        levels = self._neck([lateral(f) for lateral, f in zip(self.lateral, features[1:], strict=True)])
        # one row per cell; the channel comes last
        rows = [self.head(f, level).flatten(2).permute(0, 2, 1) for level, f in enumerate(levels)]
        return torch.cat(rows, dim=1)

    def _neck(self, levels: list[Tensor]) -> list[Tensor]:
        """Fine to coarse in, fine to coarse out, each having seen the others."""
        down = levels[-1:]
        for own, finer in zip(levels[-2::-1], self.finer, strict=True):
            down.insert(0, finer(own + self.upsample(down[0])))
        up = down[:1]
        for own, coarser, merged in zip(down[1:], self.coarser, self.merged, strict=True):
            up.append(merged(own + coarser(up[-1])))
        return up


def _stage(inputs: int, width: int, convs: int) -> nn.Sequential:
    single = [Conv(width, width)] if convs % 2 else []
    return nn.Sequential(
        Conv(inputs, width, stride=2), *single, *(Residual(width) for _ in range(convs // 2))
    )
