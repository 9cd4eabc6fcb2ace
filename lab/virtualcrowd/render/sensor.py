"""What a real camera adds: corners that darken, a lens that blurs, a sensor that is noisy.

Noise grows with the root of the light (photons) above a floor (read-out). One sheet of noise is drawn per seed and laid
on each strip of a frame at a drawn shift: drawing fresh numbers for every pixel would cost more than the picture.
Strips also keep the memory of large pictures flat.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from .config import RenderConfig

Array = np.ndarray

_STRIP_PX = 240
"""Rows that are worked on together."""
_SPARE_PX = 97
"""The sheet is larger than a strip by this; also the number of shifts either way."""
_READ_SHARE = 0.3
"""Share of the noise's variance at mid-grey that is there in the dark as well."""


class Sensor:
    """Faults of one camera, the same for every run of a seed."""

    def __init__(self, size_px: tuple[int, int], style: RenderConfig) -> None:
        self._size_px, self._style = size_px, style
        rng = np.random.default_rng([style.seed, 0x5E])
        shape = (min(_STRIP_PX, size_px[1]) + _SPARE_PX, size_px[0] + _SPARE_PX, 3)
        self._sheet: Array | None = None
        if style.noise > 0:
            # neighbours share some noise: cameras interpolate colours and sharpen
            rough = rng.standard_normal(shape, np.float32)
            self._sheet = np.asarray(cv2.GaussianBlur(rough, (3, 3), 0.5), np.float32) * np.float32(1.35)
        level = np.arange(256) / 128.0
        self._strength = (style.noise * np.sqrt(_READ_SHARE + (1 - _READ_SHARE) * level)).astype(np.float32)

    def record(self, picture: UInt8[Array, "H W 3"], index: int) -> UInt8[Array, "H W 3"]:
        """The picture as frame `index` of the camera."""
        if self._style.lens_blur_px > 0:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), self._style.lens_blur_px), np.uint8)
        rng = np.random.default_rng([self._style.seed, 0x5F, index])
        for top in range(0, len(picture), _STRIP_PX):
            strip = picture[top : top + _STRIP_PX]
            if self._style.vignette > 0:
                strip[:] = cv2.multiply(strip, self._dim(top, len(strip)), dtype=cv2.CV_8U)
            if self._sheet is not None:
                y, x = rng.integers(0, _SPARE_PX, 2).tolist()
                noise = self._sheet[y : y + len(strip), x : x + strip.shape[1]]
                strip[:] = cv2.add(strip, noise * cv2.LUT(strip, self._strength), dtype=cv2.CV_8U)
        return picture

    def _dim(self, top: int, rows: int) -> Float[Array, "h W 3"]:
        """Share of the light that arrives, in some rows."""
        width, height = self._size_px
        x = np.arange(width, dtype=np.float32) - np.float32(width / 2)
        y = np.arange(top, top + rows, dtype=np.float32)[:, None] - np.float32(height / 2)
        loss = np.float32(self._style.vignette / (0.25 * (width**2 + height**2)))
        dim = np.float32(1.0) - loss * (x * x + y * y)
        return np.asarray(cv2.merge([dim, dim, dim]))
