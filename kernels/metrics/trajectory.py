"""Errors of whole tracks after one alignment: WA-MPJPE, W-MPJPE, RTE.

    WA: one similarity over all samples x joints of a stretch;  W: over its first two samples only
    SLAHMR: a stretch is the whole track;  WHAM, TRAM, GVHMR: chunks of 100 samples
    RTE: root positions after one rigid fit (no scale), per cent of the true path's length

Samples of a track are those matched, in order, gaps closed (compact), as in the public evaluators: a chunk of a
track with gaps spans more than 100 frames. W-MPJPE grows with a stretch's length; values of chunks and of whole
tracks are not comparable, nor is the authors' form on pelvis-relative joints (`author.py`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from .alignment import fit_similarity
from .pose import MM_PER_M

Array = np.ndarray

Freedom = Literal["translation", "rigid", "similarity"]

CHUNK = 100
"""Samples of a chunk (WHAM)."""
FIRST_SAMPLES = 2
"""Samples that W-MPJPE is aligned on."""
MIN_PATH_M = 1.0
"""A path shorter than this has no meaningful error in per cent: someone who stands, swaying."""


def aligned_errors(
    predicted_m: Float[Array, "T J 3"],
    true_m: Float[Array, "T J 3"],
    fit_on: int | None = None,
    freedom: Freedom = "similarity",
) -> Float[Array, "T"]:
    """Mean joint error of each sample after one alignment for all of them, mm.

    Args:
        fit_on: number of first samples the alignment is fitted on; all without it (WA).
        freedom: what the alignment may do.

    >>> walk = np.zeros((4, 2, 3)); walk[:, 1, 2] = 1.0; walk[:, :, 0] += np.arange(4.0)[:, None]
    >>> slow = walk.copy(); slow[2:, :, 0] -= 0.1  # falls back by 10 cm after the second sample
    >>> aligned_errors(slow, walk, fit_on=2).round(6).tolist()
    [0.0, 0.0, 100.0, 100.0]
    >>> aligned_errors(slow, walk, freedom="translation").round(6).tolist()
    [50.0, 50.0, 50.0, 50.0]
    """
    num = len(true_m) if fit_on is None else min(fit_on, len(true_m))
    if num == 0:
        return np.zeros(0)
    x, y = np.asarray(predicted_m, np.float64), np.asarray(true_m, np.float64)
    source, target = x[:num].reshape(-1, 3), y[:num].reshape(-1, 3)
    if freedom == "translation":
        off = x + (target.mean(axis=0) - source.mean(axis=0)) - y
    else:
        fit = fit_similarity(source, target, scaled=freedom == "similarity")
        off = fit.apply(x.reshape(-1, 3)).reshape(x.shape) - y
    return np.asarray(MM_PER_M * np.sqrt(np.einsum("tjc,tjc->tj", off, off)).mean(axis=1))


def chunked_errors(
    predicted_m: Float[Array, "T J 3"],
    true_m: Float[Array, "T J 3"],
    fit_on: int | None = None,
    chunk: int = CHUNK,
) -> Float[Array, "T"]:
    """`aligned_errors` of each chunk by itself (the last one may be short).

    >>> walk = np.zeros((4, 2, 3)); walk[:, 1, 2] = 1.0; walk[:, :, 0] += np.arange(4.0)[:, None]
    >>> slow = walk.copy(); slow[2:, :, 0] -= 0.1
    >>> chunked_errors(slow, walk, fit_on=2, chunk=2).round(6).tolist()  # each half is perfect by itself
    [0.0, 0.0, 0.0, 0.0]
    """
    pieces = [
        aligned_errors(predicted_m[start : start + chunk], true_m[start : start + chunk], fit_on)
        for start in range(0, len(true_m), chunk)
    ]
    return np.concatenate([np.zeros(0), *pieces])


def path_length(points_m: Float[Array, "T 3"]) -> float:
    """Length of the polyline, metres.

    >>> path_length(np.array([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0], [3.0, 4.0, 1.0]]))
    6.0
    """
    return float(np.linalg.norm(np.diff(np.asarray(points_m, np.float64), axis=0), axis=1).sum())


def root_errors(predicted_m: Float[Array, "T 3"], true_m: Float[Array, "T 3"]) -> Float[Array, "T"]:
    """Distance of the roots after one rigid fit over the track, metres.

    >>> true = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    >>> root_errors(true + 4.0, true).round(9).tolist(), root_errors(1.1 * true, true).round(9).tolist()
    ([0.0, 0.0, 0.0], [0.1, 0.0, 0.1])
    """
    if len(true_m) == 0:
        return np.zeros(0)
    fit = fit_similarity(predicted_m, true_m, scaled=False)
    return np.asarray(np.linalg.norm(fit.apply(predicted_m) - np.asarray(true_m, np.float64), axis=1))


def track_slices(person: Int[Array, "M"]) -> list[slice]:
    """Stretches of equal values of a sorted array.

    >>> track_slices(np.array([0, 0, 3, 3, 3]))
    [slice(0, 2, None), slice(2, 5, None)]
    """
    if len(person) == 0:
        return []
    edges = np.concatenate([[0], np.flatnonzero(np.diff(person)) + 1, [len(person)]])
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]
