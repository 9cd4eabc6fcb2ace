"""Crops and their truth, put together as network and loss want them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ....kernels.perception.crop import crop_maps, to_tensor
from ....kernels.perception.pose import BOX_PADDING, IMAGENET_MEAN_RGB, IMAGENET_STD_RGB
from ..crops import PoseCrop
from .loss import Lessons

Array = np.ndarray


class Crops(Protocol):
    """Where crops come from."""

    def crop(self, rng: np.random.Generator, crop_wh: tuple[int, int], padding: float) -> PoseCrop:
        """One of (width, height); the same generator gives the same crop."""
        ...


@dataclass(frozen=True)
class Batch:
    """n crops of one size."""

    bgr: UInt8[Array, "n H W 3"]
    keypoints_px: Float[Array, "n 17 2"]
    seen: UInt8[Array, "n 17"]
    height_px: Float[Array, "n"]
    """Of the box that the crop was made from, in crop pixels."""

    def __len__(self) -> int:
        return len(self.bgr)

    def rows(self, which: slice) -> Batch:
        """Some of them."""
        return Batch(self.bgr[which], self.keypoints_px[which], self.seen[which], self.height_px[which])

    def images(self, device: torch.device) -> Float[Tensor, "n 3 H W"]:
        """As the engine normalises crops; channels last in memory, for which convolutions are fastest."""
        images = torch.from_numpy(to_tensor(self.bgr, IMAGENET_MEAN_RGB, IMAGENET_STD_RGB, len(self)))
        return images.to(device).contiguous(memory_format=torch.channels_last)

    def lessons(self, device: torch.device) -> Lessons:
        """The truth."""
        return Lessons(
            torch.from_numpy(self.keypoints_px).to(device),
            torch.from_numpy(self.seen.astype(np.int64)).to(device),
            torch.from_numpy(self.height_px).to(device),
        )


def draw(crops: Crops, rng: np.random.Generator, count: int, crop_wh: tuple[int, int]) -> Batch:
    """`count` crops, padded about their boxes as the engine pads."""
    return stack([crops.crop(rng, crop_wh, BOX_PADDING) for _ in range(count)], crop_wh)


def stack(crops: Sequence[PoseCrop], crop_wh: tuple[int, int]) -> Batch:
    """Crops of one size."""
    boxes = np.stack([crop.box_px for crop in crops]).astype(np.float64)
    gain = crop_maps(boxes, crop_wh, BOX_PADDING).gain[:, 0]
    return Batch(
        bgr=np.stack([crop.bgr for crop in crops]),
        keypoints_px=np.stack([crop.keypoints_px for crop in crops]).astype(np.float32),
        seen=np.stack([crop.seen for crop in crops]).astype(np.uint8),
        height_px=(gain * (boxes[:, 3] - boxes[:, 1])).astype(np.float32),
    )
