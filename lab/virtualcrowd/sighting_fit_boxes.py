"""Parameters of `BoxModel` and `FalseBoxModel` from the annotated clip.

Evidence is a censored (Tobit) regression of y = logit(score / ceiling) on size, hidden share and cut, over the clip
seen at four working sizes (people 17-87 px tall in the network's input): found people give a density, missed ones the
probability that y stays under the floor,

    log L = sum_found log N(y; e, s) + sum_missed log Phi((y_floor - e) / s) - weak pull to the starting values,

with s growing with the hidden share.

Its residuals over time give what lasts, what is slow and what is new in each frame; edges of clear people give the
boxes' noise (the annotators' own included); rows of nobody give the false boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import curve_fit, minimize
from scipy.special import logit
from scipy.stats import norm

from ...kernels.perception.nms import iou
from .sighting_boxes import circumstances, visible_box
from .sighting_false import false_boxes, standing_px
from .sighting_match import MatchedSightings, match_sightings
from .sighting_model import LEVELS, BoxModel, FalseBoxModel, FalseKind
from .sightings import Sightings
from .truth import View

Array = np.ndarray

START = np.array([2.0, np.log(20.0), 4.0, 0.0, 4.0, np.log(0.6), 1.0])
"""Evidence, log small_px, loss to hiding and the log of its power, loss to cutting, log spread, spread by hiding."""
PULL = np.array([0.0, 0.0, 0.005, 0.01, 0.05, 0.0, 0.005])
"""Weight of the starting values: a ridge, felt only where the clip says nothing."""
CLEAR = 0.05
"""Hidden or cut shares below do not count."""
STARTING_POWERS = (0.0, -0.8)
"""Logarithms of the power of the hidden share from which the search sets out: it has more than one valley."""
OTHER_SIZES_WEIGHT = 0.2
"""Of clear people at each unusual working size beside the usual one's 1: they tell what smallness costs. What hiding
costs is learnt at the usual size alone."""
FALSE_MEMORY_S, FALSE_LASTING = 0.7, 0.5
"""Measured on the annotated clip between boxes of nobody in one place: scores correlate by 0.82 after 0.1 s, 0.53 after
0.6 s and 0.17 after 4 s, mean confidences by 0.93, 0.86 and 0.70."""
FALSE_SURE = 0.5
"""Boxes of nobody that score less are low, wide and come back in the same places (95 % of them); those that score more
are as tall as people there (within 5 %) and come up once."""
FREE_DRAWS = 8
"""Simulations that say how many boxes of nobody fall on people."""
FAR = 0.99
"""Where the tails of the sides are taken, which decide whose box it is: beyond they are nearly Gaussian again."""
NETWORK_IOU = 0.6
"""Suppression inside RTMDet's graph."""


@dataclass(frozen=True)
class ClipAtSize:
    """The annotated clip as found at one working size."""

    seen: Sightings
    gain: float
    """Pixels of the detector's input per pixel of the picture."""


def fit_boxes(view: View, clips: list[ClipAtSize], floor: float) -> BoxModel:
    """All parameters of `BoxModel`.

    Args:
        view: the truth.
        clips: the clip at several working sizes, the usual one first.
        floor: scores below count as missed.
    """
    matches = [match_sightings(_above(clip.seen, floor), view) for clip in clips]
    seen = [_above(clip.seen, floor) for clip in clips]
    ceiling = _r(np.ceil(100 * max(float(np.quantile(s.scores, 0.9999)) for s in seen)) / 100 + 0.01)
    parameters, residual = _tobit(view, seen, matches, [c.gain for c in clips], floor, ceiling)
    evidence, small, hidden, power, cut, _, luck = parameters
    lasting, slow, slow_s, fast = _spread(residual, view)
    edges = _edges(view, seen[0], matches[0], clips[0].gain, residual)
    second = _second(view, seen[0], matches[0])
    return BoxModel(
        score_floor=floor, score_ceiling=ceiling, evidence=_r(evidence), small_px=_r(np.exp(small)),
        small_power=2.0, hidden_loss=_r(max(hidden, 0.0)), hidden_power=_r(_power(power)),
        cut_loss=_r(max(cut, 0.0)), hidden_std=_r(abs(luck)),
        person_std=_r(lasting), slow_std=_r(slow), slow_s=_r(slow_s),
        fast_std=_r(fast),
        merge_iou=NETWORK_IOU, **edges, **second,
    )  # fmt: skip


def fit_false(view: View, clip: ClipAtSize, floor: float) -> FalseBoxModel:
    """All parameters of `FalseBoxModel` from the boxes of nobody."""
    seen = _above(clip.seen, floor)
    rows = np.flatnonzero(match_sightings(seen, view).false)
    boxes, frame = seen.boxes_px[rows].astype(np.float64), seen.frame[rows]
    same = iou(boxes, boxes) > 0.5
    apart = np.abs(frame[:, None] - frame[None]) > 20
    again = (same & apart).sum(axis=1) >= 5
    sure = seen.scores[rows] >= FALSE_SURE
    model = FalseBoxModel(
        per_frame=_r(len(rows) / view.num_frames),
        places=max(1, _clusters(same & again[:, None] & again[None])),
        place_share=_r(float((~sure).mean())),
        stay_s=_r(_mean_stay(frame, same) * _step_s(view)),
        memory_s=FALSE_MEMORY_S,
        lasting=FALSE_LASTING,
        at_places=_kind(view, seen, rows[~sure]),
        anywhere=_kind(view, seen, rows[sure]),
    )
    return model.model_copy(update={"per_frame": _r(model.per_frame / _free_share(view, model))})


def _kind(view: View, seen: Sightings, rows: Int[Array, "R"]) -> FalseKind:
    if len(rows) < 5:
        return FalseKind()
    boxes = seen.boxes_px[rows].astype(np.float64)
    tall = boxes[:, 3] - boxes[:, 1]
    feet = np.stack([boxes[:, [0, 2]].mean(axis=1), boxes[:, 3]], axis=1)
    ratio = np.log(tall / standing_px(view, feet))
    return FalseKind(
        score=_levels(seen.scores[rows]),
        height_ratio=_r(float(np.exp(np.median(ratio)))),
        height_log_std=_r(float(np.subtract(*np.quantile(ratio, [0.84, 0.16])) / 2)),
        aspect=_r(float(np.median((boxes[:, 2] - boxes[:, 0]) / tall))),
        confidence=_levels(seen.confidence[rows].mean(axis=1)),
    )


def _free_share(view: View, model: FalseBoxModel) -> float:
    """Share of the boxes of nobody that do not fall on people, by simulation: the clip shows only these."""
    drawn = [false_boxes(view, model, np.random.default_rng(seed)).frame.size for seed in range(FREE_DRAWS)]
    return float(np.clip(np.mean(drawn) / (model.per_frame * view.num_frames), 0.5, 1.0))


def _tobit(
    view: View,
    seen: list[Sightings],
    matches: list[MatchedSightings],
    gains: list[float],
    floor: float,
    ceiling: float,
) -> tuple[Float[Array, "7"], Float[Array, "N F"]]:
    """Parameters as in START, and the residuals of clear people in the first clip (NaN for others)."""
    around = circumstances(view, 0.0)
    present = view.present.T & around.findable
    y_floor = float(logit(floor / ceiling))
    rows: list[Array] = []
    targets: list[Array] = []
    found: list[Array] = []
    weights: list[Array] = []
    for s, m, gain in zip(seen, matches, gains, strict=True):
        weights.append(np.full(int(present.sum()), 1.0 if not weights else OTHER_SIZES_WEIGHT))
        row = m.row_of_person.T
        rows.append(np.stack([around.height_px * gain, around.hidden, around.cut], axis=-1)[present])
        y = logit(np.clip(s.scores[np.maximum(row, 0)] / ceiling, 1e-3, 1 - 1e-3))
        targets.append(y[present])
        found.append((row >= 0)[present])
    x, y, hit, weight = (np.concatenate(part) for part in (rows, targets, found, weights))
    weight = np.where((weight < 1.0) & (x[:, 1] >= CLEAR), 0.0, weight)

    def mean(p: Array) -> Array:
        hiding = p[2] * x[:, 1] ** _power(p[3])
        return np.asarray(p[0] - (np.exp(p[1]) / x[:, 0]) ** 2 - hiding - p[4] * x[:, 2])

    def loss(p: Array) -> float:
        s = np.hypot(np.exp(p[5]), p[6] * x[:, 1] ** _power(p[3]))
        e = mean(p)
        like = np.where(hit, norm.logpdf(y, e, s), norm.logcdf((y_floor - e) / s))
        return float(-(weight * like).sum() + (PULL * (p - START) ** 2).sum() * weight.sum() * 1e-2)

    options = {"maxiter": 6000, "maxfev": 6000, "xatol": 1e-3, "fatol": 1e-2}
    starts = [START + np.array([0, 0, 0, log, 0, 0, 0]) for log in STARTING_POWERS]
    best = min(
        (minimize(loss, s, method="Nelder-Mead", options=options) for s in starts), key=lambda b: b.fun
    )
    p = best.x
    first = np.full(present.shape, np.nan)
    count = int(present.sum())
    clear = hit[:count] & (x[:count, 1] < CLEAR)
    first[present] = np.where(clear, y[:count] - mean(p)[:count], np.nan)
    return p, first.T


def _power(log: float) -> float:
    return float(np.exp(np.clip(log, -1.5, 1.0)))


def _spread(residual: Float[Array, "N F"], view: View) -> tuple[float, float, float, float]:
    """Standard deviations that last, come and go (with their time) and are new: from the autocovariance."""
    step = _step_s(view)
    centred = residual - np.nanmean(residual)
    lags = np.arange(1, 25)
    covariance = np.array([np.nanmean(centred[:, k:] * centred[:, :-k]) for k in lags])
    total = float(np.nanmean(centred**2))

    def model(lag: Array, lasting: float, slow: float, tau: float) -> Array:
        return np.asarray(lasting + slow * np.exp(-lag * step / tau))

    start = (0.2 * total, 0.5 * total, 0.5)
    (lasting, slow, tau), _ = curve_fit(
        model, lags, covariance, start, bounds=([0, 0, 0.05], [total, total, 5.0])
    )
    fast = max(total - lasting - slow, 0.0)
    return float(np.sqrt(lasting)), float(np.sqrt(slow)), float(tau), float(np.sqrt(fast))


def _edges(
    view: View, seen: Sightings, matched: MatchedSightings, gain: float, residual: Float[Array, "N F"]
) -> dict[str, Any]:
    """Noise, bias, memory and tails of the edges of clear people, and how far boxes of hidden ones shrink."""
    around = circumstances(view, 0.0)
    row = matched.row_of_person
    n, f = np.nonzero(row >= 0)
    truth, found = view.box_px[n, f].astype(np.float64), seen.boxes_px[row[n, f]].astype(np.float64)
    tall = (truth[:, 3] - truth[:, 1])[:, None]
    off = (found - truth) / tall * np.array([-1.0, -1.0, 1.0, 1.0])
    clear = (around.hidden[f, n] < CLEAR) & (around.cut[f, n] < CLEAR)
    bias = np.median(off[clear], axis=0)
    spread = np.quantile(np.abs(off[clear] - bias), 0.68, axis=0)
    grid = np.full((*row.shape, 4), np.nan)
    grid[n[clear], f[clear]] = (off[clear] - bias) / spread
    slow_share, slow_s = memory(
        np.moveaxis(np.clip(grid, -4, 4), 1, -1).reshape(-1, row.shape[1]), _step_s(view)
    )
    size = np.log(np.maximum(np.abs(grid), 0.05)).mean(axis=-1)
    known = np.isfinite(size) & np.isfinite(residual)
    doubt = -np.polyfit(residual[known], size[known], 1)[0]
    tails = np.quantile(np.abs(off[clear] - bias), [0.5, FAR], axis=0) / spread
    return {
        "edge_std": (_r((spread[0] + spread[2]) / 2), _r(spread[1]), _r(spread[3])),
        "edge_bias": (_r((bias[0] + bias[2]) / 2), _r(bias[1]), _r(bias[3])),
        "edge_std_px": 0.0,
        "side_correlation": _r(
            float(np.corrcoef(np.clip(grid[n[clear], f[clear]][:, [0, 2]], -4, 4).T)[0, 1])
        ),
        "edge_slow_share": _r(slow_share),
        "edge_slow_s": _r(slow_s),
        "edge_tail": _r(tail_of(float((tails[1] / tails[0])[[0, 2]].mean()), FAR)),
        "edge_doubt": _r(float(np.clip(doubt, 0.0, 0.5))),
        "shrink": _r(_shrink(view, truth, found, n, f, around.hidden[f, n] > 2 * CLEAR)),
    }


def _shrink(view: View, truth: Array, found: Array, n: Array, f: Array, hidden: Bool[Array, "M"]) -> float:
    """Regression of the edges' way on the way to the visible part."""
    way = visible_box(view)[f, n] - truth
    use = hidden[:, None] & (np.abs(way) > 0.08 * (truth[:, 3] - truth[:, 1])[:, None])
    if use.sum() < 30:
        return 0.5
    share = ((found - truth)[use] * way[use]).sum() / (way[use] ** 2).sum()
    return float(np.clip(share, 0.0, 1.0))


def _second(view: View, seen: Sightings, matched: MatchedSightings) -> dict[str, Any]:
    rows = np.flatnonzero(matched.second_of >= 0)
    first = matched.row_of_person[matched.second_of[rows], seen.frame[rows]]
    known = first >= 0
    pairs = [iou(seen.boxes_px[a][None].astype(float), seen.boxes_px[b][None].astype(float))[0, 0]
             for a, b in zip(rows[known], first[known], strict=True)]  # fmt: skip
    boxes = seen.boxes_px[rows].astype(np.float64)
    found = int((matched.row_of_person >= 0).sum())
    return {
        "double_rate": _r(min(len(rows) / max(found, 1), 0.9)),
        "double_s": _r(_mean_stay(seen.frame[rows], iou(boxes, boxes) > 0.4) * _step_s(view)),
        "double_score": _levels(seen.scores[rows]),
        "double_iou": _r(float(np.clip(np.median(pairs), 0.15, 0.6))) if pairs else 0.4,
    }


def memory(series: Float[Array, "S F"], step_s: float, lags: int = 10) -> tuple[float, float]:
    """Share of unit-variance noise that is a chain, and the chain's time, from correlations at lags 1.. `lags`."""
    centred = series - np.nanmean(series)
    total = np.nanmean(centred**2)
    k = np.arange(1, lags + 1)
    correlation = np.array([np.nanmean(centred[:, i:] * centred[:, :-i]) for i in k.tolist()]) / total

    def model(lag: Array, share: float, tau: float) -> Array:
        return np.asarray(share * np.exp(-lag * step_s / tau))

    (share, tau), _ = curve_fit(
        model, k, correlation, (0.5, 5 * step_s), bounds=([0, 0.2 * step_s], [1, 100 * step_s])
    )
    return float(share), float(tau)


def tail_of(ratio: float, level: float = 0.95) -> float:
    """Spread s of a log-normal scale of Gaussian noise whose |x| has this ratio of quantile `level` to the median.

    Read off by quadrature over z of P(|x| < q) = E[2 Phi(q exp(-s z)) - 1].
    """
    z = norm.ppf((np.arange(100) + 0.5) / 100)
    grid = np.linspace(0.0, 1.5, 31)
    q = np.geomspace(0.02, 60.0, 400)
    ratios = []
    for s in grid:
        share = (2 * norm.cdf(q[:, None] * np.exp(-s * z)) - 1).mean(axis=1)
        ratios.append(np.interp(level, share, q) / np.interp(0.5, share, q))
    return float(np.interp(ratio, ratios, grid))


def _mean_stay(frame: Array, same: Bool[Array, "R R"]) -> float:
    """Mean length in frames of runs of the same box."""
    follows = same & (frame[None] == frame[:, None] + 1)
    ends = int((~follows.any(axis=1)).sum())
    return len(frame) / max(ends, 1)


def _clusters(same: Bool[Array, "R R"]) -> int:
    """Places by greedy cover: the box with most copies takes them."""
    left, count = same.copy(), 0
    while left.any():
        best = left.sum(axis=1).argmax()
        taken = left[best].copy()
        left[taken], left[:, taken] = False, False
        left[best] = False
        count += 1
    return count


def _above(seen: Sightings, floor: float) -> Sightings:
    keep = seen.scores >= floor
    return Sightings(
        seen.size_px, seen.t_ns, seen.frame[keep], seen.boxes_px[keep], seen.scores[keep], seen.keypoints_px[keep],
        seen.confidence[keep], seen.person[keep],
    )  # fmt: skip


def _levels(values: Array) -> tuple[float, ...]:
    return tuple(float(v) for v in np.round(np.clip(np.quantile(values, LEVELS), 0.0, 1.0), 3))


def _step_s(view: View) -> float:
    return float(np.median(np.diff(view.t_ns)) * 1e-9)


def _r(value: float) -> float:
    return round(float(value), 4)
