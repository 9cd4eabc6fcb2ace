"""Bodies for the slots between two sightings: the way on the ground, then the motion prior along it.

Where windows saw both ends of a gap, their bodies stand (they had the keypoints around it); what is missing, or was
carried on without knowing how it would end, is filled anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...kernels.body.data import BodyData
from ...kernels.ground import Ground
from ...kernels.priors.motion_prior import MotionPrior
from ...kernels.solve.gap_bodies import Stretch, face_along, facing, fill_gap
from ...kernels.solve.gap_path import gap_path, speed_change, way
from ...kernels.solve.prior_target import leg_length
from ...kernels.solve.problem import MODEL_RATE_HZ, Provenance
from .motion import PersonMotion, ground_z, through

Array = np.ndarray

_FADE_S = 1.0
"""Confidence falls by e over this distance from the nearest sighting, as in `solve.finish`."""
_LEAST = 0.05
"""Confidence of somebody hidden for long, who is known to have come out again."""
_NEAR = 47
"""Slots on a side in which sightings are counted: 1.6 s."""
_HEIGHT_REACH = 16
"""Slots on a side over which the pelvis's height is averaged."""


@dataclass(frozen=True)
class Gap:
    """Slots of the timeline between two sightings of one person."""

    last: int
    """Last sighting before."""
    first: int
    """First sighting after."""


def gaps_of(motion: PersonMotion, shortest: int, longest: int) -> list[Gap]:
    """Gaps with more than `shortest` and at most `longest` slots between the sightings, on the site's timeline."""
    observed = np.flatnonzero(motion.provenance == Provenance.OBSERVED)
    between = np.diff(observed) - 1
    found = np.flatnonzero((between > shortest) & (between <= longest))
    return [Gap(int(observed[k]) + motion.slot0, int(observed[k + 1]) + motion.slot0) for k in found]


def credible(motion: PersonMotion, gap: Gap, sightings: tuple[int, int], speed_change_mps: float) -> bool:
    """The same person on both sides, as far as sightings and speeds tell: else whom is one to draw there?"""
    last, first = gap.last - motion.slot0, gap.first - motion.slot0
    observed = motion.provenance == Provenance.OBSERVED
    before, after = (
        int(observed[max(last - _NEAR, 0) : last + 1].sum()),
        int(observed[first : first + _NEAR + 1].sum()),
    )
    if min(before, after) < sightings[0] or before + after < sightings[1]:
        return False
    return speed_change(motion.ground_m[:, :2], observed, last, first) <= speed_change_mps


def is_bridged(motion: PersonMotion, gap: Gap, frames: int) -> bool:
    """The windows have seen both sides of the gap at once and filled it."""
    inside = motion.provenance[gap.last + 1 - motion.slot0 : gap.first - motion.slot0]
    return bool((inside != Provenance.ABSENT).all()) and gap.first - gap.last < frames // 2


def fill(motion: PersonMotion, gap: Gap, prior: MotionPrior | None, body: BodyData, ground: Ground) -> None:
    """Fills a gap in place: way, pelvis, rotations, provenance INFILLED, confidence.

    Without a prior bodies are held from the nearer side.
    """
    last, first = gap.last - motion.slot0, gap.first - motion.slot0
    inside = slice(last + 1, first)
    known = motion.present.copy()
    known[inside] = False
    xy, _ = through(motion)
    xy[inside] = gap_path(xy, known, last, first)
    motion.ground_m[inside, :2] = xy[inside]
    motion.ground_m[inside, 2] = ground_z(ground, xy[inside])
    _place_pelvis(motion, known, last, first)
    _pose(motion, known, last, first, prior, body, ground)
    heading, _ = way(xy)
    speed = float(np.linalg.norm(xy[first] - xy[last])) / (first - last) * MODEL_RATE_HZ
    turns = facing(motion.rotmats[[last, first], 0])
    motion.rotmats[inside] = face_along(
        motion.rotmats[inside], heading[inside], speed, (float(turns[0]), float(turns[1])),
        (float(heading[last]), float(heading[first])),
    )  # fmt: skip
    motion.provenance[inside] = Provenance.INFILLED
    motion.seen[inside] = False
    motion.confidence[inside] = _confidence(motion, last, first)


def _place_pelvis(motion: PersonMotion, known: Array, last: int, first: int) -> None:
    """Over the way at the height that it had on both sides; its offset from the torso's foot point fades over."""
    inside = np.arange(last + 1, first)
    u = ((inside - last) / (first - last))[:, None]
    off = motion.root_m - motion.ground_m
    before = np.flatnonzero(known[: last + 1])[-_HEIGHT_REACH:]
    after = first + np.flatnonzero(known[first:])[:_HEIGHT_REACH]
    # pelvis against torso swings with the steps: the mean of some slots, not the last one's
    a, b = off[before].mean(0), off[after].mean(0)
    motion.root_m[inside] = motion.ground_m[inside] + (1.0 - u) * a + u * b


def _pose(
    motion: PersonMotion,
    known: Array,
    last: int,
    first: int,
    prior: MotionPrior | None,
    body: BodyData,
    ground: Ground,
) -> None:
    inside = slice(last + 1, first)
    middle = (last + first) // 2
    if prior is None:
        motion.rotmats[last + 1 : middle + 1] = motion.rotmats[last]
        motion.rotmats[middle + 1 : first] = motion.rotmats[first]
        return
    rest = body.joint_template_m + np.einsum("k,jck->jc", motion.betas, body.joint_shapedirs_m)
    size = float(leg_length(rest) / leg_length(prior.rest_joints_m.double().numpy()))
    seen = motion.seen & known[:, None]
    heights = np.where(motion.present, motion.ground_m[:, 2], 0.0)
    stretch = Stretch(motion.rotmats, motion.root_m, seen, heights)
    motion.rotmats[inside] = fill_gap(prior, stretch, last, first, size)
    held = np.arange(last + 1, first) <= middle
    motion.hands_rotvec[inside] = np.where(
        held[:, None, None], motion.hands_rotvec[last], motion.hands_rotvec[first]
    )


def _confidence(motion: PersonMotion, last: int, first: int) -> Array:
    slots = np.arange(last + 1, first)
    fade = _FADE_S * MODEL_RATE_HZ
    before = motion.confidence[last] * np.exp(-(slots - last) / fade)
    after = motion.confidence[first] * np.exp(-(first - slots) / fade)
    return np.asarray(np.maximum(np.maximum(before, after), _LEAST))
