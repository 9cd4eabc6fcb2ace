"""A sprite as it lies in a picture: scaled, mirrored, leaning, in the light of the place.

The map from sprite to picture is one similarity (pixel centres on both sides):

    x_picture = f_picture + s R(lean) F (x_sprite - f_sprite),    F = diag(-1, 1) for a mirrored one

with f the foot points. A sprite that shrinks is first averaged over squares of whole pixels (OpenCV's fast path);
what is left is between 2/3 and 3/2 and bilinear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ...kernels.fused.lay_sprite import lay_sprite
from .sprite import NUM_KEYPOINTS, Sprite

Array = np.ndarray

MIRRORED_KEYPOINTS = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
"""Which keypoint a mirrored one becomes: left and right trade places."""
AS_IT_IS = np.eye(3, 4)
"""The tint that changes nothing."""
_NOBODY = np.empty((0, 0), np.uint8)
_NOWHERE = np.full((NUM_KEYPOINTS, 2), np.nan)
_UNSEEN = np.zeros(NUM_KEYPOINTS, np.uint8)


@dataclass(frozen=True)
class Pose2D:
    """How a sprite lies in a picture."""

    foot_px: tuple[float, float]
    scale: float
    lean_rad: float
    mirror: bool


@dataclass(frozen=True)
class Layer:
    """Something that is to be painted over a picture."""

    colour: UInt8[Array, "H W 3"]
    alpha: UInt8[Array, "H W"]
    body: UInt8[Array, "h w"]
    """Of a person; of size zero for a thing."""
    affine: Float[Array, "2 3"]
    """Planes to picture, pixel centres."""
    window: tuple[int, int, int, int]
    """x1, y1, x2, y2: pixels of the picture among which all of it lies; they may be outside."""
    tint: Float[Array, "3 4"] = field(default_factory=AS_IT_IS.copy)
    """BGR' = M [B G R 1]."""
    keypoints_px: Float[Array, "17 2"] = field(default_factory=_NOWHERE.copy)
    """Of the picture."""
    self_seen: UInt8[Array, "17"] = field(default_factory=_UNSEEN.copy)
    """1: not hidden by the person themselves or what they carry."""

    @property
    def is_person(self) -> bool:
        return self.body.size > 0

    def paint(
        self, picture: UInt8[Array, "H W 3"], owner: Array, number: int
    ) -> tuple[int, Float[Array, "4"]]:
        """Paint it as the `number`-th layer; returns the pixels of its body, and their extent on pixel edges."""
        count, *extent = lay_sprite(
            picture, owner, self.colour, self.alpha, self.body, _inverse(self.affine), self.tint, self.window, number
        )  # fmt: skip
        return count, np.array(extent, np.float64)

    def extent(self) -> Float[Array, "4"]:
        """Of its body, on pixel edges, as `paint` would find it; the window's where no pixel is half covered."""
        count, extent = self.paint(np.empty((0, 0, 3), np.uint8), np.empty((0, 0), np.uint16), 0)
        return extent if count > 0 else np.array(self.window, np.float64)


def laid(sprite: Sprite, pose: Pose2D, tint: Float[Array, "3 4"]) -> Layer:
    """The sprite as a layer."""
    whole = placing(sprite, pose)
    colour, alpha, body, affine = _shrunk(sprite, pose.scale, whole)
    window = _window(alpha.shape, affine)
    if len(body) == 0:
        return Layer(colour, alpha, body, affine, window, tint)
    points, seen = _moved(np.asarray(sprite.keypoints_px, np.float64), whole), np.asarray(sprite.seen)
    if pose.mirror:
        points, seen = points[MIRRORED_KEYPOINTS], seen[MIRRORED_KEYPOINTS]
    return Layer(colour, alpha, body, affine, window, tint, points, seen)


def placing(sprite: Sprite, pose: Pose2D) -> Float[Array, "2 3"]:
    """Sprite pixels to picture pixels."""
    c, s = pose.scale * math.cos(pose.lean_rad), pose.scale * math.sin(pose.lean_rad)
    side = -1.0 if pose.mirror else 1.0
    fx, fy = float(sprite.foot_px[0]), float(sprite.foot_px[1])
    x, y = pose.foot_px
    return np.array([[c * side, -s, x - c * side * fx + s * fy], [s * side, c, y - s * side * fx - c * fy]])


def shifted(layer: Layer, by_px: tuple[int, int]) -> Layer:
    """The same, moved by whole pixels."""
    affine = layer.affine.copy()
    affine[:, 2] += by_px
    x1, y1, x2, y2 = layer.window
    return replace(
        layer, affine=affine, window=(x1 + by_px[0], y1 + by_px[1], x2 + by_px[0], y2 + by_px[1]),
        keypoints_px=layer.keypoints_px + np.array(by_px, np.float64),
    )  # fmt: skip


def overlay_layer(bgr: UInt8[Array, "H W 3"], alpha: UInt8[Array, "H W"], corner: tuple[int, int]) -> Layer:
    """Something without a place on the ground, as a layer."""
    affine = np.array([[1.0, 0.0, corner[0]], [0.0, 1.0, corner[1]]])
    return Layer(bgr, alpha, _NOBODY, affine, _window(alpha.shape, affine))


def _shrunk(
    sprite: Sprite, scale: float, affine: Float[Array, "2 3"]
) -> tuple[UInt8[Array, "H W 3"], UInt8[Array, "H W"], UInt8[Array, "h w"], Float[Array, "2 3"]]:
    """Its planes averaged over squares of k pixels, and their map to the picture.

    x = k y + (k - 1)/2 + m for planes y that begin m pixels within the sprite: what does not fill a square is cut
    off on both sides alike, less than half a pixel of the picture.
    """
    body = sprite.body if sprite.is_person else _NOBODY
    height, width = sprite.alpha.shape
    k = min(round(1.0 / scale), height, width)
    if k < 2:
        return sprite.colour, sprite.alpha, body, affine
    tall, wide = height // k, width // k
    y, x = (height - tall * k) // 2, (width - wide * k) // 2
    part = (slice(y, y + tall * k), slice(x, x + wide * k))
    colour, alpha = (
        cv2.resize(plane[part], (wide, tall), interpolation=cv2.INTER_AREA)
        for plane in (sprite.colour, sprite.alpha)
    )
    if len(body) > 0:
        body = cv2.resize(body[part], (wide, tall), interpolation=cv2.INTER_AREA)
    linear = affine[:, :2]
    shift = affine[:, 2] + linear @ np.array([0.5 * (k - 1) + x, 0.5 * (k - 1) + y])
    return colour, alpha, body, np.concatenate([k * linear, shift[:, None]], axis=1)


def _window(shape: tuple[int, ...], affine: Float[Array, "2 3"]) -> tuple[int, int, int, int]:
    """Pixels that planes of this shape reach, their soft rim included."""
    tall, wide = shape
    corners = _moved(np.array([[-1.0, -1.0], [wide, -1.0], [-1.0, tall], [wide, tall]]), affine)
    (x1, y1), (x2, y2) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return math.floor(x1), math.floor(y1), math.ceil(x2) + 1, math.ceil(y2) + 1


def _inverse(affine: Float[Array, "2 3"]) -> Float[Array, "2 3"]:
    (a, b, x), (c, d, y) = affine.tolist()
    det = a * d - b * c
    a, b, c, d = d / det, -b / det, -c / det, a / det
    return np.array([[a, b, -a * x - b * y], [c, d, -c * x - d * y]])


def _moved(points: Float[Array, "N 2"], affine: Float[Array, "2 3"]) -> Float[Array, "N 2"]:
    return np.asarray(points @ affine[:, :2].T + affine[:, 2])
