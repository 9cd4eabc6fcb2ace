"""Boxes where nobody is: signs, shadows and benches that come up in the same place again and again, and what looks like
people anywhere.

A number of sources, each a two-state chain. Those at fixed places are mostly low, wide and doubtful, and stay so: a
bench that scores 0.3 does not score 0.6 a moment later, or every bench would become a track. What comes up anywhere
is as tall as people there and as sure; some of it may be people whom the annotators left out. A box that would lie on
somebody is left out: on people there are second boxes, at a rate of their own (`sighting_boxes`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ...kernels.hvip import foot_point_of_boxes
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
PLACE_STD = 0.08
"""How far a box at a fixed place moves from one time to the next, share of a standing person's height."""
JOINT_STD = 0.45
"""Spread of the logarithm of a keypoint's confidence about the mean of its box."""
STATURE_M = 1.75


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
    wander = chain(rng, view.t_ns, (sources, 4), model.memory_s)
    z = mixed(rng, view.t_ns, (sources,), model.memory_s, 0.1)
    sure = _lasting(rng, mixed(rng, view.t_ns, (sources,), model.memory_s, 0.1), model.lasting)
    tall_z = _lasting(rng, chain(rng, view.t_ns, (sources,), model.memory_s), model.lasting)
    joint = mixed(rng, view.t_ns, (sources, 17), model.memory_s, 0.3)
    figure = chain(rng, view.t_ns, (sources, 17, 2), model.memory_s)
    frame, source = np.nonzero(on)
    fixed = source < model.places
    tall = _either(model, fixed, "height_ratio") * np.exp(
        _either(model, fixed, "height_log_std") * tall_z[frame, source]
    )
    box = _boxes(place[episode[frame, source], source], tall, _either(model, fixed, "aspect"), view)
    tall = (box[:, 3] - box[:, 1])[:, None]
    box = clip_to_picture((box + 0.03 * tall * wander[frame, source]).astype(np.float32), view.camera.size_px)
    side = np.maximum(box[:, 2:] - box[:, :2], 0.0)
    shape = STANDING + FIGURE_STD * figure[frame, source]
    points = box[:, None, :2] + np.clip(shape, -0.1, 1.1) * side[:, None]
    scores = _follow(model, fixed, "score", z[frame, source])
    mean = _follow(model, fixed, "confidence", sure[frame, source])
    confidence = np.clip(mean[:, None] * np.exp(JOINT_STD * joint[frame, source]), 0.0, 1.0).astype(
        np.float32
    )
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
) -> Float[Array, "E S 2"]:
    """Where the feet of each coming-up of each source are, px: between those of the nearest and the farthest people."""
    box = view.box_px[view.present]
    width, height = view.camera.size_px
    rows = np.quantile(box[:, 3], [0.02, 0.98]) if len(box) else np.array([0.3, 1.0]) * height
    rows = np.clip(rows, 0.1 * height, 1.1 * height)
    new = np.ones((episodes, sources, 1), bool)
    new[:, : model.places] = False
    draw = rng.random((episodes, sources, 2))
    draw = np.where(new, draw, draw[:1])
    feet = np.stack([draw[..., 0] * width, rows[0] + draw[..., 1] * (rows[1] - rows[0])], axis=-1)
    moved = PLACE_STD * rng.standard_normal((episodes, sources, 2)) * ~new
    return np.asarray(feet + moved * standing_px(view, feet)[..., None])


def standing_px(view: View, feet_px: Float[Array, "*batch 2"]) -> Float[Array, "*batch"]:
    """Height of a person who stands there, px; that of the people in view where no ground is seen."""
    flat = feet_px.reshape(-1, 2).astype(np.float64)
    boxes = np.concatenate([flat, flat], axis=1)
    foot = foot_point_of_boxes(view.camera, view.ground, boxes)
    top = view.camera.project(foot + np.array([0.0, 0.0, STATURE_M]))
    box = view.box_px[view.present]
    usual = float(np.median(box[:, 3] - box[:, 1])) if len(box) else 0.15 * view.camera.size_px[1]
    tall = flat[:, 1] - top[:, 1]
    sound = np.isfinite(tall) & (tall > 0.2 * usual) & (tall < 5.0 * usual)
    return np.asarray(np.where(sound, tall, usual).reshape(feet_px.shape[:-1]))


def _boxes(
    feet: Float[Array, "R 2"], tall: Float[Array, "R"], aspect: Float[Array, "R"], view: View
) -> Float[Array, "R 4"]:
    high = tall * standing_px(view, feet)
    half = high * aspect / 2
    x, y = feet[:, 0], feet[:, 1]
    return np.stack([x - half, y - high, x + half, y], axis=1)


def _either(model: FalseBoxModel, fixed: Bool[Array, "R"], name: str) -> Float[Array, "R"]:
    return np.asarray(np.where(fixed, getattr(model.at_places, name), getattr(model.anywhere, name)))


def _follow(
    model: FalseBoxModel, fixed: Bool[Array, "R"], name: str, z: Float[Array, "R"]
) -> Float[Array, "R"]:
    """Numbers that follow the quantiles of the row's own kind."""
    at_places, anywhere = (
        quantile_of(z, LEVELS, np.asarray(getattr(kind, name))) for kind in (model.at_places, model.anywhere)
    )
    return np.where(fixed, at_places, anywhere).astype(np.float32)


def _lasting(rng: np.random.Generator, z: Float[Array, "F S"], share: float) -> Float[Array, "F S"]:
    """Unit variance, `share` of it the source's own for good."""
    own = rng.standard_normal(z.shape[1])
    return np.asarray(np.sqrt(share) * own + np.sqrt(1.0 - share) * z)
