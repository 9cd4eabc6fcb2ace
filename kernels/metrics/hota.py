"""HOTA: finding people and keeping them apart, in one figure (Luiten et al. 2020).

For a similarity threshold alpha, with TP, FN, FP of that threshold:

    DetA = TP / (TP + FN + FP)
    AssA = mean over matched pairs c of |TPA(c)| / (|TPA(c)| + |FNA(c)| + |FPA(c)|)
    HOTA = sqrt(DetA AssA),  then the mean over alpha = 0.05, 0.10, .. 0.95

TPA(c) are the frames in which the same two are matched, FNA and FPA the other frames of the true and of the found
one. Frames are matched once for all alpha, by similarity weighted with how well the two tracks go together over the
whole clip (the paper's sec. 3.4, as TrackEval does it). LocA is the mean similarity of the matched pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from .track_rows import EPS, PairedTracks

Array = np.ndarray

ALPHAS = np.arange(1, 20) * 0.05
_TINY = 1e-10
"""LocA of a threshold without a match is 1 by this, as published code has it."""


@dataclass(frozen=True)
class HotaScores:
    """Means over `ALPHAS`."""

    hota: float
    deta: float
    assa: float
    loca: float
    hota_of_alpha: Float[Array, "19"]


def hota_scores(tracks: PairedTracks) -> HotaScores:
    """Scores of all frames; all 0 (LocA 1) where a side is empty. O(F n^3 + alphas x matches)."""
    weight, true_count, found_count = _togetherness(tracks)
    true, found, value = _matched(tracks, weight)
    pairs, pair = np.unique(true * tracks.num_found + found, return_inverse=True)
    both = true_count[pairs // max(tracks.num_found, 1)] + found_count[pairs % max(tracks.num_found, 1)]
    total = int(true_count.sum() + found_count.sum())
    deta, assa, loca = (np.zeros(len(ALPHAS)) for _ in range(3))
    for k, alpha in enumerate(ALPHAS):
        good = value >= alpha - EPS
        together = np.bincount(pair[good], minlength=len(pairs))  # TPA of each pair of tracks
        tp = int(good.sum())
        deta[k] = tp / max(total - tp, 1)  # TP + FN + FP = all - TP
        assa[k] = (together * together / np.maximum(both - together, 1)).sum() / max(tp, 1)
        loca[k] = max(value[good].sum(), _TINY) / max(tp, _TINY)
    each = np.sqrt(deta * assa)
    return HotaScores(float(each.mean()), float(deta.mean()), float(assa.mean()), float(loca.mean()), each)


def _matched(
    tracks: PairedTracks, weight: Float[Array, "G P"]
) -> tuple[Int[Array, "M"], Int[Array, "M"], Float[Array, "M"]]:
    """True person, found person and similarity of every matched pair of every frame."""
    true, found, value = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for frame in tracks.frames:
        alike = frame.similarity
        rows, columns = linear_sum_assignment(-weight[np.ix_(frame.true, frame.found)] * alike)
        true.append(frame.true[rows])
        found.append(frame.found[columns])
        value.append(alike[rows, columns])
    return np.concatenate(true), np.concatenate(found), np.concatenate(value)


def _togetherness(
    tracks: PairedTracks,
) -> tuple[Float[Array, "G P"], Int[Array, "G"], Int[Array, "P"]]:
    """Jaccard index of true and found tracks over the clip, in soft counts, and the frames of each person.

    A frame gives a pair its similarity over all similarity that the two have with anybody in that frame.
    """
    soft = np.zeros((tracks.num_true, tracks.num_found))
    true_count, found_count = np.zeros(tracks.num_true, np.int64), np.zeros(tracks.num_found, np.int64)
    for frame in tracks.frames:
        true_count[frame.true] += 1
        found_count[frame.found] += 1
        of_true = np.bincount(frame.row, frame.value, len(frame.true))
        of_found = np.bincount(frame.column, frame.value, len(frame.found))
        denominator = of_true[frame.row] + of_found[frame.column] - frame.value
        real = denominator > EPS
        soft[frame.true[frame.row[real]], frame.found[frame.column[real]]] += (
            frame.value[real] / denominator[real]
        )
    union = true_count[:, None] + found_count[None, :] - soft
    return soft / np.maximum(union, EPS), true_count, found_count
