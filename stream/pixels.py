"""From what a decoder gives (planar YUV 4:2:0) to what networks take (BGR), where and when it is needed.

I420 is half the size of BGR, so frames travel as I420 and are converted at the consumer, whole or by region.
Coefficients are BT.601 limited range, OpenCV's only ones for I420.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8

from ..kernels.errors import ShapeError
from .records import Frame, PixelFormat

Region = tuple[int, int, int, int]
"""x1, y1, x2, y2 on pixel edges."""


def frame_bgr(frame: Frame) -> UInt8[np.ndarray, "H W 3"]:
    """The picture of a frame as BGR; a view where it already is.

    Raises:
        ShapeError: the bytes do not fit the frame's size and format.
    """
    width, height = frame.size_px
    image = frame.image
    if frame.format is PixelFormat.BGR:
        _expect(frame, (height, width, 3))
        return image
    _expect_even(frame)
    _expect(frame, (height * 3 // 2, width))
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_YUV2BGR_I420))


def frame_region_bgr(frame: Frame, region_px: Region) -> UInt8[np.ndarray, "h w 3"]:
    """A part of the picture as BGR, converting no more than it needs; equal to the same part of `frame_bgr`.

    Raises:
        ShapeError: the region is empty or reaches over the picture.
    """
    width, height = frame.size_px
    x1, y1, x2, y2 = region_px
    if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
        raise ShapeError(f"region {region_px} does not lie in a picture of {width}x{height}")
    if frame.format is PixelFormat.BGR:
        _expect(frame, (height, width, 3))
        return frame.image[y1:y2, x1:x2]
    _expect_even(frame)
    _expect(frame, (height * 3 // 2, width))
    left, top = x1 - x1 % 2, y1 - y1 % 2  # chroma covers two by two pixels
    right, bottom = x2 + x2 % 2, y2 + y2 % 2
    luma, u, v = _planes(frame.image, width, height)
    half = (slice(top // 2, bottom // 2), slice(left // 2, right // 2))
    part = pack_i420(luma[top:bottom, left:right], u[half], v[half])
    bgr = cv2.cvtColor(part, cv2.COLOR_YUV2BGR_I420)
    return np.asarray(bgr[y1 - top : y2 - top, x1 - left : x2 - left])


def pack_i420(
    luma: UInt8[np.ndarray, "H W"], u: UInt8[np.ndarray, "h w"], v: UInt8[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "P W"]:
    """Three planes as one (H * 3 / 2, W) array."""
    height, width = luma.shape
    out = np.empty(height * width * 3 // 2, np.uint8)
    out[: luma.size] = luma.ravel()
    out[luma.size : luma.size + u.size] = u.ravel()
    out[luma.size + u.size :] = v.ravel()
    return out.reshape(height * 3 // 2, width)


def bgr_to_i420(image_bgr: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "P W"]:
    """The way back, for writers and tests; sides must be even."""
    height, width = image_bgr.shape[:2]
    if height % 2 or width % 2:
        raise ShapeError(f"I420 needs even sides, got {width}x{height}; crop or pad by one pixel")
    return np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2YUV_I420))


def _planes(image: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    flat = np.ascontiguousarray(image).reshape(-1)
    y_size, c_size = width * height, (width // 2) * (height // 2)
    luma = flat[:y_size].reshape(height, width)
    u = flat[y_size : y_size + c_size].reshape(height // 2, width // 2)
    v = flat[y_size + c_size : y_size + 2 * c_size].reshape(height // 2, width // 2)
    return luma, u, v


def _expect(frame: Frame, shape: tuple[int, ...]) -> None:
    if frame.image.shape != shape or frame.image.dtype != np.uint8:
        raise ShapeError(
            f"{frame}: image is {frame.image.dtype} {list(frame.image.shape)}, expected uint8 {list(shape)}"
        )


def _expect_even(frame: Frame) -> None:
    width, height = frame.size_px
    if width % 2 or height % 2:
        raise ShapeError(f"{frame}: I420 needs even sides; the source must crop or pad by one pixel")
