"""Crops for top-down pose: a box grown to the network's aspect, cut out by one scale and shift.

For a box with centre c and size (bw, bh), a crop of (W, H) and padding p:

    k = min(W / (p bw), H / (p bh))                      crop pixels per image pixel
    x_crop + 1/2 = k (x_image + 1/2 - c) + W/2           pixel *centres*, as cameras and OpenCV count them

Boxes are on pixel edges, keypoints on pixel centres; the halves above are where the two meet. The map is its
own exact mirror: mirrored image and box give the mirrored crop.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

MIN_BOX_SIDE_PX = 1.0
"""Thinner boxes are grown to this: the scale k stays finite."""


@dataclass(frozen=True)
class CropMaps:
    """x_crop = gain x_image + shift, one row a crop; pixel centres."""

    gain: Float[np.ndarray, "N 1"]
    """Crop pixels per image pixel, float64."""
    shift_px: Float[np.ndarray, "N 2"]
    """Crop pixels, float64."""
    crop_wh: tuple[int, int]

    def __len__(self) -> int:
        return len(self.gain)

    def to_image(self, points_crop_px: Float[np.ndarray, "N J 2"]) -> Float[np.ndarray, "N J 2"]:
        """Points of each crop in the image."""
        return np.asarray((points_crop_px - self.shift_px[:, None]) / self.gain[:, None])

    def to_crop(self, points_image_px: Float[np.ndarray, "N J 2"]) -> Float[np.ndarray, "N J 2"]:
        """Points of the image in each crop."""
        return np.asarray(points_image_px * self.gain[:, None] + self.shift_px[:, None])


def crop_maps(boxes_px: Float[np.ndarray, "N 4"], crop_wh: tuple[int, int], padding: float) -> CropMaps:
    """The map of each box.

    Args:
        boxes_px: x1, y1, x2, y2 on pixel edges.
        crop_wh: width and height of the crop.
        padding: how much larger than the box the crop sees, e.g. 1.25.
    """
    boxes = boxes_px.astype(np.float64)
    centre = 0.5 * (boxes[:, :2] + boxes[:, 2:])
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], MIN_BOX_SIDE_PX)
    size = np.array(crop_wh, np.float64)
    gain = np.min(size / (padding * sides), axis=1, keepdims=True)
    return CropMaps(gain, gain * (0.5 - centre) + 0.5 * size - 0.5, crop_wh)


def cut(image_bgr: UInt8[np.ndarray, "H W 3"], maps: CropMaps) -> UInt8[np.ndarray, "N CH CW 3"]:
    """Bilinear crops; black where they reach over the border of the image."""
    width, height = maps.crop_wh
    crops = np.empty((len(maps), height, width, 3), np.uint8)
    affine = np.zeros((2, 3))
    for gain, shift, crop in zip(maps.gain[:, 0], maps.shift_px, crops, strict=True):
        affine[0, 0] = affine[1, 1] = gain
        affine[:, 2] = shift
        cv2.warpAffine(image_bgr, affine, (width, height), dst=crop, flags=cv2.INTER_LINEAR)
    return crops


def to_tensor(
    crops_bgr: UInt8[np.ndarray, "N CH CW 3"],
    mean_rgb: tuple[float, float, float],
    std_rgb: tuple[float, float, float],
    batch: int,
) -> Float[np.ndarray, "B 3 CH CW"]:
    """Crops as RGB, channels first, (value - mean) / std; rows after N are zero, up to `batch`."""
    n, height, width, _ = crops_bgr.shape
    out = np.zeros((batch, 3, height, width), np.float32)
    for c in range(3):
        plane = out[:n, c]
        np.multiply(
            crops_bgr[..., 2 - c], np.float32(1.0 / std_rgb[c]), out=plane, dtype=np.float32, casting="unsafe"
        )
        plane -= np.float32(mean_rgb[c] / std_rgb[c])
    return out
