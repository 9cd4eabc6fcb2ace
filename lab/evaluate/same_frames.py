"""Two runs on the same person-frames: those that both have a body for.

A run that gives bodies to people while they are hidden adds hard person-frames to its own mean, and looks worse for it.
So whether one run is better than another is judged where both say something, group by group:

    change = mean over G of e_ours / mean over G of e_theirs - 1          G: person-frames matched in both

below 0 where ours is better. Each run's own match says which of its bodies a true person is (profile `corrected`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ...kernels.errors import ShapeError
from ...kernels.metrics.matching import matched_rows
from ...kernels.metrics.pose import pelvis_errors, similarity_errors
from ...kernels.metrics.selection import occluded
from .score import Comparison

Array = np.ndarray

ERRORS = ("mpjpe_mm", "pa_mpjpe_mm", "root_mm")
GROUPS = ("all", "occluded", "hidden", "rest")
"""occluded: at least half of the keypoints in the picture are hidden. hidden: under 5 % of the body is to be seen.
rest: not occluded. Occluded and rest make up all."""


@dataclass(frozen=True)
class FrameErrors:
    """Errors of one run of one camera, mm; NaN where there is no body for a true person-frame."""

    mpjpe_mm: Float[Array, "N F"]
    """24 joints, pelvises put together."""
    pa_mpjpe_mm: Float[Array, "N F"]
    root_mm: Float[Array, "N F"]
    """Pelvis in the world."""
    groups: Mapping[str, Bool[Array, "N F"]]
    """Of `GROUPS`: which person-frames of the truth."""

    @property
    def has_body(self) -> Bool[Array, "N F"]:
        return np.asarray(np.isfinite(self.mpjpe_mm))


def frame_errors(compared: Comparison) -> FrameErrors:
    """The errors of every true person-frame."""
    truth = compared.truth.people
    person, frame, row = matched_rows(compared.matches)
    found, true = compared.predicted.joints_m[row, frame], truth.joints_m[person, frame]

    def spread(values: Float[Array, "M"]) -> Float[Array, "N F"]:
        out = np.full(truth.present.shape, np.nan, np.float32)
        out[person, frame] = values
        return out

    hard = occluded(truth)
    groups = {
        "all": truth.present,
        "occluded": hard,
        "hidden": compared.truth.hidden,
        "rest": truth.present & ~hard,
    }
    root_mm = 1e3 * np.linalg.norm(found[:, 0] - true[:, 0], axis=-1)
    return FrameErrors(
        spread(pelvis_errors(found, true)), spread(similarity_errors(found, true)), spread(root_mm), groups
    )


def on_same_frames(ours: Sequence[FrameErrors], theirs: Sequence[FrameErrors]) -> dict[str, dict[str, Any]]:
    """Each group -> how many person-frames both have, both means of each error, and the change.

    Args:
        ours, theirs: two runs of the same cameras, in the same order; all their person-frames are pooled.

    Raises:
        ShapeError: they are not of the same cameras.
    """
    if [e.mpjpe_mm.shape for e in ours] != [e.mpjpe_mm.shape for e in theirs]:
        raise ShapeError(
            f"cannot compare runs of {len(ours)} and {len(theirs)} cameras frame by frame; expected the same ones"
        )
    out: dict[str, dict[str, Any]] = {}
    for group in GROUPS:
        picks = [
            a.has_body & b.has_body & a.groups[group] & b.groups[group]
            for a, b in zip(ours, theirs, strict=True)
        ]
        out[group] = {"person_frames": sum(int(pick.sum()) for pick in picks)}
        for name in ERRORS:
            a, b = (_mean(run, picks, name) for run in (ours, theirs))
            out[group] |= {f"{name}_ours": a, f"{name}_theirs": b, f"{name}_change": _change(a, b)}
    return out


def coverage(runs: Sequence[FrameErrors]) -> dict[str, float | None]:
    """Share of each group's person-frames with a body."""
    out: dict[str, float | None] = {}
    for group in GROUPS:
        wanted = sum(int(run.groups[group].sum()) for run in runs)
        got = sum(int((run.has_body & run.groups[group]).sum()) for run in runs)
        out[group] = got / wanted if wanted else None
    return out


def _mean(runs: Sequence[FrameErrors], picks: Sequence[Bool[Array, "N F"]], name: str) -> float | None:
    values = [getattr(run, name)[pick] for run, pick in zip(runs, picks, strict=True)]
    pooled = np.concatenate([np.zeros(0, np.float32), *values])
    return float(pooled.mean(dtype=np.float64)) if len(pooled) else None


def _change(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs - 1.0 if ours is not None and theirs else None
