"""Pictures whose people are ellipses before a coarse pattern: enough for a detector to learn from in a test."""

from __future__ import annotations

import cv2
import numpy as np

from crowdstream.lab.perception.picture import Picture


class PaintedPeople:
    """A `Pictures` that needs no renderer."""

    def __init__(self, low_px: float = 24.0, high_px: float = 60.0, most: int = 4) -> None:
        self.low_px, self.high_px, self.most = low_px, high_px, most

    def picture(self, rng: np.random.Generator, size_px: tuple[int, int]) -> Picture:
        size = np.array(size_px, float)
        bgr = cv2.resize(rng.integers(120, 200, (6, 6, 3), dtype=np.uint8), size_px)
        count = int(rng.integers(0, self.most + 1))
        height = rng.uniform(self.low_px, self.high_px, count)
        sides = np.stack([height * 0.4, height], axis=1)
        middle = rng.uniform(0.0, 1.0, (count, 2)) * size
        for (x, y), (w, h) in zip(middle, sides, strict=True):
            colour = tuple(int(c) for c in rng.integers(0, 70, 3))
            cv2.ellipse(bgr, (round(x), round(y)), (round(w / 2), round(h / 2)), 0, 0, 360, colour, -1)
        whole = np.concatenate([middle - sides / 2, middle + sides / 2], axis=1).astype(np.float32)
        boxes = np.clip(whole, 0.0, np.tile(size, 2)).astype(np.float32)
        visible = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) / sides.prod(axis=1)).astype(np.float32)
        return Picture(
            np.asarray(bgr),
            boxes,
            whole,
            visible,
            np.zeros((count, 17, 2), np.float32),
            np.zeros((count, 17), np.uint8),
        )
