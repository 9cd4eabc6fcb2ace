"""Real and simulated sightings side by side: the same figures of both, in one table.

Everything is measured in the same way on both sides, with the same truth where there is one:

    boxes       misses and how long they last, false and second boxes a frame, scores, noise of the edges
    keypoints   confidence by part of the body; jitter: |x(t-1) - 2 x(t) + x(t+1)| / height of rows linked over
                three frames, which needs no truth but holds the true motion too
    errors      by visibility, with their memory, and the reliability curve (error at each confidence), where the
                view's keypoints are measured ones
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from ...kernels.perception.nms import iou
from .sighting_boxes import circumstances
from .sighting_keypoints import OTHER_LEVELS
from .sighting_match import MatchedSightings, match_sightings
from .sighting_model import STATES
from .sightings import Sightings
from .truth import View

Array = np.ndarray
Figures = dict[str, float]

PARTS = {"face": (0, 1, 2, 3, 4), "shoulder": (5, 6), "elbow": (7, 8), "wrist": (9, 10), "hip": (11, 12),
         "knee": (13, 14), "ankle": (15, 16)}  # fmt: skip
LINKED_IOU = 0.5
TRUSTED_SCORE = 0.4
"""Boxes that take part in jitter and confidence: those that the engine poses."""
SEEN_KEYPOINT = 0.3
SCORES = (0.2, 0.3, 0.5)
MISS_SCORE = 0.3
"""A person without a box of this score counts as missed."""
CONFIDENCE_BINS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)


def compare_sightings(
    real: Sightings, simulated: Sightings, view: View | None = None, true_keypoints: bool = False
) -> dict[str, dict[str, float]]:
    """Figures of both by name: `{"score q50": {"real": 0.71, "simulated": 0.70}, ...}`.

    Args:
        real: of the networks.
        simulated: of the model.
        view: the truth of the real frames; None: only what needs no truth is compared.
        true_keypoints: the view's keypoints are measured ones, not drawn.
    """
    sides = {
        "real": describe(real, view, true_keypoints),
        "simulated": describe(simulated, view, true_keypoints),
    }
    names = [name for name in sides["real"] if name in sides["simulated"]]
    return {name: {side: sides[side][name] for side in sides} for name in names}


def describe(seen: Sightings, view: View | None = None, true_keypoints: bool = False) -> Figures:
    """All figures of one side."""
    out: Figures = {}
    people = np.ones(len(seen.frame), bool)
    if view is not None:
        matched = match_sightings(seen, view)
        people = ~matched.false & (matched.second_of < 0)
        out |= _boxes(seen, view, matched)
        if true_keypoints:
            out |= _errors(seen, view, matched)
    trusted = people & (seen.scores >= TRUSTED_SCORE)
    out |= {f"score q{q:02d}": float(np.quantile(seen.scores[people], q / 100)) for q in (5, 25, 50, 75, 95)}
    for part, joints in PARTS.items():
        values = seen.confidence[trusted][:, joints]
        out |= {
            f"confidence {part} q{q:02d}": float(np.quantile(values, q / 100)) for q in (5, 25, 50, 75, 95)
        }
    return out | _jitter(seen, np.flatnonzero(trusted))


def _boxes(seen: Sightings, view: View, matched: MatchedSightings) -> Figures:
    around = circumstances(view, 0.0)
    row = matched.row_of_person
    score = np.where(row >= 0, seen.scores[np.maximum(row, 0)], 0.0)
    missed = (score < MISS_SCORE) & view.present
    out = {"miss rate": float(missed.sum() / view.present.sum())}
    hidden = around.hidden.T
    for low, high in ((0.0, 0.1), (0.1, 0.4), (0.4, 1.01)):
        here = view.present & (hidden >= low) & (hidden < high)
        if here.sum() >= 20:
            out[f"miss rate, {100 * low:.0f}-{min(100 * high, 100):.0f} % hidden"] = float(
                missed[here].mean()
            )
    runs = _runs(missed)
    step = float(np.median(np.diff(view.t_ns)) * 1e-9)
    out["miss length mean, s"] = float(runs.mean() * step) if len(runs) else 0.0
    out["miss length q90, s"] = float(np.quantile(runs, 0.9) * step) if len(runs) else 0.0
    for least in SCORES:
        out[f"false boxes a frame, score {least}"] = float(
            (matched.false & (seen.scores >= least)).sum() / view.num_frames
        )
        second = (matched.second_of >= 0) & (seen.scores >= least)
        out[f"second boxes a frame, score {least}"] = float(second.sum() / view.num_frames)
    n, f = np.nonzero((row >= 0) & (hidden < 0.05))
    truth = view.box_px[n, f]
    off = np.abs(seen.boxes_px[row[n, f]] - truth) / (truth[:, 3] - truth[:, 1])[:, None]
    for name, edges in (("sides", (0, 2)), ("top", (1,)), ("bottom", (3,))):
        out |= {f"box {name} |error| q{q}": float(np.quantile(off[:, edges], q / 100)) for q in (50, 90)}
    return out


def _runs(missed: Array) -> Float[Array, "M"]:
    """Lengths of unbroken runs along the last axis, frames."""
    padded = np.pad(missed.astype(np.int8), ((0, 0), (1, 1)))
    change = np.diff(padded, axis=1)
    return np.asarray(np.nonzero(change < 0)[1] - np.nonzero(change > 0)[1], np.float64)


def _errors(seen: Sightings, view: View, matched: MatchedSightings) -> Figures:
    row = matched.row_of_person
    n, f = np.nonzero(row >= 0)
    tall = view.box_px[n, f, 3] - view.box_px[n, f, 1]
    off = (seen.keypoints_px[row[n, f]] - view.keypoints_px[n, f]) / tall[:, None, None]
    size, confidence = np.linalg.norm(off, axis=-1), seen.confidence[row[n, f]]
    state = OTHER_LEVELS[view.visibility[n, f]]
    known = np.isfinite(size)
    out: Figures = {}
    for s, name in enumerate(STATES[:3]):
        here = known & (state == s)
        if here.sum() >= 100:
            out |= {
                f"error {name} q{q}": float(np.quantile(size[here], q / 100))
                for q in (25, 50, 75, 90, 95, 99)
            }
    for part, joints in PARTS.items():
        out[f"error {part} q50"] = float(np.median(size[:, joints][known[:, joints]]))
    for low, high in pairwise(CONFIDENCE_BINS):
        here = known & (confidence >= low) & (confidence < high)
        if here.sum() >= 50:
            out[f"error at confidence {low}-{min(high, 1.0)} q50"] = float(np.median(size[here]))
            out[f"error at confidence {low}-{min(high, 1.0)} q90"] = float(np.quantile(size[here], 0.9))
    sure = known & (confidence >= 0.6)
    out["share of joints with confidence over 0.6 and error over 0.10"] = float(
        (sure & (size > 0.1)).sum() / known.sum()
    )
    grid = np.full((*row.shape, 17, 2), np.nan)
    grid[n, f] = np.clip(off, -0.1, 0.1)
    step = float(np.median(np.diff(view.t_ns)) * 1e-9)
    for lag in (1, 3, 6):
        both = np.isfinite(grid[:, lag:]) & np.isfinite(grid[:, :-lag])
        a, b = grid[:, lag:][both], grid[:, :-lag][both]
        out[f"error correlation after {lag * step:.2f} s"] = float((a * b).mean() / np.nanmean(grid**2))
    return out


def _jitter(seen: Sightings, rows: Int[Array, "M"]) -> Figures:
    """Second differences of rows linked by overlap over three frames."""
    follows = followers(seen, rows)
    first = np.flatnonzero(follows >= 0)
    first = first[follows[follows[first]] >= 0]
    a, b, c = first, follows[first], follows[follows[first]]
    points = seen.keypoints_px.astype(np.float64)
    tall = (seen.boxes_px[b, 3] - seen.boxes_px[b, 1])[:, None]
    size = np.linalg.norm(points[a] - 2.0 * points[b] + points[c], axis=-1) / tall
    shows = np.asarray((seen.confidence[[a, b, c]] >= SEEN_KEYPOINT).all(axis=0))
    out: Figures = {}
    for part, joints in PARTS.items():
        values = size[:, joints][shows[:, joints]]
        if len(values) >= 50:
            out |= {f"jitter {part} q{q}": float(np.quantile(values, q / 100)) for q in (50, 90)}
    return out


def followers(seen: Sightings, rows: Int[Array, "M"]) -> Int[Array, "R"]:
    """The row of the next frame that overlaps a row most (and the other way round); -1 for none."""
    out = np.full(len(seen.frame), -1)
    frame = seen.frame[rows]
    edges = np.searchsorted(frame, np.arange(len(seen.t_ns) + 1))
    for k in range(len(seen.t_ns) - 1):
        now, then = rows[edges[k] : edges[k + 1]], rows[edges[k + 1] : edges[k + 2]]
        if len(now) and len(then):
            over = iou(seen.boxes_px[now].astype(np.float64), seen.boxes_px[then].astype(np.float64))
            best, back = over.argmax(axis=1), over.argmax(axis=0)
            good = (over.max(axis=1) > LINKED_IOU) & (back[best] == np.arange(len(now)))
            out[now[good]] = then[best[good]]
    return out


def markdown(title: str, figures: dict[str, dict[str, float]]) -> str:
    """A table for people."""
    lines = [f"### {title}", "", "| figure | real | simulated |", "| --- | ---: | ---: |"]
    lines += [
        f"| {name} | {_short(pair['real'])} | {_short(pair['simulated'])} |" for name, pair in figures.items()
    ]
    return "\n".join([*lines, ""])


def _short(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
