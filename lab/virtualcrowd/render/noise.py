"""Seeded noise over the plane, for textures: the same place gives the same value in every frame and view."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

Array = np.ndarray


def lattice(i: Int[Array, "*batch"], j: Int[Array, "*batch"], seed: int) -> Float[Array, "*batch"]:
    """One uniform number in [0, 1) per cell (integer hash, Wang's constants)."""
    h = (i.astype(np.uint32) * np.uint32(0x8DA6B343)) ^ (j.astype(np.uint32) * np.uint32(0xD8163841))
    h = h ^ np.uint32((seed * 0xCB1AB31F) & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    return ((h ^ (h >> np.uint32(16))) >> np.uint32(8)).astype(np.float32) * np.float32(1 / (1 << 24))


def smooth_noise(x: Float[Array, "*batch"], y: Float[Array, "*batch"], seed: int) -> Float[Array, "*batch"]:
    """Value noise of cell size 1, range 0..1."""
    i, j = np.floor(x), np.floor(y)
    fx, fy = (x - i).astype(np.float32), (y - j).astype(np.float32)
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    i, j = i.astype(np.int64), j.astype(np.int64)
    low = lattice(i, j, seed) * (1 - fx) + lattice(i + 1, j, seed) * fx
    high = lattice(i, j + 1, seed) * (1 - fx) + lattice(i + 1, j + 1, seed) * fx
    return np.asarray(low * (1 - fy) + high * fy)


def cloud(
    x: Float[Array, "*batch"], y: Float[Array, "*batch"], size: float, octaves: int, seed: int,
    grain: Float[Array, "*batch"] | float = 0.0,
) -> Float[Array, "*batch"]:  # fmt: skip
    """Sum of halving scales, about -0.5..0.5.

    Args:
        x, y: metres.
        size: of the largest scale, metres.
        octaves: scales.
        seed: which cloud.
        grain: footprint of a sample, metres: scales finer than it are left out, for they would only flicker.
    """
    total, weight = np.zeros(np.shape(x), np.float32), 1.0
    for octave in range(octaves):
        scale = size / 2**octave
        seen = np.clip(1.5 - np.asarray(grain) / scale, 0.0, 1.0)
        layer = smooth_noise(x / scale, y / scale, seed * 31 + octave) - 0.5
        total += (weight * seen * layer).astype(np.float32)
        weight *= 0.5
    return total
