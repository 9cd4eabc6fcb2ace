"""Identity scores: how much of the crowd is right when every true person may have one identity only.

One assignment of true to found people for the whole clip, the one with the most person-frames in common (IDTP); all
other person-frames are wrong on their side (Ristani et al. 2016):

    IDP = IDTP / found    IDR = IDTP / true    IDF1 = 2 IDTP / (found + true)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy.optimize import linear_sum_assignment

from .track_rows import EPS, SAME_PERSON, PairedTracks

Array = np.ndarray


@dataclass(frozen=True)
class Idf1Scores:
    """All 0 where one side is empty."""

    idf1: float
    idp: float
    idr: float
    true_positives: int
    """IDTP: person-frames under the one identity that is right."""


def idf1_scores(tracks: PairedTracks) -> Idf1Scores:
    """Scores of all frames.

    The assignment minimises misses plus false alarms, with a stand-in for "nobody" for each person of both sides; as
    those costs are IDFN + IDFP = true + found - 2 IDTP, it is the assignment with the largest IDTP.
    """
    together = common_frames(tracks)
    rows, columns = linear_sum_assignment(-together)
    right = int(together[rows, columns].sum())
    true, found = (sum(len(x) for x in side) for side in _sides(tracks))
    return Idf1Scores(
        idf1=2 * right / max(true + found, 1),
        idp=right / max(found, 1),
        idr=right / max(true, 1),
        true_positives=right,
    )


def common_frames(tracks: PairedTracks) -> Int[Array, "G P"]:
    """In how many frames each true and each found person are alike enough to be one."""
    out = np.zeros((tracks.num_true, tracks.num_found), np.int64)
    for frame in tracks.frames:
        enough = frame.value >= SAME_PERSON - EPS
        out[frame.true[frame.row[enough]], frame.found[frame.column[enough]]] += 1
    return out


def _sides(tracks: PairedTracks) -> tuple[list[Int[Array, "_"]], list[Int[Array, "_"]]]:
    return [f.true for f in tracks.frames], [f.found for f in tracks.frames]
