"""Appearance codes of simulated sightings: everybody wears something, and the camera errs about it.

    clothes of a person  ->  pixels of torso and legs in one sighting  ->  the code that perception makes of them

The last step is perception's own (`kernels.perception.appearance`), so simulated codes have the layout, the bins and
the noise of counting that real ones have. What is drawn are pixels, in the space the code works in: brightness l and
chroma u, v. A sighting errs by

    - light and pose: a shift of each half that comes and goes, and one that is new each time,
    - outlines: some points lie on what is behind the person, more on small people,
    - occluders: hidden points show who or what stands in front, unless perception can tell that somebody found in
      the same frame stands there.

Random numbers are streams of their own, by person for clothes: codes change nothing else of the sightings, and nobody's
clothes depend on who else is there. O(R) for R coded rows, some 0.1 ms each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ...kernels.perception.appearance import SOFTENING, codes_of_pixels
from ...kernels.perception.appearance_code import COLOUR_SIZE
from ...kernels.perception.appearance_regions import LEG_POINTS, TORSO_POINTS
from .sighting_clothes import HALVES, Clothes, clothes_of
from .sighting_noise import chain
from .sightings import Sightings
from .truth import View, Visibility

Array = np.ndarray

RATE_HZ = 5.0
"""Codes a second, as perception's default."""
MIN_SCORE = 0.4
"""Boxes with less get no pose, so no code."""
_STREAM = 0xA99EA2
_CHUNK = 2048
_TORSO = (5, 6, 11, 12)
_LEGS = (11, 12, 13, 14, 15, 16)
_SLOW_STD, _FAST_STD = (0.11, 0.09, 0.08), (0.03, 0.025, 0.025)
"""Of l, u, v between sightings of one person; PETS09: 0.08, 0.08, 0.06 in all."""
_SLOW_S = 4.0
"""Memory of the slow part: how long somebody shows the same side, in the same light."""
_OUTLINE, _SMALL_PX = 0.06, 60.0
"""Share of the points beside a tall person; at this height it has doubled."""
_BEHIND = np.array([0.62, -0.03, 0.05])
"""l, u, v of pavements and walls."""
_BEHIND_STD = np.array([0.12, 0.03, 0.03])


@dataclass(frozen=True)
class _Rows:
    """The coded sightings."""

    row: Int[Array, "K"]
    """Of the sightings."""
    frame: Int[Array, "K"]
    person: Int[Array, "K"]
    """Row of the view; -1: a false box."""


def simulated_codes(
    view: View, sightings: Sightings, seed: int, rate_hz: float = RATE_HZ
) -> Float[Array, "R 66"]:
    """A code for every sighting that perception would have coded, float32; rows of zeros for the others.

    Args:
        seed: of the crowd: the same people wear the same in every camera.
    """
    codes = np.zeros((len(sightings.frame), COLOUR_SIZE), np.float32)
    frames = coded_frames(sightings.t_ns, rate_hz)
    rows = _coded_rows(view, sightings, frames)
    clothes = [clothes_of(int(person), seed) for person in view.person_ids]
    rng = np.random.default_rng([_STREAM, seed, sum(view.name.encode())])
    shape = (len(view.person_ids) + 1, HALVES, 3)  # the last one stands for false boxes
    drift = chain(rng, sightings.t_ns[frames], shape, _SLOW_S) * np.array(_SLOW_STD, np.float32)
    drift = drift + rng.standard_normal(drift.shape, dtype=np.float32) * np.array(_FAST_STD, np.float32)
    drift = drift * np.array([*(c.unrest for c in clothes), 1.0], np.float32)[:, None, None]
    when = np.searchsorted(frames, rows.frame)
    for start in range(0, len(rows.row), _CHUNK):
        part = slice(start, start + _CHUNK)
        some = _Rows(rows.row[part], rows.frame[part], rows.person[part])
        pixels, in_view = _pixels(view, sightings, some, clothes, drift[when[part], some.person], rng)
        codes[some.row] = codes_of_pixels(pixels, in_view, grey=False)
    return codes


def coded_frames(t_ns: Int[Array, "F"], rate_hz: float) -> Int[Array, "K"]:
    """The frames that perception would code at this rate."""
    chosen: list[int] = []
    for index, t in enumerate(t_ns.tolist()):
        if not chosen or t - int(t_ns[chosen[-1]]) >= 0.9e9 / rate_hz:
            chosen.append(index)
    return np.array(chosen, np.int64)


def _coded_rows(view: View, sightings: Sightings, frames: Int[Array, "K"]) -> _Rows:
    row = np.flatnonzero(np.isin(sightings.frame, frames) & (sightings.scores >= MIN_SCORE))
    place = {int(person): n for n, person in enumerate(view.person_ids)}
    person = np.array([place.get(int(p), -1) for p in sightings.person[row]], np.int64)
    return _Rows(row, sightings.frame[row].astype(np.int64), person)


def _pixels(
    view: View,
    sightings: Sightings,
    rows: _Rows,
    clothes: list[Clothes],
    drift: Float[Array, "K 2 3"],
    rng: np.random.Generator,
) -> tuple[Float[Array, "K S 3"], Bool[Array, "K S"]]:
    """BGR of the points on each sighting, and which of them perception takes to be in view."""
    k = len(rows.row)
    height = sightings.boxes_px[rows.row, 3] - sightings.boxes_px[rows.row, 1]
    outline = _OUTLINE * (1.0 + _SMALL_PX / np.maximum(height, 10.0))
    behind = _BEHIND + _BEHIND_STD * rng.standard_normal((k, 3))
    halves, views = [], []
    for half, (joints, points) in enumerate(((_TORSO, TORSO_POINTS), (_LEGS, LEG_POINTS))):
        spread = rng.standard_normal((k, points, 3))
        draw, beside = rng.random((k, points)), rng.random((k, points))
        own = _look(clothes, rows.person, half, behind)
        worn = own[0][:, None] + drift[:, half, None] + own[1][:, None] * spread
        ground = behind[:, None] + _BEHIND_STD * spread
        worn = np.where(
            (beside < outline[:, None])[..., None] | (rows.person < 0)[:, None, None], ground, worn
        )
        hidden, outside = _covered(view, rows, joints)
        front, noticed = _occluders(view, sightings, rows, joints)
        cover = _look(clothes, front, half, behind)
        covered = draw < hidden[:, None]
        worn = np.where(covered[..., None], cover[0][:, None] + cover[1][:, None] * spread, worn)
        # boxes are coarse: of the points that lie on somebody found, a fifth pass for the person's own
        missed = rng.random((k, points)) < 0.2
        halves.append(worn)
        views.append(~(covered & noticed[:, None] & ~missed) & ~(draw > 1.0 - outside[:, None]))
    return _to_bgr(np.concatenate(halves, axis=1)), np.concatenate(views, axis=1)


def _look(
    clothes: list[Clothes], who: Int[Array, "K"], half: int, behind: Float[Array, "K 3"]
) -> tuple[Float[Array, "K 3"], Float[Array, "K 3"]]:
    """Mean and spread of l, u, v of people's halves; of nobody (-1) what is behind."""
    nobody = Clothes(np.zeros((HALVES, 3)), np.tile(_BEHIND_STD, (HALVES, 1)), 1.0)
    worn = [*clothes, nobody]
    mean = np.stack([c.mean[half] for c in worn])[who]
    return np.where((who < 0)[:, None], behind, mean), np.stack([c.spread[half] for c in worn])[who]


def _covered(view: View, rows: _Rows, joints: tuple[int, ...]) -> tuple[Float[Array, "K"], Float[Array, "K"]]:
    """Shares of a half that others or things hide, and that lie beyond the picture."""
    seen = view.visibility[np.maximum(rows.person, 0), rows.frame][:, joints]
    real = rows.person >= 0
    hidden, outside = (seen == int(state) for state in (Visibility.OCCLUDED, Visibility.OUTSIDE))
    return np.where(real, hidden.mean(axis=1), 0.0), np.where(real, outside.mean(axis=1), 0.0)


def _occluders(
    view: View, sightings: Sightings, rows: _Rows, joints: tuple[int, ...]
) -> tuple[Int[Array, "K"], Bool[Array, "K"]]:
    """Who stands in front of a half (-1: a thing), and whether the detector found them in that frame."""
    found = {(int(f), int(p)) for f, p in zip(sightings.frame, sightings.person, strict=True)}
    front, noticed = np.full(len(rows.row), -1, np.int64), np.zeros(len(rows.row), bool)
    for k, (frame, person) in enumerate(zip(rows.frame.tolist(), rows.person.tolist(), strict=True)):
        if person < 0 or not (view.visibility[person, frame, joints] == int(Visibility.OCCLUDED)).any():
            continue
        box = view.box_px[:, frame]
        middle = np.nanmean(view.keypoints_px[person, frame, joints], axis=0)
        inside = (
            (middle > box[:, :2]).all(axis=1) & (middle < box[:, 2:]).all(axis=1) & view.present[:, frame]
        )
        inside &= box[:, 3] > box[person, 3]
        if inside.any():
            front[k] = int(np.argmax(np.where(inside, box[:, 3], -np.inf)))
            noticed[k] = (frame, int(view.person_ids[front[k]])) in found
    return front, noticed


def _to_bgr(look: Float[Array, "K S 3"]) -> Float[Array, "K S 3"]:
    """l, u, v -> BGR, 0..255: the inverse of the code's own transform."""
    bright, red, blue = np.clip(look[..., 0], 0.0, 1.0), look[..., 1], look[..., 2]
    low, high = np.log(SOFTENING), np.log(255.0 + SOFTENING)
    luma = np.exp(low + bright * (high - low))
    green = luma / (0.299 * np.exp(red) + 0.587 + 0.114 * np.exp(blue))
    bgr = np.stack([green * np.exp(blue), green, green * np.exp(red)], axis=-1) - SOFTENING
    return np.asarray(np.clip(bgr, 0.0, 255.0).astype(np.float32))
