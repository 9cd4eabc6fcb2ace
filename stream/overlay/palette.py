"""Colours that tell people apart and stay with them.

Hues of consecutive ids are a golden angle apart, so that any run of ids is well spread; ids whose hues fall together
(8, 13, 21 apart: Fibonacci numbers) differ in lightness, which also those tell apart who cannot see hues. Lightness,
chroma and hue are those of Oklab (Ottosson 2020), where equal steps look equal.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from .config import Colouring

Array = np.ndarray

GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))
FIRST_HUE = 0.62
"""Radians: id 0 is a warm red."""
LIGHTNESS = (0.74, 0.86, 0.64, 0.80, 0.69)
"""Five, so that 8, 13 and 21 ids on it is another one."""
CHROMA = 0.155

TIER_BGR = {"ground": (70, 166, 242), "window": (255, 172, 84), "refined": (138, 208, 96)}
"""Amber: a place only; blue: a solved window; green: refined."""


def track_bgr(person_ids: Int[Array, "N"]) -> Float[Array, "N 3"]:
    """Blue, green, red of people, 0..255; depends on the id alone."""
    ids = np.asarray(person_ids, np.int64)
    lightness = np.array(LIGHTNESS)[ids % len(LIGHTNESS)]
    # hue in whole turns first: the product stays exact for large ids
    hue = FIRST_HUE + 2.0 * np.pi * np.mod(ids * (GOLDEN_ANGLE / (2.0 * np.pi)), 1.0)
    return oklch_to_bgr(lightness, np.full(len(ids), CHROMA), hue)


def body_bgr(colouring: Colouring, person_ids: Int[Array, "N"], rev: Int[Array, "N"]) -> Float[Array, "N 3"]:
    """Colours of bodies; a revision above 0 is refined, -1 stands for people without a body."""
    if colouring is Colouring.TRACK:
        return track_bgr(person_ids)
    tiers = np.array([TIER_BGR["ground"], TIER_BGR["window"], TIER_BGR["refined"]], np.float32)
    return np.asarray(tiers[np.clip(np.asarray(rev) + 1, 0, 2)])


def oklch_to_bgr(
    lightness: Float[Array, "N"], chroma: Float[Array, "N"], hue: Float[Array, "N"]
) -> Float[Array, "N 3"]:
    """Oklab in polar form to sRGB, 0..255; colours outside of the gamut lose chroma, not hue."""
    for _ in range(12):
        linear = _linear_rgb(lightness, chroma, hue)
        outside = ((linear < 0.0) | (linear > 1.0)).any(axis=1)
        if not outside.any():
            break
        chroma = np.where(outside, 0.92 * chroma, chroma)
    linear = np.clip(_linear_rgb(lightness, chroma, hue), 0.0, 1.0)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.ascontiguousarray(255.0 * srgb[:, ::-1]).astype(np.float32)


def _linear_rgb(
    lightness: Float[Array, "N"], chroma: Float[Array, "N"], hue: Float[Array, "N"]
) -> Float[Array, "N 3"]:
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    lms = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ],
        axis=1,
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    return np.asarray(lms**3 @ to_rgb.T)
