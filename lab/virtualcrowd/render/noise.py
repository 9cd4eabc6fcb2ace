"""Seeded noise over the plane, for textures: the same place gives the same value in every frame and view."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

Array = np.ndarray


def lattice(i: Int[Array, "*batch"], j: Int[Array, "*batch"], seed: int) -> Float[Array, "*batch"]:
    """One uniform number in [0, 1) per cell (integer hash, Wang's constants)."""
    h = (i.astype(np.int32).view(np.uint32) * np.uint32(0x8DA6B343)) ^ (
        j.astype(np.int32).view(np.uint32) * np.uint32(0xD8163841)
    )
    h = h ^ np.uint32((seed * 0xCB1AB31F) & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    top = (h ^ (h >> np.uint32(16))) >> np.uint32(8)
    return np.asarray(top.astype(np.float32) * np.float32(1 / (1 << 24)))


def smooth_noise(x: Float[Array, "*batch"], y: Float[Array, "*batch"], seed: int) -> Float[Array, "*batch"]:
    """Value noise of cell size 1, range 0..1."""
    left, low = np.floor(x), np.floor(y)
    fx, fy = (x - left).astype(np.float32), (y - low).astype(np.float32)
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    i, j = left.astype(np.int32), low.astype(np.int32)
    here, above = lattice(i, j, seed), lattice(i, j + 1, seed)
    here += (lattice(i + 1, j, seed) - here) * fx
    above += (lattice(i + 1, j + 1, seed) - above) * fx
    return np.asarray(here + (above - here) * fy)


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
        seen = np.clip(1.5 - np.asarray(grain) / scale, 0.0, 1.0).astype(np.float32)
        if not seen.any():
            break
        layer = smooth_noise(x / np.float32(scale), y / np.float32(scale), seed * 31 + octave) - np.float32(
            0.5
        )
        total += np.float32(weight) * seen * layer
        weight *= 0.5
    return total
