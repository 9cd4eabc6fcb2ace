"""A decoded picture as the bytes that travel: native planes where they are 4:2:0, else BGR; upright, limited range."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ..records import PixelFormat

Array = np.ndarray

_FULL_TO_LIMITED_Y = np.clip(np.round(16 + np.arange(256) * 219 / 255), 0, 255).astype(np.uint8)
_FULL_TO_LIMITED_C = np.clip(np.round(128 + (np.arange(256) - 128.0) * 224 / 255), 0, 255).astype(np.uint8)


def native_planes(picture: Any) -> tuple[Array, PixelFormat, tuple[int, int]]:
    """The picture as I420 where the decoder's planes are 4:2:0 and even-sized, else as BGR; upright."""
    width, height = int(picture.width), int(picture.height)
    turns = round(picture.rotation / 90) % 4  # quarter turns, counter-clockwise, that make it upright
    if picture.format.name in ("yuv420p", "yuvj420p") and width % 2 == 0 and height % 2 == 0:
        image = picture.to_ndarray()
        if picture.format.name == "yuvj420p" or int(picture.color_range) == 2:
            image[:height] = cv2.LUT(image[:height], _FULL_TO_LIMITED_Y)
            image[height:] = cv2.LUT(image[height:], _FULL_TO_LIMITED_C)
        if turns:
            image, (width, height) = _turn_i420(image, width, height, turns)
        return image, PixelFormat.I420, (width, height)
    image = picture.to_ndarray(format="bgr24")
    if turns:
        image = np.ascontiguousarray(np.rot90(image, turns))
    return image, PixelFormat.BGR, (int(image.shape[1]), int(image.shape[0]))


def _turn_i420(image: Array, width: int, height: int, turns: int) -> tuple[Array, tuple[int, int]]:
    """Quarter turns of each plane by itself; exact, since 4:2:0 is square."""
    flat, luma, chroma = image.reshape(-1), width * height, width * height // 4
    planes = (
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(height // 2, width // 2),
        flat[luma + chroma :].reshape(height // 2, width // 2),
    )
    out = np.concatenate([np.rot90(plane, turns).reshape(-1) for plane in planes])
    if turns % 2:
        width, height = height, width
    return out.reshape(height * 3 // 2, width), (width, height)
