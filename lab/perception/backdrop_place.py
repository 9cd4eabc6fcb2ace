"""Random places: ground, walls with windows and shop fronts, halls, rows of cars, trees, street furniture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ...kernels.camera import CameraModel
from .backdrop_camera import FAR_M, draw_camera, looked_at
from .backdrop_ground import draw_ground
from .backdrop_walls import walls
from .things import KINDS
from .things_look import any_paint, paint
from .things_mesh import Mesh, Part, ball, box, lathe, plate, put_together
from .things_shade import Lamp, Rig, draw_rig

Array = np.ndarray
Rng = np.random.Generator

_OUTSIDE = tuple(kind for kind in KINDS if kind not in ("coats", "rail", "shelf", "chair", "trolley"))
_INSIDE = (
    "sign", "bollard", "bin", "tripod", "tape", "board", "column", "flat", "planter", "pushchair", "trolley",
    "suitcase", "bench", "table", "chair", "stall", "crates", "machine", "shelf", "coats", "rail", "dummy", "cone",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A place to be drawn; the ground is look 0 of the mesh."""

    mesh: Mesh
    rig: Rig
    camera: CameraModel
    inside: bool


def draw_place(rng: Rng) -> Place:
    """A random place and a camera that sees enough of its ground."""
    camera = draw_camera(rng)
    width, height = camera.size_px
    pixels = rng.uniform((0, 0), (width, height), (400, 2))
    points, good = looked_at(camera, pixels)
    eye = camera.centre_world_m[:2]
    off = np.linalg.norm(points - eye, axis=1)
    reach = float(np.median(off[good])) if good.any() else 20.0
    reach = float(np.clip(reach, 3.0, 60.0))
    spots = points[good & (off < 5 * reach + 10)]
    if len(spots) < 20:
        ahead = camera.R_cam_world[2, :2] / max(float(np.linalg.norm(camera.R_cam_world[2, :2])), 1e-6)
        spots = eye + reach * (ahead + 0.3 * rng.normal(size=(40, 2)))
    inside = rng.random() < 0.35
    ground = draw_ground(rng, inside, spots.mean(axis=0), reach)
    square = np.array([[-FAR_M, -FAR_M, 0], [FAR_M, -FAR_M, 0], [FAR_M, FAR_M, 0], [-FAR_M, FAR_M, 0.0]])
    parts: list[Part | Mesh] = [plate(ground, square, square)]
    parts += walls(rng, inside, eye, spots, reach)
    parts += _furniture(rng, inside, camera, spots, reach)
    parts += _uprights(rng, camera, spots)
    kind = "hall" if inside else ("night" if rng.random() < 0.07 else "")
    rig = draw_rig(rng, kind)
    if not rig.has_sun and float(rig.light.sky.max()) < 0.1:
        rig = Rig(rig.light, _lamps(rng, spots))
    elif rng.random() < 0.5:
        parts += _behind(rng, camera, rig)
    return Place(put_together(parts), rig, camera, inside)


def _lamps(rng: Rng, spots: Float[Array, "N 2"]) -> tuple[Lamp, ...]:
    tint = np.array([rng.uniform(0.4, 1.0), rng.uniform(0.75, 1.0), 1.0])
    at = spots[rng.integers(len(spots), size=int(rng.integers(2, 6)))]
    return tuple(Lamp(np.append(xy, rng.uniform(3.0, 8.0)), tint * rng.uniform(15.0, 60.0)) for xy in at)


def _behind(rng: Rng, camera: CameraModel, rig: Rig) -> list[Part | Mesh]:
    """Boxes and poles out of sight, on the sun's side, whose shadows fall into the picture."""
    look = paint(rng, "grey")
    width, height = camera.size_px
    pixels = rng.uniform((0, 0.3 * height), (width, height), (6, 2))
    points, good = looked_at(camera, pixels)
    out: list[Part | Mesh] = []
    for point in points[good]:
        lift = rng.uniform(0.5, 2.0) * camera.centre_world_m[2] + 4.0
        at = np.append(point, 0.0) + rig.light.to_sun / rig.light.to_sun[2] * lift
        seen = camera.project(at[None])[0]
        if (
            np.isfinite(seen).all()
            and (np.abs(seen - [width / 2, height / 2]) < [1.3 * width, 1.3 * height]).all()
        ):
            continue
        size = rng.uniform(0.2, 0.8) * lift * rng.uniform((0.05, 0.05, 0.3), (1.2, 0.4, 1.0))
        out.append(box(look, size, at, rng.uniform(0, 3)))
    return out


def _furniture(
    rng: Rng, inside: bool, camera: CameraModel, spots: Float[Array, "N 2"], reach: float
) -> list[Part | Mesh]:
    """Some kinds of things, each once, in a row or scattered; nothing right in front of the lens."""
    eye = camera.centre_world_m
    parts: list[Part | Mesh] = []
    kinds = _INSIDE if inside else _OUTSIDE
    for _ in range(int(rng.integers(0, 13) * rng.random() ** 0.3)):
        kind = str(rng.choice(kinds))
        mesh = KINDS[kind](rng)
        start, count = spots[int(rng.integers(len(spots)))], int(rng.choice([1, 1, 1, 2, 3, 5, 8]))
        wide = float(np.ptp(mesh.vertices_m[:, :2], axis=0).max())
        angle, yaw = rng.uniform(-np.pi, np.pi), rng.uniform(-np.pi, np.pi)
        row = rng.random() < 0.6
        step = wide * rng.uniform(0.7, 1.5) + (
            0.0 if kind in ("car", "van", "barrier") else rng.uniform(0, 3)
        )
        for k in range(count):
            off = (
                k * step * np.array([np.cos(angle), np.sin(angle)]) if row else rng.normal(0, 0.3 * reach, 2)
            )
            at = start + off
            if np.linalg.norm(np.append(at, 0.5 * mesh.vertices_m[:, 2].max()) - eye) < 2.0 + 1.2 * wide:
                continue
            scale = rng.uniform(0.85, 1.15)
            parts.append(mesh.moved(yaw + (0.0 if row else rng.uniform(0, 6)), (*at, 0.0), scale))
    return parts


def _uprights(rng: Rng, camera: CameraModel, spots: Float[Array, "N 2"]) -> list[Part | Mesh]:
    """Plain posts, slabs and skittles of about people's size: dark upright bars are not people."""
    if rng.random() < 0.35:
        return []
    looks = [
        any_paint(rng, 0.2),
        *(paint(rng, str(rng.choice(["dark", "dark", "grey", "any"]))) for _ in range(4)),
    ]
    parts: list[Part | Mesh] = []
    for _ in range(int(rng.integers(1, 26))):
        look, at = looks[int(rng.integers(5))], spots[int(rng.integers(len(spots)))]
        wide, tall = rng.uniform(0.08, 0.6), rng.uniform(0.3, 2.2)
        if np.linalg.norm(np.append(at, tall / 2) - camera.centre_world_m) < 3.0:
            continue
        style = int(rng.integers(3))
        if style == 0:
            size = (wide, wide * rng.uniform(0.3, 1.5), tall)
            parts.append(box(look, size, (*at, tall / 2), rng.uniform(0, 3)))
        elif style == 1:
            parts.append(lathe(look, [(wide / 2, 0), (wide * rng.uniform(0.2, 0.6), tall)], (*at, 0), 9))
        else:
            r = 0.3 * wide
            parts.append(
                lathe(look, [(0.5 * wide, 0), (0.35 * wide, 0.75 * tall), (0.1, 0.8 * tall)], (*at, 0), 9)
            )
            parts.append(ball(looks[0], (r, r, 1.3 * r), (*at, 0.8 * tall + r), rings=6, sides=8))
    return parts
