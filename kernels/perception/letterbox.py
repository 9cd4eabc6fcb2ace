"""Letterbox: fit an image top-left into a padded canvas, and bring boxes back.

    s = min(1, L / max(w, h))  or the canvas over the image;  x_canvas = s_x x_image   [pixel edges]

Boxes live on pixel *edges* (0 is the left border of the first pixel, w the right border of the last), so
scaling needs no half-pixel terms. s_x and s_y are the exact ratios after rounding to whole pixels. O(pixels).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

PAD_VALUE = 114
"""Grey that RTMDet and YOLOX were trained with around the picture."""
SIDE_MULTIPLE = 32
"""Coarsest stride of the detectors: sides of a free-size input are multiples of it."""


@dataclass(frozen=True)
class Letterbox:
    """How an image of `image_wh` lies in a canvas of `canvas_wh`."""

    image_wh: tuple[int, int]
    """Pixels of the image."""
    content_wh: tuple[int, int]
    """Pixels it takes in the canvas, from the top left corner."""
    canvas_wh: tuple[int, int]
    """Pixels of the network's input."""

    def boxes_to_image(self, boxes_canvas_px: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, "N 4"]:
        """Boxes x1 y1 x2 y2 from the canvas to the image, clipped to it, float32."""
        (w, h), (cw, ch) = self.image_wh, self.content_wh
        scale = np.array([w / cw, h / ch, w / cw, h / ch], np.float32)
        limit = np.array([w, h, w, h], np.float32)
        return np.asarray(np.clip(boxes_canvas_px.astype(np.float32) * scale, np.float32(0.0), limit))


def fit_free(image_wh: tuple[int, int], max_side_px: int) -> Letterbox:
    """Into a canvas of any size: shrink to `max_side_px` where larger, never enlarge, pad to multiples of 32."""
    w, h = image_wh
    scale = min(1.0, max_side_px / max(w, h))
    content = (max(1, round(w * scale)), max(1, round(h * scale)))
    canvas = (_round_up(content[0]), _round_up(content[1]))
    return Letterbox(image_wh, content, canvas)


def fit_fixed(image_wh: tuple[int, int], canvas_wh: tuple[int, int]) -> Letterbox:
    """Into a canvas of a given size, as large as it goes (enlarged where the image is smaller)."""
    w, h = image_wh
    scale = min(canvas_wh[0] / w, canvas_wh[1] / h)
    content = (
        min(canvas_wh[0], max(1, round(w * scale))),
        min(canvas_wh[1], max(1, round(h * scale))),
    )
    return Letterbox(image_wh, content, canvas_wh)


def paint(
    image_bgr: UInt8[np.ndarray, "H W 3"],
    box: Letterbox,
    scale_bgr: Float[np.ndarray, "3"],
    bias_bgr: Float[np.ndarray, "3"],
    out: Float[np.ndarray, "3 CH CW"],
) -> None:
    """Write the letterboxed image into `out`, channels first, as `value * scale + bias` per channel."""
    cw, ch = box.content_wh
    if (cw, ch) != box.image_wh:
        image_bgr = np.asarray(cv2.resize(image_bgr, (cw, ch), interpolation=cv2.INTER_LINEAR))
    for c in range(3):
        np.multiply(
            image_bgr[:, :, c], scale_bgr[c], out=out[c, :ch, :cw], dtype=np.float32, casting="unsafe"
        )
        out[c, :ch, :cw] += bias_bgr[c]
        pad = PAD_VALUE * scale_bgr[c] + bias_bgr[c]
        out[c, ch:, :] = pad
        out[c, :ch, cw:] = pad


def _round_up(side: int) -> int:
    return -(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE
