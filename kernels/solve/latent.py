"""The variables of the motion stage: a latent and a shape per segment, and the bodies they stand for (DyCrowd eq. 11).

    segment s of a person = slots 64 s .. 64 s + 63;   the last one is filled up with hidden slots
    z_ns, beta_ns  ->  D(z): rotations, pelvis path at the reference size  ->  path times size(beta)  ->  the world
    the ground's height under each slot is taken off before and put back after: on a slope people move as on the flat

z starts from the encoder: the bodies of the stage before, in their segment's frame and divided by their size, with what
the keypoints do not vouch for hidden (`priors.visibility`). The segment's frame stays where it was put at the start.
size is leg length over that of the prior's skeleton; it moves with the shape: longer legs carry a higher pelvis.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..body.kinematics import rest_joints
from ..body.tensors import BodyTensors
from ..priors.motion_prior import MotionPrior
from ..priors.motion_state import SEGMENT_FRAMES, SegmentFrame, motion_state
from ..priors.pose_prior import PosePrior
from ..priors.projection import first_seen, into_segment, out_of_segment
from ..priors.velocity_hold import hold_velocity
from ..rotation import rotmat_to_rotvec, rotvec_to_rotmat
from ..skeleton import PARENTS
from .energies.motion_objective import MotionBodies
from .energies.objective import Bodies

LEG_JOINTS = (4, 5, 7, 8)
"""Knees and ankles: the lengths of thighs and shins are those of their offsets."""
MODELLED_JOINTS = 22
"""Joints that the motion prior turns: all but the hands."""


@dataclass(frozen=True)
class Segments:
    """N people over T slots as N x S segments, with all that latents and shapes do not hold."""

    prior: MotionPrior
    pose_prior: PosePrior
    """For E_pose: its latent is that of the decoded pose."""
    body: BodyTensors
    frame: SegmentFrame
    """Of the N S segments."""
    ground_m: Float[Tensor, "N T"]
    """Height of the ground that the path is counted from."""

    @property
    def num_slots(self) -> int:
        """T."""
        return self.ground_m.shape[1]

    def decode(self, z: Float[Tensor, "N S L"], betas: Float[Tensor, "N S K"]) -> MotionBodies:
        """Bodies of latents and shapes. Differentiable in both."""
        people, t = z.shape[0], self.num_slots
        rest = rest_joints(betas, self.body.joint_template_m, self.body.joint_shapedirs_m)
        size = size_of(rest, self.prior.rest_joints_m).flatten()
        told = out_of_segment(self.prior, z.flatten(0, 1), self.frame, size)

        def in_time(values: Float[Tensor, "B 64 *rest"]) -> Float[Tensor, "N T *rest"]:
            return values.reshape(people, -1, *values.shape[2:])[:, :t]

        shapes = betas.repeat_interleave(SEGMENT_FRAMES, 1)[:, :t]
        root_rest = rest[:, :, 0].repeat_interleave(SEGMENT_FRAMES, 1)[:, :t]
        body = in_time(told.rotmats)
        hands = torch.eye(3, dtype=z.dtype, device=z.device).expand(people, t, 2, 3, 3)
        rotmats = torch.cat([body, hands], 2)
        pose = rotmat_to_rotvec(rotmats)
        up = torch.tensor([0.0, 0.0, 1.0]).to(z)
        transl = in_time(told.root_m) + self.ground_m[..., None] * up - root_rest
        bodies = Bodies(pose, shapes, transl, self.pose_prior.encode(pose), rotmats)
        return MotionBodies(bodies, in_time(told.contact), z)


def start_segments(
    bodies: Bodies,
    betas: Float[Tensor, "N K"],
    seen: Bool[Tensor, "N T 22"],
    ground_m: Float[Tensor, "N T"],
    body: BodyTensors,
    prior: MotionPrior,
    pose_prior: PosePrior,
) -> tuple[Segments, Float[Tensor, "N S L"], Float[Tensor, "N S K"]]:
    """Segments of the bodies of a stage before, with the latents and shapes to start from.

    Args:
        bodies: finite everywhere; their shapes are not looked at.
        betas: the shape that every segment of a person starts from.
        seen: what is to be believed of them (`priors.visibility.placed`).
        ground_m: height of the ground under each person-frame, smooth in time.
        body: the body of the solve.
        prior: in the precision of the solve; not changed.
        pose_prior: the same.
    """
    people, t = bodies.transl_m.shape[:2]
    count = -(-t // SEGMENT_FRAMES)
    rest = rest_joints(betas, body.joint_template_m, body.joint_shapedirs_m)
    rotmats = rotvec_to_rotmat(bodies.pose_rotvec[:, :, :MODELLED_JOINTS])
    up = torch.tensor([0.0, 0.0, 1.0]).to(ground_m)
    root = bodies.transl_m + rest[:, None, 0] - ground_m[..., None] * up

    def cut(values: Float[Tensor, "N T *rest"]) -> Float[Tensor, "B 64 *rest"]:
        tail = values[:, -1:].expand(-1, count * SEGMENT_FRAMES - t, *values.shape[2:])
        return torch.cat([values, tail], 1).reshape(people * count, SEGMENT_FRAMES, *values.shape[2:])

    tail = seen.new_zeros(people, count * SEGMENT_FRAMES - t, seen.shape[-1])
    seen = torch.cat([seen, tail], 1).reshape(people * count, SEGMENT_FRAMES, -1)
    reference = first_seen(seen)
    size = size_of(rest, prior.rest_joints_m).repeat_interleave(count)
    turned, path, frame = into_segment(cut(rotmats), cut(root), torch.zeros_like(size), size, reference)
    state = hold_velocity(motion_state(turned, path, prior.rest_joints_m), seen)
    z, _ = prior.encode(state, seen)
    start = betas[:, None].repeat(1, count, 1)
    return Segments(prior, pose_prior, body, frame, ground_m), z.reshape(people, count, -1), start


def size_of(
    rest_joints_m: Float[Tensor, "*batch 24 3"], reference_m: Float[Tensor, "22 3"]
) -> Float[Tensor, "*batch"]:
    """Leg length of bodies over that of the reference skeleton."""
    return _leg(rest_joints_m) / _leg(reference_m)


def _leg(rest_joints_m: Float[Tensor, "*batch J 3"]) -> Float[Tensor, "*batch"]:
    """Thigh and shin, mean of both sides, metres."""
    parents = [int(PARENTS[joint]) for joint in LEG_JOINTS]
    offsets = rest_joints_m[..., list(LEG_JOINTS), :] - rest_joints_m[..., parents, :]
    lengths: Tensor = torch.linalg.vector_norm(offsets, dim=-1)
    return 0.5 * lengths.sum(-1)
