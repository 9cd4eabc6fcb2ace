"""A motion's nearest likely motion: into the segment's frame, through the motion prior, and back into the world.

    x_hat = D(E(x, seen)), its hidden part tied to what was seen (`attach`)

What was seen comes back smoothed onto the motions the prior knows; what was hidden comes back filled. Bodies of any
size: positions are divided by the person's size on the way in and multiplied on the way out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .attach import attach
from .motion_prior import MotionPrior
from .motion_state import BODY_JOINTS, SegmentFrame, motion_state, segment_frame


@dataclass(frozen=True)
class Projection:
    """A motion as the prior tells it, in the world."""

    rotmats: Float[Tensor, "B 64 22 3 3"]
    """Joint 0 in the world, the rest relative to their parents."""
    root_m: Float[Tensor, "B 64 3"]
    """Pelvis joint, metres."""
    contact: Float[Tensor, "B 64 8"]
    """Probability that ankles, feet, knees, wrists (left, right) rest on something."""
    z: Float[Tensor, "B 384"]
    frame: SegmentFrame


def first_seen(seen: Bool[Tensor, "B T 22"]) -> Int[Tensor, "B"]:
    """The first slot whose pelvis is seen; 0 where none is."""
    return seen[..., BODY_JOINTS].int().argmax(-1)


def into_segment(
    rotmats: Float[Tensor, "B T 22 3 3"],
    root_m: Float[Tensor, "B T 3"],
    ground_m: Float[Tensor, "B"],
    size: Float[Tensor, "B"],
    reference: Int[Tensor, "B"],
) -> tuple[Float[Tensor, "B T 22 3 3"], Float[Tensor, "B T 3"], SegmentFrame]:
    """World bodies in their segments' frames and at the reference size.

    Args:
        rotmats: joint 0 in the world, the rest relative to their parents.
        root_m: pelvis joint, world, metres.
        ground_m: height of the ground under each person.
        size: leg length over that of the reference skeleton.
        reference: slot that sets the frame.
    """
    rows = torch.arange(len(root_m), device=root_m.device)
    frame = segment_frame(rotmats[rows, reference, 0], root_m[rows, reference], ground_m)
    root_rotmat, path = frame.to_segment(rotmats[:, :, 0], root_m)
    turned = torch.cat([root_rotmat[:, :, None], rotmats[:, :, 1:]], 2)
    return turned, path / size[:, None, None], frame


def project(
    prior: MotionPrior,
    rotmats: Float[Tensor, "B 64 22 3 3"],
    root_m: Float[Tensor, "B 64 3"],
    seen: Bool[Tensor, "B 64 22"],
    ground_m: Float[Tensor, "B"],
    size: Float[Tensor, "B"],
) -> Projection:
    """Encode what is seen, decode all of it.

    Args:
        prior: the network.
        rotmats, root_m, ground_m, size: as in `into_segment`; anything finite where nothing is seen.
        seen: body joints 1..21, then the pelvis's path and rotation.
    """
    turned, path, frame = into_segment(rotmats, root_m, ground_m, size, first_seen(seen))
    z, _ = prior.encode(motion_state(turned, path, prior.rest_joints_m), seen)
    told = out_of_segment(prior, z, frame, size)
    tied_rotmats, tied_root = attach(told.rotmats, told.root_m, rotmats, root_m, seen)
    return replace(told, rotmats=tied_rotmats, root_m=tied_root)


def out_of_segment(
    prior: MotionPrior, z: Float[Tensor, "B 384"], frame: SegmentFrame, size: Float[Tensor, "B"]
) -> Projection:
    """Decode latents into the world."""
    motion = prior.decode(z)
    root_rotmat, root = frame.to_world(motion.rotmats[:, :, 0], motion.root_m * size[:, None, None])
    rotmats = torch.cat([root_rotmat[:, :, None], motion.rotmats[:, :, 1:]], 2)
    return Projection(rotmats, root, motion.contact_logits.sigmoid(), z, frame)
