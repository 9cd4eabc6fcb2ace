"""Puts people and things into a view: their light, their shadows, far ones first."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from ...kernels.camera import CameraModel
from .scene_canvas import Canvas, Shade
from .scene_cast import Casting
from .scene_config import SceneConfig
from .scene_layer import Layer, Pose2D, laid
from .scene_view import Stands, View
from .sprite import SpriteBank

Array = np.ndarray

_GREY_BGR = np.array([0.114, 0.587, 0.299])
"""Rec. 601."""
_MID = 110.0
"""Brightness that sprites are taken to be rendered in."""


@dataclass(frozen=True)
class _Light:
    """How the light of a place falls on whoever stands in it."""

    brightness: float
    contrast: float
    balance: Float[Array, "3"]
    cast: float
    """Strength of cast shadows, 0: none."""
    along_m: Float[Array, "3"]
    """Where the shadow of something one metre high ends."""
    contact: float
    blur_px: float


class Composer:
    """Lays sprites of two banks into views."""

    def __init__(self, people: SpriteBank, things: SpriteBank, config: SceneConfig) -> None:
        tolerance = float(np.radians(config.elevation_tolerance_deg))
        self._people, self._things, self._config = people, things, config
        self._cast_people, self._cast_things = Casting(people, tolerance), Casting(things, tolerance)

    def compose(
        self, view: View, actors: Stands, props: Stands, rng: np.random.Generator, first: Layer | None = None
    ) -> tuple[Canvas, int]:
        """Paint a view.

        Args:
            view: where; its picture is taken over.
            actors: where people stand.
            props: where things stand.
            first: the person at actors' first place, laid already, in the light they were rendered in.

        Returns:
            What was painted, and the number of the layer of `first` (0: none).
        """
        light = self._light(view, rng)
        rows = self._cast_people.rows(actors.elevation_rad, rng)
        prop_rows = self._cast_things.rows(props.elevation_rad, rng)
        size_px = (view.bgr.shape[1], view.bgr.shape[0])
        layers = self._all_laid(self._people, rows, actors, light, rng)
        layers += self._all_laid(self._things, prop_rows, props, light, rng)
        if first is not None:
            first = replace(first, tint=layers[0][0].tint)
            layers[0] = (first, actors, 0)
        there = [part for part in layers if _meets(part[0].window, size_px)]
        canvas = Canvas(view.bgr)
        canvas.shade(_shadows(view.camera, size_px, there, light))
        there.sort(key=lambda part: -part[1].depth_m[part[2]])
        number = 0
        for layer, _, _ in there:
            painted = canvas.paint(layer)
            if layer is first:
                number = painted
        return canvas, number

    def _all_laid(
        self, bank: SpriteBank, rows: Int[Array, "N"], seats: Stands, light: _Light, rng: np.random.Generator
    ) -> list[tuple[Layer, Stands, int]]:
        """A sprite for every seat."""
        n = len(rows)
        sizes = np.exp(rng.normal(0.0, 0.05 if bank is self._people else 0.12, n)) * seats.px_per_m
        leans = seats.roll_rad + rng.normal(0.0, 0.02, n)
        mirrors, tints = rng.random(n) < 0.5, _tints(light, n, rng)
        out = []
        for i, row in enumerate(rows.tolist()):
            sprite = bank[row]
            foot = (float(seats.foot_px[i, 0]), float(seats.foot_px[i, 1]))
            pose = Pose2D(foot, float(sizes[i]) / sprite.px_per_m, float(leans[i]), bool(mirrors[i]))
            out.append((laid(sprite, pose, tints[i]), seats, i))
        return out

    def _light(self, view: View, rng: np.random.Generator) -> _Light:
        """Mostly that of the backdrop, at times any."""
        brightness = float(np.exp(rng.normal(0.0, 0.18)))
        if rng.random() < 0.75:
            mean = cv2.resize(view.bgr, (16, 16), interpolation=cv2.INTER_AREA).mean()
            brightness *= float(np.clip((max(mean, 10.0) / _MID) ** 0.4, 0.45, 1.4))
        if rng.random() < 0.25:
            brightness *= rng.uniform(0.35, 0.8)  # dark clothes, or exposed for a bright floor
        along = _shadow_of_a_metre(view.to_sun, rng)
        casts = rng.random() < self._config.shadow_share
        return _Light(
            brightness=brightness,
            contrast=float(np.exp(rng.normal(0.0, 0.15))),
            balance=np.exp(rng.normal(0.0, 0.05, 3)),
            cast=float(rng.uniform(0.08, 0.65)) if casts else 0.0,
            along_m=along,
            contact=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.9 else 0.0,
            blur_px=float(rng.uniform(0.02, 0.12) * view.height_px),
        )


def _shadow_of_a_metre(to_sun: Float[Array, "3"] | None, rng: np.random.Generator) -> Float[Array, "3"]:
    """Where the shadow of a post of one metre ends: as the backdrop's own shadows fall, or anywhere."""
    if to_sun is not None and to_sun[2] > 0.15 and rng.random() < 0.8:
        return np.array([-to_sun[0] / to_sun[2], -to_sun[1] / to_sun[2], 0.0])
    angle, length = rng.uniform(0.0, 2 * np.pi), float(np.exp(rng.uniform(np.log(0.3), np.log(2.5))))
    return length * np.array([np.cos(angle), np.sin(angle), 0.0])


def _meets(window: tuple[int, int, int, int], size_px: tuple[int, int]) -> bool:
    return window[0] < size_px[0] and window[1] < size_px[1] and window[2] > 0 and window[3] > 0


def _tints(light: _Light, count: int, rng: np.random.Generator) -> Float[Array, "N 3 4"]:
    """BGR' = M [B G R 1]: saturation, contrast, brightness and colour of each sprite."""
    saturation, contrast, gain = np.exp(rng.normal(0.0, 1.0, (3, count, 1)) * [[[0.25]], [[0.1]], [[0.15]]])
    contrast *= light.contrast
    gain = gain * contrast * light.brightness * light.balance * np.exp(rng.normal(0.0, 0.05, (count, 3)))
    linear = saturation[..., None] * np.eye(3) + (1.0 - saturation[..., None]) * _GREY_BGR
    shift = np.broadcast_to(_MID * 0.6 * (1.0 - contrast), (count, 3))
    return np.concatenate([linear * gain[..., None], shift[..., None]], axis=2)


def _shadows(
    camera: CameraModel, size_px: tuple[int, int], there: list[tuple[Layer, Stands, int]], light: _Light
) -> UInt8[Array, "h w"]:
    """Cast and contact shadows of everybody."""
    shade = Shade(size_px)
    if not there:
        return shade.soft(2.0)
    ground = np.stack([seats.ground_m[i] for _, seats, i in there])
    with np.errstate(invalid="ignore"):
        tips = camera.project(ground + light.along_m) - camera.project(ground)
    tips = np.nan_to_num(tips)
    for (layer, seats, i), tip in zip(there, tips, strict=True):
        px_per_m, elevation = seats.px_per_m[i], seats.elevation_rad[i]
        if light.cast > 0.0:
            x, y = np.clip(tip / (px_per_m * max(np.cos(elevation), 0.3)), -4.0, 4.0).tolist()
            shade.cast(layer, seats.foot_px[i], (x, y), light.cast)
        if light.contact > 0.0:
            # Things are not round: their darkness stays within them.
            wide = 0.22 * px_per_m if layer.is_person else 0.3 * (layer.window[2] - layer.window[0])
            flat = max(abs(np.sin(elevation)) * (1.0 if layer.is_person else 0.6), 0.15)
            shade.contact(seats.foot_px[i], wide, flat, light.contact)
    return shade.soft(light.blur_px)
