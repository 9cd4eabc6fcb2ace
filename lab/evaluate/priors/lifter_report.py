"""`crowdstream evaluate lifter`: bodies from keypoints alone, on synthetic views of recordings.

Every window gets a body, a camera and the noise of the measured networks, drawn from the seed (`lab.lifter.score`).
Beside it stands what needs no learning at all: one average pose, upright, facing where the person goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ....kernels.lifter.lifter import Lifter
from ...lifter.score import LifterScore, mean_pose_answer, score_answers, score_lifter
from ...motion.track import MotionTrack, motion_tracks
from ...motion.windows import WINDOW
from .baselines import Baselines
from .prior_report import Sampling
from .recordings import Chosen, windows_at

Array = np.ndarray
Progress = Callable[[int, int], None]

_CHUNK = 512
"""Windows whose views are made at a time: some 200 MB."""
_ERRORS = {"pa_mpjpe_mm": "pa_mpjpe_p90_mm", "mpjpe_mm": "mpjpe_p90_mm", "root_m": "root_p90_m"}
"""Means and the names of their 90th percentiles."""


def evaluate_lifter(
    chosen: Chosen,
    lifter: Lifter,
    baselines: Baselines | None,
    sampling: Sampling,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`lifter`, `windows`, `frames`, and the same by category.

    Args:
        chosen: what is scored.
        lifter: in evaluation mode, on the CPU.
        baselines: their mean pose is the baseline; None leaves its keys null.
        progress: told windows done and windows in all.
    """
    clip, first = windows_at(chosen.clips, sampling.stride, sampling.limit, sampling.seed)
    tracks = motion_tracks(chosen.clips)
    cut = [_window(tracks[k], start) for k, start in zip(clip.tolist(), first.tolist(), strict=True)]
    ours: list[LifterScore] = []
    plain: list[LifterScore] = []
    for start in range(0, len(cut), _CHUNK):
        if progress is not None:
            progress(start, len(cut))
        part = cut[start : start + _CHUNK]
        seed = int(np.random.SeedSequence([sampling.seed, start]).generate_state(1)[0])
        ours.append(score_lifter(lifter, part, seed, stride=WINDOW))
        if baselines is not None:
            plain.append(score_answers(mean_pose_answer(baselines.pose.mean), part, seed, stride=WINDOW))
    if progress is not None:
        progress(len(cut), len(cut))
    of_window = np.array([track.category for track in cut])
    columns = {"": _columns(ours), "mean_pose_": _columns(plain)}

    def part_of(rows: Bool[Array, "W"]) -> dict[str, Any]:
        figures = {f"{who}{key}": _mean(c.get(key), rows) for who, c in columns.items() for key in _ERRORS}
        figures |= {name: _p90(columns[""].get(key), rows) for key, name in _ERRORS.items()}
        return {"lifter": figures, "windows": int(rows.sum()), "frames": WINDOW * int(rows.sum())}

    whole = part_of(np.ones(len(cut), bool))
    whole["by_category"] = {str(name): part_of(of_window == name) for name in np.unique(of_window)}
    return whole


def _window(track: MotionTrack, start: int) -> MotionTrack:
    part = slice(start, start + WINDOW)
    return replace(track, quats=track.quats[part], root_m=track.root_m[part], contact=track.contact[part])


def _columns(scores: Sequence[LifterScore]) -> dict[str, Float[Array, "W"]]:
    return {key: np.concatenate([getattr(score, key) for score in scores]) for key in _ERRORS if scores}


def _mean(values: Float[Array, "W"] | None, rows: Bool[Array, "W"]) -> float | None:
    known = _known(values, rows)
    return float(known.mean()) if len(known) else None


def _p90(values: Float[Array, "W"] | None, rows: Bool[Array, "W"]) -> float | None:
    known = _known(values, rows)
    return float(np.quantile(known, 0.9)) if len(known) else None


def _known(values: Float[Array, "W"] | None, rows: Bool[Array, "W"]) -> Float[Array, "V"]:
    """Windows in which the person was judged at all."""
    if values is None:
        return np.zeros(0)
    return np.asarray(values[rows & np.isfinite(values)])
