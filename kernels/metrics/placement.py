"""How well the people of a frame stand to one another: PPDS, PA-PPDS, SS (GigaCrowd; Crowd3D; DyCrowd).

For matched people with true torso centres Q_i and predicted ones P_i, over unordered pairs with |Q_i - Q_j| > eps:

    PPDS    = mean max(0, 1 - | |P_i - P_j| - |Q_i - Q_j| | / |Q_i - Q_j|)
    PA-PPDS = the same with a |P_i - P_j|, a the scale of the best similarity from P to Q over all matched people
    SS      = a if a <= 1 else 1 / (a + 1e-9)

PA-PPDS is free of scale, so a wrong stature prior (a world too large by 5 %) does not show in it: read PPDS beside
it. With two people PA-PPDS is 1 whatever they do. Distances do not change under the alignment's rotation, hence
only its scale is needed. O(F M^2), numpy float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import pdist

from .alignment import fit_moments
from .joint_sets import TORSO

Array = np.ndarray

MIN_DISTANCE_M = 1e-6
"""eps: true people nearer than this have no relation to measure."""


@dataclass(frozen=True)
class PlacementFrames:
    """Placement of the matched people of each frame; NaN where a frame has no pair to judge."""

    pairs: Int[Array, "F"]
    ppds: Float[Array, "F"]
    """Mean over the pairs, 0..1, before any factor for completeness."""
    pa_ppds: Float[Array, "F"]
    scale: Float[Array, "F"]
    """a: of the similarity from prediction to truth, over all matched people of the frame."""


def torso_centres(joints_m: Float[Array, "*batch 24 3"]) -> Float[Array, "*batch 3"]:
    """Mean of both hips and both shoulders, metres.

    >>> torso_centres(np.tile(np.array([1.0, 2.0, 3.0]), (24, 1))).tolist()
    [1.0, 2.0, 3.0]
    """
    return np.asarray(joints_m[..., TORSO, :].mean(axis=-2, dtype=np.float64))


def pair_indices(count: int) -> tuple[Int[Array, "P"], Int[Array, "P"]]:
    """All i < j.

    >>> [x.tolist() for x in pair_indices(3)]
    [[0, 0, 1], [1, 2, 2]]
    """
    return _triangle(count)


def pair_distances(points_m: Float[Array, "M 3"]) -> Float[Array, "P"]:
    """Distance of each pair of `pair_indices`.

    >>> pair_distances(np.array([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0], [0.0, 0.0, 1.0]])).round(6).tolist()
    [5.0, 1.0, 5.09902]
    """
    return np.asarray(pdist(np.asarray(points_m, np.float64)))


def distance_scores(predicted_m: Float[Array, "P"], true_m: Float[Array, "P"]) -> Float[Array, "P"]:
    """max(0, 1 - |predicted - true| / true) of pair distances; NaN where the true one is at most eps.

    >>> distance_scores(np.array([4.0, 9.0, 1.0]), np.array([5.0, 4.0, 0.0])).tolist()
    [0.8, 0.0, nan]
    """
    apart = true_m > MIN_DISTANCE_M
    base = np.where(apart, true_m, 1.0)
    score = np.maximum(0.0, 1.0 - np.abs(predicted_m - true_m) / base)
    return np.where(apart, score, np.nan)


def scale_score(scale: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """SS: 1 for a world of the right size, falling both ways.

    >>> scale_score(np.array([0.8, 1.0, 1.25])).round(6).tolist()
    [0.8, 1.0, 0.8]
    """
    scale = np.asarray(scale, np.float64)
    return np.where(scale > 1.0, 1.0 / (np.where(scale > 1.0, scale, 1.0) + 1e-9), scale)


def place_frames(
    predicted_m: Float[Array, "N F 3"],
    true_m: Float[Array, "N F 3"],
    matched: Bool[Array, "N F"],
    select: Bool[Array, "N F"] | None = None,
) -> PlacementFrames:
    """Placement frame by frame.

    Args:
        predicted_m: predicted torso centre of each true person's match; any value where there is none.
        select: person-frames of interest: a pair counts if one of its two people is among them (how the hidden
            stand to everybody). The scale is of all matched people all the same.

    >>> true = np.array([[[0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]], [[0.0, 2.0, 0.0]]])
    >>> got = place_frames(1.05 * true, true, np.ones((3, 1), bool))
    >>> float(got.ppds[0].round(6)), float(got.pa_ppds[0].round(6)), float((1 / got.scale[0]).round(6))
    (0.95, 1.0, 1.05)
    """
    num_frames = matched.shape[1]
    pairs = np.zeros(num_frames, dtype=np.int64)
    ppds, pa_ppds = np.full(num_frames, np.nan), np.full(num_frames, np.nan)
    scale = _frame_scales(predicted_m, true_m, matched)
    for f in np.flatnonzero(matched.sum(axis=0) >= 2):
        rows = np.flatnonzero(matched[:, f])
        found, true = pair_distances(predicted_m[rows, f]), pair_distances(true_m[rows, f])
        keep = true > MIN_DISTANCE_M
        if select is not None:
            keep &= _either(select[rows, f])
        pairs[f] = keep.sum()
        if pairs[f]:
            ppds[f] = distance_scores(found[keep], true[keep]).mean()
            pa_ppds[f] = distance_scores(scale[f] * found[keep], true[keep]).mean()
    return PlacementFrames(pairs, ppds, pa_ppds, scale)


def _frame_scales(
    predicted_m: Float[Array, "N F 3"], true_m: Float[Array, "N F 3"], matched: Bool[Array, "N F"]
) -> Float[Array, "F"]:
    """a of every frame at once; NaN where fewer than two people are matched."""
    count = matched.sum(axis=0)
    mean_x, mean_y = (
        (np.where(matched[..., None], z, 0.0).sum(axis=0) / np.maximum(count, 1)[:, None])
        for z in (predicted_m, true_m)
    )
    x = np.where(matched[..., None], predicted_m - mean_x, 0.0)
    y = np.where(matched[..., None], true_m - mean_y, 0.0)
    covariance = np.einsum("nfc,nfd->fcd", x, y)
    fit = fit_moments(covariance, np.einsum("nfc,nfc->f", x, x), mean_x, mean_y)
    return np.where(count >= 2, fit.scale, np.nan)


def _either(chosen: Bool[Array, "M"]) -> Bool[Array, "P"]:
    i, j = pair_indices(len(chosen))
    return np.asarray(chosen[i] | chosen[j])


@lru_cache(maxsize=256)
def _triangle(count: int) -> tuple[Array, Array]:
    """Kept from frame to frame, hence read-only."""
    i, j = np.triu_indices(count, k=1)
    i.setflags(write=False)
    j.setflags(write=False)
    return i, j
