"""Which detection is which track: PHALP's cost with one factor for the ground plane, optimal matching.

PHALP multiplies its cues, cost = (1 + b0 dA)(1 + b1 dP) exp(d / b2) (algorithms 2.4); matching minimises
the sum of its logarithm, so that a match is as good as its evidence and one bad pair cannot outweigh many:

    c = b0 A + ln(1 + b1 dP) + d / b2 + b3 (1 - IoU) + b4 ln(sigma_track / sigma_detection)

A = -ln 2p, p = P(same person | what they wear) from measured distances of codes (`appearance_evidence`), where PHALP
has ln(1 + b0 dA): 0 for codes that say nothing, never below -ln 2, bounded for strange ones. It chooses among matches
that are good enough without it.
dP = 1 - OKS of the predicted and the seen pose, d the Mahalanobis distance on the ground (in the image before a
ground stands) in sigmas. The last term is what the normalisation of
a Gaussian costs: a track lost for seconds reaches everybody and must not win by that.

Only pairs that a KD-tree finds within reach are ever looked at; each connected group of them is matched on
its own. O((M + N) log M) and the groups' Hungarian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..perception.appearance_code import codes_meet
from ..skeleton import COCO_SIGMAS
from .appearance_evidence import code_llr
from .boxes import overlap
from .plane_motion import determinant_2x2, inverse_2x2, spread

Array = np.ndarray

_LEAST = -1e-6
"""Cost of the worst match that is one."""


@dataclass(frozen=True)
class Weights:
    """The b's of the module's head, and what an unmatched pair costs."""

    appearance: float
    pose: float
    distance_sigma: float
    overlap: float
    spread: float
    gate_sigma: float
    """Pairs further apart than this Mahalanobis distance are never matched."""
    unmatched: float
    """A match must cost less."""


@dataclass(frozen=True)
class Side:
    """One side of the matching: predicted tracks, or detections. K rows."""

    position: Float[Array, "K 2"]
    """Ground metres, or foot pixels in the image fallback."""
    covariance: Float[Array, "K 2 2"]
    boxes_px: Float[Array, "K 4"]
    keypoints_px: Float[Array, "K 17 2"]
    confidence: Float[Array, "K 17"]
    appearance: Float[Array, "K A"]
    """A = 0 for none; a row of zeros where unknown."""
    penalty: Float[Array, "K"]
    """Added to every pair of the row (e.g. for tracks not yet confirmed)."""

    def take(self, rows: Int[Array, "R"]) -> Side:
        return Side(
            self.position[rows], self.covariance[rows], self.boxes_px[rows], self.keypoints_px[rows],
            self.confidence[rows], self.appearance[rows], self.penalty[rows],
        )  # fmt: skip


def match(tracks: Side, detections: Side, weights: Weights) -> Int[Array, "P 2"]:
    """Pairs (track row, detection row) of least total cost, each row at most once."""
    i, j = _neighbours(tracks, detections, weights.gate_sigma)
    if len(i) == 0:
        return np.zeros((0, 2), np.int64)
    cost = pair_costs(tracks, detections, i, j, weights) - weights.unmatched
    keep = cost < 0.0
    i, j = i[keep], j[keep]
    # who it is, never whether: somebody who comes out from behind a thing still has its colours in the first codes
    cost = np.minimum(cost[keep] + appearance_costs(tracks, detections, i, j, weights), _LEAST)
    return _assign(i, j, cost, len(tracks.position), len(detections.position))


def pair_costs(
    tracks: Side, detections: Side, i: Int[Array, "P"], j: Int[Array, "P"], weights: Weights
) -> Float[Array, "P"]:
    """c of the module's head without b0 A for the pairs (i, j); infinite beyond the gate."""
    s = tracks.covariance[i] + detections.covariance[j]
    off = detections.position[j] - tracks.position[i]
    d = np.sqrt(np.maximum(np.einsum("pi,pij,pj->p", off, inverse_2x2(s), off), 0.0))
    cost = d / weights.distance_sigma
    cost += weights.overlap * (1.0 - overlap(tracks.boxes_px[i], detections.boxes_px[j]))
    cost += 0.25 * weights.spread * np.log(determinant_2x2(s) / determinant_2x2(detections.covariance[j]))
    cost += np.log1p(weights.pose * (1.0 - _pose_likeness(tracks, detections, i, j)))
    cost += tracks.penalty[i] + detections.penalty[j]
    return np.where(d <= weights.gate_sigma, cost, np.inf)


def appearance_costs(
    tracks: Side, detections: Side, i: Int[Array, "P"], j: Int[Array, "P"], weights: Weights
) -> Float[Array, "P"]:
    """b0 A for the pairs (i, j)."""
    if tracks.appearance.shape[1] == 0 or detections.appearance.shape[1] == 0 or weights.appearance == 0.0:
        return np.zeros(len(i))
    return weights.appearance * _unlikeness(tracks.appearance[i], detections.appearance[j])


def _unlikeness(a: Float[Array, "P A"], b: Float[Array, "P A"]) -> Float[Array, "P"]:
    """-ln 2p with p that of being one person by what they wear, one half beforehand; 0 for codes that say nothing."""
    known = codes_meet(a, b)
    out = np.zeros(len(a))
    one = np.ones(int(known.sum()))
    out[known] = np.logaddexp(0.0, -code_llr(a[known], b[known], 4.0 * one, one)) - np.log(2.0)
    return out


def _pose_likeness(
    tracks: Side, detections: Side, i: Int[Array, "P"], j: Int[Array, "P"]
) -> Float[Array, "P"]:
    """OKS over the keypoints seen on both sides; 1 (no objection) where fewer than five are."""
    a, b = tracks.confidence[i], detections.confidence[j]
    weight = np.where((a > 0.3) & (b > 0.3), 1.0, 0.0)
    box = detections.boxes_px[j]
    area = np.maximum((box[:, 2:] - box[:, :2]).prod(axis=1), 1.0)
    d2 = ((tracks.keypoints_px[i] - detections.keypoints_px[j]) ** 2).sum(axis=-1)
    likeness = np.exp(-d2 / (2.0 * area[:, None] * (2.0 * COCO_SIGMAS) ** 2))
    total = weight.sum(axis=1)
    return np.where(total >= 5, (weight * likeness).sum(axis=1) / np.maximum(total, 1.0), 1.0)


def _neighbours(tracks: Side, detections: Side, gate_sigma: float) -> tuple[Int[Array, "P"], Int[Array, "P"]]:
    """Pairs within reach of each other: a superset of the gate, from a KD-tree over the detections."""
    none = np.zeros(0, np.int64)
    rows = np.flatnonzero(np.isfinite(tracks.position).all(axis=1))
    if len(rows) == 0 or len(detections.position) == 0:
        return none, none
    widest = spread(detections.covariance).max()
    reach = gate_sigma * np.hypot(spread(tracks.covariance[rows]), widest)
    found = cKDTree(detections.position).query_ball_point(tracks.position[rows], reach, return_sorted=True)
    counts = np.array([len(each) for each in found])
    if counts.sum() == 0:
        return none, none
    return np.repeat(rows, counts), np.concatenate([np.asarray(each, np.int64) for each in found])


def _assign(
    i: Int[Array, "P"], j: Int[Array, "P"], cost: Float[Array, "P"], num_i: int, num_j: int
) -> Int[Array, "R 2"]:
    """Least-cost matching of a sparse bipartite graph with negative costs, group by group."""
    if len(i) == 0:
        return np.zeros((0, 2), np.int64)
    graph = coo_matrix((np.ones(len(i)), (i, num_i + j)), shape=(num_i + num_j, num_i + num_j))
    _, label = connected_components(graph, directed=False)
    alone = np.bincount(label[i])[label[i]] == 1
    pairs: list[tuple[int, int]] = list(zip(i[alone].tolist(), j[alone].tolist(), strict=True))
    i, j, cost = i[~alone], j[~alone], cost[~alone]
    order = np.argsort(label[i], kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(label[i][order])) + 1):
        rows, r = np.unique(i[group], return_inverse=True)
        columns, c = np.unique(j[group], return_inverse=True)
        table = np.zeros((len(rows), len(columns)))
        table[r, c] = cost[group]
        for a, b in zip(*linear_sum_assignment(table), strict=True):
            if table[a, b] < 0.0:  # zero: no such pair, or better left alone
                pairs.append((int(rows[a]), int(columns[b])))
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)
