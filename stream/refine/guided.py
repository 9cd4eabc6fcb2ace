"""Badly seen stretches of a motion, told by guides: aligned, mixed, and taken in by precision.

Only what is hidden changes. How far a joint goes over to its guides follows from how long it has been hidden: the
motion prior's error grows with that (`solve.prior_target`), the guides' does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d

from ...kernels.grouping.alignment import align
from ...kernels.grouping.alignment_config import AlignConfig
from ...kernels.grouping.fuse import between, share_of_second
from ...kernels.grouping.guide import WALKS_MPS, WEIGHTS, GuideMotion, about_z
from ...kernels.grouping.told import Told, tell
from ...kernels.grouping.told_config import ToldConfig
from ...kernels.solve.gap_path import way
from ...kernels.solve.prior_target import HIDDEN_SIGMA_RAD, SEEN_SIGMA_RAD, spread
from ...kernels.solve.problem import Provenance
from .motion import PersonMotion, through

Array = np.ndarray

CONTEXT = 24
"""Slots on both sides of a stretch by which its phase is found."""


EASE_SLOTS = 8.0
"""Slots over which a share comes and goes: a quarter of a second."""
FACING_SIGMA_RAD = 0.2
"""Error of a walker's facing as solved; on the virtual suite its rms is 20 degrees, but its tails are heavy."""
HEADING_SIGMA = 0.2
"""Error of the direction of a way, radians times m/s: slow walkers have no clear one."""


def hidden_joints(motion: PersonMotion, bridge: int) -> Bool[Array, "S 22"]:
    """Joints that nothing has shown for more than `bridge` slots to either side.

    Args:
        bridge: slots without a picture that a slow camera leaves between two sightings.
    """
    return np.asarray(motion.blind > bridge)


def hidden_share(hidden: Bool[Array, "S 22"], present: Bool[Array, "S"], slots: slice) -> float:
    """Weight of what is hidden among the joints of a stretch, 0..1; 0 where nobody is."""
    there = present[slots]
    if not there.any():
        return 0.0
    return float((hidden[slots][there] @ WEIGHTS).mean() / WEIGHTS.sum())


def listen(
    motion: PersonMotion,
    slots: slice,
    guides: Sequence[GuideMotion],
    align_by: AlignConfig,
    mix_by: ToldConfig,
) -> Told | None:
    """What guides say of a stretch (and its context: the arrays are those of `context_of`)."""
    around = context_of(motion, slots)
    _, speed = way(through(motion)[0])
    seen = (motion.seen_joints & motion.present[:, None]).astype(np.float64)
    laid = [align(g, motion.rotmats[around], seen[around], speed[around], align_by) for g in guides]
    return tell(laid, motion.person, mix_by)


def context_of(motion: PersonMotion, slots: slice) -> slice:
    """The stretch with its surroundings."""
    return slice(max(slots.start - CONTEXT, 0), min(slots.stop + CONTEXT, len(motion.provenance)))


def take_in(
    motion: PersonMotion, slots: slice, told: Told, hidden: Bool[Array, "S 22"], with_facing: bool = True
) -> None:
    """Moves hidden joints of a stretch towards what was told, in place; who was filled is GUIDED from now on."""
    around = context_of(motion, slots)
    inside = slice(slots.start - around.start, slots.stop - around.start)
    sigma = prior_sigma(motion)[slots]
    share = share_of_second(sigma, told.sigma_rad[inside])
    share = np.where(hidden[slots] & motion.present[slots, None], share, 0.0)
    heading, speed = way(through(motion)[0])
    said = told.rotmats[inside].copy()
    said[:, 0] = about_z(heading[slots]) @ said[:, 0]
    share[:, 0] = 0.0
    if with_facing:
        share[:, 0] = _facing_share(motion, slots, told.sigma_rad[inside, 0], speed[slots])
    share = eased(share)
    motion.rotmats[slots] = between(motion.rotmats[slots], said, share)
    filled = motion.provenance[slots] == Provenance.INFILLED
    motion.provenance[slots] = np.where(filled, Provenance.GUIDED, motion.provenance[slots])


def eased(share: Float[Array, "T J"]) -> Float[Array, "T J"]:
    """Shares that come and go over some slots, and are nothing at a segment's ends.

    A joint that is seen in every other slot must not flicker between two answers, and a segment must join its
    neighbours, which listen to others or to nobody.
    """
    slots = np.arange(len(share))
    ends = np.minimum(slots + 0.5, len(share) - slots - 0.5) / EASE_SLOTS
    smooth = gaussian_filter1d(share, EASE_SLOTS / 2.0, axis=0, mode="nearest")
    return np.asarray(smooth * np.minimum(ends, 1.0)[:, None])


def _facing_share(
    motion: PersonMotion, slots: slice, told_sigma: Float[Array, "T"], speed_mps: Float[Array, "T"]
) -> Float[Array, "T"]:
    """How far the pelvis goes over to what guides say of facing along a way.

    Only of those who walk, and where the way rests on what was seen: through a gap the filler has turned them already.
    """
    told_by_way = motion.seen[slots, -1] & (motion.provenance[slots] != Provenance.INFILLED)
    sigma = np.hypot(told_sigma, HEADING_SIGMA / np.maximum(speed_mps, 0.1))
    share = share_of_second(np.full(len(sigma), FACING_SIGMA_RAD), sigma)
    return np.where(told_by_way & (speed_mps >= WALKS_MPS), share, 0.0)


def prior_sigma(motion: PersonMotion) -> Float[Array, "S 22"]:
    """Standard deviation about each axis of the rotations so far, radians."""
    return spread(motion.blind, np.array(SEEN_SIGMA_RAD), np.array(HIDDEN_SIGMA_RAD))
