"""Profile `author`: what the papers' own evaluators compute, so that our numbers can stand beside their tables.

Missing people are charged inside the figures: placement is multiplied by r = matched / true of the frame, and an
unmatched true person-frame costs 150 mm in MPJPE and PA-MPJPE (the papers' rows with and without true tracks differ
by just that). WA-/W-MPJPE and ACCEL are the authors' own forms, on pelvis-relative H36M-14 joints of whole compact
tracks; they are not the WA/W/ACCEL of SLAHMR or WHAM.

    WA, W = (sum over covered samples of tracks of > 2 samples + 150 missing) / (their number + missing),
            missing = true person-frames - covered ones
    nominal WA, W: the same with missing = true people x frames - covered ones, as the evaluator has it
    ACCEL = mean over tracks of mean over steps of | ( | |D^2 x_j| - |D^2 y_j| | )_j |_2 x 1000,  no frame rate

In the authors' data everybody is there in every frame (893 people x 200 frames are its 178,938 person-frames but
for rounding), so their two ways of counting who is missing are one. Crowds with people who come and go are charged by
the nominal rule for people who are not there, which even a perfect result cannot avoid: hence the first is the one
to compare. PCOD likewise may fall short of 1 for the truth itself (`depth_order`).

Placement, SS, OKS and RP are means over frames. A frame with two true people and no matched pair counts 0 in PPDS,
PA-PPDS and PCOD; one with fewer than two true people says nothing about pairs. Never compare with `corrected`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from .completeness import combined_score, redundancy_penalty
from .depth_order import PCDR_TOLERANCE_M, OrderFrames, OrderRule, depths, order_frames
from .joint_sets import H36M_14, PELVIS
from .matching import Matches, match_author, match_tracks, matched_rows, usable
from .oks import oks
from .people import People
from .placement import place_frames, scale_score, torso_centres
from .pose import pelvis_errors, similarity_errors, world_errors
from .record import as_plain
from .trajectory import FIRST_SAMPLES, change_starts, stretch_errors

Array = np.ndarray

MISSING_MM = 150.0
"""What the authors charge for a true person-frame without a match."""
MIN_TRACK_SAMPLES = 3
"""Tracks of one or two samples are left out of the track metrics (their cells are covered all the same)."""


@dataclass(frozen=True)
class AuthorScores:
    """Scores of the authors' evaluators. NaN: nothing to judge. Shares are 0..1, higher is better."""

    num_true: int
    """True person-frames (of the selection)."""
    num_predicted: int
    """Predicted person-frames (of everybody)."""
    num_matched: int
    pa_ppds: float
    ppds: float
    ss: float
    """Nearness of the world's scale to 1, mean over frames of two matched people and more."""
    pcod: float
    """Strict: predicted torso depths against true ground points, ties wrong, x r."""
    pcod_sign_or_near: float
    """GroupRec's and SMAP's: torso against torso, both within 0.30 m is right; no factor r."""
    pcdr: float
    """Relative Human's, at 0.2 m; no factor r."""
    oks: float
    rp: float
    """Redundancy penalty, lower is better; NaN for a selection."""
    score: float
    """GigaCrowd's sum; NaN for a selection."""
    mpjpe_mm: float
    pa_mpjpe_mm: float
    gmpjpe_mm: float
    """H36M-14 joints as they stand, matched people only, no charge."""
    wa_mpjpe_mm: float
    """Pelvis-relative; 150 mm for each true person-frame that is not covered."""
    w_mpjpe_mm: float
    wa_nominal_mpjpe_mm: float
    """150 mm also for each frame in which a person of the crowd is not in the scene."""
    w_nominal_mpjpe_mm: float
    accel: float
    """The authors' unit: see above; lower is better."""
    profile: Literal["author"] = field(default="author", init=False)

    def as_dict(self) -> dict[str, Any]:
        """JSON values; null where there was nothing to judge."""
        return as_plain(self)


def score_author(
    predicted: People,
    truth: People,
    select: Bool[Array, "N F"] | None = None,
    matches: Matches | None = None,
) -> AuthorScores:
    """Scores in the profile `author`.

    Args:
        select: true person-frames of interest (e.g. `selection.occluded`). Pairs count if one of their two people
            is selected; alignments still see everybody.
        matches: of `match_author`, to match once for several selections.

    Raises:
        ShapeError: the two sides have different frames.

    >>> from crowdstream.kernels.metrics.examples import standing_people
    >>> truth = standing_people([[0.0, 8.0, 0.0], [2.0, 9.0, 0.0], [-1.0, 12.0, 0.0]], num_frames=4)
    >>> perfect = score_author(truth, truth)
    >>> round(perfect.pa_ppds, 6), round(perfect.score, 6), round(perfect.mpjpe_mm, 6), round(perfect.accel, 6)
    (1.0, 1.0, 0.0, 0.0)
    >>> one_lost = score_author(standing_people([[0.0, 8.0, 0.0], [2.0, 9.0, 0.0]], num_frames=4), truth)
    >>> round(one_lost.ppds, 6), round(one_lost.mpjpe_mm, 6), round(one_lost.wa_mpjpe_mm, 6)
    (0.666667, 50.0, 50.0)
    """
    matches = match_author(predicted, truth) if matches is None else matches
    there, matched = usable(truth), matches.predicted_of_true >= 0
    chosen = there if select is None else there & select
    frames = _FrameCounts(
        people=there.sum(axis=0), chosen=chosen.sum(axis=0), matched=(matched & chosen).sum(axis=0)
    )
    person, frame, row = matched_rows(matches)
    x, y = predicted.joints_m[row, frame], truth.joints_m[person, frame]
    near = chosen[person, frame]
    placed = _placement(predicted, truth, matches, x, frames, select)
    if select is None:
        redundancy = _mean(redundancy_penalty(usable(predicted).sum(axis=0), frames.people))
    else:
        redundancy = float("nan")
    tracks = _track_scores(predicted, truth, match_tracks(matches), None if select is None else chosen)
    num_true, num_matched = int(frames.chosen.sum()), int(frames.matched.sum())
    similar = oks(
        predicted.keypoints_px[row, frame], truth.keypoints_px[person, frame], truth.box_px[person, frame]
    )
    per_frame = np.zeros(len(frames.chosen))
    np.add.at(per_frame, frame[near], np.nan_to_num(similar[near]))
    oks_mean = _mean(np.where(frames.chosen > 0, per_frame / np.maximum(frames.chosen, 1), np.nan))
    return AuthorScores(
        num_true=num_true,
        num_predicted=matches.num_predicted,
        num_matched=num_matched,
        oks=oks_mean,
        rp=redundancy,
        score=combined_score(placed["pa_ppds"], placed["ss"], placed["pcod"], oks_mean, redundancy),
        mpjpe_mm=_charged_for(pelvis_errors(x[near], y[near], H36M_14), num_true - num_matched),
        pa_mpjpe_mm=_charged_for(similarity_errors(x[near], y[near], H36M_14), num_true - num_matched),
        gmpjpe_mm=_mean(world_errors(x[near], y[near], H36M_14)),
        **placed,
        **tracks,
    )


def acceleration_differences(
    predicted_m: Float[Array, "T J 3"], true_m: Float[Array, "T J 3"]
) -> Float[Array, "S"]:
    """| ( | |D^2 x_j| - |D^2 y_j| | )_j |_2 x 1000 of each step of a compact track; S = T - 2, none of fewer.

    >>> still = np.zeros((3, 4, 3)); jolt = still.copy(); jolt[1] += np.array([0.0, 0.0, 0.001])
    >>> acceleration_differences(jolt, still).round(9).tolist()  # 4 joints x 2 mm: sqrt(4) * 2
    [4.0]
    >>> acceleration_differences(jolt, -jolt).tolist()  # lengths are compared: an opposite jolt goes unseen
    [0.0]
    """
    x, y = np.asarray(predicted_m, np.float64), np.asarray(true_m, np.float64)
    if len(x) < MIN_TRACK_SAMPLES:
        return np.zeros(0)
    lengths = [np.linalg.norm(z[2:] - 2 * z[1:-1] + z[:-2], axis=-1) for z in (x, y)]
    return np.asarray(1e3 * np.linalg.norm(lengths[0] - lengths[1], axis=-1))


@dataclass(frozen=True)
class _FrameCounts:
    people: Int[Array, "F"]
    chosen: Int[Array, "F"]
    matched: Int[Array, "F"]
    """Of the chosen."""

    def charged(self, share: Float[Array, "F"]) -> float:
        """Mean over frames of r x share: 0 where two people are there and no pair was found."""
        judged = (self.people >= 2) & (self.chosen > 0)
        r = self.matched / np.maximum(self.chosen, 1)
        return _mean((r * np.nan_to_num(share))[judged])


def _placement(
    predicted: People,
    truth: People,
    matches: Matches,
    joints_m: Float[Array, "M 24 3"],
    frames: _FrameCounts,
    select: Bool[Array, "N F"] | None,
) -> dict[str, float]:
    person, frame, _ = matched_rows(matches)
    matched = matches.predicted_of_true >= 0
    found, true = np.zeros((*matched.shape, 3)), np.zeros((*matched.shape, 3))
    found[person, frame] = torso_centres(joints_m)
    true[person, frame] = torso_centres(truth.joints_m[person, frame])
    ground = np.where(matched[..., None], truth.ground_m, 0.0)
    placed = place_frames(found, true, matched, select)
    deep, true_deep, ground_deep = (
        depths(points, truth.depth_axis, truth.centre_m) for points in (found, true, ground)
    )
    strict = order_frames(deep, ground_deep, matched, OrderRule.STRICT, select=select)
    near = order_frames(deep, true_deep, matched, OrderRule.SIGN_OR_NEAR, select=select)
    pcdr = order_frames(deep, true_deep, matched, OrderRule.THREE_CLASS, PCDR_TOLERANCE_M, select)
    return {
        "ppds": frames.charged(placed.ppds),
        "pa_ppds": frames.charged(placed.pa_ppds),
        "ss": _mean(scale_score(placed.scale)),
        "pcod": frames.charged(strict.share),
        "pcod_sign_or_near": _frame_mean(near),
        "pcdr": _frame_mean(pcdr),
    }


def _track_scores(
    predicted: People, truth: People, tracks: Matches, chosen: Bool[Array, "N F"] | None
) -> dict[str, float]:
    """WA-, W-MPJPE and ACCEL in the authors' form; `chosen` None for everybody."""
    person, frame, row = matched_rows(tracks)
    keep = np.ones(len(person), dtype=bool) if chosen is None else chosen[person, frame]
    covered = int(keep.sum())
    long = np.bincount(person, minlength=1)[person] >= MIN_TRACK_SAMPLES
    person, frame, row, keep = person[long], frame[long], row[long], keep[long]
    x = _pelvis_relative(predicted.joints_m[row, frame])
    y = _pelvis_relative(truth.joints_m[person, frame])
    starts = change_starts(person)
    wa = stretch_errors(x, y, starts)[keep]
    w = stretch_errors(x, y, starts, fit_on=FIRST_SAMPLES)[keep]
    jolts = []
    for a, b in pairwise([*starts.tolist(), len(person)]):
        steps = acceleration_differences(x[a:b], y[a:b])[keep[a + 1 : b - 1]]
        jolts += [float(steps.mean())] if len(steps) else []
    there = usable(truth)
    present = int(there.sum() if chosen is None else chosen.sum())
    nominal = int(there.any(axis=1).sum()) * there.shape[1] if chosen is None else present
    return {
        "wa_mpjpe_mm": _charged_for(wa, present - covered),
        "w_mpjpe_mm": _charged_for(w, present - covered),
        "wa_nominal_mpjpe_mm": _charged_for(wa, nominal - covered),
        "w_nominal_mpjpe_mm": _charged_for(w, nominal - covered),
        "accel": float(np.mean(jolts)) if jolts else float("nan"),
    }


def _pelvis_relative(joints_m: Float[Array, "M 24 3"]) -> Float[Array, "M 14 3"]:
    joints = np.asarray(joints_m, np.float64)
    return joints[:, H36M_14] - joints[:, PELVIS, None]


def _charged_for(errors_mm: Float[Array, "M"], missing: int) -> float:
    count = len(errors_mm) + missing
    return (float(errors_mm.sum()) + MISSING_MM * missing) / count if count else float("nan")


def _frame_mean(order: OrderFrames) -> float:
    return _mean(order.share)


def _mean(values: Float[Array, "M"]) -> float:
    """Of the finite ones; NaN of none."""
    good = values[np.isfinite(values)]
    return float(good.mean()) if len(good) else float("nan")
