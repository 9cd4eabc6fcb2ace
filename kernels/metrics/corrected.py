"""Profile `corrected`: errors of what was found, how much was found, and neither inside the other.

People are matched by an optimal assignment per frame (`matching.match_people`). Precision, recall and F1 stand
apart; nothing is charged to an error. Pairs and person-frames are pooled over all frames. Joints are SMPL's 24.
Motion and trajectories are measured on one predicted identity per true one, over exactly consecutive frames;
WA-/W-MPJPE are in world coordinates, in chunks of 100 samples (WHAM) and over whole tracks (SLAHMR).

Definitions follow the audit of the authors' evaluator by hjlib (MPJPE-WORLD, T-, RT-, PA-, SEQ-*, PCOD-3C-0.3m,
OKS-VIS, ACC, JERK) but for the anchor of placement, which is the torso centre here as in the papers.
Never compare with `author`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from .completeness import Completeness, redundancy_penalty
from .depth_order import PCDR_TOLERANCE_M, OrderFrames, OrderRule, depths, order_frames
from .foot_sliding import sliding_m
from .joint_sets import PELVIS
from .matching import Matches, match_people, match_tracks, matched_rows, usable
from .motion import difference_errors, difference_lengths, run_starts
from .oks import oks
from .people import People
from .placement import PlacementFrames, place_frames, scale_score, torso_centres
from .pose import MM_PER_M, pelvis_errors, rigid_errors, similarity_errors, world_errors
from .record import as_plain
from .selection import occluded
from .trajectory import (
    CHUNK,
    FIRST_SAMPLES,
    MIN_PATH_M,
    change_starts,
    path_lengths,
    root_errors,
    stretch_errors,
    stretch_of,
)

Array = np.ndarray
NAN = float("nan")


@dataclass(frozen=True)
class CorrectedScores:
    """NaN: nothing to judge. Shares are 0..1, higher is better; everything else lower is better."""

    num_true: int
    """True person-frames (of the selection)."""
    num_predicted: int
    """Predicted person-frames (of everybody)."""
    num_matched: int
    precision: float
    """NaN for a selection: a false prediction belongs to no true person."""
    recall: float
    f1: float
    """NaN for a selection."""
    rp: float
    """GigaCrowd's redundancy penalty over all frames; NaN for a selection."""
    ppds: float
    pa_ppds: float
    ss: float
    pcod: float
    """Three classes at 0.30 m, torso against torso."""
    pcod_sign_or_near: float
    pcdr: float
    """Three classes at 0.2 m."""
    oks: float
    """Of visible keypoints (OKS-VIS); people with none visible are left out."""
    oks_all: float
    """Of all 17, hidden ones too."""
    mpjpe_mm: float
    """T-MPJPE: pelvises put together."""
    rt_mpjpe_mm: float
    pa_mpjpe_mm: float
    world_mpjpe_mm: float
    """Joints as they stand in the world (equal to GMPJPE of one camera, over 24 joints)."""
    root_mm: float
    """Mean distance of the pelvises."""
    ground_m: float
    """Mean horizontal distance of the ground points."""
    ground_median_m: float
    wa_mpjpe_mm: float
    """Chunks of 100 samples."""
    w_mpjpe_mm: float
    wa_track_mpjpe_mm: float
    """Whole tracks."""
    w_track_mpjpe_mm: float
    seq_t_mpjpe_mm: float
    """One translation per run of consecutive frames in which the person shows at all."""
    seq_rt_mpjpe_mm: float
    seq_pa_mpjpe_mm: float
    rte_percent: float
    """Rigidly aligned root error / true path, mean over samples of tracks of at least 1 m of path."""
    rte_mm: float
    """The same error in mm, of all tracks."""
    accel: float
    """mm/frame^2, all joints, in the world."""
    accel_root: float
    """mm/frame^2, pelvis."""
    accel_m_s2: float
    """`accel` times the squared frame rate (WHAM's unit)."""
    jerk: float
    """mm/frame^3."""
    jerk_root: float
    velocity_m_s: float
    """Of all joints."""
    velocity_root_m_s: float
    jitter: float
    """Of the prediction alone, 10 m/s^3; compare with the next."""
    jitter_true: float
    foot_sliding_mm: float
    """Per frame, where the true sole point stands; NaN where soles are not given or not comparable."""
    profile: Literal["corrected"] = field(default="corrected", init=False)

    def as_dict(self) -> dict[str, Any]:
        """JSON values; null where there was nothing to judge."""
        return as_plain(self)


def score_corrected(
    predicted: People,
    truth: People,
    occluded_only: bool = False,
    select: Bool[Array, "N F"] | None = None,
    matches: Matches | None = None,
) -> CorrectedScores:
    """Scores in the profile `corrected`.

    Args:
        occluded_only: only true person-frames of `selection.occluded`.
        select: true person-frames of interest. Pairs count if one of their two people is selected, runs of k
            frames if the middle one is (the one before it for even k); alignments still see everybody.
        matches: of `match_people`, to match once for several selections.

    Raises:
        ShapeError: the two sides have different frames.

    >>> from dataclasses import replace
    >>> from crowdstream.kernels.metrics.examples import standing_people
    >>> spots = [[0.0, 8.0, 0.0], [2.0, 9.0, 0.0], [-1.0, 12.0, 0.0]]
    >>> truth = standing_people(spots, num_frames=5, step_m=(0.03, 0.0, 0.0))
    >>> perfect = score_corrected(truth, truth)
    >>> round(perfect.f1, 6), round(perfect.ppds, 6), round(perfect.world_mpjpe_mm, 6), round(perfect.accel, 6)
    (1.0, 1.0, 0.0, 0.0)
    >>> shifted = replace(truth, joints_m=truth.joints_m + np.array([0.0, 0.0, 0.1]))
    >>> got = score_corrected(shifted, truth)
    >>> round(got.world_mpjpe_mm, 6), round(got.mpjpe_mm, 6), round(got.ppds, 6), round(got.velocity_m_s, 6)
    (100.0, 0.0, 1.0, 0.0)
    """
    matches = match_people(predicted, truth) if matches is None else matches
    there = usable(truth)
    whole = select is None and not occluded_only
    chosen = there if select is None else there & select
    if occluded_only:
        chosen = chosen & occluded(truth)
    tracks = match_tracks(matches)
    parts: dict[str, Any] = {
        **_completeness(matches, chosen, usable(predicted), whole),
        **_placement(predicted, truth, matches, None if whole else chosen),
        **_pose(predicted, truth, matches, chosen),
        **_trajectories(predicted, truth, tracks, chosen),
        **_motion(predicted, truth, tracks, chosen),
    }
    return CorrectedScores(**parts)


def _completeness(
    matches: Matches, chosen: Bool[Array, "N F"], here: Bool[Array, "P F"], whole: bool
) -> dict[str, float | int]:
    counts = Completeness(
        num_true=int(chosen.sum()),
        num_predicted=matches.num_predicted,
        num_matched=int((chosen & (matches.predicted_of_true >= 0)).sum()),
    )
    redundancy = redundancy_penalty(np.array([here.sum()]), np.array([chosen.sum()]))
    return {
        "num_true": counts.num_true,
        "num_predicted": counts.num_predicted,
        "num_matched": counts.num_matched,
        "precision": counts.precision if whole else NAN,
        "recall": counts.recall,
        "f1": counts.f1 if whole else NAN,
        "rp": float(redundancy[0]) if whole else NAN,
    }


def _placement(
    predicted: People, truth: People, matches: Matches, select: Bool[Array, "N F"] | None
) -> dict[str, float]:
    person, frame, row = matched_rows(matches)
    matched = matches.predicted_of_true >= 0
    found, true = np.zeros((*matched.shape, 3)), np.zeros((*matched.shape, 3))
    found[person, frame] = torso_centres(predicted.joints_m[row, frame])
    true[person, frame] = torso_centres(truth.joints_m[person, frame])
    placed = place_frames(found, true, matched, select)
    deep, true_deep = (depths(points, truth.depth_axis, truth.centre_m) for points in (found, true))
    classes = order_frames(deep, true_deep, matched, OrderRule.THREE_CLASS, select=select)
    near = order_frames(deep, true_deep, matched, OrderRule.SIGN_OR_NEAR, select=select)
    pcdr = order_frames(deep, true_deep, matched, OrderRule.THREE_CLASS, PCDR_TOLERANCE_M, select)
    return {
        "ppds": _pooled(placed, placed.ppds),
        "pa_ppds": _pooled(placed, placed.pa_ppds),
        "ss": _mean(scale_score(placed.scale)),
        "pcod": _share(classes),
        "pcod_sign_or_near": _share(near),
        "pcdr": _share(pcdr),
    }


def _pose(predicted: People, truth: People, matches: Matches, chosen: Bool[Array, "N F"]) -> dict[str, float]:
    person, frame, row = matched_rows(matches)
    near = chosen[person, frame]
    person, frame, row = person[near], frame[near], row[near]
    x, y = predicted.joints_m[row, frame], truth.joints_m[person, frame]
    ground = np.asarray(predicted.ground_m[row, frame], np.float64) - truth.ground_m[person, frame]
    off = np.linalg.norm(ground[:, :2], axis=1)
    drawn = (
        predicted.keypoints_px[row, frame],
        truth.keypoints_px[person, frame],
        truth.box_px[person, frame],
    )
    known = truth.visible.shape[:2] == truth.present.shape
    return {
        "oks": _mean(oks(*drawn, truth.visible[person, frame] if known else None)),
        "oks_all": _mean(oks(*drawn)),
        "mpjpe_mm": _mean(pelvis_errors(x, y)),
        "rt_mpjpe_mm": _mean(rigid_errors(x, y)),
        "pa_mpjpe_mm": _mean(similarity_errors(x, y)),
        "world_mpjpe_mm": _mean(world_errors(x, y)),
        "root_mm": _mean(world_errors(x, y, np.array([PELVIS]))),
        "ground_m": _mean(off),
        "ground_median_m": float(np.median(off)) if len(off) else NAN,
    }


def _trajectories(
    predicted: People, truth: People, tracks: Matches, chosen: Bool[Array, "N F"]
) -> dict[str, float]:
    person, frame, row = matched_rows(tracks)
    x, y = predicted.joints_m[row, frame], truth.joints_m[person, frame]
    keep = chosen[person, frame]
    whole, chunks = change_starts(person), change_starts(person, CHUNK)
    root_m = root_errors(x[:, PELVIS], y[:, PELVIS], whole)
    path_m = path_lengths(y[:, PELVIS], whole)[stretch_of(whole, len(y))]
    walked = keep & (path_m >= MIN_PATH_M)
    return {
        "wa_mpjpe_mm": _mean(stretch_errors(x, y, chunks)[keep]),
        "w_mpjpe_mm": _mean(stretch_errors(x, y, chunks, fit_on=FIRST_SAMPLES)[keep]),
        "wa_track_mpjpe_mm": _mean(stretch_errors(x, y, whole)[keep]),
        "w_track_mpjpe_mm": _mean(stretch_errors(x, y, whole, fit_on=FIRST_SAMPLES)[keep]),
        "rte_percent": 100.0 * _mean(root_m[walked] / path_m[walked]),
        "rte_mm": MM_PER_M * _mean(root_m[keep]),
        **_visible_runs(x, y, keep, _run_labels(truth, person, frame, row)),
    }


def _run_labels(
    truth: People, person: Int[Array, "M"], frame: Int[Array, "M"], row: Int[Array, "M"]
) -> Int[Array, "M"]:
    """Numbers runs of consecutive frames in which a keypoint is visible; -1 in between. All, if none is known."""
    known = truth.visible.shape[:2] == truth.present.shape
    seen = np.ones(len(person), dtype=bool)
    if known:
        seen = np.asarray(truth.visible[person, frame].any(axis=1))
    linked = np.zeros(len(person), dtype=bool)
    linked[run_starts(person, frame, row, 1) + 1] = True
    linked[1:] &= seen[:-1]
    return np.where(seen, np.cumsum(~linked), -1)


def _visible_runs(
    x: Float[Array, "M 24 3"], y: Float[Array, "M 24 3"], keep: Bool[Array, "M"], label: Int[Array, "M"]
) -> dict[str, float]:
    """SEQ-T/-RT/-PA-MPJPE: one alignment per run."""
    starts, use = change_starts(label), keep & (label >= 0)
    return {
        "seq_t_mpjpe_mm": _mean(stretch_errors(x, y, starts, freedom="translation")[use]),
        "seq_rt_mpjpe_mm": _mean(stretch_errors(x, y, starts, freedom="rigid")[use]),
        "seq_pa_mpjpe_mm": _mean(stretch_errors(x, y, starts)[use]),
    }


def _motion(
    predicted: People, truth: People, tracks: Matches, chosen: Bool[Array, "N F"]
) -> dict[str, float]:
    person, frame, row = matched_rows(tracks)
    x, y = predicted.joints_m[row, frame], truth.joints_m[person, frame]
    keep, rate = chosen[person, frame], truth.rate_hz
    runs = {}
    for order in (1, 2, 3):
        starts = run_starts(person, frame, row, order)
        runs[order] = starts[keep[starts + order // 2]]
    root = slice(PELVIS, PELVIS + 1)
    joint = {k: _mean(difference_errors(x, y, starts, k)) for k, starts in runs.items()}
    pelvis = {k: _mean(difference_errors(x[:, root], y[:, root], starts, k)) for k, starts in runs.items()}
    sliding = NAN
    if predicted.soles_m.shape[1:3] == truth.soles_m.shape[1:3] != (0, 0):
        soles = predicted.soles_m[row, frame], truth.soles_m[person, frame]
        sliding = MM_PER_M * _mean(sliding_m(*soles, runs[1], rate))
    return {
        "accel": MM_PER_M * joint[2],
        "accel_root": MM_PER_M * pelvis[2],
        "accel_m_s2": rate**2 * joint[2],
        "jerk": MM_PER_M * joint[3],
        "jerk_root": MM_PER_M * pelvis[3],
        "velocity_m_s": rate * joint[1],
        "velocity_root_m_s": rate * pelvis[1],
        "jitter": rate**3 / 10.0 * _mean(difference_lengths(x, runs[3], 3)),
        "jitter_true": rate**3 / 10.0 * _mean(difference_lengths(y, runs[3], 3)),
        "foot_sliding_mm": sliding,
    }


def _pooled(placed: PlacementFrames, share: Float[Array, "F"]) -> float:
    total = int(placed.pairs.sum())
    return float((placed.pairs * np.nan_to_num(share)).sum()) / total if total else NAN


def _share(order: OrderFrames) -> float:
    total = int(order.pairs.sum())
    return float(order.right.sum()) / total if total else NAN


def _mean(values: Float[Array, "M"]) -> float:
    """Of the finite ones; NaN of none."""
    good = values[np.isfinite(values)]
    return float(good.mean()) if len(good) else NAN
