"""Does a new track go on a lost one? Each cue as a log likelihood ratio against "somebody new".

motion      p(place, velocity, time of the beginning | end of the lost one), against births of an average place
exit        the scene: how many of those lost there come back, and how many new ones begin here (`SceneMemory`)
stature     learnt torso heights
appearance  mean codes (kernels.tracking.appearance_evidence)
group       what companions add to the motion: people who walked alongside before and walk alongside after

The cues add up. Spreads were measured; docs/tracking.md says on what.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

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
from .scene import INSIDE
from .tracklets import Portrait

Array = np.ndarray

MODELS = (
    GapModel(weight=0.47, speed_sigma_mps=0.2, memory_s=60.0),
    GapModel(weight=0.36, speed_sigma_mps=0.7, memory_s=6.0),
    GapModel(weight=0.17, speed_sigma_mps=3.0, memory_s=1.5),
)
"""Walks on; changes course; anything else, the errors of an end that was half hidden among it."""
_AWAY_PER_S = 0.04
"""Of those who come back, how many do in a second: gaps of any length are nearly alike in number up to ten seconds."""
_NEW_SPEED_MPS = 0.65
"""Spread of a new person's velocity, per axis."""
_TORSO_SPREAD_M = 0.12
"""Of learnt torso heights among tracks: people differ by 0.05 m, the rest is posture and hidden feet."""
_TORSO_NOISE_M, _TORSO_CORRELATED = 0.03, 100.0
"""Of the learnt torso height of one person between two stretches, of so many frames each."""
_TORSO_PRIOR = 10.0
"""As the tracker learns it (stream.track_plane)."""
_TORSO_LOST, _TORSO_ALIKE = 0.05, 0.15
"""Share of one person's torso heights that come out as another's (hidden feet, somebody who bends down), and of two
people's that come out alike: nobody is parted or joined by them alone."""
_GROUP_VOICE = 0.5
"""What is taken of the cue group: companions are told by the same tracks, so it is not quite a cue of its own."""
_APPEARANCE_VOICE = 0.7
"""What is taken of the cue appearance: the light where somebody comes back is another than where they were lost."""
_COMPANION_SHARE = 0.5
"""Of those who walked alongside, how many still do after the gap."""
_COMPANION_SIGMA_M, _COMPANION_DRIFT_MPS = 0.35, 0.2
_REACH_MPS, _REACH_M = 3.0, 3.0
"""Further than this nobody gets."""


def within_reach(ends: Motion, begin: Motion, gap_s: Float[Array, "P"]) -> Bool[Array, "P"]:
    """A person could have got there; whoever could not is never looked at."""
    way = np.linalg.norm(begin.position - ends.position, axis=1)
    return np.asarray(way <= _REACH_M + _REACH_MPS * gap_s)


def motion_evidence(ends: Motion, begin: Motion, gap_s: Float[Array, "P"]) -> Float[Array, "P"]:
    """Cue motion, of one beginning after each of P ends."""
    alone = log_density(ends, begin, gap_s, MODELS)
    spread = begin.covariance[:, 2:, 2:] + _NEW_SPEED_MPS**2 * np.eye(2)
    new = gaussian(begin.velocity, spread)[0] + np.log(INSIDE.births)
    return np.asarray(alone + np.log(_AWAY_PER_S * INSIDE.returns) - new)


def group_evidence(end: Motion, begin: Motion, gap_s: float, companions: Sequence[Companion]) -> float:
    """Cue group: what is gained by allowing that the person stayed with their companions."""
    if not companions:
        return 0.0
    alone = float(log_density(end, begin, np.array([gap_s]), MODELS)[0])
    beside = companion_log_density(end, begin, gap_s, companions, _COMPANION_SIGMA_M, _COMPANION_DRIFT_MPS)
    both = np.logaddexp(np.log(1.0 - _COMPANION_SHARE) + alone, np.log(_COMPANION_SHARE) + beside)
    return float(_GROUP_VOICE * (both - alone))


def exit_evidence(return_share: float, birth_rate: float) -> float:
    """Cue exit: what the scene has taught, against an average place inside."""
    return float(np.log(return_share / INSIDE.returns) - np.log(birth_rate / INSIDE.births))


def stature_evidence(a: Portrait, b: Portrait) -> float:
    """Cue stature: learnt torso heights, drawn back from the population's mean where they were drawn to it."""
    if min(a.torso_count, b.torso_count) < 1.0:
        return 0.0
    (x, noise_a), (y, noise_b) = (_torso(portrait) for portrait in (a, b))
    spread = _TORSO_SPREAD_M**2
    va, vb = spread + noise_a, spread + noise_b
    det = va * vb - spread**2
    same = -0.5 * ((vb * x * x - 2.0 * spread * x * y + va * y * y) / det + math.log(det))
    ratio = same + 0.5 * (x * x / va + y * y / vb + math.log(va * vb))
    odds = math.exp(min(ratio, 30.0))
    same_too = (1.0 - _TORSO_LOST) * odds + _TORSO_LOST
    return math.log(same_too / ((1.0 - _TORSO_ALIKE) + _TORSO_ALIKE * odds))


def _torso(portrait: Portrait) -> tuple[float, float]:
    """What the sightings alone say of a torso height, off the population's mean, and its variance."""
    share = portrait.torso_count / (portrait.torso_count + _TORSO_PRIOR)
    return (portrait.torso_m - TORSO_HEIGHT_M) / share, _TORSO_NOISE_M**2 * (
        1.0 + _TORSO_CORRELATED / portrait.torso_count
    )


def appearance_evidence(lost: Sequence[Portrait], new: Portrait) -> Float[Array, "P"]:
    """Cue appearance of each; 0 where one of the two has no code."""
    out = np.zeros(len(lost))
    size = len(new.appearance)
    rows = [k for k, each in enumerate(lost) if size and len(each.appearance) == size]
    if rows:
        codes = np.stack([lost[k].appearance for k in rows])
        counts = np.array([lost[k].appearance_count for k in rows])
        mine = np.tile(new.appearance, (len(rows), 1))
        out[rows] = _APPEARANCE_VOICE * code_llr(
            codes, mine, counts, np.full(len(rows), new.appearance_count)
        )
    return out


def in_words(evidence: Mapping[str, float], probability: float, gap_s: float) -> str:
    """One line for people."""
    spoken = sorted(((abs(v), k, v) for k, v in evidence.items() if abs(v) >= 0.5), reverse=True)
    cues = ", ".join(f"{name} {value:+.1f}" for _, name, value in spoken) or "no cue spoke"
    return f"away for {gap_s:.1f} s; {cues}; {100.0 * probability:.0f} %"
