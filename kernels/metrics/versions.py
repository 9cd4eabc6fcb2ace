"""Published estimates as they become available: many rows, one time; and whose they are in truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.optimize import linear_sum_assignment

from ..errors import ShapeError
from .people import People

Array = np.ndarray

TIER_RANK = {"live": 0, "late": 0, "window": 1, "refined": 2}
"""What a consumer prefers: a row never replaces one of a higher rank, and always one of its own."""
NOBODY = -1
REACH_M = 1.0
"""Farther from every true person than this, a found one is nobody."""


@dataclass(frozen=True)
class Versions:
    """R person-frames that became available together (a message, or several of one time), and G taken back."""

    tier: str
    """A key of `TIER_RANK`."""
    t_available_ns: int
    """When a consumer could first hold them; same clock as the capture times."""
    slot: Int[Array, "R"]
    """Frame on the axis of the truth."""
    person_ids: Int[Array, "R"]
    """The engine's own; a person stands at most once in a slot."""
    true_row: Int[Array, "R"]
    """Row of the truth that each is in that slot; -1 for nobody. At most one found person each true one."""
    ground_m: Float[Array, "R 3"]
    """World, metres. A row that is not finite is no version (there was no ground yet)."""
    joints_m: Float[Array, "B 24 3"] = field(default_factory=lambda: np.zeros((0, 24, 3), np.float32))
    """SMPL joints, world, metres; B = R, or 0 for a tier without bodies. NaN for single rows without."""
    provenance: UInt8[Array, "P"] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """`kernels.solve.problem.Provenance`; P = R, or 0 where unknown."""
    gone_slot: Int[Array, "G"] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Frame of each of G rows that are taken back: of tier `refined` bodies, else tracks."""
    gone_person_ids: Int[Array, "G"] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        r = len(self.slot)
        if self.tier not in TIER_RANK:
            raise ShapeError(f"Versions.tier: got {self.tier!r}, expected one of {', '.join(TIER_RANK)}")
        if {len(self.person_ids), len(self.true_row), len(self.ground_m)} != {r}:
            raise ShapeError(
                f"Versions: rows disagree: slot {r}, person_ids {len(self.person_ids)}, "
                f"true_row {len(self.true_row)}, ground_m {len(self.ground_m)}"
            )
        if len(self.joints_m) not in (0, r) or len(self.provenance) not in (0, r):
            raise ShapeError(
                f"Versions: got joints_m {len(self.joints_m)} and provenance {len(self.provenance)} rows, "
                f"expected {r} or none"
            )
        if len(self.gone_slot) != len(self.gone_person_ids):
            raise ShapeError(
                f"Versions: got {len(self.gone_slot)} gone_slot and {len(self.gone_person_ids)} gone_person_ids, "
                "expected as many"
            )
        known = self.true_row != NOBODY
        if twice(self.slot, self.person_ids) or twice(self.slot[known], self.true_row[known]):
            raise ShapeError(
                "Versions: a found person, or a true one, stands twice in a slot; give each at most one row"
            )

    def __repr__(self) -> str:
        return f"Versions({self.tier}, R={len(self.slot)}, t={self.t_available_ns / 1e9:.3f}s)"


def twice(frame: Int[Array, "R"], who: Int[Array, "R"]) -> bool:
    """Whether any pair of frame and person is there more than once.

    >>> twice(np.array([1, 1, 2]), np.array([5, 6, 5])), twice(np.array([1, 1]), np.array([5, 5]))
    (False, True)
    """
    order = np.lexsort((who, frame))
    return bool(((np.diff(frame[order]) == 0) & (np.diff(who[order]) == 0)).any())


def nearest_true_rows(
    truth: People,
    slot: Int[Array, "R"],
    ground_m: Float[Array, "R 3"],
    reach_m: float = REACH_M,
) -> Int[Array, "R"]:
    """Whose row each found ground point is: per slot the assignment of least total distance within reach.

    For versions that have no matching of their own yet; where the final result has been matched already
    (`Matches`), `rows_of_matches` keeps one person one person in every version.

    Args:
        slot: frame of each row on the truth's axis.
        reach_m: no pair is farther apart on the ground (x, y).
    """
    out = np.full(len(slot), NOBODY, np.int64)
    for s in np.unique(slot):
        rows = np.flatnonzero((slot == s) & np.isfinite(ground_m).all(axis=1))
        true = np.flatnonzero(truth.present[:, s])
        gap = truth.ground_m[true, s, None, :2].astype(np.float64) - ground_m[None, rows, :2]
        gain = np.maximum(reach_m - np.hypot(gap[..., 0], gap[..., 1]), 0.0)
        a, b = linear_sum_assignment(-gain)
        real = gain[a, b] > 0
        out[rows[b[real]]] = true[a[real]]
    return out


def rows_of_matches(predicted_of_true: Int[Array, "N F"], num_predicted: int) -> Int[Array, "M F"]:
    """The other way round: the true row of each of M predicted people in each frame, -1 for nobody.

    >>> rows_of_matches(np.array([[1, 1], [-1, 0]]), 2)
    array([[-1,  1],
           [ 0,  0]])
    """
    out = np.full((num_predicted, predicted_of_true.shape[1]), NOBODY, np.int64)
    true, frame = np.nonzero(predicted_of_true >= 0)
    out[predicted_of_true[true, frame], frame] = true
    return out
