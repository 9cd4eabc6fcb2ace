"""Cut-outs of dressed people in recorded poses, from all sides and heights: what the networks learn people from.

Dressing a body and finding how open a pose is to the sky cost as much as a view; so each pose is seen by `VIEWS`
cameras around it, in lights of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..motion.track import MotionTrack
from .people_figure import draw_person
from .people_light import draw_light
from .people_poses import PoseDeck
from .people_shot import shoot_sprite
from .people_views import draw_camera
from .sprite import Sprite

POSES, VIEWS = 1, 2


def render_people(
    tracks: Sequence[MotionTrack], count: int, seed: int, progress: Callable[[int, int], None] | None = None
) -> Iterator[Sprite]:
    """Sprites of people, the same for the same recordings and seed.

    Args:
        tracks: recordings to pose people by.
        count: sprites.
        seed: everything random follows from it.
        progress: called with (made, to be made) after each person.

    Raises:
        NoRecordingsError: no recordings.
        RendererMissingError: embreex is not installed.
    """
    deck = PoseDeck(tracks)
    made = 0
    for number in range(-(-count // (POSES * VIEWS))):
        rng = np.random.default_rng([seed, 0x9E0, number])
        for sprite in _one_person(deck, rng):
            if made == count:
                break
            yield sprite
            made += 1
        if progress is not None:
            progress(made, count)


def _one_person(deck: PoseDeck, rng: np.random.Generator) -> Iterator[Sprite]:
    person = draw_person(rng)
    for _ in range(POSES):
        figure = person.posed(deck.draw(rng), rng)
        first = rng.uniform(-np.pi, np.pi)
        for view in range(VIEWS):
            # one camera in each part of the circle: sides, fronts and backs alike
            azimuth = first + 2 * np.pi * (view + rng.uniform(-0.3, 0.3)) / VIEWS
            camera, elevation = draw_camera(figure, azimuth, rng)
            yield shoot_sprite(figure, camera, draw_light(rng), elevation)
