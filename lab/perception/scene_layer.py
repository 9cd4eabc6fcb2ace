"""A sprite as it lies in a picture: scaled, mirrored, leaning, in the light of the place.

The map from sprite to picture is one similarity (pixel centres on both sides):

    x_picture = f_picture + s R(lean) F (x_sprite - f_sprite),    F = diag(-1, 1) for a mirrored one

with f the foot points. A sprite that shrinks is averaged over areas first; bilinear weights do the small rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from .sprite import NUM_KEYPOINTS, Sprite

Array = np.ndarray

MIRRORED_KEYPOINTS = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
"""Which keypoint a mirrored one becomes: left and right trade places."""
_REST = 1.25
"""Sprites are averaged down to this many times their size in the picture; the rest is bilinear."""
HALF_COVER = 127
"""Pixels covered by more than this belong to the sprite."""


@dataclass(frozen=True)
class Pose2D:
    """How a sprite lies in a picture."""

    foot_px: tuple[float, float]
    scale: float
    lean_rad: float
    mirror: bool


@dataclass(frozen=True)
class Layer:
    """A sprite in the pixels of a picture. Its planes begin at `corner`, which may lie outside."""

    colour: UInt8[Array, "H W 3"]
    alpha: UInt8[Array, "H W"]
    body: UInt8[Array, "H W"]
    corner: tuple[int, int]
    keypoints_px: Float[Array, "17 2"]
    """Of the picture."""
    sprite_seen: UInt8[Array, "17"]
    whole_px: Float[Array, "4"]
    """Extent of the body, on pixel edges; of everything for a thing."""
    body_pixels: int
    is_person: bool


def laid(
    sprite: Sprite, pose: Pose2D, colour_map: Float[Array, "3 4"] | None, size_px: tuple[int, int] | None
) -> Layer | None:
    """The sprite as a layer, or None if nothing of it would be in a picture of `size_px`.

    Args:
        colour_map: BGR' = M [B G R 1].
        size_px: None: the picture has no borders.
    """
    affine = placing(sprite, pose)
    height, width = sprite.alpha.shape
    corners = _moved(np.array([[-0.5, -0.5], [width, -0.5], [-0.5, height], [width, height]]), affine)
    low = np.floor(corners.min(axis=0)).astype(int)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    if size_px is not None and ((high <= 0).any() or low[0] >= size_px[0] or low[1] >= size_px[1]):
        return None
    colour, alpha, body, gain = _shrunk(sprite, pose.scale)
    if colour_map is not None:
        colour = cv2.transform(colour, colour_map)
    matrix = affine.copy()
    matrix[:, :2] /= gain
    # Sprite pixels x and shrunk pixels y: y + 1/2 = g (x + 1/2).
    matrix[:, 2] += affine[:, :2] @ (0.5 / gain - 0.5) - low
    wide_tall = (int(high[0] - low[0]), int(high[1] - low[1]))
    alpha = cv2.warpAffine(alpha, matrix, wide_tall, flags=cv2.INTER_LINEAR)
    colour = cv2.warpAffine(
        colour, matrix, wide_tall, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    is_person = sprite.is_person
    if is_person:
        body = cv2.warpAffine(body, matrix, wide_tall, flags=cv2.INTER_LINEAR)
    else:
        body = np.zeros_like(alpha)
    mask = (body if is_person else alpha) > HALF_COVER
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    whole = np.array([x, y, x + w, y + h], np.float64) + np.tile(low, 2)
    points = _moved(np.asarray(sprite.keypoints_px, np.float64), affine)
    seen = np.asarray(sprite.seen)
    if pose.mirror:
        points, seen = points[MIRRORED_KEYPOINTS], seen[MIRRORED_KEYPOINTS]
    return Layer(
        colour, alpha, body, (int(low[0]), int(low[1])), points, seen, whole, int(np.count_nonzero(mask)), is_person
    )  # fmt: skip


def placing(sprite: Sprite, pose: Pose2D) -> Float[Array, "2 3"]:
    """Sprite pixels to picture pixels."""
    c, s = pose.scale * np.cos(pose.lean_rad), pose.scale * np.sin(pose.lean_rad)
    side = -1.0 if pose.mirror else 1.0
    linear = np.array([[c * side, -s], [s * side, c]])
    shift = np.array(pose.foot_px) - linear @ np.asarray(sprite.foot_px, np.float64)
    return np.concatenate([linear, shift[:, None]], axis=1)


def shifted(layer: Layer, by_px: tuple[int, int]) -> Layer:
    """The same, moved by whole pixels."""
    return replace(
        layer, corner=(layer.corner[0] + by_px[0], layer.corner[1] + by_px[1]),
        keypoints_px=layer.keypoints_px + np.array(by_px, np.float64),
        whole_px=layer.whole_px + np.tile(np.array(by_px, np.float64), 2),
    )  # fmt: skip


def overlay_layer(bgr: UInt8[Array, "H W 3"], alpha: UInt8[Array, "H W"], corner: tuple[int, int]) -> Layer:
    """Something without a place on the ground, as a layer."""
    height, width = alpha.shape
    nowhere = np.full((NUM_KEYPOINTS, 2), np.nan)
    whole = np.array([corner[0], corner[1], corner[0] + width, corner[1] + height], np.float64)
    body = np.zeros_like(alpha)
    return Layer(bgr, alpha, body, corner, nowhere, np.zeros(NUM_KEYPOINTS, np.uint8), whole, 0, False)


def _shrunk(
    sprite: Sprite, scale: float
) -> tuple[UInt8[Array, "H W 3"], UInt8[Array, "H W"], UInt8[Array, "H W"], Float[Array, "2"]]:
    """The planes, averaged down where they come out much smaller; and shrunk pixels per pixel."""
    rest = scale * _REST
    if rest > 0.85:
        return sprite.colour, sprite.alpha, sprite.body, np.ones(2)
    height, width = sprite.alpha.shape
    size = (max(1, round(width * rest)), max(1, round(height * rest)))
    colour = cv2.resize(sprite.colour, size, interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(sprite.alpha, size, interpolation=cv2.INTER_AREA)
    body = cv2.resize(sprite.body, size, interpolation=cv2.INTER_AREA) if sprite.is_person else alpha
    return colour, alpha, body, np.array([size[0] / width, size[1] / height])


def _moved(points: Float[Array, "N 2"], affine: Float[Array, "2 3"]) -> Float[Array, "N 2"]:
    return np.asarray(points @ affine[:, :2].T + affine[:, 2])
