"""Errors of stretches of a track after one alignment of each: WA-MPJPE, W-MPJPE, SEQ-MPJPE, RTE.

    WA: one similarity over all samples x joints of a stretch;  W: over its first two samples only
    SLAHMR: a stretch is the whole track;  WHAM, TRAM, GVHMR: chunks of 100 samples
    RTE: root positions after one rigid fit (no scale), per cent of the true path's length

Samples of a track are those matched, in order, gaps closed (compact), as in the public evaluators: a chunk of a
track with gaps spans more than 100 frames. W-MPJPE grows with a stretch's length; values of chunks and of whole
tracks are not comparable, nor is the authors' form on pelvis-relative joints (`author.py`).

Samples of all stretches lie one after another in one array; `starts` are the rows where stretches begin (the first
is 0). All stretches are fitted at once from summed moments: O(M J), no loop.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from .alignment import fit_moments
from .pose import MM_PER_M

Array = np.ndarray

Freedom = Literal["translation", "rigid", "similarity"]

CHUNK = 100
"""Samples of a chunk (WHAM)."""
FIRST_SAMPLES = 2
"""Samples that W-MPJPE is aligned on."""
MIN_PATH_M = 1.0
"""A path shorter than this has no meaningful error in per cent: someone who stands, swaying."""


def stretch_errors(
    predicted_m: Float[Array, "M J 3"],
    true_m: Float[Array, "M J 3"],
    starts: Int[Array, "S"],
    fit_on: int | None = None,
    freedom: Freedom = "similarity",
) -> Float[Array, "M"]:
    """Mean joint error of each sample after one alignment for each stretch, mm.

    Args:
        fit_on: number of first samples of a stretch that its alignment is fitted on; all without it (WA).
        freedom: what the alignment may do.

    >>> walk = np.zeros((4, 2, 3)); walk[:, 1, 2] = 1.0; walk[:, :, 0] += np.arange(4.0)[:, None]
    >>> slow = walk.copy(); slow[2:, :, 0] -= 0.1  # falls back by 10 cm after the second sample
    >>> stretch_errors(slow, walk, np.array([0]), fit_on=2).round(6).tolist()
    [0.0, 0.0, 100.0, 100.0]
    >>> stretch_errors(slow, walk, np.array([0]), freedom="translation").round(6).tolist()
    [50.0, 50.0, 50.0, 50.0]
    >>> stretch_errors(slow, walk, np.array([0, 2])).round(6).tolist()  # each half is perfect by itself
    [0.0, 0.0, 0.0, 0.0]
    """
    if len(true_m) == 0:
        return np.zeros(0)
    x, y = np.asarray(predicted_m, np.float64), np.asarray(true_m, np.float64)
    stretch = stretch_of(starts, len(x))
    used = np.ones(len(x)) if fit_on is None else (np.arange(len(x)) - starts[stretch] < fit_on).astype(float)
    weight = np.add.reduceat(used, starts)[:, None] * x.shape[1]
    mean_x, mean_y = (np.add.reduceat(z.sum(axis=1) * used[:, None], starts) / weight for z in (x, y))
    a = x - mean_x[stretch, None]
    if freedom == "translation":
        off = a - (y - mean_y[stretch, None])
    else:
        moments = np.swapaxes(a, 1, 2) @ (y - mean_y[stretch, None]) * used[:, None, None]
        spread = np.add.reduceat(np.einsum("mjc,mjc->m", a, a) * used, starts)
        covariance = np.add.reduceat(moments, starts)
        fit = fit_moments(covariance, spread, mean_x, mean_y, freedom == "similarity")
        off = fit.scale[stretch, None, None] * (a @ np.swapaxes(fit.rotmat, 1, 2)[stretch])
        off -= y - mean_y[stretch, None]
    return np.asarray(MM_PER_M * np.sqrt(np.einsum("mjc,mjc->mj", off, off)).mean(axis=1))


def root_errors(
    predicted_m: Float[Array, "M 3"], true_m: Float[Array, "M 3"], starts: Int[Array, "S"]
) -> Float[Array, "M"]:
    """Distance of the roots after one rigid fit per track, metres.

    >>> true = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    >>> root_errors(true + 4.0, true, np.array([0])).round(9).tolist()
    [0.0, 0.0, 0.0]
    >>> root_errors(1.1 * true, true, np.array([0])).round(9).tolist()
    [0.1, 0.0, 0.1]
    """
    return stretch_errors(predicted_m[:, None], true_m[:, None], starts, freedom="rigid") / MM_PER_M


def path_lengths(points_m: Float[Array, "M 3"], starts: Int[Array, "S"]) -> Float[Array, "S"]:
    """Length of each stretch's polyline, metres.

    >>> points = np.array([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0], [3.0, 4.0, 1.0], [9.0, 9.0, 9.0]])
    >>> path_lengths(points, np.array([0, 3])).tolist()
    [6.0, 0.0]
    """
    if len(points_m) == 0:
        return np.zeros(0)
    points = np.asarray(points_m, np.float64)
    steps = np.linalg.norm(np.diff(points, axis=0, prepend=points[:1]), axis=1)
    steps[starts] = 0.0
    return np.asarray(np.add.reduceat(steps, starts))


def change_starts(label: Int[Array, "M"], chunk: int | None = None) -> Int[Array, "S"]:
    """Rows where the label changes, and within equal labels every `chunk` rows.

    >>> change_starts(np.array([0, 0, 0, 3, 3])).tolist(), change_starts(np.array([0, 0, 0, 3, 3]), 2).tolist()
    ([0, 3], [0, 2, 3])
    """
    fresh = np.ones(len(label), dtype=bool)
    fresh[1:] = np.diff(label) != 0
    starts = np.flatnonzero(fresh)
    if chunk is not None and len(label):
        index = np.arange(len(label)) - starts[stretch_of(starts, len(label))]
        starts = np.flatnonzero(index % chunk == 0)
    return starts


def stretch_of(starts: Int[Array, "S"], count: int) -> Int[Array, "M"]:
    """The stretch of each of `count` rows.

    >>> stretch_of(np.array([0, 2]), 5).tolist()
    [0, 0, 1, 1, 1]
    """
    return np.repeat(np.arange(len(starts)), np.diff(np.append(starts, count)))
