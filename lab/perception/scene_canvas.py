"""The picture while it is painted: layers one over the other, and who owns each pixel.

`owner` holds for every pixel the number of the layer that covers it last, doubled, plus one where that is the body
of a person (not what they carry); zero is the backdrop. Layers are numbered from 1 in the order they are painted.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import Float, UInt8, UInt16

from .picture import Picture
from .scene_layer import Layer
from .sprite import NUM_KEYPOINTS

Array = np.ndarray

_SHADE_STEP = 2
"""Shadows are soft: they are drawn at half the picture's size."""


class Canvas:
    """A picture being painted over a backdrop, which it takes over."""

    def __init__(self, bgr: UInt8[Array, "H W 3"]) -> None:
        self.bgr = bgr
        self.owner: UInt16[Array, "H W"] = np.zeros(bgr.shape[:2], np.uint16)
        self._layers: list[tuple[Layer, int, Float[Array, "4"]]] = []

    @property
    def size_px(self) -> tuple[int, int]:
        return self.bgr.shape[1], self.bgr.shape[0]

    def shade(self, shade: UInt8[Array, "h w"]) -> None:
        """Darken what is painted so far: 0 leaves it, 255 makes it black. Any size: it is stretched."""
        full = cv2.resize(shade, self.size_px, interpolation=cv2.INTER_LINEAR)
        cv2.bitwise_not(full, dst=full)
        self.bgr = cv2.multiply(self.bgr, cv2.cvtColor(full, cv2.COLOR_GRAY2BGR), scale=1.0 / 255.0)

    def paint(self, layer: Layer) -> int:
        """Lay something over everything painted so far; returns its number."""
        number = len(self._layers) + 1
        pixels, extent = layer.paint(self.bgr, self.owner, number)
        self._layers.append((layer, pixels, extent))
        return number

    def picture(self, bgr: UInt8[Array, "H W 3"]) -> Picture:
        """The people painted so far of whom anything is seen, with `bgr` as the picture the camera delivers."""
        numbers = [
            number
            for number, (layer, pixels, _) in enumerate(self._layers, 1)
            if layer.is_person and pixels > 0
        ]
        found = [self.box_of(number) for number in numbers]
        kept = [(number, *one) for number, one in zip(numbers, found, strict=True) if one[1] > 0.0]
        n = len(kept)
        return Picture(
            bgr=bgr,
            boxes_px=np.array([box for _, box, _ in kept], np.float32).reshape(n, 4),
            whole_px=np.array([self._layers[number - 1][2] for number, *_ in kept], np.float32).reshape(n, 4),
            visible=np.array([share for *_, share in kept], np.float32),
            keypoints_px=np.array(
                [self._layers[number - 1][0].keypoints_px for number, *_ in kept], np.float32
            ).reshape(n, NUM_KEYPOINTS, 2),
            seen=self.keypoints_seen([number for number, *_ in kept]),
        )

    def box_of(self, number: int) -> tuple[Float[Array, "4"], float]:
        """Of the layer painted as `number`-th: the box of what is seen of its body, and its share of all of it."""
        _, pixels, whole = self._layers[number - 1]
        width, height = self.size_px
        x1, y1, x2, y2 = (int(v) for v in whole.tolist())
        x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        if x1 >= x2 or y1 >= y2:
            return np.zeros(4), 0.0
        mine = (self.owner[y1:y2, x1:x2] == 2 * number + 1).view(np.uint8)
        x, y, w, h = cv2.boundingRect(mine)
        return np.array([x + x1, y + y1, x + x1 + w, y + y1 + h], np.float64), cv2.countNonZero(mine) / pixels

    def keypoints_seen(self, numbers: list[int]) -> UInt8[Array, "N 17"]:
        """Of these layers, as `Picture.seen` counts it."""
        if not numbers:
            return np.zeros((0, NUM_KEYPOINTS), np.uint8)
        width, height = self.size_px
        layers = [self._layers[number - 1][0] for number in numbers]
        cell = np.rint(np.stack([layer.keypoints_px for layer in layers])).astype(np.int64)
        inside = (cell >= 0).all(axis=2) & (cell[..., 0] < width) & (cell[..., 1] < height)
        cell[~inside] = 0
        over = self.owner[cell[..., 1], cell[..., 0]] >> 1
        free = inside & (over <= np.array(numbers)[:, None])
        own = np.stack([layer.self_seen for layer in layers]) != 0
        return np.where(free, 1 + own, 0).astype(np.uint8)


class Shade:
    """The shadows of a picture, gathered before anything is painted."""

    def __init__(self, size_px: tuple[int, int]) -> None:
        self._map = np.zeros((-(-size_px[1] // _SHADE_STEP), -(-size_px[0] // _SHADE_STEP)), np.uint8)

    def cast(
        self, layer: Layer, foot_px: Float[Array, "2"], along: tuple[float, float], strength: float
    ) -> None:
        """The silhouette of a layer, sheared over the ground.

        Args:
            along: picture pixels that one picture pixel of height becomes.
        """
        y = float(foot_px[1])
        # (x, y) about the foot goes to (x - y a_x, -y a_y); then to the map's pixels.
        half, middle = 1.0 / _SHADE_STEP, 0.5 / _SHADE_STEP - 0.5
        shear = np.array([[1.0, -along[0]], [0.0, -along[1]]])
        matrix = half * (shear @ layer.affine)
        matrix[:, 2] += half * np.array([along[0] * y, y + along[1] * y]) + middle
        rows, columns = layer.alpha.shape
        corners = (
            np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]]) @ matrix[:, :2].T + matrix[:, 2]
        )
        (x1, y1), (x2, y2) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        left, top = max(math.floor(x1), 0), max(math.floor(y1), 0)
        right, bottom = min(math.ceil(x2) + 1, self._map.shape[1]), min(math.ceil(y2) + 1, self._map.shape[0])
        if left >= right or top >= bottom or abs(along[1]) < 1e-3:
            return
        matrix[:, 2] -= (left, top)
        dark = cv2.warpAffine(layer.alpha, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
        part = self._map[top:bottom, left:right]
        np.maximum(part, cv2.convertScaleAbs(dark, alpha=strength), out=part)

    def contact(self, foot_px: Float[Array, "2"], radius_px: float, flat: float, strength: float) -> None:
        """The darkness under a body; `flat` is the ellipse's height by its width."""
        x, y = round(float(foot_px[0]) / _SHADE_STEP), round(float(foot_px[1]) / _SHADE_STEP)
        axes = (max(1, round(radius_px / _SHADE_STEP)), max(1, round(radius_px * flat / _SHADE_STEP)))
        rows, columns = self._map.shape
        if not (-axes[0] <= x < columns + axes[0] and -axes[1] <= y < rows + axes[1]):
            return
        cv2.ellipse(self._map, (x, y), axes, 0.0, 0.0, 360.0, int(255 * strength), -1)

    def soft(self, blur_px: float) -> UInt8[Array, "h w"]:
        """The map, blurred."""
        side = 2 * round(blur_px / _SHADE_STEP) + 1
        return np.asarray(cv2.blur(cv2.blur(self._map, (side, side)), (side, side)))
