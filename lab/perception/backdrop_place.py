"""Random places: ground, walls with windows and shop fronts, halls, rows of cars, trees, street furniture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ...kernels.camera import CameraModel
from .backdrop_ground import draw_ground
from .things import KINDS
from .things_look import Paint, paint
from .things_mesh import Mesh, Part, box, lathe, plate, put_together
from .things_shade import Lamp, Rig, draw_rig

Array = np.ndarray
Rng = np.random.Generator

FAR_M = 600.0
SIZES = ((640, 480), (640, 480), (640, 480), (640, 360), (512, 512), (480, 640))
_OUTSIDE = tuple(kind for kind in KINDS if kind not in ("coats", "rail", "shelf", "chair", "trolley"))
_INSIDE = ("sign", "bollard", "bin", "tripod", "tape", "board", "column", "flat", "planter", "pushchair", "trolley",
           "suitcase", "bench", "table", "chair", "stall", "crates", "machine", "shelf", "coats", "rail", "dummy", "cone")  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A place to be drawn; the ground is look 0 of the mesh."""

    mesh: Mesh
    rig: Rig
    camera: CameraModel
    inside: bool


def draw_camera(rng: Rng) -> CameraModel:
    """A pinhole 1.6 to 25 m above the ground that looks level to steeply down."""
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    up = float(np.exp(rng.uniform(np.log(1.6), np.log(25.0))))
    focal = float(max(width, height) * np.exp(rng.uniform(np.log(0.6), np.log(3.0))))
    half = np.arctan(0.5 * height / focal)
    flat = rng.uniform(-2.0, 14.0) if up < 3 else rng.uniform(8.0, 50.0)
    pitch = np.radians(np.clip(flat + (rng.uniform(0, 30) if rng.random() < 0.3 else 0.0), -2.0, 75.0))
    pitch = max(float(pitch), 0.15 * half - 0.03)
    roll = np.radians(rng.normal(0.0, 1.2))
    yaw = rng.uniform(-np.pi, np.pi)
    ahead = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(ahead, right)
    c, s = np.cos(roll), np.sin(roll)
    R = np.stack([c * right + s * down, c * down - s * right, ahead])
    shift = rng.normal(0.0, 0.01, 2) * width
    K = np.array(
        [[focal, 0, 0.5 * (width - 1) + shift[0]], [0, focal, 0.5 * (height - 1) + shift[1]], [0, 0, 1]]
    )
    return CameraModel(
        K=K, R_cam_world=R, t_cam_world_m=-R @ np.array([0.0, 0.0, up]), size_px=(width, height)
    )


def looked_at(camera: CameraModel, pixels: Float[Array, "N 2"]) -> tuple[Float[Array, "N 2"], Array]:
    """Ground points under pixels, and which pixels show ground within FAR_M."""
    eye, ways = camera.centre_world_m, camera.rays_world(pixels)
    steps = -eye[2] / np.minimum(ways[:, 2], -1e-9)
    good = (ways[:, 2] < -1e-4) & (steps < FAR_M)
    return eye[:2] + np.where(good, steps, 0.0)[:, None] * ways[:, :2], good


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
    parts += _walls(rng, inside, eye, spots, reach)
    parts += _furniture(rng, inside, camera, spots, reach)
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


def _facade(rng: Rng, storey: float) -> Paint:
    pattern = str(
        rng.choice(
            ["windows", "windows", "windows", "flags", "plain", "upright", "goods", "letters", "blotches"]
        )
    )
    sort = str(rng.choice(["brick", "stone", "grey", "pale", "any", "dark"]))
    size = storey if pattern == "windows" else rng.uniform(0.1, 1.2)
    second = str(rng.choice(["dark", "grey", "any"]))
    return paint(
        rng,
        sort,
        pattern,
        size,
        second,
        aspect=float(rng.uniform(0.4, 2.0)),
        dirt=float(rng.uniform(0.02, 0.15)),
    )


def _wall(rng: Rng, a: Array, b: Array, height: float, eye: Array) -> list[Part | Mesh]:
    """A front from a to b with doors, shutters, signs and a plinth."""
    way = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
    length = float(np.linalg.norm(b - a))
    normal = np.array([-way[1], way[0]])
    normal = normal if normal @ (eye - a) > 0 else -normal

    def panel(look: Paint, start: float, wide: float, low: float, high: float, out: float) -> Part:
        p, q = a + way * start + normal * out, a + way * (start + wide) + normal * out
        corners = np.array([[*p, low], [*q, low], [*q, high], [*p, high]])
        place = np.array([[start, low, 0], [start + wide, low, 0], [start + wide, high, 0], [start, high, 0]])
        return plate(look, corners, place)

    parts: list[Part | Mesh] = [panel(_facade(rng, rng.uniform(2.6, 4.5)), 0.0, length, 0.0, height, 0.0)]
    if rng.random() < 0.6:
        parts.append(panel(_facade(rng, 3.0), 0.0, length, 0.0, rng.uniform(0.3, min(4.0, height)), 0.03))
    dark = [
        paint(
            rng, str(rng.choice(["dark", "any", "grey"])), str(rng.choice(["plain", "stripes", "goods"])), 0.1
        )
        for _ in range(3)
    ]
    for start in np.arange(0.5, length - 2.0, rng.uniform(1.5, 6.0)):
        if rng.random() < 0.5:
            wide, low = rng.uniform(0.6, 2.2), float(rng.choice([0.0, 0.9]))
            parts.append(
                panel(dark[int(rng.integers(3))], start, wide, low, min(height, rng.uniform(1.9, 3.0)), 0.05)
            )
        if rng.random() < 0.2:
            sign = paint(
                rng, "any", str(rng.choice(["letters", "figures", "plain"])), rng.uniform(0.2, 0.8), "any"
            )
            parts.append(panel(sign, start, rng.uniform(0.5, 3.0), 1.2, rng.uniform(1.6, 3.5), 0.07))
    return parts


def _walls(rng: Rng, inside: bool, eye: Array, spots: Float[Array, "N 2"], reach: float) -> list[Part | Mesh]:
    """Fronts across the far part of the view, pillars in halls, long boxes as escalators and counters."""
    parts: list[Part | Mesh] = []
    centre = spots.mean(axis=0)
    off = (centre - eye) / max(float(np.linalg.norm(centre - eye)), 1e-6)
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.75 else 0):
        middle = eye + off * reach * rng.uniform(1.2, 3.0)
        angle = np.arctan2(off[1], off[0]) + np.pi / 2 + rng.normal(0, 0.5)
        way = np.array([np.cos(angle), np.sin(angle)])
        a, b = middle - way * rng.uniform(0.3, 2.5) * reach, middle + way * rng.uniform(0.3, 2.5) * reach
        parts += _wall(rng, a, b, rng.uniform(2.5, 14.0), eye)
    for _ in range(int(rng.integers(0, 4))):
        size = np.array([rng.uniform(1, 12), rng.uniform(0.2, 2.5), rng.uniform(0.15, 1.3)])
        at = spots[int(rng.integers(len(spots)))]
        parts.append(box(_facade(rng, 0.4), size, (*at, size[2] / 2), rng.uniform(0, np.pi)))
    if inside and rng.random() < 0.5:
        look, r, tall = (
            paint(rng, str(rng.choice(["stone", "pale", "grey", "dark"])), gloss=0.3),
            rng.uniform(0.15, 0.5),
            rng.uniform(3, 6),
        )
        step, angle = rng.uniform(3, 8), rng.uniform(0, 3)
        way = np.array([np.cos(angle), np.sin(angle)])
        for k in range(-4, 5):
            at = centre + k * step * way
            if np.linalg.norm(at - eye) > 3.0:
                parts.append(lathe(look, [(1.2 * r, 0), (r, 0.1), (r, tall)], (*at, 0.0)))
    return parts


def _furniture(
    rng: Rng, inside: bool, camera: CameraModel, spots: Float[Array, "N 2"], reach: float
) -> list[Part | Mesh]:
    """Some kinds of things, each once, in a row or scattered; nothing right in front of the lens."""
    eye = camera.centre_world_m
    parts: list[Part | Mesh] = []
    kinds = _INSIDE if inside else _OUTSIDE
    for _ in range(int(rng.integers(0, 11))):
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
