"""Who is who over time, in one call: CLEAR, identity and HOTA scores of found people against true ones.

Two variants that must not be mixed: in the picture (boxes, IoU 0.5; to be put beside published figures) and on the
ground (within 1 m; also fair to people who are hidden). At parity with the public `trackers` package and by it with
TrackEval (`tests/parity/test_metrics_identity.py`); own code, because evaluating must need nothing but this package.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from .clear import ClearScores, clear_scores
from .hota import HotaScores, hota_scores
from .idf1 import Idf1Scores, idf1_scores
from .track_rows import PairedTracks, TrackRows, pair_boxes, pair_ground

Array = np.ndarray


@dataclass(frozen=True)
class IdentityScores:
    """All three families of one comparison."""

    clear: ClearScores
    idf1: Idf1Scores
    hota: HotaScores

    def as_dict(self) -> dict[str, float]:
        """The figures of a report: ratios 0..1 (MOTA can be negative), then counts."""
        c, i, h = self.clear, self.idf1, self.hota
        return {
            "idf1": i.idf1, "mota": c.mota, "hota": h.hota, "idp": i.idp, "idr": i.idr, "motp": c.motp,
            "deta": h.deta, "assa": h.assa, "loca": h.loca, "switches": c.switches, "fragments": c.fragments,
            "misses": c.misses, "false_positives": c.false_positives, "mostly_tracked": c.mostly_tracked,
            "mostly_lost": c.mostly_lost,
        }  # fmt: skip


def score_identity(
    predicted: TrackRows, truth: TrackRows, dont_care: Bool[Array, "R"] | None = None
) -> IdentityScores:
    """Scores in the picture: rows are alike by intersection over union of their boxes.

    Args:
        dont_care: rows of the truth that need not be found (e.g. seen_share under 0.15): neither a miss, nor, where
            something found is alike to them, a false alarm.

    Raises:
        ShapeError: the mask has not one entry a row of the truth.

    Two people, three frames, all boxes exact; the second is found under another name from the second frame on:

    >>> frame, person = np.repeat(np.arange(3), 2), np.tile([0, 1], 3)
    >>> box = np.array([0.0, 0.0, 10.0, 20.0]) + 50.0 * person[:, None]
    >>> named = np.array([10, 20, 10, 30, 10, 30])
    >>> s = score_identity(TrackRows(frame, named, box), TrackRows(frame, person, box))
    >>> s.clear.switches, s.clear.misses, round(s.clear.mota, 4)  # 1 - 1 / 6
    (1, 0, 0.8333)
    >>> round(s.idf1.idf1, 4)  # 10 and 30 are right in 5 of 6 frames on both sides
    0.8333
    >>> round(s.hota.assa, 4)  # (3 * 3/3 + 1 * 1/3 + 2 * 2/3) / 6
    0.7778
    """
    return _scores(pair_boxes(predicted, truth, dont_care))


def score_identity_on_ground(
    predicted: TrackRows, truth: TrackRows, dont_care: Bool[Array, "R"] | None = None, reach_m: float = 1.0
) -> IdentityScores:
    """Scores on the ground: rows are alike by the distance of their ground points, the same person within `reach_m`.

    HOTA's thresholds run from 1.9 to 0.1 times `reach_m` here, and MOTP and LocA are mean nearness, not overlap.

    Raises:
        ShapeError: a side has no ground points, or the mask does not fit the truth.

    >>> one = np.array([0]), np.array([7]), np.zeros((1, 4))
    >>> s = score_identity_on_ground(TrackRows(*one, np.array([[0.6, 0.8]])), TrackRows(*one, np.zeros((1, 2))))
    >>> s.clear.misses, s.clear.motp  # exactly 1 m off
    (0, 0.5)
    """
    return _scores(pair_ground(predicted, truth, dont_care, reach_m))


def _scores(tracks: PairedTracks) -> IdentityScores:
    return IdentityScores(clear_scores(tracks), idf1_scores(tracks), hota_scores(tracks))
