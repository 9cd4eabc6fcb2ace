"""Light on a figure: how open each corner is to the sky in this pose, sun with the body's own shade, lamps in halls.

    open(v)   share of N rays, cosine-weighted about the normal, that leave the body within reach
    L         albedo (E_sky(n) open + E_sun max(0, n . s) free(s))             (`virtualcrowd.render.light`)

Openness belongs to a pose and is paid for once; the sun is another one in every view.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..virtualcrowd.render.light import Light
from ..virtualcrowd.render.tracer import Tracer

Array = np.ndarray

_RAYS = 10
_REACH_M = 0.6
_OFF_M = 0.006
"""Rays start this far off the skin."""
_LEAST_SUN = 0.05
"""A sun weaker than this throws no shade."""


def openness(
    tracer: Tracer, points_m: Float[Array, "M 3"], normals: Float[Array, "M 3"], rng: np.random.Generator
) -> Float[Array, "M"]:
    """Share of the hemisphere over each corner that the figure leaves free; float32, noisy by one over root N."""
    ways = rng.standard_normal((_RAYS, 1, 3), dtype=np.float32)
    ways /= np.linalg.norm(ways, axis=-1, keepdims=True)
    # the same few ways for all corners, evenly about the sphere: what noise is left varies slowly over the skin
    ways = normals + 0.98 * ways
    ways /= np.maximum(np.linalg.norm(ways, axis=-1, keepdims=True), 1e-6)
    starts = np.broadcast_to(points_m + _OFF_M * normals, ways.shape)
    free = tracer.free(starts.reshape(-1, 3), ways.reshape(-1, 3), _REACH_M)
    return np.asarray(free.reshape(_RAYS, -1).mean(axis=0, dtype=np.float32))


def vertex_colours(
    tracer: Tracer, points_m: Float[Array, "M 3"], normals: Float[Array, "M 3"], albedo: Float[Array, "M 3"],
    open_share: Float[Array, "M"], light: Light,
) -> Float[Array, "M 3"]:  # fmt: skip
    """Display values 0..255 of the corners, float32."""
    linear = albedo * (light.ambient(normals[:, 2]).astype(np.float32) * open_share[:, None])
    if float(light.sun.max()) > _LEAST_SUN:
        to_sun = light.to_sun.astype(np.float32)
        facing = np.maximum(normals @ to_sun, 0.0)
        lit = np.flatnonzero(facing > 0)
        starts = points_m[lit] + _OFF_M * normals[lit]
        facing[lit] *= tracer.free(starts, np.broadcast_to(to_sun, starts.shape), 10.0)
        linear += albedo * (facing[:, None] * light.sun.astype(np.float32))
    return light.develop(linear).astype(np.float32)


def draw_light(rng: np.random.Generator) -> Light:
    """Sun, haze, overcast sky or lamps in a hall."""
    kind = ("sun", "haze", "overcast", "hall")[int(rng.choice(4, p=[0.35, 0.2, 0.25, 0.2]))]
    low, high = {"sun": (12, 70), "haze": (15, 60), "overcast": (85, 86), "hall": (60, 88)}[kind]
    height, turn = np.radians(rng.uniform(low, high)), rng.uniform(-np.pi, np.pi)
    to_sun = np.array([np.cos(height) * np.cos(turn), np.cos(height) * np.sin(turn), np.sin(height)])
    sun = {"sun": (1.6, 3.2), "haze": (0.5, 1.5), "overcast": (0.0, 0.0), "hall": (0.0, 1.2)}[kind]
    sky = {"sun": (0.4, 0.9), "haze": (0.8, 1.4), "overcast": (1.2, 2.0), "hall": (0.7, 1.5)}[kind]
    bounce = rng.uniform(0.45, 0.9) if kind == "hall" else rng.uniform(0.2, 0.5)
    warm = rng.normal(0.0, 0.08)
    tint = np.array([1.0 - warm, 1.0, 1.0 + warm])
    blue = np.ones(3) if kind == "hall" else np.array([1.12, 1.0, 0.92])
    gain = np.exp(rng.normal(0.0, 0.25)) * (1.0 + rng.normal(0.0, 0.02, 3))
    bright = rng.uniform(*sky)
    return Light(
        to_sun=to_sun, sun=rng.uniform(*sun) * tint, sky=bright * tint * blue, bounce=bounce * bright * tint,
        gain=gain,
    )  # fmt: skip
