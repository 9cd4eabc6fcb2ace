"""Rays against triangles, by Embree (the `embreex` wheel).

Why this library: it needs no display, no graphics card, no OpenGL and nothing of the operating system. A wheel
of 15 MB that depends on numpy alone does it all; rays come straight from `CameraModel`, so the picture agrees with
the camera to the last digit, principal point and distortion included, and the same rays give the same numbers on
every run. The alternatives were tried or weighed: VTK 9.7 (and PyVista on top) is 665 MB with what it pulls, still
needs libEGL or OSMesa of the system and warns on stderr without a display; pyrender and moderngl need the same
system libraries; Panda3D's software renderer is 53 MB and smooths no edges; Open3D and Blender weigh hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ....kernels.errors import CrowdstreamError

Array = np.ndarray


class RendererMissingError(CrowdstreamError):
    """The rendering library is not installed."""


@dataclass(frozen=True)
class Hits:
    """What M rays met first."""

    face: Int[Array, "M"]
    """int32 row of the faces; -1 where nothing was met."""
    u: Float[Array, "M"]
    v: Float[Array, "M"]
    """Place within the triangle: (1 - u - v) a + u b + v c."""
    distance: Float[Array, "M"]
    """In lengths of the ray's direction."""


def load_embree() -> tuple[Any, Any]:
    """Embree's scene and mesh classes.

    Raises:
        RendererMissingError: the wheel is not installed.
    """
    try:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene
    except ImportError as error:
        raise RendererMissingError(
            f"rendering needs the embreex library ({error}); install it with: pip install 'crowdstream[render]'"
        ) from error
    return EmbreeScene, TriangleMesh


class Tracer:
    """A frozen heap of triangles that rays can be shot at."""

    def __init__(self, vertices_m: Float[Array, "V 3"], faces: Int[Array, "F 3"]) -> None:
        scene_class, mesh_class = load_embree()
        self._scene = scene_class()
        self._mesh = mesh_class(
            self._scene,
            np.ascontiguousarray(vertices_m, np.float32),
            np.ascontiguousarray(faces, np.int32),
        )

    def shoot(self, origin_m: Float[Array, "3"], directions: Float[Array, "M 3"]) -> Hits:
        """First hits of rays from one point; directions need no unit length."""
        rays = np.ascontiguousarray(directions, np.float32)
        origins = np.empty_like(rays)
        origins[:] = origin_m
        found = self._scene.run(origins, rays, output=True)
        return Hits(face=found["primID"], u=found["u"], v=found["v"], distance=found["tfar"])

    def free(
        self, origins_m: Float[Array, "M 3"], ways: Float[Array, "M 3"], reach_m: float
    ) -> Bool[Array, "M"]:
        """Which rays of unit length meet nothing within a reach."""
        rays = np.ascontiguousarray(ways, np.float32)
        found = self._scene.run(np.ascontiguousarray(origins_m, np.float32), rays, output=True)
        return np.asarray((found["primID"] < 0) | (found["tfar"] > reach_m))
