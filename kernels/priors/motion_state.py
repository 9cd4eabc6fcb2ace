"""The state of a moving person, 330 numbers a frame (DyCrowd sec. III-C), in the segment's own frame.

    x = (J, v, theta, r, tau, gamma)

    J      21 x 3   joints 1..21: x, y from the pelvis, z above the ground, metres
    v      21 x 3   their velocity in the segment's frame, the pelvis's motion included, metres a frame
    theta  21 x 9   rotations of joints 1..21 relative to their parents, row by row
    r       3       pelvis joint, metres
    tau     3       SMPL translation, r minus the rest pelvis, metres
    gamma   9       rotation of the pelvis, row by row

Segment's frame (algorithms 2.8): z up, ground at z = 0, pelvis of the reference slot over the origin, and the body's
right there along +x. Everything is on one reference skeleton, so that size is no part of a motion: a person whose legs
are s times as long is put in with positions divided by s.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..body.kinematics import kinematics_of_rotmats

SEGMENT_FRAMES = 64
BODY_JOINTS = 21
JOINTS = slice(0, 63)
VELOCITY = slice(63, 126)
ROTATIONS = slice(126, 315)
ROOT = slice(315, 318)
TRANSL = slice(318, 321)
ROOT_ROTATION = slice(321, 330)
LOCAL = slice(0, 315)
GLOBAL = slice(315, 330)
STATE_DIM = 330
CONTACTS = 8
"""Ankles, feet, knees, wrists; left before right."""
GROUPS = 22
"""What is hidden or seen as one: body joints 1..21, then the global part."""


@dataclass(frozen=True)
class SegmentFrame:
    """The rigid transform between a segment's frame and the world: x_world = R x + t."""

    R_world_segment: Float[Tensor, "*batch 3 3"]
    t_world_m: Float[Tensor, "*batch 3"]

    def to_world(
        self, root_rotmat: Float[Tensor, "*batch T 3 3"], root_m: Float[Tensor, "*batch T 3"]
    ) -> tuple[Float[Tensor, "*batch T 3 3"], Float[Tensor, "*batch T 3"]]:
        """Pelvis rotation and position from the segment's frame into the world."""
        turn = self.R_world_segment[..., None, :, :]
        moved = (turn @ root_m[..., None]).squeeze(-1) + self.t_world_m[..., None, :]
        return turn @ root_rotmat, moved

    def to_segment(
        self, root_rotmat: Float[Tensor, "*batch T 3 3"], root_m: Float[Tensor, "*batch T 3"]
    ) -> tuple[Float[Tensor, "*batch T 3 3"], Float[Tensor, "*batch T 3"]]:
        """The inverse of `to_world`."""
        turn = self.R_world_segment.transpose(-1, -2)[..., None, :, :]
        moved = (turn @ (root_m - self.t_world_m[..., None, :])[..., None]).squeeze(-1)
        return turn @ root_rotmat, moved


def segment_frame(
    root_rotmat: Float[Tensor, "*batch 3 3"],
    root_m: Float[Tensor, "*batch 3"],
    ground_m: Float[Tensor, "*batch"] | None = None,
) -> SegmentFrame:
    """The frame of a segment from the pelvis in its reference slot (the first one seen).

    Args:
        root_rotmat: pelvis rotation in the world (body axes x left, y up, z forward).
        root_m: pelvis joint in the world, metres.
        ground_m: height of the ground under it; None for 0.
    """
    right = -root_rotmat[..., :2, 0]
    # who lies on a side has no right hand on the ground plane: then any heading is as good as another
    length = right.norm(dim=-1, keepdim=True)
    x_axis = torch.where(length > 1e-6, right / length.clamp_min(1e-6), torch.tensor([1.0, 0.0]).to(right))
    c, s = x_axis.unbind(-1)
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    turn = torch.stack([c, -s, zero, s, c, zero, zero, zero, one], -1).reshape(*c.shape, 3, 3)
    height = torch.zeros_like(c) if ground_m is None else ground_m
    return SegmentFrame(turn, torch.cat([root_m[..., :2], height[..., None]], -1))


def motion_state(
    rotmats: Float[Tensor, "*batch T 22 3 3"],
    root_m: Float[Tensor, "*batch T 3"],
    rest_joints_m: Float[Tensor, "22 3"],
) -> Float[Tensor, "*batch T 330"]:
    """State of bodies that are in the segment's frame already.

    Args:
        rotmats: joint 0 in the segment's frame, the rest relative to their parents.
        root_m: pelvis joint in the segment's frame, metres.
        rest_joints_m: reference skeleton.
    """
    joints, _ = place_joints(rotmats, root_m, rest_joints_m)
    return assemble(joints, rotmats, root_m, rest_joints_m)


def assemble(
    joints_m: Float[Tensor, "*batch T 22 3"],
    rotmats: Float[Tensor, "*batch T 22 3 3"],
    root_m: Float[Tensor, "*batch T 3"],
    rest_joints_m: Float[Tensor, "22 3"],
) -> Float[Tensor, "*batch T 330"]:
    """The 330 numbers from placed joints and rotations; the last frame keeps the velocity of the one before."""
    body = joints_m[..., 1:, :]
    local = torch.cat([body[..., :2] - joints_m[..., :1, :2], body[..., 2:]], -1)
    step = body[..., 1:, :, :] - body[..., :-1, :, :]
    velocity = torch.cat([step, step[..., -1:, :, :]], -3)
    transl = root_m - rest_joints_m[0]
    parts = [local.flatten(-2), velocity.flatten(-2), rotmats[..., 1:, :, :].flatten(-3)]
    return torch.cat([*parts, root_m, transl, rotmats[..., 0, :, :].flatten(-2)], -1)


def place_joints(
    rotmats: Float[Tensor, "*batch T 22 3 3"],
    root_m: Float[Tensor, "*batch T 3"],
    rest_joints_m: Float[Tensor, "22 3"],
) -> tuple[Float[Tensor, "*batch T 22 3"], Float[Tensor, "*batch T 22 3 3"]]:
    """Joints 0..21 and their axes from local rotations and the pelvis."""
    hands = torch.eye(3, dtype=rotmats.dtype, device=rotmats.device).expand(*rotmats.shape[:-3], 2, 3, 3)
    rest = torch.cat([rest_joints_m, rest_joints_m[20:22]])
    posed = kinematics_of_rotmats(torch.cat([rotmats, hands], -3), rest, root_m - rest[0])
    return posed.joints_m[..., :22, :], posed.rotmats_world[..., :22, :, :]


def state_mask(seen: Bool[Tensor, "*batch T 22"]) -> Bool[Tensor, "*batch T 330"]:
    """m in {0, 1}^330 from what is seen of each group (body joints 1..21, then the global part)."""
    joint, whole = seen[..., :BODY_JOINTS], seen[..., BODY_JOINTS:]
    return torch.cat(
        [
            joint.repeat_interleave(3, -1),
            joint.repeat_interleave(3, -1),
            joint.repeat_interleave(9, -1),
            whole.expand(*whole.shape[:-1], STATE_DIM - GLOBAL.start),
        ],
        -1,
    )
