"""Banks of painted cut-outs and plain places: scenes without a renderer."""

from __future__ import annotations

import numpy as np

from crowdstream.lab.perception.backdrop import Backdrop
from crowdstream.lab.perception.scene import SceneMaker
from crowdstream.lab.perception.scene_config import SceneConfig
from crowdstream.lab.perception.scene_view import free_camera
from crowdstream.lab.perception.sprite import Sprite

SIDE, WIDE, TALL = 5, 60, 130
"""Half a dot, and a painted person, in pixels."""


class MadeUpBank(list):  # type: ignore[type-arg]
    """Sprites, or backdrops, in memory."""

    @property
    def elevation_rad(self) -> np.ndarray:
        return np.array([sprite.elevation_rad for sprite in self])

    @property
    def kind(self) -> list[str]:
        return [sprite.kind for sprite in self]


def painted_person(elevation_rad: float = 0.5) -> Sprite:
    """A grey block of a person, all of whose keypoints lie apart and are seen."""
    alpha = np.zeros((TALL, WIDE), np.uint8)
    alpha[2:-2, 2:-2] = 255
    rows, columns = np.divmod(np.arange(17), 3)
    keypoints = np.stack([12.0 + 18.0 * columns, 10.0 + 21.0 * rows], axis=1).astype(np.float32)
    return Sprite(
        np.full((TALL, WIDE, 3), 100, np.uint8), alpha, alpha.copy(), keypoints, np.ones(17, np.uint8),
        np.array([29.5, 126.0], np.float32), 70.0, elevation_rad, "walk",
    )  # fmt: skip


def dotted_person(dot: int) -> Sprite:
    """The same, black, with one white square at one keypoint."""
    person = painted_person()
    colour = np.zeros((TALL, WIDE, 3), np.uint8)
    x, y = person.keypoints_px[dot].astype(int)
    colour[y - SIDE : y + SIDE + 1, x - SIDE : x + SIDE + 1] = 255
    return Sprite(
        colour, person.alpha, person.body, person.keypoints_px, person.seen, person.foot_px, person.px_per_m,
        person.elevation_rad, person.kind,
    )  # fmt: skip


def painted_thing(elevation_rad: float = 0.5) -> Sprite:
    """A dark block."""
    alpha = np.full((80, 40), 255, np.uint8)
    return Sprite(
        np.full((80, 40, 3), 30, np.uint8), alpha, np.zeros_like(alpha), np.full((17, 2), np.nan, np.float32),
        np.zeros(17, np.uint8), np.array([19.5, 79.0], np.float32), 70.0, elevation_rad, "block",
    )  # fmt: skip


def plain_backdrop(seed: int = 0) -> Backdrop:
    """A grey floor seen from above, all of it walkable."""
    rng = np.random.default_rng(seed)
    camera = free_camera((480, 360), 60.0, 0.6, rng)
    bgr = rng.integers(120, 136, (360, 480, 3), dtype=np.uint8)
    return Backdrop(bgr, camera, np.full((360, 480), 255, np.uint8), np.zeros(3))


def maker(**settings: float) -> SceneMaker:
    """A scene maker over made-up banks."""
    people = MadeUpBank(painted_person(angle) for angle in (0.1, 0.4, 0.6, 0.9))
    things = MadeUpBank(painted_thing(angle) for angle in (0.2, 0.7))
    backdrops = MadeUpBank(plain_backdrop(seed) for seed in range(2))
    return SceneMaker(people, things, backdrops, SceneConfig(**settings))  # type: ignore[arg-type]
