"""Who goes on as whom: open questions in, changes of mind out. Pure.

Every look weighs all lost tracks against all young ones together (`kernels.tracking.join`), those joined before among
them, so a joining is undone by the same evidence that would have prevented it. What stands has a little more weight
than what would replace it: nobody is handed to and fro.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...kernels.tracking.join import best_joining, pair_probabilities

Array = np.ndarray

Pair = tuple[int, int]
"""(lost track, new track)."""

_STANDING = 1.0
"""Log ratio that a joining which stands is worth."""


@dataclass(frozen=True)
class Verdict:
    """What holds now of the tracks that were looked at."""

    joined: Mapping[int, int]
    """New track -> lost track."""
    probability: Mapping[Pair, float]
    """Of every pair that was weighed."""
    doubtful: tuple[Pair, ...]
    """Best pairs that are not sure enough."""


def decide(
    log_ratio: Mapping[Pair, float], standing: Mapping[int, int], accept: float, keep: float
) -> Verdict:
    """The joining that holds.

    Args:
        log_ratio: summed evidence of every pair that is possible.
        standing: new track -> lost track, as decided before.
        accept: probability from which a pair is joined.
        keep: probability from which a standing one stays.
    """
    if not log_ratio:
        return Verdict({}, {}, ())
    lost = sorted({pair[0] for pair in log_ratio})
    new = sorted({pair[1] for pair in log_ratio})
    table = np.full((len(lost), len(new)), -np.inf)
    row, column = {t: i for i, t in enumerate(lost)}, {t: j for j, t in enumerate(new)}
    for (a, b), value in log_ratio.items():
        table[row[a], column[b]] = value + (_STANDING if standing.get(b) == a else 0.0)
    sure = pair_probabilities(table)
    joined, doubtful = {}, []
    for i, j in best_joining(table).tolist():
        stands = standing.get(new[j]) == lost[i]
        if sure[i, j] >= (keep if stands else accept):
            joined[new[j]] = lost[i]
        else:
            doubtful.append((lost[i], new[j]))
    probability = {pair: float(sure[row[pair[0]], column[pair[1]]]) for pair in sorted(log_ratio)}
    return Verdict(joined, probability, tuple(doubtful))
