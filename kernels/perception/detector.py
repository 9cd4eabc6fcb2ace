"""What every person detector promises, whatever its network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

Boxes = tuple[np.ndarray, np.ndarray]
"""Boxes (N,4) float32, x1 y1 x2 y2 on pixel edges of the image, by falling score; scores (N,) float32, 0..1."""


@runtime_checkable
class Detector(Protocol):
    """Finds people in images."""

    @property
    def max_side_px(self) -> int:
        """Longest side seen without shrinking; larger images are shrunk, smaller ones not enlarged.

        A network of fixed input size enlarges too: its input is all it can take.
        """
        ...

    def detect(self, images_bgr: Sequence[np.ndarray]) -> list[Boxes]:
        """People in each (H,W,3) uint8 image; one entry an image, in order."""
        ...
