"""The template mesh: surface nets of the mean body, remeshed with fine hands, face and feet, mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from .anatomy import SOLE_Y_M, body_distance
from .remesh import remesh_half
from .surface_nets import half_surface

Array = np.ndarray

CELL_M = 0.008
COARSE_M = 0.0245
"""Edges of trunk and limbs."""


@dataclass(frozen=True)
class Template:
    """A mirror-symmetric closed mesh."""

    vertices: Float[Array, "V 3"]
    faces: Int[Array, "F 3"]
    mirror: Int[Array, "V"]
    """The vertex at (-x, y, z) of each vertex; itself on the mirror plane."""


def wanted_edge_m(points: Float[Array, "N 3"]) -> Float[Array, "N"]:
    """Edge length by place: short where shape is fine, growing steadily away from there."""
    x, y, _ = points.T

    def near(distance: Array, fine: float, growth: float = 0.25) -> Array:
        length: Array = fine + growth * np.maximum(distance, 0.0)
        return length

    face = np.linalg.norm(points - (0.0, 0.605, 0.100), axis=1) - 0.062
    ear = np.linalg.norm(points - (0.076, 0.638, -0.012), axis=1) - 0.03
    wanted: Array = np.minimum.reduce(
        [
            np.full(len(points), COARSE_M),
            near(face, 0.0085, 0.12),
            near(ear, 0.0085, 0.2),
            near(0.535 - y, 0.0165),
            near(0.755 - x, 0.0088, 0.12),
            near(y - (SOLE_Y_M + 0.05), 0.0135, 0.12),
        ]
    )
    return wanted


def make_template() -> Template:
    """The mean body's mesh; the same on every run."""
    vertices, faces = half_surface(body_distance, (0.0, -0.97, -0.20), (0.90, 0.80, 0.20), CELL_M)
    vertices, faces = remesh_half(vertices, faces, body_distance, wanted_edge_m)
    flat = vertices[:, 1] < SOLE_Y_M + 0.0015
    vertices[flat, 1] = SOLE_Y_M
    return mirrored(vertices, faces)


def mirrored(vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"]) -> Template:
    """Weld a half mesh (x >= 0) and its mirror image along x = 0."""
    count = len(vertices)
    free = np.flatnonzero(vertices[:, 0] != 0.0)
    other = np.arange(count)
    other[free] = count + np.arange(len(free))
    both = np.concatenate([vertices, vertices[free] * (-1.0, 1.0, 1.0)])
    mirror = np.concatenate([other, free])
    return Template(both, np.concatenate([faces, other[faces[:, ::-1]]]), mirror)
