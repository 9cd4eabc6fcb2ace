"""Things that are no people: cut-outs of poles, cars, trees, furniture and look-alikes, rendered from many views.

A detector meets them twice: they stand among people without being any, and they hide people. Every sprite is a new
mesh with new paints, seen by a pinhole from a random side and height, four rays a pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ..virtualcrowd.render.light import to_bytes
from ..virtualcrowd.render.tracer import Hits, Tracer
from . import things_green, things_rooms, things_street, things_wheels
from .sprite import NUM_KEYPOINTS, Sprite
from .things_mesh import Mesh
from .things_shade import Rig, draw_rig, exposed, shade

Array = np.ndarray

KINDS: dict[str, Callable[[np.random.Generator], Mesh]] = {
    "lamp": things_street.lamp_post, "sign": things_street.sign, "bollard": things_street.bollard,
    "cone": things_street.cone, "bin": things_street.bin_, "tripod": things_street.tripod,
    "barrier": things_street.barrier, "tape": things_street.tape, "board": things_street.board,
    "column": things_street.column, "flag": things_street.flag, "flat": things_street.flat,
    "tree": things_green.tree, "conifer": things_green.conifer, "bush": things_green.bush,
    "hedge": things_green.hedge, "planter": things_green.planter, "stones": things_green.stones,
    "car": things_wheels.car, "van": things_wheels.van, "bicycle": things_wheels.bicycle,
    "pushchair": things_wheels.pushchair, "trolley": things_wheels.trolley, "suitcase": things_wheels.suitcase,
    "bench": things_rooms.bench, "table": things_rooms.table, "chair": things_rooms.chair,
    "parasol": things_rooms.parasol, "stall": things_rooms.stall, "crates": things_rooms.crates,
    "machine": things_rooms.machine, "shelf": things_rooms.shelf, "coats": things_rooms.coat_stand,
    "rail": things_rooms.clothes_rail, "dummy": things_rooms.dummy,
}  # fmt: skip
"""A drawer of a random mesh for each kind of thing."""
LONG_SIDE_PX = (160, 256)
_MARGIN_PX = 2
_CROSS = ((-0.35, -0.12), (0.12, -0.35), (0.35, 0.12), (-0.12, 0.35))
"""Four rays of a pixel, off its centre."""
_SHARP_BEND = 0.75
"""Neighbours whose normals' cosine is below this lie on different faces."""


def render_things(
    count: int, seed: int, progress: Callable[[int, int], None] | None = None
) -> Iterator[Sprite]:
    """Cut-outs of things, the kinds in turn, each from a seed of its own.

    Args:
        count: how many.
        seed: same seed, same bytes.
        progress: called with (made, count) after each.

    Raises:
        RendererMissingError: embreex is not installed.
    """
    names = list(KINDS)
    order = np.random.default_rng([seed, 0x7417]).permutation(max(count, len(names))) % len(names)
    for row in range(count):
        kind = names[int(order[row])]
        yield render_thing(kind, np.random.default_rng([seed, row, 0x7416]))
        if progress is not None:
            progress(row + 1, count)


@dataclass(frozen=True)
class _View:
    """A pinhole's window onto a thing."""

    eye_m: Float[Array, "3"]
    R_cam_world: Float[Array, "3 3"]
    focal_px: float
    corner_px: Float[Array, "2"]
    """Of the window's first pixel, from the principal point."""
    size_px: tuple[int, int]

    def project(self, points_m: Float[Array, "N 3"]) -> Float[Array, "N 2"]:
        cam = (points_m - self.eye_m) @ self.R_cam_world.T
        return np.asarray(self.focal_px * cam[:, :2] / cam[:, 2:] - self.corner_px)

    def rays(self, pixels: Float[Array, "M 2"]) -> Float[Array, "M 3"]:
        """Unit directions through places of the window."""
        cam = np.empty((len(pixels), 3), np.float32)
        cam[:, :2] = pixels + self.corner_px
        cam[:, 2] = self.focal_px
        cam /= np.sqrt(np.einsum("mi,mi->m", cam, cam))[:, None]
        return np.asarray(cam @ self.R_cam_world.astype(np.float32))


def render_thing(kind: str, rng: np.random.Generator) -> Sprite:
    """One cut-out of a kind in `KINDS`."""
    mesh = KINDS[kind](rng)
    elevation = np.radians(80.0 * rng.random() ** 1.4)
    view = _look_at(mesh, elevation, rng.uniform(-np.pi, np.pi), int(rng.integers(*LONG_SIDE_PX)), rng)
    colour, alpha = _draw(mesh, view, draw_rig(rng), rng)
    middle = np.array([0.0, 0.0, float(mesh.vertices_m[:, 2].max()) / 2])
    depth = float(((middle - view.eye_m) @ view.R_cam_world.T)[2])
    return Sprite(
        colour=colour, alpha=alpha, body=np.zeros_like(alpha),
        keypoints_px=np.full((NUM_KEYPOINTS, 2), np.nan, np.float32),
        seen=np.zeros(NUM_KEYPOINTS, np.uint8),
        foot_px=view.project(np.zeros((1, 3)))[0].astype(np.float32),
        px_per_m=view.focal_px / depth, elevation_rad=float(elevation), kind=kind,
    )  # fmt: skip


def _look_at(mesh: Mesh, elevation: float, azimuth: float, side_px: int, rng: np.random.Generator) -> _View:
    """A camera that looks at the middle; its window just holds the thing."""
    low, high = mesh.vertices_m.min(axis=0), mesh.vertices_m.max(axis=0)
    middle = np.array([0.0, 0.0, high[2] / 2])
    distance = float(np.linalg.norm(high - low)) * rng.uniform(3.0, 12.0)
    away = np.array(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
    )
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    R = np.stack([right, np.cross(-away, right), -away])
    eye = middle + distance * away
    unit = _View(eye, R, 1.0, np.zeros(2), (1, 1)).project(mesh.vertices_m)
    start, extent = unit.min(axis=0), np.ptp(unit, axis=0)
    focal = side_px / float(extent.max())
    corner = np.floor(focal * start) - _MARGIN_PX
    width, height = (np.ceil(focal * extent).astype(int) + 2 * _MARGIN_PX + 1).tolist()
    return _View(eye, R, focal, corner, (width, height))


def _draw(
    mesh: Mesh, view: _View, rig: Rig, rng: np.random.Generator
) -> tuple[UInt8[Array, "H W 3"], UInt8[Array, "H W"]]:
    """(colour, alpha): one ray a pixel within smooth faces, four where something begins or ends."""
    width, height = view.size_px
    tracer = Tracer(mesh.vertices_m, mesh.faces)
    gx, gy = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    pixels = np.stack([gx, gy], -1).reshape(-1, 2)
    linear, met, mark = _light(mesh, tracer, view, pixels, rig)
    light = exposed(rig, linear[met], rng)
    colour, cover = light.develop(linear), met.astype(np.float32)
    edges = np.flatnonzero(_changes(mark.reshape(height, width, 4)))
    sums = np.zeros((len(edges), 4), np.float32)
    for off in _CROSS:
        linear, met, _ = _light(mesh, tracer, view, pixels[edges] + np.array(off, np.float32), rig)
        sums[:, :3] += light.develop(linear) * met[:, None]
        sums[:, 3] += met
    colour[edges] = sums[:, :3] / np.maximum(sums[:, 3:], 1e-6)
    cover[edges] = sums[:, 3] / len(_CROSS)
    planes = to_bytes(np.column_stack([colour, 255.0 * cover])).reshape(height, width, 4)
    return fill_outward(planes[..., :3], planes[..., 3] > 0), np.ascontiguousarray(planes[..., 3])


def _light(
    mesh: Mesh, tracer: Tracer, view: _View, pixels: Float[Array, "M 2"], rig: Rig
) -> tuple[Float[Array, "M 3"], Bool[Array, "M"], Float[Array, "M 4"]]:
    """(linear BGR, whether anything was met, normal and look: what tells neighbours apart)."""
    rays = view.rays(pixels)
    hits = tracer.shoot(view.eye_m, rays)
    met = hits.face >= 0
    rows = np.flatnonzero(met)
    own = Hits(hits.face[rows], hits.u[rows], hits.v[rows], hits.distance[rows])
    seen = shade(mesh, tracer, own, view.eye_m, rays[rows], 1.0 / view.focal_px, rig)
    low = np.clip(seen.points_m[:, 2] / 0.4, 0, 1)
    linear, mark = np.zeros((len(rays), 3), np.float32), np.zeros((len(rays), 4), np.float32)
    linear[rows] = seen.linear * (0.7 + 0.3 * low)[:, None]  # the ground takes light from what is near it
    mark[rows, :3], mark[rows, 3] = seen.normals, 1.0 + mesh.look[own.face]
    return linear, met, mark


def _changes(mark: Float[Array, "H W 4"]) -> Bool[Array, "H W"]:
    """Pixels beside another look, another face or nothing."""
    odd = np.zeros(mark.shape[:2], bool)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        bend = np.einsum("hwi,hwi->hw", mark[a][..., :3], mark[b][..., :3]) < _SHARP_BEND
        jump = (mark[a][..., 3] != mark[b][..., 3]) | (bend & (mark[a][..., 3] > 0))
        odd[a] |= jump
        odd[b] |= jump
    return odd


def fill_outward(colour: UInt8[Array, "H W 3"], drawn: Array) -> UInt8[Array, "H W 3"]:
    """The colour of the nearest drawn pixel where nothing is drawn."""
    if not drawn.any():
        return colour
    _, label = cv2.distanceTransformWithLabels(
        (~drawn).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    source = np.zeros(int(label.max()) + 1, np.int64)
    flat = np.flatnonzero(drawn)
    source[label.reshape(-1)[flat]] = flat
    return np.ascontiguousarray(colour.reshape(-1, 3)[source[label]])
