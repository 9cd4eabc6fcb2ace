"""Frames of a crowd as one camera sees it: the place, shadows on it, the people, the camera's faults.

1. pose the people near the picture (`figures`), at the moments of the exposure;
2. lay their shadows on the place (`shadow`, `backdrop`);
3. light their vertices: sky, sun, each other's shade;
4. shoot rays through the pixels around them, past obstacles and steps (`tracer`);
5. blur, darken, add noise (`sensor`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ....kernels.camera import CameraModel
from ..truth import CrowdMotion
from .backdrop import OFFSETS_PX, Backdrop, picture_place
from .config import RenderConfig
from .figures import Figures, Heap
from .lens import Lens
from .light import draw_light
from .moment import Moment, crowd_at
from .sensor import Sensor
from .shadow import SunGrid, soften
from .surfaces import Surface, scene_surfaces, triangles
from .tracer import Tracer

Array = np.ndarray
Progress = Callable[[int, int], None]

_SHADOW_MARGIN_M = 4.0
"""How far outside the picture people still throw a shadow into it."""
_HULL_STRIDE = 5
_HULL_MARGIN_PX = 3
_TALLEST_M = 2.1
_LIMB_SPEED_MPS = 4.0
_LEAST_BLUR_PX = 0.75
_CONTACT_M = 0.22
"""Skin lower than this above the ground darkens it."""


def frames(
    motion: CrowdMotion, camera: CameraModel, t_ns: Int[Array, "F"], style: RenderConfig
) -> Iterator[UInt8[Array, "H W 3"]]:
    """BGR pictures of a crowd, one per capture time (ns; 0 is slot 0 of the motion).

    Raises:
        RendererMissingError: embreex is not installed.
    """
    renderer = Renderer(motion, camera, style)
    for index, time in enumerate(t_ns.tolist()):
        yield renderer.frame(time, index)


class Renderer:
    """One crowd, one camera, one style; the place is pictured on construction."""

    def __init__(self, motion: CrowdMotion, camera: CameraModel, style: RenderConfig) -> None:
        self._motion, self._camera, self._style = motion, camera, style
        self._lens = Lens(camera)
        self._light = draw_light(style)
        self._figures = Figures(motion, style)
        surfaces = scene_surfaces(motion.scene, style.seed, self._lens.eye_m)
        still = [surface for surface in surfaces if surface.casts or len(motion.scene.ground.planes) > 1]
        self._still = triangles(still) if still else None
        self._sun_grid, self._foot_grid = self._grids(surfaces)
        self.place: Backdrop = picture_place(
            camera, surfaces, self._light, self._sun_grid, self._foot_grid, style.seed
        )
        self._sensor = Sensor(camera.size_px, style)

    def frame(self, t_ns: int, index: int = 0) -> UInt8[Array, "H W 3"]:
        """The picture at a capture time; `index` numbers the noise."""
        middle = self._moment(t_ns)
        seen, nearest_m = self._details(middle)
        times = self._exposure(t_ns, nearest_m)
        moments = [middle] if len(times) == 1 else [self._moment(t) for t in times]
        heaps = [self._figures.heap(moment, _carry(middle, seen, moment)) for moment in moments]
        if len(heaps[0].points_m) == 0:
            return self._sensor.record(self.place.with_shadows(None, None), index)
        cloud = _points(heaps[0])
        grid = self._sun_grid
        shadow = soften(grid.cast(cloud), 0.012 / grid.cell_m + 0.55)
        contact = soften(self._foot_grid.cast(cloud, below_m=_CONTACT_M), 0.05 / self._foot_grid.cell_m)
        picture = self.place.with_shadows(shadow, contact)
        colours = [self._colours(heap) for heap in heaps]
        self._draw(picture, heaps, colours)
        return self._sensor.record(picture, index)

    def _exposure(self, t_ns: int, nearest_m: float) -> list[float]:
        """Moments of one exposure; a single one where even a fast limb moves by less than a ray's spacing."""
        blur_px = self._camera.K[0, 0] * _LIMB_SPEED_MPS * self._style.shutter_s / nearest_m
        steps = min(self._style.blur_steps, self._style.samples) if blur_px > _LEAST_BLUR_PX else 1
        spread = (np.arange(steps) + 0.5) / steps - 0.5
        return [float(t_ns + 1e9 * self._style.shutter_s * share) for share in spread]

    def _moment(self, t_ns: float) -> Moment:
        return crowd_at(self._motion, t_ns, self._figures.body.body, self._figures.joints_rest_m)

    def _grids(self, surfaces: list[Surface]) -> tuple[SunGrid, SunGrid]:
        """Grids over wherever anybody ever stands, and their shadows."""
        here = self._motion.ground_m[self._motion.present]
        if len(here) == 0:
            here = np.zeros((1, 3))
        low, high = here.min(axis=0).astype(np.float64), here.max(axis=0).astype(np.float64)
        shear = self._light.shear
        corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])])
        both = np.concatenate([corners - z * shear for z in (low[2] - 0.2, high[2] + _TALLEST_M)])
        return (
            SunGrid(both.min(axis=0) - 1.2, both.max(axis=0) + 1.2, shear, surfaces),
            SunGrid(low[:2] - 1.2, high[:2] + 1.2, np.zeros(2), surfaces, 0.05),
        )

    def _details(self, moment: Moment) -> tuple[Int[Array, "n"], float]:
        """How finely each person is drawn, and the depth of the nearest.

        By height in the picture; -1: neither they nor their shadow are in it.
        """
        width, height = self._camera.size_px
        rest = self._figures.joints_rest_m[moment.rows, 0]
        root = moment.bones[:, 0, :, 3] + np.einsum("nij,nj->ni", moment.bones[:, 0, :, :3], rest)
        cam = self._camera.to_camera(root.astype(np.float64))
        depth = np.maximum(cam[:, 2], 0.3)
        focal = float(np.sqrt(self._camera.K[0, 0] * self._camera.K[1, 1]))
        tall = 1.8 * focal / depth
        off = cam[:, :2] / depth[:, None] * focal + self._camera.K[:2, 2] - 0.5 * np.array([width, height])
        reach = _SHADOW_MARGIN_M * focal / depth[:, None] + 0.5 * np.array([width, height])
        near = (np.abs(off) < reach).all(axis=1) & (cam[:, 2] > -_SHADOW_MARGIN_M)
        coarse = self._style.coarse_below_px
        level = np.where(tall >= coarse, 0, np.where(tall >= coarse / 3, 1, 2))
        return np.where(near, level, -1), float(depth[near].min(initial=np.inf))

    def _colours(self, heap: Heap) -> Float[Array, "M 3"]:
        """Display values of the vertices, float32."""
        light = self._light
        up = heap.normals[:, 2]
        facing = np.maximum(heap.normals @ light.to_sun.astype(np.float32), 0.0)
        half = np.float32(0.5 * self._sun_grid.cell_m)
        reached = np.zeros(len(facing), np.float32)
        for way in ((-half, -half), (half, -half), (-half, half), (half, half)):
            shifted = heap.points_m + np.array([*way, 0.0], np.float32)
            reached += 0.25 * self._sun_grid.sunlit(shifted, with_bodies=True)
        linear = heap.albedo * (
            light.ambient(up).astype(np.float32) * heap.open[:, None]
            + (facing * reached)[:, None] * light.sun.astype(np.float32)
        )
        return light.develop(linear).astype(np.float32)

    def _draw(self, picture: UInt8[Array, "H W 3"], heaps: list[Heap], colours: list[Array]) -> None:
        """Rays of the pixels around people; every sample belongs to one moment of the exposure."""
        rows, columns = np.nonzero(self._near_people(heaps[0]))
        if len(rows) == 0:
            return
        px = np.stack([columns, rows], axis=1).astype(np.float32)
        tracers = [self._tracer(heap) for heap in heaps]
        samples = self._style.samples
        total = np.zeros((len(px), 3), np.float32)
        cover = np.zeros(len(px), np.float32)
        for sample, offset in enumerate(OFFSETS_PX[:samples]):
            which = sample % len(heaps)
            hits = tracers[which].shoot(np.zeros(3), self._lens.directions(px + np.array(offset, np.float32)))
            own = np.flatnonzero((hits.face >= 0) & (hits.face < len(heaps[which].faces)))
            corners = heaps[which].faces[hits.face[own]]
            u, v = hits.u[own, None], hits.v[own, None]
            tint = colours[which]
            total[own] += (
                (1 - u - v) * tint[corners[:, 0]] + u * tint[corners[:, 1]] + v * tint[corners[:, 2]]
            )
            cover[own] += 1.0
        behind = picture[rows, columns]
        mixed = (total + (samples - cover)[:, None] * behind) / samples
        picture[rows, columns] = (mixed + 0.5).astype(np.uint8)

    def _tracer(self, heap: Heap) -> Tracer:
        eye = self._lens.eye_m.astype(np.float32)
        points, faces = heap.points_m - eye, heap.faces
        if self._still is not None:
            things, their_faces, _ = self._still
            faces = np.concatenate([faces, (their_faces + len(points)).astype(np.int32)])
            points = np.concatenate([points, (things - self._lens.eye_m).astype(np.float32)])
        return Tracer(points, faces)

    def _near_people(self, heap: Heap) -> Bool[Array, "H W"]:
        """Pixels within a few pixels of anybody's hull."""
        width, height = self._camera.size_px
        mask = np.zeros((height, width), np.uint8)
        sparse = np.concatenate([np.arange(a, b, _HULL_STRIDE) for a, b in heap.starts.tolist()])
        owner = np.concatenate([
            np.full(len(range(a, b, _HULL_STRIDE)), k) for k, (a, b) in enumerate(heap.starts.tolist())
        ])  # fmt: skip
        points = heap.points_m[sparse].astype(np.float64)
        ahead = self._camera.to_camera(points)[:, 2] > 0.05
        px = self._camera.project(points[ahead])
        px = np.clip(px, -4.0 * max(width, height), 5.0 * max(width, height))
        owner = owner[ahead]
        blur = self._style.shutter_s * 6.0 * self._camera.K[0, 0]
        edges = np.searchsorted(owner, np.arange(len(heap.starts) + 1))
        for k in range(len(heap.starts)):
            own = px[edges[k] : edges[k + 1]]
            if len(own) < 3:
                continue
            hull = cv2.convexHull(own.astype(np.float32).reshape(-1, 1, 2))
            depth = float(self._camera.to_camera(points[ahead][edges[k] : edges[k + 1]])[:, 2].min())
            grown = _HULL_MARGIN_PX + (blur + 0.05 * self._camera.K[0, 0]) / max(depth, 0.3)
            cv2.fillConvexPoly(mask, np.round(hull).astype(np.int32), 1)
            cv2.polylines(mask, [np.round(hull).astype(np.int32)], True, 1, thickness=2 * int(np.ceil(grown)))
        return mask.astype(bool)


def _points(heap: Heap) -> Float[Array, "M 3"]:
    """Vertices and middles of faces: dense enough for the grids."""
    a, b, c = (heap.points_m[heap.faces[:, i]] for i in range(3))
    return np.concatenate([heap.points_m, (a + b + c) / np.float32(3.0)])


def _carry(first: Moment, seen: Int[Array, "n"], other: Moment) -> Int[Array, "m"]:
    """Details of the first moment for the people of another one."""
    found = np.searchsorted(first.rows, other.rows)
    found = np.minimum(found, max(len(first.rows) - 1, 0))
    if len(first.rows) == 0:
        return np.full(len(other.rows), -1)
    return np.where(first.rows[found] == other.rows, seen[found], -1)
