"""CLEAR MOT: misses, false alarms and switches of identity (Bernardin and Stiefelhagen 2008).

    MOTA = 1 - (misses + false alarms + switches) / true person-frames
    MOTP = mean similarity of the matched pairs

Frames are matched in order: pairs that went together in the frame before stay together as long as they are alike
enough, then the most similar ones. A switch is a person found under another identity than the last time, however long
ago; a fragment is a person found again after a frame without. Details follow TrackEval (e.g. a frame in which one side
is empty leaves the memory of the last pairs as it was), so that figures can be put beside published ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from .track_rows import EPS, SAME_PERSON, FramePairs, PairedTracks

Array = np.ndarray

_STAY = 1000.0
"""Weight of going on with the pair of the frame before: more than any sum of similarities of one frame."""
_NOBODY = -1
MOSTLY, HARDLY = 0.8, 0.2
"""Share of a person's frames: found in more than 80 % is mostly tracked, in less than 20 % mostly lost."""


@dataclass(frozen=True)
class ClearScores:
    """Counts and their two ratios."""

    mota: float
    motp: float
    """Mean similarity of matched pairs, 0..1; 0 for none."""
    matches: int
    misses: int
    """FN: true person-frames that nothing was matched to."""
    false_positives: int
    switches: int
    """IDSW."""
    fragments: int
    """Frag: times that finding a person was taken up again."""
    mostly_tracked: int
    """MT: people found in more than 80 % of their frames."""
    mostly_lost: int
    """ML: people found in less than 20 % of their frames."""


def clear_scores(tracks: PairedTracks) -> ClearScores:
    """Scores of all frames. O(F n^3) for the assignments of n people."""
    n = tracks.num_true
    there, found = np.zeros(n, np.int64), np.zeros(n, np.int64)
    last, before = np.full(n, _NOBODY), np.full(n, _NOBODY)  # ever; in the frame before
    runs = np.zeros(n, np.int64)
    switches = false_positives = 0
    similarity = 0.0
    for frame in tracks.frames:
        there[frame.true] += 1
        if not (len(frame.true) and len(frame.found)):
            false_positives += len(frame.found)
            continue
        alike = frame.similarity
        rows, columns = _match(frame, alike, before)
        people, names = frame.true[rows], frame.found[columns]
        switches += int(((last[people] != _NOBODY) & (last[people] != names)).sum())
        runs[people] += before[people] == _NOBODY
        last[people] = names
        before[:] = _NOBODY
        before[people] = names
        found[people] += 1
        false_positives += len(frame.found) - len(people)
        similarity += float(alike[rows, columns].sum())
    matches, total = int(found.sum()), int(there.sum())
    share = found / np.maximum(there, 1)
    return ClearScores(
        mota=(matches - false_positives - switches) / total if total else 0.0,
        motp=similarity / max(matches, 1),
        matches=matches,
        misses=total - matches,
        false_positives=false_positives,
        switches=switches,
        fragments=int((runs[runs > 0] - 1).sum()),
        mostly_tracked=int((share > MOSTLY).sum()),
        mostly_lost=int((share < HARDLY).sum()),
    )


def _match(
    frame: FramePairs, alike: Float[Array, "G P"], before: Int[Array, "N"]
) -> tuple[Int[Array, "M"], Int[Array, "M"]]:
    """Rows and columns of the pairs of one frame."""
    score = alike + _STAY * (frame.found[None, :] == before[frame.true][:, None])
    score[alike < SAME_PERSON - EPS] = 0.0
    rows, columns = linear_sum_assignment(-score)
    real = score[rows, columns] > EPS
    return rows[real], columns[real]
