"""Pictures of a mesh: orthographic z-buffer with smooth shading, to look at what was made.

A triangle at a time over its bounding box in pixels; O(triangles + pixels), no graphics card needed.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, UInt8

Array = np.ndarray

LIGHTS = ((np.array([-0.45, 0.65, 0.62]), 0.75), (np.array([0.8, 0.1, 0.35]), 0.25))
"""Direction towards the light in view axes (x right, y up, z to the viewer), strength."""
SKIN_BGR = np.array([188.0, 199.0, 214.0])
PAPER = 246


def vertex_normals(vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"]) -> Float[Array, "V 3"]:
    """Area-weighted unit normals."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normals = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(normals, faces[:, i], np.cross(b - a, c - a))
    unit: Array = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return unit


def render(
    vertices: Float[Array, "V 3"],
    faces: Int[Array, "F 3"],
    turn_deg: float = 0.0,
    low: tuple[float, float] = (-1.0, -1.0),
    high: tuple[float, float] = (1.0, 1.0),
    height_px: int = 900,
    edges: bool = False,
) -> UInt8[Array, "H W 3"]:
    """A BGR picture of a y-up mesh seen from the front, or turned about y.

    Args:
        vertices: metres.
        faces: outward triangles.
        turn_deg: 0 from the front, 90 from the body's left side, 180 from behind.
        low, high: corners (right, up) of the shown field, metres.
        height_px: rows of the picture.
        edges: draw the triangles' edges.
    """
    angle = np.deg2rad(turn_deg)
    c, s = np.cos(angle), np.sin(angle)
    to_view = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    view = vertices @ to_view.T
    normals = vertex_normals(vertices, faces) @ to_view.T
    shade = 0.25 + sum(
        strength * np.clip(normals @ (way / np.linalg.norm(way)), 0, None) for way, strength in LIGHTS
    )
    scale = height_px / (high[1] - low[1])
    width_px = round((high[0] - low[0]) * scale)
    px = np.stack([(view[:, 0] - low[0]) * scale, (high[1] - view[:, 1]) * scale], axis=1)
    picture = np.full((height_px, width_px, 3), PAPER, np.uint8)
    depth = np.full((height_px, width_px), -np.inf)
    for face in faces:
        _draw(picture, depth, px[face], view[face, 2], shade[face], edges)
    return picture


def _draw(
    picture: UInt8[Array, "H W 3"],
    depth: Float[Array, "H W"],
    px: Float[Array, "3 2"],
    z: Float[Array, "3"],
    shade: Float[Array, "3"],
    edges: bool,
) -> None:
    area = (px[1, 0] - px[0, 0]) * (px[2, 1] - px[0, 1]) - (px[2, 0] - px[0, 0]) * (px[1, 1] - px[0, 1])
    if area >= 0:  # seen from behind (rows grow downwards)
        return
    left, top = np.maximum(np.floor(px.min(0)).astype(int), 0)
    right = min(int(np.ceil(px[:, 0].max())) + 1, picture.shape[1])
    bottom = min(int(np.ceil(px[:, 1].max())) + 1, picture.shape[0])
    if left >= right or top >= bottom:
        return
    x, y = np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)
    share = np.empty((3, *x.shape))
    for i in range(3):
        (xa, ya), (xb, yb) = px[(i + 1) % 3], px[(i + 2) % 3]
        share[i] = ((xb - xa) * (y - ya) - (yb - ya) * (x - xa)) / area
    near = np.tensordot(z, share, 1)
    cell = depth[top:bottom, left:right]
    hit = (share >= -1e-9).all(0) & (near > cell)
    cell[hit] = near[hit]
    light = np.tensordot(shade, share, 1)
    if edges:
        light = np.where(share.min(0) < 0.06, 0.35 * light, light)
    picture[top:bottom, left:right][hit] = np.clip(light[hit][:, None] * SKIN_BGR, 0, 255).astype(np.uint8)
