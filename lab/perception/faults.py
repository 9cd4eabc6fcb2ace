"""What a camera, its encoder and the network in between do to a picture, with random strengths.

In the order of a real chain: haze and light fall-off before the lens, blur by lens and motion, the sensor's
sampling and noise, then the camera's tone and sharpening, then compression, perhaps twice.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8

from ...kernels.fused.sensor_noise import add_noise
from .scene_config import SceneConfig

Array = np.ndarray

_NOISE_SIZE = 1 << 18
_RAMP = np.arange(256, dtype=np.float32)


class CameraFaults:
    """Spoils pictures. Noise is cut from a table of normal numbers, which is far cheaper than drawing it."""

    def __init__(self, config: SceneConfig) -> None:
        self._config = config
        self._normal = np.random.default_rng(20_09).standard_normal(_NOISE_SIZE).astype(np.float32)

    def __call__(
        self, bgr: UInt8[Array, "H W 3"], rng: np.random.Generator, height_px: float
    ) -> UInt8[Array, "H W 3"]:
        """The picture as it arrives; same size. The given one may be changed.

        Args:
            height_px: of the people that matter: what would wipe out small ones stays milder.
        """
        much = 0.25 if rng.random() < self._config.clean_share else 1.0
        grey = rng.random() < self._config.grey_share
        bgr = before_sensor(bgr, much, rng, height_px)
        if rng.random() < 0.5 * much:
            bgr = self.noisy(bgr, rng, height_px)
        bgr = tone(bgr, much, rng)
        if grey:
            bgr = cv2.cvtColor(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        elif rng.random() < 0.5 * much:
            bgr = saturation(bgr, float(np.exp(rng.normal(0.0, 0.3))))
        if rng.random() < 0.4 * much:
            bgr = sharpened(bgr, rng.uniform(0.6, 1.7), rng.uniform(0.4, 2.5))
        if rng.random() < 0.02 * much:
            bgr = interlaced(bgr, int(rng.integers(1, 4)))
        return compressed(bgr, much, rng, height_px)

    def noisy(
        self, bgr: UInt8[Array, "H W 3"], rng: np.random.Generator, height_px: float
    ) -> UInt8[Array, "H W 3"]:
        """Read noise plus shot noise; coloured, or the same in all channels; at times in clumps of pixels."""
        most = float(np.interp(height_px, [20.0, 60.0], [4.0, 10.0]))
        read = float(np.exp(rng.uniform(0.0, np.log(most))))
        sigma = np.sqrt(np.float32(read**2) + np.float32(rng.uniform(0.0, 0.6)) * _RAMP)
        step = 2 if rng.random() < 0.35 else 1
        coloured = bool(rng.random() < 0.5)
        out = np.ascontiguousarray(bgr)
        add_noise(out, self._normal, int(rng.integers(_NOISE_SIZE)), step, coloured, sigma)
        return out


def before_sensor(
    bgr: UInt8[Array, "H W 3"], much: float, rng: np.random.Generator, height_px: float
) -> UInt8[Array, "H W 3"]:
    """What happens to the light, and to the resolution."""
    sharp = min(1.4, 0.03 * height_px)  # standard deviation of a blur that leaves limbs
    if rng.random() < 0.10 * much:
        bgr = haze(bgr, rng)
    if rng.random() < 0.2 * much:
        bgr = vignette(bgr, rng.uniform(0.1, 0.6))
    if rng.random() < 0.35 * much:
        bgr = lens_blur(bgr, rng.uniform(0.3, 1.0) * sharp)
    if rng.random() < 0.12 * much:
        bgr = motion_blur(bgr, rng.uniform(1.5, 3.5) * sharp, rng.uniform(0.0, np.pi))
    if rng.random() < 0.25 * much:
        bgr = resampled(bgr, max(rng.uniform(0.4, 0.9), min(0.9, 14.0 / height_px)), int(rng.integers(3)))
    return bgr


def tone(bgr: UInt8[Array, "H W 3"], much: float, rng: np.random.Generator) -> UInt8[Array, "H W 3"]:
    """Gamma, contrast, brightness, white balance and clipping, as one table for each channel."""
    table = np.tile(_RAMP / 255.0, (3, 1))
    if rng.random() < 0.45 * much:
        table = table ** np.float32(np.exp(rng.normal(0.0, 0.3)))
    if rng.random() < 0.3 * much:
        low, high = _stretch(bgr, rng)
        table = (table - low) / (high - low)
    if rng.random() < 0.5 * much:
        table = (table - 0.5) * rng.uniform(0.55, 1.45) + 0.5 + rng.normal(0.0, 0.08)
    if rng.random() < 0.45 * much:
        table = table * np.exp(rng.normal(0.0, 0.08, (3, 1)))
    lut = np.clip(255.0 * table, 0, 255).astype(np.uint8).T[None]
    return np.asarray(cv2.LUT(bgr, np.ascontiguousarray(lut)))


def _stretch(bgr: UInt8[Array, "H W 3"], rng: np.random.Generator) -> tuple[float, float]:
    """Levels that become black and white: exposure set for the dark parts lets bright floors burn out."""
    thumb = cv2.resize(bgr, (24, 24), interpolation=cv2.INTER_AREA).mean(axis=2) / 255.0
    low = float(np.quantile(thumb, rng.uniform(0.0, 0.06)))
    high = float(np.quantile(thumb, rng.uniform(0.55, 1.0)))
    return min(low, 0.4) * rng.uniform(0.3, 1.0), max(high, low + 0.25)


def haze(bgr: UInt8[Array, "H W 3"], rng: np.random.Generator) -> UInt8[Array, "H W 3"]:
    """A veil of one light colour."""
    share = rng.uniform(0.1, 0.5)
    veil = np.clip(rng.uniform(120.0, 235.0) + rng.normal(0.0, 8.0, 3), 0, 255)
    matrix = np.concatenate([np.eye(3) * (1.0 - share), (veil * share)[:, None]], axis=1)
    return np.asarray(cv2.transform(bgr, matrix.astype(np.float32)))


def vignette(bgr: UInt8[Array, "H W 3"], strength: float) -> UInt8[Array, "H W 3"]:
    """Light that falls off with the square of the distance from the centre, by `strength` in the corners."""
    height, width = bgr.shape[:2]
    x = np.linspace(-1.0, 1.0, width, dtype=np.float32) ** 2
    y = np.linspace(-1.0, 1.0, height, dtype=np.float32) ** 2
    light = (255.0 * (1.0 - 0.5 * strength * (x + y[:, None]))).astype(np.uint8)
    return np.asarray(cv2.multiply(bgr, cv2.cvtColor(light, cv2.COLOR_GRAY2BGR), scale=1.0 / 255.0))


def lens_blur(bgr: UInt8[Array, "H W 3"], sigma_px: float) -> UInt8[Array, "H W 3"]:
    """Out of focus, or a cheap lens."""
    side = 2 * int(np.ceil(2.2 * sigma_px)) + 1
    return np.asarray(cv2.GaussianBlur(bgr, (side, side), sigma_px))


def motion_blur(bgr: UInt8[Array, "H W 3"], length_px: float, angle_rad: float) -> UInt8[Array, "H W 3"]:
    """The camera moved while the shutter was open."""
    side = 2 * int(np.ceil(0.5 * length_px)) + 1
    kernel = np.zeros((side, side), np.float32)
    middle = side // 2
    reach = 0.5 * length_px * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    for part in np.linspace(-1.0, 1.0, 2 * side):
        x, y = np.rint(middle + part * reach).astype(int).clip(0, side - 1)
        kernel[y, x] += 1.0
    return np.asarray(cv2.filter2D(bgr, -1, kernel / kernel.sum()))


def resampled(bgr: UInt8[Array, "H W 3"], share: float, how: int) -> UInt8[Array, "H W 3"]:
    """Shrunk to `share` and enlarged again, by one of three interpolations."""
    height, width = bgr.shape[:2]
    size = (max(2, round(width * share)), max(2, round(height * share)))
    ways = (cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_NEAREST)
    small = cv2.resize(bgr, size, interpolation=ways[how])
    return np.asarray(
        cv2.resize(small, (width, height), interpolation=(cv2.INTER_LINEAR, cv2.INTER_CUBIC)[how & 1])
    )


def saturation(bgr: UInt8[Array, "H W 3"], gain: float) -> UInt8[Array, "H W 3"]:
    """Colours `gain` times as far from grey (Rec. 601 weights)."""
    grey = np.array([0.114, 0.587, 0.299])
    matrix = gain * np.eye(3) + (1.0 - gain) * np.tile(grey, (3, 1))
    return np.asarray(cv2.transform(bgr, matrix.astype(np.float32)))


def sharpened(bgr: UInt8[Array, "H W 3"], sigma_px: float, amount: float) -> UInt8[Array, "H W 3"]:
    """Unsharp mask: edges get the halos of cheap cameras."""
    return np.asarray(cv2.addWeighted(bgr, 1.0 + amount, lens_blur(bgr, sigma_px), -amount, 0.0))


def interlaced(bgr: UInt8[Array, "H W 3"], shift_px: int) -> UInt8[Array, "H W 3"]:
    """Every other line is from a moment later."""
    out = bgr.copy()
    out[1::2, shift_px:] = bgr[1::2, :-shift_px]
    return out


def compressed(
    bgr: UInt8[Array, "H W 3"], much: float, rng: np.random.Generator, height_px: float
) -> UInt8[Array, "H W 3"]:
    """JPEG, at times twice, the second time over a shifted grid, as of a recording that was coded again."""
    draw = rng.random()
    if draw > 0.7 * much:
        return bgr
    worst = float(np.interp(height_px, [20.0, 60.0], [35.0, 15.0]))
    quality = 95.0 - (95.0 - worst) * rng.random() ** 1.3
    if draw < 0.12 * much:
        dx, dy = (int(n) for n in rng.integers(0, 8, 2))
        padded = cv2.copyMakeBorder(bgr, dy, 0, dx, 0, cv2.BORDER_REPLICATE)
        bgr = _jpeg(padded, min(95.0, quality + 15.0))[dy:, dx:]
    return _jpeg(bgr, quality)


def _jpeg(bgr: UInt8[Array, "H W 3"], quality: float) -> UInt8[Array, "H W 3"]:
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
