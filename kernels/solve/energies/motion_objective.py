"""E_motion: the energies of eqs 11-14 put together, all segments of all people in one batch.

    E_motion = E_smpl + E_VAE + E_env + E_connect                                              (DyCrowd eq. 11)

Every term is per person and already times its lambda. E_connect runs over the seams between the segments of the
problem, and over the one to the window before (`solve.seam`), whose side of it does not move.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..seam import Seam
from .connect import connect
from .environment import CONTACT_JOINTS, contact_height, contact_velocity
from .objective import Bodies, EnergyTerms, Objective
from .vae import vae


@dataclass(frozen=True)
class MotionTerms:
    """The energies of each person, times their lambdas."""

    smpl: EnergyTerms
    """Eqs 3-10."""
    vae: Float[Tensor, "N"]
    """Eq. 12."""
    contact_height: Float[Tensor, "N"]
    """Eq. 13, first half."""
    contact_velocity: Float[Tensor, "N"]
    """Eq. 13, second half."""
    connect: Float[Tensor, "N"]
    """Eq. 14."""

    @property
    def total(self) -> Float[Tensor, "N"]:
        """E_motion of each person."""
        return self.smpl.total + self.vae + self.contact_height + self.contact_velocity + self.connect


@dataclass(frozen=True)
class MotionBodies:
    """Bodies as latents tell them."""

    bodies: Bodies
    """With the latent of the pose prior, so that E_smpl is whole."""
    contact: Float[Tensor, "N T 8"]
    """c of eq. 13."""
    z: Float[Tensor, "N S L"]
    """The latents themselves."""


@dataclass(frozen=True)
class SeamTensors:
    """`Seam` in the precision of the solve."""

    slot: Int[Tensor, "N"]
    joints_m: Float[Tensor, "N 2 24 3"]
    known: Bool[Tensor, "N 2"]

    @classmethod
    def of(cls, seam: Seam, like: Float[Tensor, "..."]) -> SeamTensors:
        """Where `like` is, in its precision."""
        return cls(
            torch.tensor(seam.slot, device=like.device),
            torch.tensor(seam.joints_m, dtype=like.dtype, device=like.device),
            torch.tensor(seam.known, device=like.device),
        )


@dataclass(frozen=True)
class MotionObjective:
    """Everything of eq. 11 that stays fixed while latents and shapes move."""

    objective: Objective
    """Eqs 2-10."""
    segment_slots: int
    """Slots of a segment; the last of a problem may be shorter."""
    seam: SeamTensors | None = None
    """To the window before."""

    def terms(self, motion: MotionBodies) -> MotionTerms:
        """All energies of eq. 11."""
        e, w = self.objective.evidence, self.objective.weights
        posed = self.objective.kinematics(motion.bodies)
        touching = posed.joints_m[:, :, list(CONTACT_JOINTS)]
        c = motion.contact.detach() if w.contact_probability == "held" else motion.contact
        band = w.contact_height_form == "band"
        return MotionTerms(
            smpl=self.objective.terms(motion.bodies, posed),
            vae=w.vae * vae(motion.z, segments_of(e.present, self.segment_slots).any(-1)),
            contact_height=w.contact_height
            * contact_height(touching, c, e.normal, e.offset_m, e.present, w.contact_height_m, band),
            contact_velocity=w.contact_velocity * contact_velocity(touching, c, e.present),
            connect=w.connect * self.connection(posed.joints_m),
        )

    def connection(self, joints_m: Float[Tensor, "N T 24 3"]) -> Float[Tensor, "N"]:
        """E_connect of every seam, without its lambda."""
        e, order = self.objective.evidence, self.objective.weights.difference_order
        people, slots = e.present.shape
        out = torch.zeros_like(joints_m[:, 0, 0, 0])
        for first in range(self.segment_slots, slots, self.segment_slots):
            where = torch.full((people,), first, device=joints_m.device)
            before, before_valid = _pair(joints_m, e.present, where - 2)
            after, after_valid = _pair(joints_m, e.present, where)
            out = out + connect(before, after, before_valid, after_valid, order)
        if self.seam is not None:
            after, after_valid = _pair(joints_m, e.present, self.seam.slot)
            out = out + connect(self.seam.joints_m, after, self.seam.known, after_valid, order)
        return out


def segments_of(per_slot: Bool[Tensor, "N T"], segment_slots: int) -> Bool[Tensor, "N S L"]:
    """Slots cut into segments; False fills the last one up."""
    missing = -per_slot.shape[1] % segment_slots
    padded = torch.cat([per_slot, per_slot.new_zeros(len(per_slot), missing)], 1)
    return padded.reshape(len(per_slot), -1, segment_slots)


def _pair(
    joints_m: Float[Tensor, "N T 24 3"], present: Bool[Tensor, "N T"], first: Int[Tensor, "N"]
) -> tuple[Float[Tensor, "N 2 24 3"], Bool[Tensor, "N 2"]]:
    """Two neighbouring slots of everybody, and which of them are there."""
    slots = present.shape[1]
    index = first[:, None] + torch.arange(2, device=first.device)
    inside = (index >= 0) & (index < slots)
    index = index.clamp(0, slots - 1)
    rows = torch.arange(len(first), device=first.device)[:, None]
    return joints_m[rows, index], present[rows, index] & inside
