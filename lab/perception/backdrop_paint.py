"""Pictures of nothing: gradients, noise, polygons, ellipses and lines, with a camera made up for them."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ...kernels.camera import CameraModel
from .backdrop_camera import draw_camera
from .things_noise import noise

Array = np.ndarray
Rng = np.random.Generator


def draw_abstract(rng: Rng) -> tuple[UInt8[Array, "H W 3"], CameraModel]:
    """A picture with no place in it, and a camera as any."""
    camera = draw_camera(rng)
    width, height = camera.size_px
    x, y = (axis.reshape(-1).astype(np.float32) for axis in np.meshgrid(np.arange(width), np.arange(height)))
    picture = np.empty((height * width, 3), np.float32)
    way = rng.normal(size=2)
    ramp = ((x * way[0] + y * way[1]) / width).astype(np.float32)
    a, b = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    grey = rng.random() < 0.3
    picture[:] = a + (b - a) * np.clip(ramp, -0.5, 1.5)[:, None] * rng.uniform(0, 1)
    for _ in range(int(rng.integers(1, 4))):
        field = noise(
            x,
            y,
            float(np.exp(rng.uniform(np.log(20), np.log(900)))),
            int(rng.integers(4)),
            int(rng.integers(1 << 20)),
        )
        picture += field[:, None] * rng.normal(0, 22, 3)
    canvas = np.ascontiguousarray(np.clip(picture, 0, 255).astype(np.uint8).reshape(height, width, 3))
    for _ in range(int(rng.integers(5, 120))):
        _shape(rng, canvas)
    if grey:
        canvas[:] = canvas.mean(axis=2, keepdims=True).astype(np.uint8)
    return cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.3, 1.2))), camera


def _shape(rng: Rng, canvas: UInt8[Array, "H W 3"]) -> None:
    """One filled polygon, bar, ellipse or line."""
    height, width = canvas.shape[:2]
    colour = tuple(float(c) for c in rng.uniform(0, 255, 3) * rng.uniform(0.1, 1.0))
    size = float(np.exp(rng.uniform(np.log(6), np.log(180))))
    x, y = (int(v) for v in rng.uniform((0, 0), (width, height)))
    style = int(rng.integers(4))
    if style == 0:
        corners = (np.array([x, y]) + rng.normal(0, 0.5 * size, (int(rng.integers(3, 7)), 2))).astype(
            np.int32
        )
        cv2.fillPoly(canvas, [corners], colour, cv2.LINE_AA)
    elif style == 1:
        cv2.rectangle(canvas, (x, y), (x + int(size * rng.uniform(0.05, 0.5)), y + int(size)), colour, -1)
    elif style == 2:
        axes = (max(1, int(size * rng.uniform(0.1, 0.6))), max(1, int(0.6 * size)))
        cv2.ellipse(
            canvas,
            (x, y),
            axes,
            float(rng.uniform(-30, 30)),
            0,
            360,
            colour,
            int(rng.choice([-1, -1, 2])),
            cv2.LINE_AA,
        )
    else:
        end = (int(x + rng.normal(0, 2 * size)), int(y + rng.normal(0, 2 * size)))
        cv2.line(canvas, (x, y), end, colour, int(rng.integers(1, 7)), cv2.LINE_AA)


def below_horizon(camera: CameraModel, reach_m: float) -> UInt8[Array, "H W"]:
    """255 where a pixel's ray meets the ground within a reach."""
    width, height = camera.size_px
    gx, gy = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    ways: Float[Array, "H W 3"] = camera.rays_world(np.stack([gx, gy], -1))
    steps = camera.centre_world_m[2] / np.maximum(-ways[..., 2], 1e-9)
    return np.where((ways[..., 2] < 0) & (steps < reach_m), 255, 0).astype(np.uint8)
