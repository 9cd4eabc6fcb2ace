"""One figure, one camera, one light: a sprite.

Rays go only near the skin's corners and the middles of its faces, and where bags and skirts lie. One ray goes through
the middle of each pixel; where neighbours differ (outlines, edges of clothes) four more do. Embree's tree of the figure
is built once and serves all views.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ...kernels.camera import CameraModel
from ..virtualcrowd.render.backdrop import OFFSETS_PX
from ..virtualcrowd.render.lens import Lens
from ..virtualcrowd.render.light import Light
from .people_figure import Figure
from .people_light import vertex_colours
from .people_seen import seen_keypoints
from .people_views import MARGIN_PX
from .sprite import Sprite

Array = np.ndarray

_GROW_PX = 4
"""Half the length of the longest edge of the skin, in pixels, and some."""
_STEP = 9.0
"""Difference of display values between neighbours from which a pixel gets more rays."""


def shoot_sprite(figure: Figure, camera: CameraModel, light: Light, elevation_rad: float) -> Sprite:
    """What the camera sees of the figure, cut to what is drawn and a margin."""
    colour, alpha, body = _expose(figure, camera, _lit(figure, light))
    keypoints = camera.project(figure.keypoints_m)
    x0, y0, x1, y1 = _content(alpha, keypoints)
    cut = (slice(y0, y1), slice(x0, x1))
    shift = np.array([x0, y0], np.float64)
    pelvis_depth = float(camera.to_camera(figure.pelvis_m)[2])
    ground = np.array([figure.pelvis_m[0], figure.pelvis_m[1], 0.0])
    return Sprite(
        colour=_bled(colour[cut], alpha[cut]), alpha=np.ascontiguousarray(alpha[cut]),
        body=np.ascontiguousarray(body[cut]), keypoints_px=keypoints - shift,
        seen=seen_keypoints(figure, camera.centre_world_m), foot_px=camera.project(ground) - shift,
        px_per_m=float(camera.K[0, 0] / pelvis_depth), elevation_rad=float(elevation_rad), kind=figure.kind,
    )  # fmt: skip


def _lit(figure: Figure, light: Light) -> Float[Array, "M 3"]:
    return vertex_colours(figure.tracer, figure.points_m, figure.normals, figure.albedo, figure.open, light)


def _expose(
    figure: Figure, camera: CameraModel, tint: Float[Array, "M 3"]
) -> tuple[UInt8[Array, "H W 3"], UInt8[Array, "H W"], UInt8[Array, "H W"]]:
    """(colour of what is drawn, cover of all, cover of body and clothes)."""
    width, height = camera.size_px
    lens = Lens(camera)
    rows, columns = np.nonzero(near_figure(figure, camera))
    px = np.stack([columns, rows], axis=1).astype(np.float32)
    total, cover, own = _rays(figure, lens, px, tint)
    first = np.zeros((height, width, 5), np.float32)
    first[rows, columns] = np.column_stack([total, 255.0 * cover, 255.0 * own])
    rays = np.ones(len(px), np.float32)
    more = np.flatnonzero(_uneven(first)[rows, columns])
    for offset in OFFSETS_PX:
        part = _rays(figure, lens, px[more] + np.array(offset, np.float32), tint)
        total[more] += part[0]
        cover[more] += part[1]
        own[more] += part[2]
    rays[more] += len(OFFSETS_PX)
    colour = np.zeros((height, width, 3), np.uint8)
    alpha, body = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    colour[rows, columns] = np.clip(total / np.maximum(cover, 1.0)[:, None] + 0.5, 0, 255)
    alpha[rows, columns] = 255.0 * cover / rays + 0.5
    body[rows, columns] = 255.0 * own / rays + 0.5
    return colour, alpha, body


def _rays(
    figure: Figure, lens: Lens, px: Float[Array, "M 2"], tint: Float[Array, "M 3"]
) -> tuple[Float[Array, "M 3"], Float[Array, "M"], Float[Array, "M"]]:
    """(colour, 1 where anything was met, 1 where the body was) of one ray a pixel."""
    hits = figure.tracer.shoot(lens.eye_m, lens.directions(px))
    met = np.flatnonzero(hits.face >= 0)
    corners = figure.faces[hits.face[met]]
    u, v = hits.u[met, None], hits.v[met, None]
    colour, cover, own = (
        np.zeros((len(px), 3), np.float32),
        np.zeros(len(px), np.float32),
        np.zeros(len(px), np.float32),
    )
    colour[met] = (1 - u - v) * tint[corners[:, 0]] + u * tint[corners[:, 1]] + v * tint[corners[:, 2]]
    cover[met] = 1.0
    own[met] = ~figure.carried[hits.face[met]]
    return colour, cover, own


def _uneven(planes: Float[Array, "H W K"]) -> Bool[Array, "H W"]:
    """Pixels that differ from one of their neighbours."""
    square = np.ones((3, 3), np.uint8)
    return np.asarray((cv2.dilate(planes, square) - cv2.erode(planes, square) > _STEP).any(axis=2))


def near_figure(figure: Figure, camera: CameraModel) -> Bool[Array, "H W"]:
    """Pixels that the figure may cover: near points of the skin, and in the few large faces of the rest."""
    width, height = camera.size_px
    corners = camera.project(figure.points_m)
    middles = corners[figure.faces].mean(axis=1)
    px = np.round(np.concatenate([corners, middles])).astype(np.int64)
    mask = np.zeros((height, width), np.uint8)
    mask[np.clip(px[:, 1], 0, height - 1), np.clip(px[:, 0], 0, width - 1)] = 1
    for triangle in np.round(corners[figure.faces[figure.loose | figure.carried]]).astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _GROW_PX + 1, 2 * _GROW_PX + 1))
    return np.asarray(cv2.dilate(mask, disc) > 0)


def _content(alpha: UInt8[Array, "H W"], keypoints_px: Float[Array, "17 2"]) -> Int[Array, "4"]:
    """x, y of first and beyond last column and row that hold something or a keypoint, margin included."""
    rows, columns = np.nonzero(alpha.any(axis=1))[0], np.nonzero(alpha.any(axis=0))[0]
    low = np.minimum([columns[0], rows[0]], np.floor(keypoints_px.min(axis=0))) - MARGIN_PX
    high = np.maximum([columns[-1], rows[-1]], np.ceil(keypoints_px.max(axis=0))) + MARGIN_PX + 1
    size = np.array(alpha.shape[::-1])
    return np.concatenate([np.clip(low, 0, size), np.clip(high, 0, size)]).astype(np.int64)


def _bled(colour: UInt8[Array, "H W 3"], alpha: UInt8[Array, "H W"]) -> UInt8[Array, "H W 3"]:
    """Colour of the nearest drawn pixel where nothing is drawn: resampling must not fetch black from there."""
    empty = (alpha == 0).astype(np.uint8)
    _, label = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    drawn = np.zeros((int(label.max()) + 1, 3), np.uint8)
    drawn[label[empty == 0]] = colour[empty == 0]
    return np.asarray(drawn[label])
