"""Makes the pictures and crops that the networks learn from, out of three banks. A few milliseconds each.

A picture: a place and a camera, people and things on the ground, their shadows, what hangs before the lens, and
at last the faults of the camera. Everything follows from the random generator that is handed in.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import UInt8

from .backdrop import BackdropBank
from .crops import CropMaker, PoseCrop
from .faults import CameraFaults
from .picture import Picture
from .scene_cast import places, scattered
from .scene_compose import Composer
from .scene_config import SceneConfig
from .scene_overlay import overlays
from .scene_view import View, backdrop_view, free_camera, patch
from .sprite import SpriteBank

Array = np.ndarray

_SMALL, _LARGE = 1.4, 1.7
"""Beta distribution of the log height: flat, with the ends and above all the largest people a bit rarer."""


class SceneMaker:
    """Composes pictures for the detector and crops for the pose network."""

    def __init__(
        self, people: SpriteBank, things: SpriteBank, backdrops: BackdropBank, config: SceneConfig
    ) -> None:
        self._people, self._backdrops, self._config = people, backdrops, config
        self._composer = Composer(people, things, config)
        self._faults = CameraFaults(config)
        self._crops = CropMaker(people, backdrops, self._composer, self._faults, config)

    def picture(self, rng: np.random.Generator, size_px: tuple[int, int]) -> Picture:
        """A picture of `size_px` (width, height), as a camera delivers it."""
        config = self._config
        low, high = np.log(config.min_height_px), np.log(config.max_height_px)
        tall = float(np.exp(low + (high - low) * rng.beta(_SMALL, _LARGE)))
        view = self._view(rng, size_px, tall)
        count = self._how_many(view, rng)
        things = int(rng.poisson(config.mean_things * (2.0 if count == 0 else 1.0)))
        canvas, _ = self._composer.compose(view, places(view, count, rng), scattered(view, things, rng), rng)
        if rng.random() < config.overlay_share:
            for layer in overlays(size_px, rng):
                canvas.paint(layer)
        return canvas.picture(self._faults(canvas.bgr, rng, view.height_px))

    def crop(self, rng: np.random.Generator, crop_wh: tuple[int, int], padding: float) -> PoseCrop:
        """What the pose network sees of one person: a crop of `crop_wh` (width, height) about their box."""
        return self._crops.crop(rng, crop_wh, padding)

    def _view(self, rng: np.random.Generator, size_px: tuple[int, int], height_px: float) -> View:
        backdrop = self._backdrops[int(rng.integers(len(self._backdrops)))]
        if rng.random() >= self._config.free_share:
            view = backdrop_view(backdrop, size_px, height_px, self._config.max_zoom, rng)
            return replace(view, bgr=relit(view.bgr, rng))
        elevation = float(self._people.elevation_rad[int(rng.integers(len(self._people)))])
        camera = free_camera(size_px, height_px, elevation, rng)
        return View(relit(patch(backdrop, size_px, rng), rng), camera, None, height_px)

    def _how_many(self, view: View, rng: np.random.Generator) -> int:
        """None, or log-uniform from one to as many as cover the picture once."""
        if rng.random() < self._config.empty_share:
            return 0
        height, width = view.bgr.shape[:2]
        room = width * height / (0.3 * view.height_px**2)
        most = float(np.clip(room, 1.0, self._config.max_people))
        return round(float(np.exp(rng.uniform(-0.2, np.log(most + 0.49)))))


def relit(bgr: UInt8[Array, "H W 3"], rng: np.random.Generator) -> UInt8[Array, "H W 3"]:
    """The place in other colours: very pale, dim, of another hue, or as it is."""
    draw = rng.random()
    if draw < 0.25:  # pale floors, down to white
        share = float(rng.uniform(0.12, 0.65))
        return np.asarray(cv2.convertScaleAbs(bgr, alpha=share, beta=255.0 * (1.0 - share)))
    if draw < 0.35:
        return np.asarray(cv2.convertScaleAbs(bgr, alpha=float(rng.uniform(0.3, 0.8))))
    if draw < 0.6:
        return np.asarray(cv2.transform(bgr, np.diag(np.exp(rng.normal(0.0, 0.12, 3))).astype(np.float32)))
    return bgr
