"""The picture while it is painted: layers one over the other, and who owns each pixel.

`owner` holds for every pixel the number of the layer that covers it last, doubled, plus one where that is the body
of a person (not what they carry); zero is the backdrop. Layers are numbered from 1 in the order they are painted.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8, UInt16

from .picture import Picture
from .scene_layer import HALF_COVER, Layer

Array = np.ndarray

_SHADE_STEP = 2
"""Shadows are soft: they are drawn at half the picture's size."""


class Canvas:
    """A picture being painted over a backdrop, which it takes over."""

    def __init__(self, bgr: UInt8[Array, "H W 3"]) -> None:
        self.bgr = bgr
        self.owner: UInt16[Array, "H W"] = np.zeros(bgr.shape[:2], np.uint16)
        self._layers: list[Layer] = []

    @property
    def size_px(self) -> tuple[int, int]:
        return self.bgr.shape[1], self.bgr.shape[0]

    def shade(self, shade: UInt8[Array, "h w"]) -> None:
        """Darken what is painted so far: 0 leaves it, 255 makes it black. Any size: it is stretched."""
        full = cv2.resize(shade, self.size_px, interpolation=cv2.INTER_LINEAR)
        cv2.bitwise_not(full, dst=full)
        self.bgr = cv2.multiply(self.bgr, cv2.cvtColor(full, cv2.COLOR_GRAY2BGR), scale=1.0 / 255.0)

    def paint(self, layer: Layer) -> None:
        """Lay something over everything painted so far."""
        self._layers.append(layer)
        number = len(self._layers)
        there, here = self._clip(layer)
        if there is None or here is None:
            return
        alpha = layer.alpha[here]
        blend(self.bgr[there], layer.colour[here], alpha)
        owner = self.owner[there]
        owner[alpha > HALF_COVER] = 2 * number
        if layer.is_person:
            owner[layer.body[here] > HALF_COVER] = 2 * number + 1

    def picture(self, bgr: UInt8[Array, "H W 3"]) -> Picture:
        """The people painted so far of whom anything is seen, with `bgr` as the picture the camera delivers."""
        rows = [
            (layer, *self.seen_of(number)) for number, layer in enumerate(self._layers, 1) if layer.is_person
        ]
        rows = [row for row in rows if row[2] > 0.0]
        if not rows:
            none = np.zeros((0, 4), np.float32)
            return Picture(
                bgr, none, none, np.zeros(0, np.float32), np.zeros((0, 17, 2), np.float32),
                np.zeros((0, 17), np.uint8),
            )  # fmt: skip
        return Picture(
            bgr=bgr,
            boxes_px=np.stack([box for _, box, _, _ in rows]).astype(np.float32),
            whole_px=np.stack([layer.whole_px for layer, *_ in rows]).astype(np.float32),
            visible=np.array([share for _, _, share, _ in rows], np.float32),
            keypoints_px=np.stack([layer.keypoints_px for layer, *_ in rows]).astype(np.float32),
            seen=np.stack([seen for *_, seen in rows]),
        )

    def seen_of(self, number: int) -> tuple[Float[Array, "4"], float, UInt8[Array, "17"]]:
        """Of the layer painted as `number`-th: box of what is seen, its share of the body, keypoints seen (0/1/2)."""
        layer = self._layers[number - 1]
        there, _ = self._clip(layer)
        if there is None or layer.body_pixels == 0:
            return np.zeros(4), 0.0, np.zeros(17, np.uint8)
        mine = (self.owner[there] == 2 * number + 1).view(np.uint8)
        x, y, w, h = cv2.boundingRect(mine)
        x, y = x + there[1].start, y + there[0].start
        share = min(1.0, cv2.countNonZero(mine) / layer.body_pixels)
        return np.array([x, y, x + w, y + h], np.float64), share, self._keypoints_seen(number, layer)

    def _keypoints_seen(self, number: int, layer: Layer) -> UInt8[Array, "17"]:
        width, height = self.size_px
        cell = np.rint(layer.keypoints_px).astype(np.int64)
        inside = (cell >= 0).all(axis=1) & (cell[:, 0] < width) & (cell[:, 1] < height)
        cell[~inside] = 0
        free = inside & ((self.owner[cell[:, 1], cell[:, 0]] >> 1) <= number)
        return np.where(free, 1 + (layer.sprite_seen != 0), 0).astype(np.uint8)

    def _clip(self, layer: Layer) -> tuple[tuple[slice, slice], tuple[slice, slice]] | tuple[None, None]:
        """Rows and columns of the picture that the layer covers, and the same in the layer."""
        width, height = self.size_px
        tall, wide = layer.alpha.shape
        x, y = layer.corner
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + wide, width), min(y + tall, height)
        if left >= right or top >= bottom:
            return None, None
        return (slice(top, bottom), slice(left, right)), (
            slice(top - y, bottom - y),
            slice(left - x, right - x),
        )


def blend(under: UInt8[Array, "H W 3"], over: UInt8[Array, "H W 3"], alpha: UInt8[Array, "H W"]) -> None:
    """under += (over - under) alpha / 255, in place."""
    cover = cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR)
    fresh = cv2.multiply(over, cover, scale=1.0 / 255.0)
    cv2.bitwise_not(cover, dst=cover)
    kept = cv2.multiply(under, cover, scale=1.0 / 255.0)
    cv2.add(kept, fresh, dst=kept)
    under[...] = kept


class Shade:
    """The shadows of a picture, gathered before anything is painted."""

    def __init__(self, size_px: tuple[int, int]) -> None:
        self._map = np.zeros((-(-size_px[1] // _SHADE_STEP), -(-size_px[0] // _SHADE_STEP)), np.uint8)

    def cast(
        self, layer: Layer, foot_px: Float[Array, "2"], along: Float[Array, "2"], strength: float
    ) -> None:
        """The silhouette of a layer, sheared over the ground.

        Args:
            along: picture pixels that one picture pixel of height becomes.
        """
        foot = (np.asarray(foot_px) - layer.corner) / _SHADE_STEP
        tall, wide = layer.alpha.shape
        small = cv2.resize(
            layer.alpha,
            (max(1, wide // _SHADE_STEP), max(1, tall // _SHADE_STEP)),
            interpolation=cv2.INTER_AREA,
        )
        # (x, y) of the silhouette about the foot goes to (x - y a_x, -y a_y).
        matrix = np.array(
            [[1.0, -along[0], along[0] * foot[1]], [0.0, -along[1], foot[1] + along[1] * foot[1]]]
        )
        rows, columns = small.shape
        corners = (
            np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]]) @ matrix[:, :2].T + matrix[:, 2]
        )
        origin = np.array(layer.corner) / _SHADE_STEP
        low = np.floor(corners.min(axis=0) + origin).astype(int)
        high = np.ceil(corners.max(axis=0) + origin).astype(int) + 1
        low, high = np.maximum(low, 0), np.minimum(high, self._map.shape[::-1])
        if (low >= high).any():
            return
        matrix[:, 2] += origin - low
        dark = cv2.warpAffine(
            small, matrix, (int(high[0] - low[0]), int(high[1] - low[1])), flags=cv2.INTER_LINEAR
        )
        part = self._map[low[1] : high[1], low[0] : high[0]]
        np.maximum(part, cv2.convertScaleAbs(dark, alpha=strength), out=part)

    def contact(self, foot_px: Float[Array, "2"], radius_px: float, flat: float, strength: float) -> None:
        """The darkness under a body; `flat` is the ellipse's height by its width."""
        centre = np.asarray(foot_px) / _SHADE_STEP
        axes = (max(1, round(radius_px / _SHADE_STEP)), max(1, round(radius_px * flat / _SHADE_STEP)))
        x, y = round(float(centre[0])), round(float(centre[1]))
        rows, columns = self._map.shape
        if not (-axes[0] <= x < columns + axes[0] and -axes[1] <= y < rows + axes[1]):
            return
        cv2.ellipse(self._map, (x, y), axes, 0.0, 0.0, 360.0, int(255 * strength), -1)

    def soft(self, blur_px: float) -> UInt8[Array, "h w"]:
        """The map, blurred."""
        side = 2 * round(blur_px / _SHADE_STEP) + 1
        return np.asarray(cv2.blur(cv2.blur(self._map, (side, side)), (side, side)))
