"""E_root and E_smpl: the energies of eqs 3-10 put together (DyCrowd eqs 2 and 7), all people in one batch.

    E_root = E_2D + E_hvip2D + E_contact + E_t-trans                       (eq. 2)
    E_smpl = E_root + E_pose + E_shape + E_t-pose                          (eq. 7)

Every term is per person and already times its lambda; people do not interact, so their sum may be minimised in
one go. One forward pass: joints of N x T bodies, their keypoints and soles. O(C N T J).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from ...body.data import BodyData
from ...body.keypoints import coco_keypoints
from ...body.kinematics import Kinematics, forward_kinematics, kinematics_of_rotmats, rest_joints
from ...body.soles import sole_positions
from ...body.tensors import BodyTensors
from ..weights import EnergyWeights
from .contact import contact
from .evidence import Evidence
from .hvip import hvip
from .mesh import MeshTensors, mesh_vertices
from .pose_prior import pose_prior
from .pose_smoothness import pose_smoothness
from .reprojection import reprojection
from .shape import shape
from .translation_smoothness import translation_smoothness


@dataclass(frozen=True)
class EnergyTerms:
    """The energies of each person, times their lambdas."""

    reprojection: Float[Tensor, "N"]
    """Eq. 3."""
    hvip: Float[Tensor, "N"]
    """Eq. 4."""
    contact: Float[Tensor, "N"]
    """Eq. 5."""
    translation_smoothness: Float[Tensor, "N"]
    """Eq. 6."""
    pose_prior: Float[Tensor, "N"]
    """Eq. 8; 0 in the root stage."""
    shape: Float[Tensor, "N"]
    """Eq. 9; 0 in the root stage."""
    pose_smoothness: Float[Tensor, "N"]
    """Eq. 10; 0 in the root stage."""

    @property
    def total(self) -> Float[Tensor, "N"]:
        """E_root or E_smpl of each person."""
        return torch.stack([getattr(self, field.name) for field in fields(self)]).sum(0)


@dataclass(frozen=True)
class Bodies:
    """The variables: bodies of N people over T slots."""

    pose_rotvec: Float[Tensor, "N T 24 3"]
    """Axis-angle, radians; joint 0 in the world."""
    betas: Float[Tensor, "N T K"]
    """A shape per person-frame, as the paper has it (expand one per person where there is one)."""
    transl_m: Float[Tensor, "N T 3"]
    z: Float[Tensor, "N T L"] | None = None
    """Latent of the pose; None leaves eqs 8-10 out (root stage)."""
    rotmats: Float[Tensor, "N T 24 3 3"] | None = None
    """The same rotations as matrices, where they are at hand (a decoder's); None takes them from `pose_rotvec`."""


@dataclass(frozen=True)
class Objective:
    """Everything that stays fixed while the variables move."""

    evidence: Evidence
    weights: EnergyWeights
    body: BodyTensors
    mesh: MeshTensors | None = None
    """The whole body, only where `weights.contact_vertices` is "mesh"."""

    @classmethod
    def of(cls, evidence: Evidence, weights: EnergyWeights, body: BodyData) -> Objective:
        """Tensors of a body in the precision and on the device of the evidence."""
        dtype, device = evidence.sigma.dtype, evidence.sigma.device
        mesh = MeshTensors.of(body, dtype, device) if weights.contact_vertices == "mesh" else None
        return cls(evidence, weights, BodyTensors.of(body, dtype, device), mesh)

    def kinematics(self, bodies: Bodies) -> Kinematics:
        """Joints of the bodies in the world."""
        if bodies.rotmats is not None:
            rest = rest_joints(bodies.betas, self.body.joint_template_m, self.body.joint_shapedirs_m)
            return kinematics_of_rotmats(bodies.rotmats, rest, bodies.transl_m)
        return forward_kinematics(
            bodies.pose_rotvec,
            bodies.betas,
            bodies.transl_m,
            self.body.joint_template_m,
            self.body.joint_shapedirs_m,
        )

    def terms(self, bodies: Bodies, posed: Kinematics | None = None) -> EnergyTerms:
        """All energies of the bodies: of eq. 7, or of eq. 2 where they have no latent.

        Args:
            bodies: the variables.
            posed: their `kinematics`, where the caller has them already.
        """
        e, w = self.evidence, self.weights
        posed = self.kinematics(bodies) if posed is None else posed
        keypoints = coco_keypoints(posed.joints_m, posed.rotmats_world)
        if self.mesh is None:
            vertices = sole_positions(posed, bodies.betas, self.body)
        else:
            vertices = mesh_vertices(bodies.pose_rotvec, bodies.betas, bodies.transl_m, self.mesh)
        none = torch.zeros_like(e.offset_m[:, 0])
        smpl_stage = bodies.z is not None
        return EnergyTerms(
            reprojection=w.reprojection
            * reprojection(keypoints, e.keypoints_px, e.sigma, e.delta, e.cameras, w.reprojection_robust_px),
            hvip=w.hvip
            * hvip(
                posed.joints_m,
                e.normal,
                e.offset_m,
                e.hvip_px,
                e.hvip_sigma_px,
                e.delta,
                e.cameras,
                w.hvip_sigma_floor_px,
                w.hvip_robust_sigmas,
            ),
            contact=w.contact
            * contact(vertices, e.normal, e.offset_m, e.present, signed=w.contact_form == "signed"),
            translation_smoothness=w.translation_smoothness
            * translation_smoothness(bodies.transl_m, e.present, w.difference_order),
            pose_prior=w.pose_prior * pose_prior(bodies.z, e.present) if bodies.z is not None else none,
            shape=w.shape * shape(bodies.betas, e.present) if smpl_stage else none,
            pose_smoothness=w.pose_smoothness * pose_smoothness(posed.joints_m, e.present, w.difference_order)
            if smpl_stage
            else none,
        )
