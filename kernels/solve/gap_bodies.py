"""Bodies of somebody whom nobody saw: from the motion prior, anchored at what was seen on either side.

A gap that leaves enough of both sides in one segment of the prior is filled at once. A longer one is filled from
each side as far as the prior reaches, and the two are cross-faded; beyond its reach a side holds its last pose.
Where the person was is the business of `gap_path`; here the prior's body is turned to face the way it goes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ..grouping.fuse import between
from ..grouping.guide import WALKS_MPS, about_z
from ..priors.motion_prior import MotionPrior
from ..priors.motion_state import SEGMENT_FRAMES
from ..priors.projection import project

Array = np.ndarray

ANCHOR = 24
"""Slots of a segment that a side keeps as context; the rest is what the prior reaches into the gap."""
REACH = SEGMENT_FRAMES - ANCHOR


@dataclass(frozen=True)
class Stretch:
    """A person over T consecutive slots, the gap and its surroundings; anything finite where not known."""

    rotmats: Float[Array, "T 22 3 3"]
    """Joint 0 in the world, the rest relative to their parents."""
    root_m: Float[Array, "T 3"]
    """Pelvis joint, world."""
    seen: Bool[Array, "T 22"]
    """Groups that are to be believed (`priors.visibility`): body joints 1..21, then the path."""
    ground_z: Float[Array, "T"]
    """Height of the ground under the person."""


def facing(root_rotmat: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch"]:
    """Where a body faces, about z, radians: its forward axis on the ground."""
    return np.asarray(np.arctan2(root_rotmat[..., 1, 2], root_rotmat[..., 0, 2]))


def fill_gap(
    prior: MotionPrior, stretch: Stretch, last: int, first: int, size: float
) -> Float[Array, "G 22 3 3"]:
    """Rotations of the slots between `last` and `first`; joint 0 as the prior has it, see `face_along`.

    Args:
        last, first: known slots on both sides.
        size: of the person, leg length over that of the prior's skeleton.
    """
    slots = np.arange(last + 1, first)
    if len(slots) <= SEGMENT_FRAMES - ANCHOR:
        start = (last + first) // 2 - SEGMENT_FRAMES // 2
        return _told(prior, stretch, start, slots, size, slice(0, len(stretch.seen)))
    ahead = _told(
        prior, stretch, last + 1 - ANCHOR, np.minimum(slots, last + REACH), size, slice(0, last + 1)
    )
    start = first + ANCHOR - SEGMENT_FRAMES
    behind = _told(
        prior, stretch, start, np.maximum(slots, first - REACH), size, slice(first, len(stretch.seen))
    )
    u = (slots - last) / (first - last)
    share = u * u * (3.0 - 2.0 * u)
    return between(ahead, behind, np.broadcast_to(share[:, None], ahead.shape[:2]))


def _told(
    prior: MotionPrior, stretch: Stretch, start: int, slots: Int[Array, "G"], size: float, shown: slice
) -> Float[Array, "G 22 3 3"]:
    """What the prior says of some slots in the segment that begins at `start`, shown a part of the stretch."""
    index = np.clip(np.arange(start, start + SEGMENT_FRAMES), 0, len(stretch.seen) - 1)
    inside = (
        (np.arange(start, start + SEGMENT_FRAMES) == index) & (index >= shown.start) & (index < shown.stop)
    )
    root = stretch.root_m[index].copy()
    root[:, 2] -= stretch.ground_z[index]
    with torch.no_grad():
        says = project(
            prior,
            torch.from_numpy(stretch.rotmats[index].astype(np.float32))[None],
            torch.from_numpy(root.astype(np.float32))[None],
            torch.from_numpy(stretch.seen[index] & inside[:, None])[None],
            torch.zeros(1),
            torch.full((1,), float(size)),
        )
    return says.rotmats[0, slots - start].double().numpy()


def face_along(
    rotmats: Float[Array, "G 22 3 3"],
    heading_rad: Float[Array, "G"],
    speed_mps: float,
    ends_rad: tuple[float, float],
    ends_heading_rad: tuple[float, float],
) -> Float[Array, "G 22 3 3"]:
    """The bodies turned about the vertical: walkers along their way, standers from one end's facing to the other's.

    Args:
        heading_rad: of the way through the gap.
        speed_mps: mean through the gap.
        ends_rad: facing before and after the gap.
        ends_heading_rad: heading of the way there; what a walker's facing differs from it is carried through.
    """
    u = np.arange(1, len(rotmats) + 1) / (len(rotmats) + 1)
    if speed_mps >= WALKS_MPS:
        off = [_wrapped(f - h) for f, h in zip(ends_rad, ends_heading_rad, strict=True)]
        want = heading_rad + off[0] + u * _wrapped(off[1] - off[0])
    else:
        want = ends_rad[0] + u * _wrapped(ends_rad[1] - ends_rad[0])
    out = rotmats.copy()
    out[:, 0] = about_z(want - facing(rotmats[:, 0])) @ rotmats[:, 0]
    return out


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2.0 * np.pi) - np.pi)
