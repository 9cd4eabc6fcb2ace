"""Light on a scene and how the camera turns it into bytes.

    L = albedo (E_sky(n) AO + E_sun max(0, n . s) visible)
    byte = 255 (1 - exp(-g w L))^(1/2.2)            [exposure g, white balance w; BGR]

The sky lights from above, the ground throws a little back from below. One draw per seed: time of day, haze,
exposure and white balance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from .config import RenderConfig

Array = np.ndarray

GAMMA = 2.2


@dataclass(frozen=True)
class Light:
    """Sun, sky and exposure; colours are linear BGR."""

    to_sun: Float[Array, "3"]
    """Unit direction in the world."""
    sun: Float[Array, "3"]
    sky: Float[Array, "3"]
    bounce: Float[Array, "3"]
    """Light from below."""
    gain: Float[Array, "3"]
    """Exposure times white balance."""

    @property
    def shear(self) -> Float[Array, "2"]:
        """World x, y that a ray of the sun travels per metre upwards."""
        return np.asarray(self.to_sun[:2] / self.to_sun[2])

    def ambient(self, up: Float[Array, "*batch"]) -> Float[Array, "*batch 3"]:
        """Light of sky and ground on surfaces whose normals have this world z."""
        share = (0.5 + 0.5 * up)[..., None]
        return np.asarray(share * self.sky + (1 - share) * self.bounce)

    def develop(self, linear: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
        """Light to display values 0..255."""
        gain = self.gain.astype(linear.dtype)
        return np.asarray(255.0 * (1.0 - np.exp(-gain * np.maximum(linear, 0.0))) ** np.float32(1 / GAMMA))


def draw_light(style: RenderConfig) -> Light:
    """The light of a seed."""
    rng = np.random.default_rng([style.seed, 0x11])
    elevation = style.sun_elevation_deg if style.sun_elevation_deg is not None else rng.uniform(32.0, 58.0)
    azimuth = style.sun_azimuth_deg if style.sun_azimuth_deg is not None else rng.uniform(-180.0, 180.0)
    e, a = np.radians(elevation), np.radians(azimuth)
    haze = rng.uniform(0.0, 0.45)
    warm = rng.uniform(0.0, 1.0)
    sun = (1.0 - 0.7 * haze) * np.array([0.80 - 0.14 * warm, 0.93 - 0.05 * warm, 1.0]) * 2.9
    sky = (0.62 + 0.9 * haze) * np.array([1.0, 0.90, 0.80 + 0.1 * haze])
    balance = 1.0 + rng.normal(0.0, 0.025, 3)
    gain = (1.0 + 0.2 * haze) * np.exp(rng.normal(0.0, 0.08)) * balance
    to_sun = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    return Light(to_sun=to_sun, sun=sun, sky=sky, bounce=0.28 * sky * np.array([0.8, 0.95, 1.0]), gain=gain)


def linear_bgr(*srgb: int) -> Float[Array, "3"]:
    """Albedo of a display colour given as red, green, blue bytes."""
    return np.asarray((np.array(srgb[::-1], np.float64) / 255.0) ** GAMMA)


def to_bytes(display: Float[Array, "*batch 3"]) -> UInt8[Array, "*batch 3"]:
    """Display values to bytes, rounded."""
    return np.clip(display + 0.5, 0, 255).astype(np.uint8)
