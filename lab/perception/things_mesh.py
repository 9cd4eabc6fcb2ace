"""Shapes that things are put together from: boxes, lofts, tubes, balls, plates; triangles with smooth normals.

Metres; a thing stands on z = 0 with its middle over the origin. A part has one look; `put_together` joins parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

Array = np.ndarray
Point = Sequence[float] | np.ndarray
"""x, y, z in metres, in whatever form it was written."""
Line = Sequence[Point] | np.ndarray


class Look(Protocol):
    """What a surface is painted with."""

    @property
    def gloss(self) -> float:
        """Strength of the highlight."""

    @property
    def glow(self) -> float:
        """Light it gives by itself, in albedos."""

    def albedo(self, place_m: Float[Array, "M 3"], grain_m: Float[Array, "M"]) -> Float[Array, "M 3"]:
        """Linear BGR at places of the surface's own frame."""


@dataclass(frozen=True)
class Part:
    """A shape with its look."""

    vertices_m: Float[Array, "V 3"]
    faces: Int[Array, "F 3"]
    normals: Float[Array, "V 3"]
    """Unit; the sign does not matter, both sides are seen."""
    look: Look
    place_m: Float[Array, "V 3"] | None = None
    """Where the look is asked; the vertices themselves where left out."""


@dataclass(frozen=True)
class Mesh:
    """A whole thing, or a whole place."""

    vertices_m: Float[Array, "V 3"]
    faces: Int[Array, "F 3"]
    normals: Float[Array, "V 3"]
    place_m: Float[Array, "V 3"]
    look: Int[Array, "F"]
    """Row of `looks`."""
    looks: tuple[Look, ...]

    def moved(self, yaw_rad: float, offset_m: Point, scale: float = 1.0) -> Mesh:
        """Turned about the vertical, scaled and put somewhere; the looks travel along."""
        R = _yaw(yaw_rad)
        return replace(
            self,
            vertices_m=(scale * self.vertices_m @ R.T + np.asarray(offset_m)).astype(np.float32),
            normals=(self.normals @ R.T).astype(np.float32),
        )


def put_together(parts: Sequence[Part | Mesh]) -> Mesh:
    """One mesh of parts and meshes."""
    looks: list[Look] = []
    rows, starts, start = [], [], 0
    for part in parts:
        own = part.looks if isinstance(part, Mesh) else (part.look,)
        row = part.look if isinstance(part, Mesh) else np.zeros(len(part.faces), np.int64)
        rows.append(np.asarray(row) + len(looks))
        looks += own
        starts.append(start)
        start += len(part.vertices_m)
    places = [part.vertices_m if part.place_m is None else part.place_m for part in parts]
    return Mesh(
        np.concatenate([part.vertices_m for part in parts]).astype(np.float32),
        np.concatenate([part.faces + first for part, first in zip(parts, starts, strict=True)]).astype(
            np.int32
        ),
        np.concatenate([part.normals for part in parts]).astype(np.float32),
        np.concatenate(places).astype(np.float32), np.concatenate(rows), tuple(looks),
    )  # fmt: skip


def _yaw(angle: float) -> Float[Array, "3 3"]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def turned(part: Part, R: Float[Array, "3 3"], offset_m: Point = (0.0, 0.0, 0.0)) -> Part:
    """Turned about the origin, then put somewhere; its look stays as it was before."""
    place = part.vertices_m if part.place_m is None else part.place_m
    return replace(
        part,
        vertices_m=part.vertices_m @ R.T + np.asarray(offset_m),
        normals=part.normals @ R.T,
        place_m=place,
    )


def tilt(x_rad: float = 0.0, y_rad: float = 0.0, z_rad: float = 0.0) -> Float[Array, "3 3"]:
    """Turns about x, then y, then z."""
    cx, sx, cy, sy = np.cos(x_rad), np.sin(x_rad), np.cos(y_rad), np.sin(y_rad)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return np.asarray(_yaw(z_rad) @ about_y @ about_x)


def box(look: Look, size: Point, centre: Point, yaw: float = 0.0) -> Part:
    """A box with sharp edges."""
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    vertices: list[Array] = []
    normals: list[Array] = []
    faces: list[Array] = []
    for axis in range(3):
        for side in (-1.0, 1.0):
            corner = np.zeros((4, 3))
            corner[:, [a for a in range(3) if a != axis]] = signs
            corner[:, axis] = side
            faces.append(np.array([[0, 1, 2], [0, 2, 3]]) + 4 * len(vertices))
            vertices.append(corner)
            normals.append(np.tile(np.eye(3)[axis] * side, (4, 1)))
    R = _yaw(yaw)
    flat = np.concatenate(vertices) * np.asarray(size) / 2
    place = flat + np.asarray(centre)
    return Part(
        flat @ R.T + np.asarray(centre), np.concatenate(faces), np.concatenate(normals) @ R.T, look, place
    )


def plate(look: Look, corners: Line, place_m: Float[Array, "4 3"] | None = None) -> Part:
    """A flat quadrilateral; places run along its first and last side unless given."""
    corners = np.array(corners, float)
    a, b = corners[1] - corners[0], corners[3] - corners[0]
    normal = np.cross(a, b)
    normal /= max(float(np.linalg.norm(normal)), 1e-12)
    if place_m is None:
        la, lb = np.linalg.norm(a), np.linalg.norm(b)
        place_m = np.array([[0, 0, 0], [la, 0, 0], [la, lb, 0], [0, lb, 0]])
    return Part(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.tile(normal, (4, 1)), look, place_m)


def loft(look: Look, rings: Float[Array, "K P 3"], ends: bool = True) -> Part:
    """A skin over closed rings of equally many points, closed at both ends."""
    rings = np.asarray(rings, float)
    count, points = rings.shape[:2]
    vertices = rings.reshape(-1, 3)
    k, p = np.meshgrid(np.arange(count - 1), np.arange(points), indexing="ij")
    a, b = k * points + p, k * points + (p + 1) % points
    c, d = b + points, a + points
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    normals = _smooth(vertices, faces)
    if not ends:
        return Part(vertices, faces, normals, look)
    fan = np.stack([np.zeros(points - 2, int), np.arange(1, points - 1), np.arange(2, points)], -1)
    caps, cap_normals, cap_faces = [], [], []
    for number, ring in enumerate((rings[0], rings[-1])):
        flat = np.cross(ring[points // 3] - ring[0], ring[2 * points // 3] - ring[0])
        caps.append(ring)
        cap_normals.append(np.tile(flat / max(float(np.linalg.norm(flat)), 1e-12), (points, 1)))
        cap_faces.append(fan + len(vertices) + number * points)
    return Part(
        np.concatenate([vertices, *caps]), np.concatenate([faces, *cap_faces]),
        np.concatenate([normals, *cap_normals]), look,
    )  # fmt: skip


def _smooth(vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"]) -> Float[Array, "V 3"]:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    flat = np.cross(b - a, c - a)
    out = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(out, faces[:, i], flat)
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12))


def tube(look: Look, path: Line, radii: Sequence[float] | float, sides: int = 8) -> Part:
    """A round bar along a path of K points, of one radius or one for each point."""
    line = np.asarray(path, float)
    radius = np.broadcast_to(np.asarray(radii, float), (len(line),))
    way = np.gradient(line, axis=0)
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    helper = np.eye(3)[int(np.abs(way).sum(axis=0).argmin())]
    u = np.cross(way, helper)
    u /= np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-9)
    v = np.cross(way, u)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[None, :, None] * u[:, None] + np.sin(angle)[None, :, None] * v[:, None]
    return loft(look, line[:, None] + radius[:, None, None] * ring)


def lathe(
    look: Look, profile: Sequence[tuple[float, float]], centre: Point = (0, 0, 0), sides: int = 14
) -> Part:
    """Turned about the vertical: a profile of (radius, height)."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    rz = np.asarray(profile, float)
    rings = np.stack(
        [rz[:, :1] * np.cos(angle), rz[:, :1] * np.sin(angle), np.broadcast_to(rz[:, 1:], (len(rz), sides))],
        -1,
    )
    return loft(look, rings + np.asarray(centre, float))


def ball(
    look: Look, radii: Point, centre: Point, rough: float = 0.0,
    rng: np.random.Generator | None = None, rings: int = 9, sides: int = 12,
) -> Part:  # fmt: skip
    """An ellipsoid, dented by noise where `rough` (share of the radius) is above 0."""
    polar = np.linspace(0.02, np.pi - 0.02, rings)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    z, r = -np.cos(polar)[:, None], np.sin(polar)[:, None]
    unit = np.stack([r * np.cos(angle), r * np.sin(angle), np.broadcast_to(z, (rings, sides))], -1)
    if rough > 0 and rng is not None:
        unit = unit * (1 + rough * rng.normal(size=(rings, sides, 1)).clip(-2, 2))
    return loft(look, unit * np.asarray(radii) + np.asarray(centre), ends=False)


def rounded_ring(
    width: float, low: float, high: float, power: float, points: int = 20
) -> Float[Array, "P 2"]:
    """(across, up) of a super-ellipse: 2 is an ellipse, 8 nearly a box."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    across = 0.5 * width * np.sign(c) * np.abs(c) ** (2 / power)
    up = 0.5 * (low + high) + 0.5 * (high - low) * np.sign(s) * np.abs(s) ** (2 / power)
    return np.stack([across, up], -1)


def leaves(
    look: Look, centres: Float[Array, "N 3"], size: Float[Array, "N"], rng: np.random.Generator
) -> Part:
    """Loose quadrilaterals turned anyhow: foliage."""
    count = len(centres)
    a = rng.normal(size=(count, 3))
    b = np.cross(a, rng.normal(size=(count, 3)))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    a, b = a * size[:, None], 0.6 * b * size[:, None]
    corners = np.stack([centres - a, centres - b, centres + a, centres + b], 1)
    faces = (np.array([[0, 1, 2], [0, 2, 3]]) + 4 * np.arange(count)[:, None, None]).reshape(-1, 3)
    out = centres - centres.mean(axis=0)
    out = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9) + 0.4 * rng.normal(
        size=(count, 3)
    )
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    return Part(corners.reshape(-1, 3), faces, np.repeat(out, 4, axis=0), look)
