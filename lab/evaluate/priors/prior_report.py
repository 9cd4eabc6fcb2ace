"""`crowdstream evaluate prior`: the motion prior and the pose prior on recordings, linear baselines beside them.

Every figure is a mean over windows (motion), over poses (pose) or a ratio of counts (contact), of the whole and of each
category; so the figures of the categories, weighted by their windows, give those of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ....kernels.priors.motion_prior import MotionPrior
from ....kernels.priors.pose_prior import PosePrior
from ...mocap import MocapClip
from ...motion.track import motion_tracks
from ...motion.windows import MotionWindows, WindowBank
from .baselines import Baselines
from .contacts import ContactCounts
from .interpolate import SlerpAnswers
from .motion import Answerer, MotionScores, score_answers, score_motion
from .pose import score_pose
from .questions import GAPS, INFILLS, LOWERBODY, QUESTIONS, Hiding
from .recordings import Chosen, windows_at
from .window_pca import PcaAnswers

Array = np.ndarray
Progress = Callable[[int, int], None]

_CHUNK = 256
_WINDOW = 64


@dataclass(frozen=True)
class Sampling:
    """Which windows of the chosen recordings."""

    stride: int = 16
    """Frames between the starts of two windows."""
    limit: int | None = None
    """At most so many windows, drawn evenly; None for all."""
    seed: int = 0
    """Of that drawing."""


@dataclass(frozen=True)
class MotionColumns:
    """Scores of everybody on the same W windows."""

    prior: MotionScores
    slerp: MotionScores
    pca: MotionScores | None
    """None without baselines."""

    def figures(self, rows: Bool[Array, "W"]) -> dict[str, float | None]:
        """Means over some windows; None where there is none to take."""
        prior, slerp, pca = self.prior, self.slerp, self.pca
        out: dict[str, float | None] = {}
        _put(out, "recon", prior, "recon", rows)
        _put(out, "pca384", pca, "recon", rows)
        for n in GAPS:
            for name, scores in ((f"infill{n}", prior), (f"interp{n}", slerp), (f"ppca_infill{n}", pca)):
                _put(out, name, scores, f"infill{n}", rows)
                out[f"{name}_accel_mm"] = _mean(scores.accel_mm[f"infill{n}"], rows) if scores else None
        for name, scores in (("lowerbody", prior), ("ppca_lowerbody", pca), ("still_lowerbody", slerp)):
            _put(out, name, scores, "lowerbody", rows)
        return out

    def contact(self, rows: Bool[Array, "W"]) -> dict[str, float | None]:
        """The head's contacts, and those that the rule sees in the decoded motion."""
        return {**_contact("", self.prior.contact, rows), **_contact("rule_", self.prior.rule_contact, rows)}


@dataclass(frozen=True)
class PoseColumns:
    """Errors on the same F poses, mm."""

    recon: Float[Array, "F"]
    pca: Float[Array, "F"] | None
    """None without baselines."""

    def figures(self, rows: Bool[Array, "F"]) -> dict[str, float | None]:
        """Means over some poses; None where there is none."""
        return {
            "recon_mpjpe_mm": _mean(self.recon, rows),
            "recon_p90_mm": _p90(self.recon, rows),
            "pca32_mpjpe_mm": None if self.pca is None else _mean(self.pca, rows),
            "pca32_p90_mm": None if self.pca is None else _p90(self.pca, rows),
        }


def evaluate_prior(
    chosen: Chosen,
    motion_prior: MotionPrior,
    pose_prior: PosePrior,
    baselines: Baselines | None,
    sampling: Sampling,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`motion`, `pose`, `contact`, `windows`, `frames`, and the same by category.

    Args:
        chosen: what is scored.
        motion_prior, pose_prior: in evaluation mode, on the CPU.
        baselines: linear models; None leaves their keys null.
        progress: told windows done and windows in all.
    """
    clip, first = windows_at(chosen.clips, sampling.stride, sampling.limit, sampling.seed)
    motion = _score_windows(chosen.clips, clip, first, motion_prior, baselines, progress)
    categories = np.array([each.category for each in chosen.clips])
    of_window = categories[clip]
    poses, of_pose = _poses(chosen.clips, categories, sampling)
    pose = PoseColumns(
        score_pose(pose_prior, poses), None if baselines is None else score_pose(baselines.pose, poses)
    )

    def part(windows: Bool[Array, "W"], frames: Bool[Array, "F"]) -> dict[str, Any]:
        return {
            "motion": motion.figures(windows),
            "pose": pose.figures(frames),
            "contact": motion.contact(windows),
            "windows": int(windows.sum()),
            "frames": int(frames.sum()),
        }

    whole = part(np.ones(len(of_window), bool), np.ones(len(of_pose), bool))
    whole["by_category"] = {
        str(name): part(of_window == name, of_pose == name) for name in np.unique(categories)
    }
    return whole


def _score_windows(
    clips: Sequence[MocapClip],
    clip: Array,
    first: Array,
    prior: MotionPrior,
    baselines: Baselines | None,
    progress: Progress | None,
) -> MotionColumns:
    bank = WindowBank(motion_tracks(clips))
    parts: list[tuple[MotionScores, MotionScores, MotionScores | None]] = []
    asked: tuple[Hiding, ...] = (*INFILLS, LOWERBODY)
    for start in range(0, len(clip), _CHUNK):
        if progress is not None:
            progress(start, len(clip))
        rows = slice(start, start + _CHUNK)
        windows = _cut(bank, clip[rows], first[rows])
        linear: Answerer | None = None if baselines is None else PcaAnswers(baselines.motion)
        parts.append((
            score_motion(prior, windows),
            score_answers(SlerpAnswers(), windows, asked),
            None if linear is None else score_answers(linear, windows, QUESTIONS),
        ))  # fmt: skip
    if progress is not None:
        progress(len(clip), len(clip))
    known = [part[2] for part in parts if part[2] is not None]
    return MotionColumns(
        MotionScores.join([part[0] for part in parts]),
        MotionScores.join([part[1] for part in parts]),
        MotionScores.join(known) if known else None,
    )


def _cut(bank: WindowBank, clip: Array, first: Array) -> MotionWindows:
    count = len(clip)
    return bank.cut(clip, first.astype(np.float64), np.ones(count), np.zeros(count, bool))


def _poses(
    clips: Sequence[MocapClip], categories: Array, sampling: Sampling
) -> tuple[Float[Array, "F 24 3"], Array]:
    """All poses, or as many as the drawn windows have; and their categories."""
    poses = np.concatenate([clip.pose_rotvec for clip in clips])
    names = np.repeat(categories, [clip.num_frames for clip in clips])
    most = None if sampling.limit is None else _WINDOW * sampling.limit
    if most is not None and len(poses) > most:
        rows = np.sort(np.random.default_rng([sampling.seed, 1]).choice(len(poses), most, replace=False))
        poses, names = poses[rows], names[rows]
    return poses, names


def _put(
    out: dict[str, float | None],
    name: str,
    scores: MotionScores | None,
    question: str,
    rows: Bool[Array, "W"],
) -> None:
    values = None if scores is None else scores.mpjpe_mm[question]
    out[f"{name}_mpjpe_mm"] = None if values is None else _mean(values, rows)
    out[f"{name}_p90_mm"] = None if values is None else _p90(values, rows)


def _contact(prefix: str, counts: ContactCounts | None, rows: Bool[Array, "W"]) -> Mapping[str, float | None]:
    scores = (None, None, None) if counts is None else counts.scores(rows)
    return {
        f"{prefix}{name}": value for name, value in zip(("f1", "precision", "recall"), scores, strict=True)
    }


def _mean(values: Float[Array, "R"], rows: Bool[Array, "R"]) -> float | None:
    return _number(float(values[rows].mean())) if rows.any() else None


def _p90(values: Float[Array, "R"], rows: Bool[Array, "R"]) -> float | None:
    return _number(float(np.quantile(values[rows], 0.9))) if rows.any() else None


def _number(value: float) -> float | None:
    """None for what JSON has no word for: a network whose weights went astray."""
    return value if np.isfinite(value) else None
