"""The place without people, pictured once: in full light and in bodies' shade, and where each pixel lies on the grids.

A frame then costs two look-ups a pixel. Each sample of a pixel is a ray of its own, so edges are smooth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from ....kernels.camera import CameraModel
from .lens import Lens
from .light import Light, linear_bgr, to_bytes
from .noise import cloud
from .shadow import SunGrid, soften
from .surfaces import Surface, triangles
from .textures import albedo
from .tracer import Tracer

Array = np.ndarray

OFFSETS_PX = ((-0.375, -0.125), (0.375, 0.125), (0.125, -0.375), (-0.125, 0.375))
"""Samples within a pixel: a turned square; any first few of them are spread as well."""
_SAMPLES = ((500_000, 4), (9_000_000, 2))
"""(pixels of the picture, rays a pixel); beyond: one ray, the lens' blur hides the steps."""
_CHUNK = 1 << 17
_OFF_WALL_M = 0.06
"""Walls ask for the sun this far in front of themselves: a wall the sun grazes spans much height in one cell."""
_CORNER_DEPTH = 0.45
"""How much light is missing right at the foot of an obstacle."""
_CONTACT = 0.42
"""Darkening right under a foot, in display values."""


@dataclass(frozen=True)
class Places:
    """Cells of a grid, in OpenCV's fixed-point form: a third of the memory of floats, and faster."""

    cell: Int[Array, "H W 2"]
    """int16 column and row; far outside for the sky."""
    part: Int[Array, "H W"]
    """uint16 code of the 1/32 within the cell."""

    @classmethod
    def of(cls, column_row: Float[Array, "M 2"]) -> Places:
        """From float32 columns and rows, as a picture one pixel wide."""
        columns, rows = (np.ascontiguousarray(column_row[:, k : k + 1]) for k in range(2))
        cell, part = cv2.convertMaps(columns, rows, cv2.CV_16SC2)
        return cls(np.asarray(cell), np.asarray(part))

    @classmethod
    def outside(cls, width: int, height: int) -> Places:
        """Nowhere on the grid, to be filled in."""
        return cls(np.full((height, width, 2), -9999, np.int16), np.zeros((height, width), np.uint16))

    def put(self, pixels: Int[Array, "M"], column_row: Float[Array, "M 2"]) -> None:
        """Set pixels, counted row by row."""
        found = Places.of(column_row)
        self.cell.reshape(-1, 2)[pixels] = found.cell[:, 0]
        self.part.reshape(-1)[pixels] = found.part[:, 0]


@dataclass(frozen=True)
class Backdrop:
    """Pictures of the empty place; the world under each pixel."""

    lit: UInt8[Array, "H W 3"]
    shaded: UInt8[Array, "H W 3"]
    """Without the sun."""
    sun_place: Places
    """Of the sun's grid."""
    foot_place: Places
    """Of the upright grid."""

    def with_shadows(
        self, shadow: UInt8[Array, "..."] | None, contact: UInt8[Array, "..."] | None
    ) -> UInt8[Array, "H W 3"]:
        """The place with bodies' shadows on it; None: nobody there."""
        if shadow is None or contact is None:
            return self.lit.copy()
        shade = _look_up(shadow, self.sun_place)
        near = _look_up(contact, self.foot_place)
        touched = cv2.boundingRect(np.maximum(shade, near))
        x, y, w, h = touched
        out = self.lit.copy()
        if w == 0 or h == 0:
            return out
        part = (slice(y, y + h), slice(x, x + w))
        take = shade[part].astype(np.float32) / 255.0
        mixed = cv2.blendLinear(self.shaded[part].copy(), self.lit[part].copy(), take, 1.0 - take)
        keep = 1.0 - (_CONTACT / 255.0) * near[part].astype(np.float32)
        out[part] = cv2.multiply(mixed, cv2.merge([keep, keep, keep]), dtype=cv2.CV_8U)
        return out


def _look_up(mask: UInt8[Array, "rows columns"], where: Places) -> UInt8[Array, "H W"]:
    return np.asarray(
        cv2.remap(mask, where.cell, where.part, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    )


def picture_place(
    camera: CameraModel, surfaces: list[Surface], light: Light, sun_grid: SunGrid, foot_grid: SunGrid,
    seed: int,
) -> Backdrop:  # fmt: skip
    """Shoot all rays of the empty place; large pictures with fewer samples a pixel."""
    width, height = camera.size_px
    samples = next((count for limit, count in _SAMPLES if width * height <= limit), 1)
    lens = Lens(camera)
    vertices, faces, owner = triangles(surfaces)
    tracer = Tracer(vertices - lens.eye_m, faces)
    corner = _corner_shade(foot_grid, surfaces)
    lit, shaded = np.empty((height * width, 3), np.uint8), np.empty((height * width, 3), np.uint8)
    sun_place, foot_place = Places.outside(width, height), Places.outside(width, height)
    painter = _Painter(surfaces, owner, lens, tracer, light, sun_grid, foot_grid, corner, seed, samples)
    for start in range(0, width * height, _CHUNK):
        index = np.arange(start, min(start + _CHUNK, width * height))
        px = np.stack([index % width, index // width], axis=1).astype(np.float32)
        bright, dark = np.zeros((len(index), 3), np.float32), np.zeros((len(index), 3), np.float32)
        for dx, dy in OFFSETS_PX[:samples]:
            one = painter.paint(px + np.array([dx, dy], np.float32))
            bright += one[0] / samples
            dark += one[1] / samples
        lit[index], shaded[index] = to_bytes(bright), to_bytes(dark)
        points, met = painter.meet(px)[:2]
        sun_place.put(index[met], sun_grid.place(points[met]))
        foot_place.put(index[met], foot_grid.place(points[met]))
    shape = (height, width)
    return Backdrop(
        lit=lit.reshape(*shape, 3), shaded=shaded.reshape(*shape, 3),
        sun_place=sun_place, foot_place=foot_place,
    )  # fmt: skip


@dataclass(frozen=True)
class _Painter:
    """Colours of rays."""

    surfaces: list[Surface]
    owner: Array
    lens: Lens
    tracer: Tracer
    light: Light
    sun_grid: SunGrid
    foot_grid: SunGrid
    corner: Array
    seed: int
    samples: int

    def meet(self, px: Float[Array, "M 2"]) -> tuple[Array, Array, Array, Array, Array]:
        """(world points, hit at all, surface, depth, directions) of pixels' rays."""
        rays = self.lens.directions(px)
        hits = self.tracer.shoot(np.zeros(3), rays)
        met = hits.face >= 0
        depth = np.where(met, hits.distance, 0.0)
        points = self.lens.eye_m.astype(np.float32) + rays * depth[:, None].astype(np.float32)
        return points, met, np.where(met, self.owner[hits.face], -1), depth, rays

    def paint(self, px: Float[Array, "M 2"]) -> tuple[Float[Array, "M 3"], Float[Array, "M 3"]]:
        """Display values with and without the sun."""
        points, _, which, depth, rays = self.meet(px)
        bright, dark = np.empty((len(px), 3), np.float32), np.empty((len(px), 3), np.float32)
        order = np.argsort(which, kind="stable")
        numbers, starts = np.unique(which[order], return_index=True)
        for number, own in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            if number < 0:
                bright[own] = dark[own] = self._sky(rays[own])
                continue
            surface, place, ray = self.surfaces[number], points[own], rays[own]
            normal = surface.normal.astype(np.float32)
            slant = np.abs(ray @ normal) / np.sqrt(np.einsum("mc,mc->m", ray, ray))
            grain = (
                depth[own]
                * np.float32(self.lens.pixel_rad)
                / np.sqrt(np.clip(slant, 0.05, 1.0) * self.samples)
            )
            colour = albedo(surface, place, grain).astype(np.float32)
            if not surface.casts:
                colour *= (1.0 - self._closed(place))[:, None]
            ambient = self.light.ambient(np.array(surface.normal[2])).astype(np.float32)
            shade = colour * ambient
            towards = max(0.0, float(surface.normal @ self.light.to_sun))
            sun = (towards * self.light.sun).astype(np.float32)
            full = (
                shade
                + colour
                * sun
                * self.sun_grid.sunlit(place + np.float32(_OFF_WALL_M) * normal, with_bodies=False)[:, None]
            )
            bright[own], dark[own] = self.light.develop(full), self.light.develop(shade)
        return bright, dark

    def _closed(self, points: Float[Array, "M 3"]) -> Float[Array, "M"]:
        place = self.foot_grid.place(points)
        # in columns of at most 2^15 points: the largest picture that remap takes
        parts = np.array_split(place, len(place) // 30_000 + 1)
        shade = np.concatenate([_look_up(self.corner, Places.of(part)) for part in parts])[:, 0]
        return np.asarray(shade * np.float32(_CORNER_DEPTH / 255.0))

    def _sky(self, rays: Float[Array, "M 3"]) -> Float[Array, "M 3"]:
        unit = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        up = np.clip(unit[:, 2], 0.0, 1.0)[:, None]
        low, high = linear_bgr(214, 222, 230), linear_bgr(110, 150, 205)
        flat = unit[:, :2] / np.maximum(unit[:, 2:], 0.05)
        white = np.clip(2.2 * cloud(flat[:, 0], flat[:, 1], 3.0, 5, self.seed + 17), 0, 1)[:, None]
        colour = low + (high - low) * np.sqrt(up)
        return self.light.develop(1.5 * (colour + 0.5 * white * (linear_bgr(240, 242, 245) - colour)))


def _corner_shade(grid: SunGrid, surfaces: list[Surface]) -> UInt8[Array, "rows columns"]:
    """Where obstacles keep the sky from the ground at their feet."""
    mask = np.zeros(grid.still.shape, np.uint8)
    for surface in surfaces:
        if surface.casts and surface.material.endswith("_top"):
            corners = np.round(grid.place(surface.corners_m.astype(np.float32)) * 256).astype(np.int32)
            cv2.fillConvexPoly(mask, corners.reshape(-1, 1, 2), 255, shift=8)
    return soften(mask, 0.35 / grid.cell_m)
