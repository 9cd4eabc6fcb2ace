"""One person's motion as the refiner works on it: rotations, pelvis, what was seen, what each slot rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ...kernels.body.data import BodyData
from ...kernels.body.kinematics import forward_kinematics_np
from ...kernels.ground import Ground
from ...kernels.grouping.guide import BODY
from ...kernels.priors.visibility import placed, seen_groups
from ...kernels.rotation import rotmat_to_rotvec_np, rotvec_to_rotmat_np
from ...kernels.solve.prior_target import by_joint, hidden_for
from .timeline import PersonStretch

Array = np.ndarray

HANDS = slice(BODY, 24)


@dataclass
class PersonMotion:
    """A person over S slots from `slot0` on; arrays are changed in place while a revision is made."""

    person: int
    slot0: int
    provenance: UInt8[Array, "S"]
    rotmats: Float[Array, "S 22 3 3"]
    """Joint 0 in the world, the rest relative to their parents."""
    hands_rotvec: Float[Array, "S 2 3"]
    root_m: Float[Array, "S 3"]
    """Pelvis joint, world."""
    ground_m: Float[Array, "S 3"]
    confidence: Float[Array, "S"]
    seen: Bool[Array, "S 22"]
    """Groups of `priors.visibility`: body joints 1..21, then the path."""
    keypoints: Float[Array, "S 17"]
    betas: Float[Array, "10"]
    rest_root_m: Float[Array, "3"]
    """Pelvis of the rest pose: translation is root less this."""
    blind: Float[Array, "S 22"]
    """Slots since each joint was last shown, or until it is shown next, whichever are fewer; 0 where it is seen.

    After a change of `seen` to be measured anew (`measure_blind`)."""

    @property
    def present(self) -> Bool[Array, "S"]:
        return np.asarray(self.provenance != 0)

    @property
    def seen_joints(self) -> Bool[Array, "S 22"]:
        """The same groups in the order of joints: the path's is the pelvis's."""
        return np.asarray(by_joint(self.seen))

    def pose_rotvec(self, slots: slice) -> Float[Array, "T 24 3"]:
        """Axis-angle of some slots."""
        pose = np.zeros((len(self.root_m[slots]), 24, 3))
        pose[:, :BODY] = rotmat_to_rotvec_np(self.rotmats[slots])
        pose[:, HANDS] = self.hands_rotvec[slots]
        return pose


def motion_of(person: int, stretch: PersonStretch, body: BodyData, seen_confidence: float) -> PersonMotion:
    """The motion of a stretch; identity where nobody is.

    Args:
        seen_confidence: keypoints from which on a joint counts as seen.
    """
    betas = stretch.betas.astype(np.float64)
    rest = _rest_root(body, betas)
    present = stretch.present
    seen = seen_groups(stretch.keypoints[None, None].astype(np.float32), present[None], seen_confidence)
    motion = PersonMotion(
        person=person,
        slot0=stretch.slot0,
        provenance=stretch.provenance.copy(),
        rotmats=rotvec_to_rotmat_np(stretch.pose_rotvec[:, :BODY].astype(np.float64)),
        hands_rotvec=stretch.pose_rotvec[:, HANDS].astype(np.float64),
        root_m=stretch.transl_m.astype(np.float64) + rest,
        ground_m=stretch.ground_m.astype(np.float64),
        confidence=stretch.confidence.astype(np.float64),
        seen=placed(seen, present[None])[0],
        keypoints=stretch.keypoints,
        betas=betas,
        rest_root_m=rest,
        blind=np.zeros((*present.shape, BODY)),
    )
    measure_blind(motion)
    return motion


def measure_blind(motion: PersonMotion) -> None:
    """Sets `blind` from `seen`."""
    motion.blind = by_joint(hidden_for(motion.seen[None])[0])


def _rest_root(body: BodyData, betas: Float[Array, "10"]) -> Float[Array, "3"]:
    joints = body.joint_template_m + np.einsum("k,jck->jc", betas, body.joint_shapedirs_m)
    return np.asarray(joints[0], np.float64)


def joints_of(
    pose_rotvec: Float[Array, "T 24 3"], root_m: Float[Array, "T 3"], motion: PersonMotion, body: BodyData
) -> tuple[Float[Array, "T 24 3"], Float[Array, "T 3"]]:
    """World joints and smplx translations."""
    transl = root_m - motion.rest_root_m
    betas = np.broadcast_to(motion.betas, (len(transl), len(motion.betas)))
    joints, _ = forward_kinematics_np(
        pose_rotvec, betas, transl, body.joint_template_m, body.joint_shapedirs_m
    )
    return joints, transl


def ground_z(ground: Ground, xy_m: Float[Array, "T 2"]) -> Float[Array, "T"]:
    """Height of the ground at some places."""
    planes = [ground.plane_at(xy) for xy in xy_m]
    normal = np.array([plane.normal for plane in planes]).reshape(-1, 3)
    offset = np.array([plane.offset_m for plane in planes])
    return np.asarray((offset - (normal[:, :2] * xy_m).sum(-1)) / normal[:, 2])


def through(motion: PersonMotion) -> tuple[Float[Array, "S 2"], Int[Array, "K"]]:
    """Ground places with holes bridged straight (and held at the ends), and the slots that are known."""
    known = np.flatnonzero(motion.present)
    index = np.arange(len(motion.present))
    xy = np.stack([np.interp(index, known, motion.ground_m[known, c]) for c in range(2)], -1)
    return xy, known
