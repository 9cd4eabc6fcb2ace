"""Boxes where nobody is: signs, shadows and benches that look like people, some in the same place again and again.

A number of sources, each a two-state chain: a share of them at fixed places, the others at a new place each time they
come up. Heights follow those of the people in view, because a detector knows the size of people where it was trained,
not here, but finds false ones most where its anchors find true ones. A box that would lie on somebody is left out: on
people there are second boxes, at a rate of their own (`sighting_boxes`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from .sighting_boxes import clip_to_picture
from .sighting_match import on_people
from .sighting_model import LEVELS, FalseBoxModel
from .sighting_noise import chain, mixed, quantile_of, switches
from .truth import View

Array = np.ndarray

STANDING = np.array(
    [(.50, .10), (.53, .08), (.47, .08), (.57, .09), (.43, .09), (.68, .21), (.32, .21), (.76, .36), (.24, .36),
     (.78, .49), (.22, .49), (.61, .50), (.39, .50), (.60, .72), (.40, .72), (.59, .93), (.41, .93)]
)  # fmt: skip
"""A standing figure in a unit box: what a pose network makes of anything it is told to be a person."""
FIGURE_STD = 0.06
"""Spread of its keypoints, share of the box."""
PLACE_STD = 0.15
"""How far a box at a fixed place moves from one time to the next, share of its height."""


@dataclass(frozen=True)
class FalseBoxes:
    """R rows, ordered by frame."""

    frame: Int[Array, "R"]
    boxes_px: Float[Array, "R 4"]
    scores: Float[Array, "R"]
    keypoints_px: Float[Array, "R 17 2"]
    confidence: Float[Array, "R 17"]


def false_boxes(view: View, model: FalseBoxModel, rng: np.random.Generator) -> FalseBoxes:
    """Everything found where nobody is."""
    at_places = model.per_frame * model.place_share
    anywhere = max(2, int(np.ceil(4 * (model.per_frame - at_places))))
    weights = rng.exponential(size=model.places)
    share = np.concatenate(
        [at_places * weights / weights.sum(), np.full(anywhere, (model.per_frame - at_places) / anywhere)]
    )
    share = _spread(share)
    sources = len(share)
    on = switches(rng, view.t_ns, np.tile(share.astype(np.float32), (view.num_frames, 1)), model.stay_s)
    episode = np.cumsum(on & ~np.concatenate([np.zeros((1, sources), bool), on[:-1]]), axis=0)
    place = _places(view, model, rng, sources, int(episode.max(initial=0)) + 1)
    wander = chain(rng, view.t_ns, (sources, 4), model.stay_s)
    z = mixed(rng, view.t_ns, (sources,), model.stay_s, 0.3)
    sure = mixed(rng, view.t_ns, (sources, 17), model.stay_s, 0.3)
    figure = chain(rng, view.t_ns, (sources, 17, 2), model.stay_s)
    frame, source = np.nonzero(on)
    box = place[episode[frame, source], source]
    tall = (box[:, 3] - box[:, 1])[:, None]
    box = clip_to_picture((box + 0.03 * tall * wander[frame, source]).astype(np.float32), view.camera.size_px)
    side = np.maximum(box[:, 2:] - box[:, :2], 0.0)
    shape = STANDING + FIGURE_STD * figure[frame, source]
    points = box[:, None, :2] + np.clip(shape, -0.1, 1.1) * side[:, None]
    scores = quantile_of(z[frame, source], LEVELS, np.asarray(model.score))
    confidence = quantile_of(sure[frame, source], LEVELS, np.asarray(model.confidence))
    real = (side.min(axis=1) > 2.0) & ~on_people(frame, box, view)
    return FalseBoxes(frame[real], box[real], scores[real], points[real].astype(np.float32), confidence[real])


def _spread(share: Float[Array, "S"]) -> Float[Array, "S"]:
    """No source can be on more than nine tenths of the time: what is over goes to the others."""
    for _ in range(20):
        over = np.maximum(share - 0.9, 0.0).sum()
        share = np.minimum(share, 0.9)
        room = 0.9 - share
        if over <= 1e-9 or room.sum() <= 1e-9:
            break
        share = share + over * room / room.sum()
    return share


def _places(
    view: View, model: FalseBoxModel, rng: np.random.Generator, sources: int, episodes: int
) -> Float[Array, "E S 4"]:
    """Boxes of each coming-up of each source."""
    box = view.box_px[view.present]
    width, height = view.camera.size_px
    tall = np.median(box[:, 3] - box[:, 1]) if len(box) else 0.15 * height
    rows = np.quantile(box[:, 3], [0.02, 0.98]) if len(box) else np.array([0.3, 1.0]) * height
    rows = np.clip(rows, 0.1 * height, 1.1 * height)
    new = np.ones((episodes, sources, 1), bool)
    new[:, : model.places] = False
    draw = rng.random((episodes, sources, 2))
    draw = np.where(new, draw, draw[:1])
    size = rng.standard_normal((episodes, sources, 2))
    size = np.where(new, size, size[:1] + 0.1 * size)
    moved = PLACE_STD * rng.standard_normal((episodes, sources, 2)) * ~new
    high = tall * model.height_ratio * np.exp(model.height_log_std * size[..., 0])
    wide = high * model.aspect * np.exp(0.25 * size[..., 1])
    x = draw[..., 0] * width + moved[..., 0] * high
    y = rows[0] + draw[..., 1] * (rows[1] - rows[0]) + moved[..., 1] * high
    return np.stack([x - wide / 2, y - high, x + wide / 2, y], axis=-1)
