"""The network: dense convolutions down to stride 32 and back to stride 4, then two maps a keypoint.

    crop -> stem /2 -> /4 -> /8 -> /16 -> /32 -> /16 -> /8 -> /4      residual pairs at every stride, skips by addition
    l (place) and q (trust), 17 maps each:
        p = softmax_cells(l)
        c = sigmoid(sum_cells p q + a log max p + b)
        H = c exp(l - max l)

Place and trust are learned apart, since they are different questions: where the keypoint would be, and whether that is
worth anything. p is a distribution, so its loss is a cross-entropy, which does not drown in empty cells; log H is l but
for a constant, which is the parabola that DARK fits; and the peak of H is c itself. Trust looks at the cells where the
keypoint is thought to be, and at how certain that place is (max p).

A 3x3 kernel of stride 2 that pads by one looks at pixels 2i - 1, 2i, 2i + 1: cell i lies on pixel 2i, cell i of stride
4 on pixel 4i. That is the engine's x_crop = ratio x_cell, without half a cell.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ....kernels.perception.pose import NUM_KEYPOINTS
from ....kernels.settings import StageConfig
from ..layers import Conv, Residual

STRIDE = 4
"""Crop pixels a cell of the heatmaps."""
COARSEST = 32
"""Sides of a crop are multiples of this."""
_MIN_SURE = 1e-6
"""Keeps the logarithm finite; the flattest distribution over any crop's cells is above it."""

Raw = tuple[Tensor, Tensor]
"""Place l and trust q, (n,17,h,w) each."""


class PoseNetConfig(StageConfig):
    """Sizes of the network."""

    crop_wh: tuple[int, int] = (96, 128)
    """Width and height of the crop: 96x128, 144x192 or 192x256 suit people; multiples of 32, or nearly (144)."""
    stem: int = Field(default=32, ge=4)
    """Channels at stride 2."""
    widths: tuple[int, int, int, int] = (48, 80, 96, 96)
    """Channels at strides 4, 8, 16, 32."""
    down: tuple[int, int, int, int] = (1, 2, 2, 1)
    """Residual pairs at each of those strides on the way down."""
    up: tuple[int, int, int] = (1, 1, 0)
    """Residual pairs at strides 4, 8, 16 on the way up."""


class PoseNet(nn.Module):
    """Keypoints of one person a crop. The tensors in and out are those of `kernels.perception.heatmap_pose`."""

    def __init__(self, config: PoseNetConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or PoseNetConfig()
        self.stem = Conv(3, c.stem, stride=2)
        self.down = nn.ModuleList()
        before = c.stem
        for width, pairs in zip(c.widths, c.down, strict=True):
            self.down.append(nn.Sequential(Conv(before, width, stride=2), *_residuals(width, pairs)))
            before = width
        self.lower = nn.ModuleList(
            Conv(coarse, fine, kernel=1, rectified=False)
            for fine, coarse in zip(c.widths, c.widths[1:], strict=False)
        )
        self.up = nn.ModuleList(
            nn.Sequential(*_residuals(width, pairs)) for width, pairs in zip(c.widths, c.up, strict=False)
        )
        self.upsample = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.predict = nn.Conv2d(c.widths[0], 2 * NUM_KEYPOINTS, 1)
        self.sure = nn.Parameter(torch.ones(NUM_KEYPOINTS))
        nn.init.normal_(self.predict.weight, std=0.01)

    @property
    def cells_wh(self) -> tuple[int, int]:
        """Width and height of the heatmaps."""
        width, height = self.config.crop_wh
        return -(-width // STRIDE), -(-height // STRIDE)

    def forward(self, image: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n 17 h w"]:
        """Heatmaps, whose peaks are the keypoints and the trust in them.

        Args:
            image: RGB, normalised by ImageNet's mean and deviation, as the engine gives crops.
        """
        place, quality = self.raw(image)
        trust = torch.sigmoid(self.trust_logit(place, quality))
        return torch.exp(place - place.amax(dim=(2, 3), keepdim=True)) * trust[:, :, None, None]

    def raw(self, image: Float[Tensor, "n 3 H W"]) -> Raw:
        """Place and trust maps."""
        x = self.stem(image)
        skips: list[Tensor] = []
        for stage in self.down:
            x = stage(x)
            skips.append(x)
        x = skips.pop()
        for skip, lower, stage in zip(skips[::-1], self.lower[::-1], self.up[::-1], strict=True):
            rows, columns = skip.shape[2:]
            x = self.upsample(lower(x))[
                :, :, :rows, :columns
            ]  # sides that are no multiples of 32 were rounded up
            x = stage(torch.relu_(skip + x))
        maps = self.predict(x)
        return maps[:, :NUM_KEYPOINTS], maps[:, NUM_KEYPOINTS:]

    def trust_logit(
        self, place: Float[Tensor, "n 17 h w"], quality: Float[Tensor, "n 17 h w"]
    ) -> Float[Tensor, "n 17"]:
        """Logit of c."""
        share = torch.softmax(place.flatten(2), dim=2)
        local = (share * quality.flatten(2)).sum(dim=2)
        return local + self.sure * torch.log(share.amax(dim=2).clamp_min(_MIN_SURE))


def _residuals(width: int, pairs: int) -> list[nn.Module]:
    return [Residual(width) for _ in range(pairs)]
