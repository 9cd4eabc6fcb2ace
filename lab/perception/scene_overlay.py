"""What lies before everything in recordings: bars, leaves, time stamps, logos, blanked patches."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8

from .scene_layer import Layer, overlay_layer

Array = np.ndarray

_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_PLAIN)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/- "


def overlays(size_px: tuple[int, int], rng: np.random.Generator) -> list[Layer]:
    """One to three of them, for a picture of this size."""
    makers = (bar, _leaves, _text, _logo, _blank)
    picks = rng.choice(len(makers), size=int(rng.integers(1, 4)), p=[0.3, 0.25, 0.25, 0.1, 0.1])
    return [makers[pick](size_px, rng) for pick in picks]


def bar(size_px: tuple[int, int], rng: np.random.Generator) -> Layer:
    """A post, rail or wire from border to border."""
    width, height = size_px
    alpha = np.zeros((height, width), np.uint8)
    thick = max(1, round(min(size_px) * float(np.exp(rng.uniform(np.log(0.006), np.log(0.09))))))
    tilt = rng.normal(0.0, 0.12)
    if rng.random() < 0.65:
        x = rng.random() * width
        ends = (round(x), -thick), (round(x + tilt * height), height + thick)
    else:
        y = rng.random() * height
        ends = (-thick, round(y)), (width + thick, round(y + tilt * width))
    cv2.line(alpha, *ends, 255, thick, cv2.LINE_AA)
    return overlay_layer(_plain(alpha.shape, rng), alpha, (0, 0))


def _leaves(size_px: tuple[int, int], rng: np.random.Generator) -> Layer:
    """Blurred leaves that hang in from a border, near the lens."""
    width, height = size_px
    side = float(min(size_px))
    wide, tall = round(width * rng.uniform(0.2, 0.6)), round(height * rng.uniform(0.15, 0.45))
    wide, tall = max(wide, 8), max(tall, 8)
    alpha, colour = np.zeros((tall, wide), np.uint8), np.zeros((tall, wide, 3), np.uint8)
    base = rng.uniform([10.0, 40.0, 20.0], [60.0, 120.0, 80.0])
    colour[:] = base.astype(np.uint8)
    for _ in range(int(rng.integers(10, 40))):
        centre = (round(wide * rng.random()), round(tall * rng.random() ** 1.5))
        axes = (max(1, round(side * rng.uniform(0.01, 0.05))), max(1, round(side * rng.uniform(0.005, 0.02))))
        angle = rng.uniform(0.0, 180.0)
        shade = tuple(float(v) for v in np.clip(base * rng.uniform(0.5, 1.6), 0, 255))
        cv2.ellipse(alpha, centre, axes, angle, 0, 360, 255, -1, cv2.LINE_AA)
        cv2.ellipse(colour, centre, axes, angle, 0, 360, shade, -1, cv2.LINE_AA)
    blur = 2 * int(rng.integers(0, 3)) + 1
    cv2.blur(alpha, (blur, blur), dst=alpha)
    cv2.blur(colour, (blur, blur), dst=colour)
    x = int(rng.choice([0, width - wide]))
    return overlay_layer(colour, alpha, (x, 0 if rng.random() < 0.8 else height - tall))


def _text(size_px: tuple[int, int], rng: np.random.Generator) -> Layer:
    """A time stamp or the name of a camera, at a border."""
    width, height = size_px
    words = "".join(_LETTERS[i] for i in rng.integers(len(_LETTERS), size=int(rng.integers(4, 22))))
    font = _FONTS[int(rng.integers(len(_FONTS)))]
    scale = float(np.clip(min(size_px) / 480.0 * rng.uniform(0.5, 1.4), 0.3, 2.0))
    thick = 1 if rng.random() < 0.7 else 2
    (wide, tall), below = cv2.getTextSize(words, font, scale, thick)
    alpha = np.zeros((tall + below + 4, wide + 4), np.uint8)
    colour = np.zeros((*alpha.shape, 3), np.uint8)
    ink = (255, 255, 255) if rng.random() < 0.7 else tuple(float(v) for v in rng.integers(0, 256, 3))
    cv2.putText(alpha, words, (2, tall + 2), font, scale, 255, thick + (rng.random() < 0.4), cv2.LINE_AA)
    cv2.putText(colour, words, (2, tall + 2), font, scale, ink, thick, cv2.LINE_AA)
    if rng.random() < 0.3:
        alpha[:] = 255  # on a plate
    y = 3 if rng.random() < 0.5 else height - alpha.shape[0] - 3
    return overlay_layer(colour, alpha, (int(rng.integers(-10, max(1, width - wide // 2))), y))


def _logo(size_px: tuple[int, int], rng: np.random.Generator) -> Layer:
    """A half-transparent mark in a corner."""
    side = max(6, round(min(size_px) * rng.uniform(0.06, 0.2)))
    alpha = np.zeros((side, side), np.uint8)
    cv2.circle(alpha, (side // 2, side // 2), side // 2 - 1, int(rng.integers(100, 256)), -1, cv2.LINE_AA)
    if rng.random() < 0.5:
        cv2.rectangle(alpha, (side // 4, side // 4), (3 * side // 4, 3 * side // 4), 0, -1)
    return overlay_layer(_plain(alpha.shape, rng), alpha, _corner(size_px, (side, side), rng))


def _blank(size_px: tuple[int, int], rng: np.random.Generator) -> Layer:
    """A patch blanked out in one colour, at a border."""
    wide, tall = (max(4, round(n * rng.uniform(0.05, 0.35))) for n in size_px)
    alpha = np.full((tall, wide), 255, np.uint8)
    return overlay_layer(_plain(alpha.shape, rng), alpha, _corner(size_px, (wide, tall), rng))


def _corner(size_px: tuple[int, int], box: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    x, y = (rng.random() < 0.5 for _ in range(2))
    return (size_px[0] - box[0] if x else 0), (size_px[1] - box[1] if y else 0)


def _plain(shape: tuple[int, ...], rng: np.random.Generator) -> UInt8[Array, "H W 3"]:
    """One colour, mostly grey, dark or light."""
    value = rng.uniform(0.0, 255.0)
    colour = np.clip(value + rng.normal(0.0, 12.0 if rng.random() < 0.7 else 70.0, 3), 0, 255).astype(
        np.uint8
    )
    return np.ascontiguousarray(np.broadcast_to(colour, (*shape[:2], 3)))
