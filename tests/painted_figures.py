"""Crops of stick figures: seventeen dots of different colours, enough for a small network to learn from."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from crowdstream.lab.perception.crops import PoseCrop

_SUB = 4
"""Bits of a pixel in OpenCV's drawing."""
_COLOURS = [tuple(255 * c for c in colorsys.hsv_to_rgb(k / 17, 1.0, 1.0)) for k in range(17)]


class PaintedFigures:
    """Every crop another figure; the generator says which."""

    def crop(self, rng: np.random.Generator, crop_wh: tuple[int, int], padding: float) -> PoseCrop:
        size = np.array(crop_wh, np.float64)
        points = size * (rng.uniform(0.35, 0.65, 2) + rng.uniform(-0.4, 0.4, (17, 2)))
        bgr = np.full((crop_wh[1], crop_wh[0], 3), int(rng.integers(40, 120)), np.uint8)
        for point, colour in zip(points, _COLOURS, strict=True):
            at = [round(v * 2**_SUB) for v in point]
            cv2.circle(bgr, (at[0], at[1]), 4 << _SUB, colour, -1, cv2.LINE_AA, _SUB)
        inside = ((points > -0.5) & (points < size - 0.5)).all(axis=1)
        seen = np.where(inside, rng.integers(0, 3, 17), 0)
        box = np.array([10.0, 20.0, 10.0 + size[0] / padding, 20.0 + size[1] / padding])
        return PoseCrop(
            bgr, points.astype(np.float32), seen.astype(np.uint8), 1.0, box, float(size[1] / padding)
        )
