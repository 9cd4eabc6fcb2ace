"""Does a new track go on a lost one? Each cue as a log likelihood ratio against "somebody new".

motion      p(place, velocity, time of the beginning | end of the lost one), against births of an average place
exit        the scene: how many of those lost there come back, and how many new ones begin here (`SceneMemory`)
stature     learnt torso heights
appearance  mean codes (kernels.tracking.appearance_evidence)
group       what companions add to the motion: people who walked alongside before and walk alongside after

The cues add up. Spreads were measured; docs/tracking.md says on what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...kernels.hvip import TORSO_HEIGHT_M
from ...kernels.tracking.appearance_evidence import code_llr
from ...kernels.tracking.gap_motion import (
    Companion,
    GapModel,
    companion_log_density,
    gaussian,
    log_density,
)
from ...kernels.tracking.plane_motion import Motion
from .scene import INSIDE, SceneMemory
from .tracklets import Portrait, Tracklet

Array = np.ndarray

MODELS = (
    GapModel(weight=0.6, speed_sigma_mps=1.0, memory_s=60.0),
    GapModel(weight=0.3, speed_sigma_mps=0.8, memory_s=6.0),
    GapModel(weight=0.1, speed_sigma_mps=1.3, memory_s=1.5),
)
"""Walks on; changes course; does something else (turns, stops, goes off)."""
_GAP_SHAPE, _GAP_SCALE_S = 1.2, 0.5
"""Lomax distribution of how long those are away who come back."""
_NEW_SPEED_MPS = 0.9
"""Spread of a new person's velocity, per axis."""
_TORSO_SPREAD_M = 0.05
"""Of learnt torso heights among people."""
_TORSO_NOISE_M = 0.03
"""Of the learnt torso height of one person, between two stretches."""
_TORSO_PRIOR = 10.0
_COMPANION_SHARE = 0.5
"""Of those who walked alongside, how many still do after the gap."""
_COMPANION_SIGMA_M, _COMPANION_DRIFT_MPS = 0.35, 0.2
_REACH_MPS, _REACH_M = 3.0, 3.0
"""Further than this nobody gets."""


@dataclass(frozen=True)
class MotionEvidence:
    """What the two ends alone say; holds as long as they do."""

    motion: float
    group: float


def within_reach(end: Motion, begin: Motion, gap_s: float) -> bool:
    """A person could have got there; whoever could not is never looked at."""
    return bool(np.linalg.norm(begin.position[0] - end.position[0]) <= _REACH_M + _REACH_MPS * gap_s)


def motion_evidence(end: Motion, begin: Motion, gap_s: float, companions: list[Companion]) -> MotionEvidence:
    """Cues motion and group."""
    gap_s = max(gap_s, 1e-3)
    alone = float(log_density(end, begin, gap_s, MODELS)[0])
    away = np.log(_GAP_SHAPE / _GAP_SCALE_S) - (_GAP_SHAPE + 1.0) * np.log1p(gap_s / _GAP_SCALE_S)
    spread = begin.covariance[:, 2:, 2:] + _NEW_SPEED_MPS**2 * np.eye(2)
    new = float(gaussian(begin.velocity, spread)[0]) + np.log(INSIDE.births)
    motion = alone + away + np.log(INSIDE.returns) - new
    if not companions:
        return MotionEvidence(motion, 0.0)
    beside = companion_log_density(end, begin, gap_s, companions, _COMPANION_SIGMA_M, _COMPANION_DRIFT_MPS)
    both = np.logaddexp(np.log(1.0 - _COMPANION_SHARE) + alone, np.log(_COMPANION_SHARE) + beside)
    return MotionEvidence(motion, float(both - alone))


def exit_evidence(scene: SceneMemory, lost: Tracklet, new: Tracklet, end: Motion, begin: Motion) -> float:
    """Cue exit: against an average place inside."""
    returns = scene.return_share(end.position[0], lost.left_by_border)
    births = scene.birth_rate(begin.position[0], new.came_by_border)
    return float(np.log(returns / INSIDE.returns) - np.log(births / INSIDE.births))


def stature_evidence(a: Portrait, b: Portrait) -> float:
    """Cue stature: learnt torso heights, drawn back from the population's mean where they were drawn to it."""
    if min(a.torso_count, b.torso_count) < 1.0:
        return 0.0
    share_a, share_b = (p.torso_count / (p.torso_count + _TORSO_PRIOR) for p in (a, b))
    noise = _TORSO_NOISE_M**2 * np.array([1.0 + 5.0 / a.torso_count, 1.0 + 5.0 / b.torso_count])
    off = np.array([(a.torso_m - TORSO_HEIGHT_M) / share_a, (b.torso_m - TORSO_HEIGHT_M) / share_b])
    spread = _TORSO_SPREAD_M**2
    same = np.full((2, 2), spread) + np.diag(noise)
    other = np.diag(spread + noise)
    return float(gaussian(off[None], same[None])[0] - gaussian(off[None], other[None])[0])


def appearance_evidence(a: Portrait, b: Portrait) -> float:
    """Cue appearance; 0 where one of them has no code."""
    if len(a.appearance) != len(b.appearance) or len(a.appearance) == 0:
        return 0.0
    counts = np.array([a.appearance_count]), np.array([b.appearance_count])
    return float(code_llr(a.appearance[None], b.appearance[None], *counts)[0])


def in_words(evidence: Mapping[str, float], probability: float, gap_s: float) -> str:
    """One line for people."""
    spoken = sorted(((abs(v), k, v) for k, v in evidence.items() if abs(v) >= 0.5), reverse=True)
    cues = ", ".join(f"{name} {value:+.1f}" for _, name, value in spoken) or "no cue spoke"
    return f"away for {gap_s:.1f} s; {cues}; {100.0 * probability:.0f} %"
