"""Pictures of one size with their people, as the losses want them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ....kernels.perception.letterbox import PAD_VALUE
from ..picture import Picture
from .assign import Truth

Array = np.ndarray

MIN_VISIBLE = 0.25
"""Of whom less is seen is neither to be found nor to be passed over."""
MIN_HEIGHT_PX = 10.0
"""The same for whom is seen less high than this."""


class Pictures(Protocol):
    """Where pictures come from."""

    def picture(self, rng: np.random.Generator, size_px: tuple[int, int]) -> Picture:
        """One of (width, height); the same generator gives the same picture."""
        ...


@dataclass(frozen=True)
class Batch:
    """B pictures of one size."""

    bgr: UInt8[Array, "B H W 3"]
    truth: Truth

    def images(self, device: torch.device) -> Float[Tensor, "B 3 H W"]:
        """As the network takes them, channels last in memory."""
        return torch.from_numpy(self.bgr).to(device).permute(0, 3, 1, 2).float()

    def truth_on(self, device: torch.device) -> Truth:
        t = self.truth
        return Truth(t.boxes_px.to(device), t.wanted.to(device), t.ignored.to(device))


def wanted(picture: Picture) -> Bool[Array, "N"]:
    """Who must be found in a picture; the others are ignored."""
    height = picture.boxes_px[:, 3] - picture.boxes_px[:, 1]
    width = picture.boxes_px[:, 2] - picture.boxes_px[:, 0]
    return np.asarray((picture.visible >= MIN_VISIBLE) & (height >= MIN_HEIGHT_PX) & (width > 0))


def draw(
    pictures: Pictures, rng: np.random.Generator, count: int, size_px: tuple[int, int], padded_share: float
) -> Batch:
    """`count` pictures of (width, height); a share of them lies in a letterbox, as those of odd sizes will."""
    return stack([padded(pictures, rng, size_px, padded_share) for _ in range(count)])


def padded(
    pictures: Pictures, rng: np.random.Generator, size_px: tuple[int, int], padded_share: float
) -> Picture:
    """One picture of (width, height), with a probability a bit smaller and filled up with grey right and below."""
    if rng.random() >= padded_share:
        return pictures.picture(rng, size_px)
    cut = rng.integers(0, 32, size=2)
    inner = pictures.picture(rng, (int(size_px[0] - cut[0]), int(size_px[1] - cut[1])))
    canvas = np.full((size_px[1], size_px[0], 3), PAD_VALUE, np.uint8)
    canvas[: inner.bgr.shape[0], : inner.bgr.shape[1]] = inner.bgr
    return Picture(canvas, inner.boxes_px, inner.whole_px, inner.visible, inner.keypoints_px, inner.seen)


def stack(pictures: Sequence[Picture]) -> Batch:
    """Pictures of one size; people are padded to the largest number of them."""
    most = max((len(p.visible) for p in pictures), default=0)
    boxes = np.zeros((len(pictures), most, 4), np.float32)
    asked, ignored = np.zeros((2, len(pictures), most), bool)
    for row, picture in enumerate(pictures):
        count = len(picture.visible)
        boxes[row, :count] = picture.boxes_px
        asked[row, :count] = wanted(picture)
        ignored[row, :count] = ~asked[row, :count]
    truth = Truth(torch.from_numpy(boxes), torch.from_numpy(asked), torch.from_numpy(ignored))
    return Batch(np.stack([p.bgr for p in pictures]), truth)
