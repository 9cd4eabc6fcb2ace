"""Noise looked up in tables: a whole picture's worth of values in milliseconds.

Four tileable fields of 512 x 512 are made once from a fixed seed, with spectra 1/f^a: grain, clouds, hills, blobs. A
look picks a table, a size, a turn and an offset, so no two surfaces show the same piece. Sampling is OpenCV's
bilinear remap; detail finer than a sample's footprint fades out.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from jaxtyping import Float

Array = np.ndarray

TABLE = 512
_ROW = 512
SPECTRA = (0.4, 1.0, 1.6, 2.4)
"""Exponents of the amplitude over frequency, rough to smooth."""


@cache
def _tables() -> Float[Array, "S 512 512"]:
    """Each with mean 0 and standard deviation 1."""
    rng = np.random.default_rng(0x7AB1E)
    f = np.hypot(np.fft.fftfreq(TABLE)[:, None], np.fft.rfftfreq(TABLE)[None]) * TABLE
    f[0, 0] = 1.0
    out = []
    for power in SPECTRA:
        white = np.fft.rfft2(rng.standard_normal((TABLE, TABLE)))
        white[0, 0] = 0.0
        field = np.fft.irfft2(white / f**power, (TABLE, TABLE))
        out.append(field / field.std())
    return np.stack(out).astype(np.float32)


def noise(
    x: Float[Array, "M"], y: Float[Array, "M"], size_m: float, spectrum: int, seed: int,
    grain_m: Float[Array, "M"] | float = 0.0,
) -> Float[Array, "M"]:  # fmt: skip
    """Values of mean 0 and deviation about 1.

    Args:
        x, y: metres.
        size_m: what sixteen cells of the table span; the field repeats after 32 times this.
        spectrum: row of SPECTRA.
        seed: turn and offset.
        grain_m: footprint of a sample.
    """
    rng = np.random.default_rng([seed & 0xFFFFFFFF, spectrum])
    turn, (ox, oy) = rng.uniform(0, 2 * np.pi), rng.uniform(0, TABLE, 2)
    per_m = 16.0 / size_m
    c, s = np.float32(per_m * np.cos(turn)), np.float32(per_m * np.sin(turn))
    mx = _wrapped(c * x - s * y + np.float32(ox))
    my = _wrapped(s * x + c * y + np.float32(oy))
    value = _sample(_tables()[spectrum % len(SPECTRA)], mx, my)
    if np.ndim(grain_m) or float(np.max(grain_m)) > 0:  # a cell that is smaller than a sample only flickers
        value *= np.clip(1.4 - np.asarray(grain_m, np.float32) * np.float32(per_m / 4), 0.0, 1.0)
    return value


def _wrapped(cells: Float[Array, "M"]) -> Float[Array, "M"]:
    """Modulo the table's side; several times faster than the remainder."""
    out = cells.astype(np.float32)
    out -= np.floor(out * np.float32(1 / TABLE)) * np.float32(TABLE)
    return out


def _sample(table: Array, mx: Float[Array, "M"], my: Float[Array, "M"]) -> Float[Array, "M"]:
    """Bilinear, wrapping; in rows, because OpenCV bounds an image's sides."""
    count = len(mx)
    if count == 0:  # OpenCV refuses an empty map
        return mx
    rows = -(-count // _ROW)
    gx, gy = np.zeros((2, rows * _ROW), np.float32)
    gx[:count], gy[:count] = mx, my
    out = cv2.remap(
        table, gx.reshape(rows, _ROW), gy.reshape(rows, _ROW), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    return np.asarray(out.reshape(-1)[:count])
