"""What a real camera adds: corners that darken, a lens that blurs, a sensor that is noisy.

Noise grows with the root of the light (photons) above a floor (read-out). One sheet of noise is drawn per seed and laid
on each frame at a drawn shift and turn: drawing fresh numbers for every pixel would cost more than the picture.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from .config import RenderConfig

Array = np.ndarray

_SPARE_PX = 97
"""The sheet is larger than the picture by this; also the number of shifts either way."""
_READ_SHARE = 0.3
"""Share of the noise's variance at mid-grey that is there in the dark as well."""


class Sensor:
    """Faults of one camera, the same for every run of a seed."""

    def __init__(self, size_px: tuple[int, int], style: RenderConfig) -> None:
        width, height = size_px
        self._style = style
        rng = np.random.default_rng([style.seed, 0x5E])
        shape = (height + _SPARE_PX, width + _SPARE_PX, 3)
        self._sheet: Array | None = None
        if style.noise > 0:
            rough = rng.standard_normal(shape, np.float32)
            # neighbours share some noise: cameras interpolate colours and sharpen
            self._sheet = cv2.GaussianBlur(rough, (3, 3), 0.5) * np.float32(1.35)
        level = np.arange(256) / 128.0
        self._strength = (style.noise * np.sqrt(_READ_SHARE + (1 - _READ_SHARE) * level)).astype(np.float32)
        self._dim = self._vignette(width, height) if style.vignette > 0 else None

    def record(self, picture: UInt8[Array, "H W 3"], index: int) -> UInt8[Array, "H W 3"]:
        """The picture as frame `index` of the camera."""
        if self._style.lens_blur_px > 0:
            picture = cv2.GaussianBlur(picture, (0, 0), self._style.lens_blur_px)
        if self._dim is not None:
            picture = cv2.multiply(picture, self._dim, dtype=cv2.CV_8U)
        if self._sheet is not None:
            picture = self._noisy(picture, index)
        return picture

    def _noisy(self, picture: UInt8[Array, "H W 3"], index: int) -> UInt8[Array, "H W 3"]:
        height, width = picture.shape[:2]
        rng = np.random.default_rng([self._style.seed, 0x5F, index])
        y, x = rng.integers(0, _SPARE_PX, 2).tolist()
        assert self._sheet is not None
        noise = self._sheet[y : y + height, x : x + width] * cv2.LUT(picture, self._strength)
        return cv2.add(picture, noise, dtype=cv2.CV_8U)

    def _vignette(self, width: int, height: int) -> Float[Array, "H W 3"]:
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        r2 = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / (0.25 * (width**2 + height**2))
        dim = 1.0 - self._style.vignette * r2
        return np.repeat(dim.astype(np.float32)[..., None], 3, axis=2)
