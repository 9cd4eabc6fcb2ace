"""Small smooth letters, chips and panels on a picture.

OpenCV's letters are drawn four times too large and averaged down, so they look the same with every version's
rasteriser; masks are kept, as the same few words come again in every frame.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Array = np.ndarray
Colour = tuple[float, float, float]

FINE = 4
WHITE: Colour = (245.0, 245.0, 245.0)
DARK: Colour = (28.0, 22.0, 18.0)
GREY: Colour = (178.0, 172.0, 166.0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAP_PX = 22.0
"""Height of capitals at font scale 1, about."""


@lru_cache(maxsize=2048)
def letters(text: str, height_px: int, bold: bool = False) -> Float[Array, "h w"]:
    """Cover 0..1 of a line of text; the mask is as high as capitals with room below the line.

    Args:
        height_px: of capitals.
    """
    scale = FINE * height_px / _CAP_PX
    thick = max(1, round(FINE * height_px * (0.16 if bold else 0.11)))
    (width, _), _ = cv2.getTextSize(text, _FONT, scale, thick)
    pad, below = FINE, round(FINE * height_px * 0.34)
    canvas = np.zeros((FINE * height_px + 2 * pad + below, width + 2 * pad), np.uint8)
    canvas = np.pad(canvas, ((0, -canvas.shape[0] % FINE), (0, -canvas.shape[1] % FINE)))
    cv2.putText(canvas, text, (pad, pad + FINE * height_px), _FONT, scale, 255, thick, cv2.LINE_AA)
    small = cv2.resize(
        canvas, (canvas.shape[1] // FINE, canvas.shape[0] // FINE), interpolation=cv2.INTER_AREA
    )
    mask: Array = small.astype(np.float32) / 255.0
    mask.flags.writeable = False
    return mask


def write(
    picture: UInt8[Array, "H W 3"], text: str, left: float, top: float, height_px: int, colour: Colour = WHITE,
    bold: bool = False,
) -> int:  # fmt: skip
    """Text with the top of its capitals at `top`; returns its width, px."""
    mask = letters(text, height_px, bold)
    tint(picture, mask, round(left) - 1, round(top) - 1, colour)
    return int(mask.shape[1]) - 2


def tint(
    picture: UInt8[Array, "H W 3"], mask: Float[Array, "h w"], left: int, top: int, colour: Colour
) -> None:
    """One colour through a mask, cut at the borders of the picture."""
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + mask.shape[1], picture.shape[1]), min(top + mask.shape[0], picture.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    part = mask[y0 - top : y1 - top, x0 - left : x1 - left, None]
    under = picture[y0:y1, x0:x1]
    under[:] = (under + part * (np.array(colour, np.float32) - under) + 0.5).astype(np.uint8)


@lru_cache(maxsize=256)
def rounded(width: int, height: int, radius: float) -> Float[Array, "h w"]:
    """Cover 0..1 of a rectangle with round corners, smooth at its border."""
    x = np.abs(np.arange(width) - (width - 1) / 2) - (width / 2 - radius)
    y = np.abs(np.arange(height) - (height - 1) / 2) - (height / 2 - radius)
    away = np.hypot(np.maximum(x, 0.0)[None], np.maximum(y, 0.0)[:, None])
    mask: Array = np.clip(radius - away + 0.5, 0.0, 1.0).astype(np.float32)
    mask.flags.writeable = False
    return mask


def chip(
    picture: UInt8[Array, "H W 3"], text: str, middle: float, bottom: float, height_px: int, colour: Colour
) -> None:
    """A small dark label with a coloured border, centred over a point."""
    mask = letters(text, height_px, bold=True)
    pad = max(2, round(0.45 * height_px))
    width, height = mask.shape[1] - 2 + 2 * pad, height_px + 2 * pad
    left, top = round(middle - width / 2), max(round(bottom - height), 1)
    tint(picture, 0.92 * rounded(width, height, height / 2), left, top, colour)
    tint(picture, 0.94 * rounded(width - 2, height - 2, height / 2 - 1), left + 1, top + 1, DARK)
    tint(picture, mask, left + pad - 1, top + pad - 1, WHITE)
