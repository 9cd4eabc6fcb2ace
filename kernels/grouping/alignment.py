"""A poor segment laid along a guide: at every slot, where in the guide's motion it is, as a probability.

    p(s_1..s_T | seen)  ~  prod_t  exp( -1/2 sum_j w_j m_tj |x_tj - y_(s_t)j|^2 / sigma^2 )  p(s_t - s_(t-1))

x, y are 6D rotations of joints relative to their parents, w the weights of eq. 17, m what was seen of the poor segment.
The sum over all ways is soft-DTW (Cuturi and Blondel 2017) with temperature 2 sigma^2 and two additions that plain
soft-DTW lacks and a hidden person needs: steps are likely that fit the ratio of the two speeds, so that the motion goes
on at its own pace where nothing is seen, and a guide that repeats itself may be walked through more than once, so that
a segment of two seconds helps across a gap of six. The posterior over the guide's slots takes the place of the
alignment E = dL/dD of soft-DTW.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..fused.guide_steps import STEPS, posterior_of_steps
from .alignment_config import AlignConfig
from .guide import WALKS_MPS, WEIGHTS, GuideMotion, six

Array = np.ndarray


@dataclass(frozen=True)
class Alignment:
    """One guide along one segment."""

    guide: GuideMotion
    posterior: Float[Array, "T S"]
    """Rows sum to 1."""
    evidence: float
    """Log likelihood of what was seen."""


def align(
    guide: GuideMotion,
    rotmats: Float[Array, "T 22 3 3"],
    seen: Float[Array, "T 22"],
    speed_mps: Float[Array, "T"],
    config: AlignConfig,
) -> Alignment:
    """Lay a segment along a guide.

    Args:
        rotmats: of the poor segment, relative to the parents; anything finite where not seen. Joint 0 has no weight.
        seen: 0..1 of every joint.
        speed_mps: along the way.
    """
    weight = seen * WEIGHTS
    x, y = six(rotmats), six(guide.rotmats)
    cross = (weight[..., None] * x).reshape(len(x), -1) @ y.reshape(len(y), -1).T
    own = (weight * (x**2).sum(-1)).sum(-1)
    distance = own[:, None] + weight @ (y**2).sum(-1).T - 2.0 * cross
    emission = -0.5 * np.maximum(distance, 0.0) / config.rotation_sigma**2
    steps = log_steps(guide.speed_mps, speed_mps, config)
    posterior, evidence = posterior_of_steps(np.ascontiguousarray(emission), steps, guide.loop)
    return Alignment(guide, posterior, float(evidence))


def log_steps(guide_mps: float, speed_mps: Float[Array, "T"], config: AlignConfig) -> Float[Array, "T 3"]:
    """Log probability of moving on by 0, 1 or 2 slots of the guide: normal about the ratio of the speeds."""
    ratio = np.clip(speed_mps / max(guide_mps, 0.2), *config.pace)
    ratio = np.where((speed_mps >= WALKS_MPS) & (guide_mps >= WALKS_MPS), ratio, 1.0)
    away = np.arange(STEPS)[None] - ratio[:, None]
    log = -0.5 * (away / config.step_sigma) ** 2
    return np.asarray(log - np.log(np.exp(log).sum(-1, keepdims=True)))
