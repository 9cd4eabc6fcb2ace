"""Noise of a sensor over a picture, in one pass.

    picture(p) += n(p) sigma(picture(p)),    sigma(v)^2 = read^2 + shot v

with n from a table of normal numbers: the same for all channels or not, of single pixels or of squares.
"""

from __future__ import annotations

import numpy as np
from numba import njit

Array = np.ndarray

compiled = njit(cache=True, nogil=True, error_model="numpy")


@compiled
def add_noise(picture: Array, normal: Array, start: int, step: int, coloured: bool, sigma: Array) -> None:
    """Add noise in place.

    Args:
        picture: (H, W, 3) uint8.
        normal: (M,) float32 standard normal numbers, read in a circle; M a power of two.
        start: where in them to begin.
        step: side of the squares that share a number, pixels.
        coloured: a number for each channel, not one for all.
        sigma: (256,) float32 standard deviation by brightness, grey levels.
    """
    height, width, channels = picture.shape
    mask = len(normal) - 1
    columns = (width + step - 1) // step
    each = 3 if coloured else 1
    for y in range(height):
        row = start + (y // step) * columns * each
        for x in range(width):
            at = row + (x // step) * each
            for c in range(channels):
                n = normal[(at + (c if coloured else 0)) & mask]
                old = picture[y, x, c]
                value = old + n * sigma[old] + np.float32(0.5)
                picture[y, x, c] = int(min(max(value, np.float32(0.0)), np.float32(255.0)))
