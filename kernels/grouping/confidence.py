"""How well a segment was seen: the confidence of DyCrowd's equation 15.

    c = v (1 - [ sum_j w_j F_j > a ])

v is the share of keypoints with a high score among all T x 17 of the segment, so that who is there for a third of it
is a weak guide; F_j is 1 where keypoint j is low, without a break, for at least half of the slots in which the person
is there; w_j are `joint_weights.KEYPOINT_WEIGHTS`. c = 0 says "needs help". The paper prints neither the scores, nor
the run, nor a: the choices stand in the settings, the numbers that led to them in docs/grouping.md.

A camera at 10 Hz, or a pose network on a budget, looks at every third slot of the 30 Hz timeline: slots nobody looked
at are not hidden ones. They are bridged, up to `bridge_s`, with the score of the nearest slot in which the person was
posed. O(N T 17).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from ..settings import StageConfig
from ..solve.problem import MODEL_RATE_HZ
from .joint_weights import KEYPOINT_WEIGHTS

Array = np.ndarray


class SegmentConfidenceConfig(StageConfig):
    """When a keypoint is seen, and when a segment needs help."""

    high_score: float = Field(default=0.3, ge=0, le=1)
    """Keypoints from this confidence on count as seen."""
    hidden_share: float = Field(default=0.5, gt=0, le=1)
    """A keypoint is hidden for long (F_j = 1) when it is low for this share of the person's slots, without a break."""
    repair_weight: float = Field(default=0.5, ge=0, le=1)
    """a: weight of keypoints hidden for long above which the segment needs help; all weights sum to 1."""
    bridge_s: float = Field(default=0.4, ge=0, le=2)
    """Longest stretch of unposed slots between posed ones that is put down to the camera's rate."""


def segment_confidence(
    confidence: Float[Array, "N T 17"], present: Bool[Array, "N T"], config: SegmentConfidenceConfig
) -> Float[Array, "N"]:
    """c of equation 15 for every person's segment, 0..1; 0: needs help, or was never there.

    Args:
        confidence: of the COCO keypoints, 0..1, the best over the cameras; 0 for not seen or not looked at.
        present: slots in which the person exists, seen or not.
    """
    score = bridge_unposed(confidence, present, round(config.bridge_s * MODEL_RATE_HZ))
    high = (score >= config.high_score) & (score > 0) & present[..., None]
    slots = present.sum(axis=1)
    longest = longest_run(~high, present)
    hidden = (longest >= config.hidden_share * slots[:, None]) & (slots > 0)[:, None]
    poor = hidden @ KEYPOINT_WEIGHTS > config.repair_weight
    share = high.sum(axis=(1, 2)) / max(1, high.shape[1] * high.shape[2])
    return np.asarray(np.where(poor | (slots == 0), 0.0, share), np.float64)


def bridge_unposed(
    confidence: Float[Array, "N T 17"], present: Bool[Array, "N T"], slots: int
) -> Float[Array, "N T 17"]:
    """Scores with short unposed stretches filled from the nearest posed slot (of two as near the earlier).

    Args:
        slots: longest stretch that is filled; it must have posed slots of the same person on both sides.
    """
    posed = (confidence > 0).any(axis=2) & present
    num = posed.shape[1]
    at = np.arange(num)
    before = np.maximum.accumulate(np.where(posed, at, -1), axis=1)
    after = np.minimum.accumulate(np.where(posed, at, num)[:, ::-1], axis=1)[:, ::-1]
    bridged = ~posed & present & (before >= 0) & (after < num) & (after - before - 1 <= slots)
    source = np.where(at - before <= after - at, before, after)
    source = np.where(bridged, source, at)
    return np.take_along_axis(confidence, source[..., None], axis=1)


def longest_run(low: Bool[Array, "N T 17"], present: Bool[Array, "N T"]) -> Int[Array, "N 17"]:
    """Slots of the longest unbroken run of low ones; slots without the person neither count nor break a run."""
    run = np.zeros((low.shape[0], low.shape[2]), np.int64)
    longest = run.copy()
    for t in range(low.shape[1]):
        there = present[:, t, None]
        run = np.where(there, np.where(low[:, t], run + 1, 0), run)
        np.maximum(longest, run, out=longest)
    return longest
