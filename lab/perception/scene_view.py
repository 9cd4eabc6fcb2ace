"""Where a scene happens: a piece of a backdrop, and the camera that sees it.

Cutting and scaling a picture is an affine map of its pixels, so the camera follows exactly:

    x_out + 1/2 = s (x_in + 1/2) - o      ->   K_out = A K_in,   A = [[s, 0, s/2 - 1/2 - o_x], ...]

A mirrored picture is what a camera sees of the mirrored world: with M = diag(-1, 1, 1), R' = M R M, t' = M t.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ...kernels.camera import CameraModel
from .backdrop import Backdrop

Array = np.ndarray

PELVIS_M = 0.9
"""Height at which a sprite's scale and elevation are counted."""
PERSON_M = 1.7
"""Height of a person, for sizes that are drawn before anybody is."""
_SHOULDER_M = 0.4
"""What is seen of a person from straight above."""
_NEAREST_M = 0.4
"""Nobody stands nearer to the camera's plane."""
_TRIES = 12


@dataclass(frozen=True)
class View:
    """An empty picture, and the camera that people in it are seen by."""

    bgr: UInt8[Array, "H W 3"]
    camera: CameraModel
    walkable: UInt8[Array, "H W"] | None
    """Where feet may stand; None: anywhere below the horizon."""
    height_px: float
    """About how tall a person in the middle of things is."""
    to_sun: Float[Array, "3"] | None = None
    """Unit direction of the light that throws the backdrop's shadows, where there is one."""


@dataclass(frozen=True)
class Stands:
    """N places on the ground as the camera sees somebody standing there."""

    ground_m: Float[Array, "N 3"]
    foot_px: Float[Array, "N 2"]
    px_per_m: Float[Array, "N"]
    """Across the view, at the height of the pelvis."""
    elevation_rad: Float[Array, "N"]
    roll_rad: Float[Array, "N"]
    """By how much the upright of the world leans to the right in the picture."""
    depth_m: Float[Array, "N"]
    height_px: Float[Array, "N"]
    """Of a person of ordinary size."""

    def __len__(self) -> int:
        return len(self.depth_m)

    def rows(self, which: Array) -> Stands:
        """Some of them, by index or mask."""
        return Stands(
            self.ground_m[which], self.foot_px[which], self.px_per_m[which], self.elevation_rad[which],
            self.roll_rad[which], self.depth_m[which], self.height_px[which],
        )  # fmt: skip


def stands(camera: CameraModel, ground_m: Float[Array, "N 3"]) -> Stands:
    """How places on the ground are seen by a pinhole; those behind it get depth 0 and are no places at all."""
    up, K = camera.R_cam_world[:, 2], camera.K
    ground_m = np.asarray(ground_m, np.float64)
    feet = camera.to_camera(ground_m)
    heads, pelvis = feet + PERSON_M * up, feet + PELVIS_M * up
    good = (feet[:, 2] > _NEAREST_M) & (heads[:, 2] > _NEAREST_M)
    feet[~good] = heads[~good] = pelvis[~good] = (0.0, 0.0, 1.0)
    flat = K[:2, :2].T
    foot = feet[:, :2] / feet[:, 2:] @ flat + K[:2, 2]
    lean = heads[:, :2] / heads[:, 2:] @ flat + K[:2, 2] - foot
    px_per_m = 0.5 * (K[0, 0] + K[1, 1]) / pelvis[:, 2]
    # The camera's height over the pelvis, by the distance between them.
    sine = -(pelvis @ up) / np.sqrt((pelvis * pelvis).sum(axis=1))
    height = np.hypot(lean[:, 0], lean[:, 1]) + _SHOULDER_M * np.abs(sine) * px_per_m
    return Stands(
        ground_m, foot, px_per_m, np.arcsin(np.clip(sine, -1.0, 1.0)), np.arctan2(lean[:, 0], -lean[:, 1]),
        pelvis[:, 2] * good, height * good,
    )  # fmt: skip


def ground_under(camera: CameraModel, px: Float[Array, "N 2"]) -> Float[Array, "N 3"]:
    """The points of the ground (z = 0) in pixels; far behind the camera where a pixel sees the sky."""
    rays = camera.rays_world(px)
    centre = camera.centre_world_m
    down = np.minimum(rays[:, 2:], -1e-9)
    ground = centre - rays * (centre[2] / down)
    ground[rays[:, 2] > -1e-3] = centre - 1e3 * camera.R_cam_world[2]
    ground[:, 2] = 0.0
    return np.asarray(ground)


def backdrop_view(
    backdrop: Backdrop, size_px: tuple[int, int], height_px: float, max_zoom: float, rng: np.random.Generator
) -> View:
    """A piece of a backdrop, cut so that somebody standing at a random place of it is `height_px` tall.

    The piece always lies within the backdrop, so that the height may come out larger than asked for where people
    are large in all of the backdrop, and smaller by `max_zoom`.
    """
    height, width = backdrop.bgr.shape[:2]
    spot, native = _spot(backdrop, rng)
    cover = max(size_px[0] / width, size_px[1] / height)
    zoom = max(cover, min(height_px / native, max(max_zoom, cover)))
    window = np.array(size_px) / zoom
    start = spot - window * rng.uniform([0.1, 0.2], [0.9, 0.95])
    start = np.clip(start, 0.0, np.maximum(np.array([width, height]) - window, 0.0))
    bgr, walkable = _cut(backdrop, start, zoom, size_px)
    camera, to_sun = _moved(backdrop.camera, zoom, zoom * start, size_px), np.asarray(backdrop.to_sun)
    if rng.random() < 0.5:
        bgr, walkable = cv2.flip(bgr, 1), cv2.flip(walkable, 1)
        camera, to_sun = mirrored(camera), to_sun * [-1.0, 1.0, 1.0]
    return View(bgr, camera, walkable, native * zoom, to_sun if to_sun.any() else None)


def patch(
    backdrop: Backdrop, size_px: tuple[int, int], rng: np.random.Generator, least_zoom: float = 0.0
) -> UInt8[Array, "H W 3"]:
    """Any piece of a backdrop at any scale, for pictures whose camera is not the backdrop's."""
    height, width = backdrop.bgr.shape[:2]
    cover = max(size_px[0] / width, size_px[1] / height, least_zoom)
    zoom = cover * np.exp(rng.uniform(0.0, np.log(max(4.0 / cover, 1.5))))
    window = np.array(size_px) / zoom
    start = (np.array([width, height]) - window) * rng.random(2)
    if rng.random() < 0.6:  # people are mostly seen before the ground
        start[1] = (height - window[1]) * (1.0 - 0.4 * rng.random())
    bgr = _cut(backdrop, start, float(zoom), size_px, with_ground=False)[0]
    return np.asarray(cv2.flip(bgr, 1)) if rng.random() < 0.5 else bgr


def free_camera(
    size_px: tuple[int, int], height_px: float, elevation_rad: float, rng: np.random.Generator,
    centre_px: tuple[float, float] | None = None,
) -> CameraModel:  # fmt: skip
    """A camera that sees somebody at the world's origin `height_px` tall, under an elevation.

    Args:
        centre_px: where the origin's pelvis comes to lie; by default the picture's centre.
    """
    width, height = size_px
    focal = 0.5 * max(width, height) / np.tan(0.5 * np.radians(rng.uniform(18.0, 75.0)))
    tall_m = PERSON_M * np.cos(elevation_rad) + _SHOULDER_M * np.sin(elevation_rad)
    distance = max(focal * tall_m / height_px, 2.5)
    focal = distance * height_px / tall_m
    lean = elevation_rad
    # From above, people away from the picture's middle lean; a roll stands for that too.
    roll = np.radians(rng.normal(0.0, 2.0 + 7.0 * abs(np.sin(lean))))
    forward = np.array([np.cos(lean), 0.0, -np.sin(lean)])
    right, down = np.array([0.0, -1.0, 0.0]), np.array([-np.sin(lean), 0.0, -np.cos(lean)])
    c, s = np.cos(roll), np.sin(roll)
    rotation = np.stack([c * right + s * down, c * down - s * right, forward])
    centre = np.array([0.0, 0.0, PELVIS_M]) - distance * forward
    centre[2] = max(centre[2], 0.3)
    x, y = centre_px if centre_px is not None else (0.5 * width - 0.5, 0.5 * height - 0.5)
    return CameraModel(
        np.array([[focal, 0.0, x], [0.0, focal, y], [0.0, 0.0, 1.0]]), rotation, -rotation @ centre, size_px
    )


def mirrored(camera: CameraModel) -> CameraModel:
    """The camera that sees the mirrored world as the mirrored picture (world x turned round)."""
    flip = np.array([-1.0, 1.0, 1.0])
    K = camera.K.copy()
    K[0, 2] = camera.size_px[0] - 1.0 - K[0, 2]
    dist = camera.dist.copy()
    if len(dist) > 3:
        dist[3] = -dist[3]  # p2, the tangential term along x
    return CameraModel(
        K, flip[:, None] * camera.R_cam_world * flip, flip * camera.t_cam_world_m, camera.size_px, dist
    )


def _spot(backdrop: Backdrop, rng: np.random.Generator) -> tuple[Float[Array, "2"], float]:
    """A place where somebody may stand, in pixels of the backdrop, and how tall they are there."""
    height, width = backdrop.bgr.shape[:2]
    px = rng.random((_TRIES, 2)) * [width - 1.0, height - 1.0]
    cell = px.round().astype(np.int64)
    seen = stands(backdrop.camera, ground_under(backdrop.camera, px))
    good = (np.asarray(backdrop.walkable)[cell[:, 1], cell[:, 0]] != 0) & (seen.height_px > 4.0)
    rows = np.nonzero(good)[0]
    if len(rows) == 0:
        rows = np.nonzero(seen.height_px > 4.0)[0]
    if len(rows) == 0:
        return px[0], 0.25 * height
    return px[rows[0]], float(seen.height_px[rows[0]])


def _cut(
    backdrop: Backdrop,
    start: Float[Array, "2"],
    zoom: float,
    size_px: tuple[int, int],
    with_ground: bool = True,
) -> tuple[UInt8[Array, "H W 3"], UInt8[Array, "H W"]]:
    """The window that begins at `start` (pixel edges), scaled."""
    k = max(1, round(1.0 / zoom))  # squares of whole pixels are averaged first: grass must not sparkle
    low = np.maximum(np.floor(start).astype(int) - 2, 0)
    high = np.ceil(start + np.array(size_px) / zoom).astype(int) + 2 + k
    piece = backdrop.bgr[low[1] : high[1], low[0] : high[0]]
    tall, wide = piece.shape[0] // k, piece.shape[1] // k
    if k > 1:
        piece = cv2.resize(piece[: tall * k, : wide * k], (wide, tall), interpolation=cv2.INTER_AREA)
    # x_out + 1/2 = zoom (k (x_piece + 1/2) + low - start)
    gain = zoom * k
    shift = 0.5 * gain - 0.5 + zoom * (low - start)
    affine = np.array([[gain, 0.0, shift[0]], [0.0, gain, shift[1]]])
    bgr = cv2.warpAffine(piece, affine, size_px, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if not with_ground:
        return bgr, np.empty((0, 0), np.uint8)
    shift = 0.5 * zoom - 0.5 - zoom * start
    affine = np.array([[zoom, 0.0, shift[0]], [0.0, zoom, shift[1]]])
    walkable = cv2.warpAffine(
        backdrop.walkable, affine, size_px, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    return bgr, walkable


def _moved(
    camera: CameraModel, zoom: float, offset: Float[Array, "2"], size_px: tuple[int, int]
) -> CameraModel:
    """The camera of the piece of a picture."""
    K = camera.K.copy()
    K[:2] *= zoom
    K[:2, 2] += 0.5 * zoom - 0.5 - offset
    return CameraModel(K, camera.R_cam_world, camera.t_cam_world_m, size_px, camera.dist)
