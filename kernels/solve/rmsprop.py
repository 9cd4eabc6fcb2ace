"""Preset `paper`: the fundamental individual optimisation of DyCrowd to the letter (sec. III-B, IV-B).

    stage root   100 iterations   argmin E_root over translation and root rotation                    (eq. 2)
    stage SMPL   150 iterations   argmin E_smpl over these, shape and the pose's latent z             (eq. 7)

RMSprop, learning rate 0.01, torch's own constants (alpha 0.99), each stage with a fresh state. All people of
the window move in one batch: they do not interact and RMSprop scales every variable by itself, so the result is the
same as one by one. Shapes belong to person-frames, as printed (beta_nt); `shape_per = "person"` shares
one over time. The prior is whatever stands in for VPoser: it must encode and decode a pose.

This is the yardstick, not the engine: torch eager, 250 passes of O(C N T J). Threads are the caller's matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ..body.data import BodyData
from ..errors import SolveError
from ..priors.gaussian_pose import GaussianPosePrior
from ..settings import StageConfig
from .energies.evidence import Evidence
from .energies.objective import Bodies, EnergyTerms, Objective
from .problem import WarmStart, WindowProblem
from .weights import EnergyWeights


class PaperConfig(StageConfig):
    """Settings of the yardstick; the defaults are the printed ones."""

    root_iterations: int = Field(default=100, ge=0)
    """Steps of the root stage."""
    smpl_iterations: int = Field(default=150, ge=0)
    """Steps of the SMPL stage."""
    learning_rate: float = Field(default=0.01, gt=0)
    """Of RMSprop; metres, radians and units of z and beta alike."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Constant (printed), or a cosine to zero within each stage: smaller last steps, clearly better ends."""
    shape_per: Literal["frame", "person"] = "frame"
    """A shape for every person-frame (printed), or one per person."""
    weights: EnergyWeights = EnergyWeights()
    """Weights and forms of the energies; `EnergyWeights.mended()` repairs the printed ones."""


@dataclass(frozen=True)
class PaperTrace:
    """What happened on the way."""

    energy: Float[np.ndarray, "I"]
    """Summed energy before every step: E_root for the first stage, then E_smpl."""
    root_terms: EnergyTerms | None
    """Terms per person after the root stage; None where it was skipped."""
    smpl_terms: EnergyTerms | None
    """Terms per person at the end; None where the SMPL stage was skipped."""


@dataclass(frozen=True)
class PaperSolution:
    """Bodies of one window, float32; absent person-frames keep the initial values."""

    pose_rotvec: Float[np.ndarray, "N T 24 3"]
    """Axis-angle, radians; joint 0 in the world."""
    transl_m: Float[np.ndarray, "N T 3"]
    betas: Float[np.ndarray, "N T 10"]
    trace: PaperTrace

    def betas_of_people(self, problem: WindowProblem) -> Float[np.ndarray, "N 10"]:
        """One shape per person, as `WindowSolution` has it: the mean over observed slots (else present ones)."""
        observed = problem.observed
        count = np.where(observed.any(axis=1, keepdims=True), observed, problem.present).astype(np.float32)
        mean = np.einsum("nt,ntk->nk", count, self.betas) / np.maximum(count.sum(axis=1), 1)[:, None]
        return np.asarray(mean, np.float32)


def solve_paper(
    problem: WindowProblem,
    initial: WarmStart,
    body: BodyData,
    prior: GaussianPosePrior,
    config: PaperConfig | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> PaperSolution:
    """Run both stages from a first guess.

    Args:
        problem: observations of one window.
        initial: first guess of every present person-frame (`known` is not looked at).
        body: the body to fit.
        prior: stands in for VPoser.
        config: None for the printed settings.
        dtype: of all computing.
        device: where to compute.

    Raises:
        SolveError: the first guess is not finite, or the energy ceases to be.
    """
    config = config or PaperConfig()
    present = problem.present[..., None]
    start_pose = np.where(present[..., None], initial.pose_rotvec, 0.0)
    start_transl = np.where(present, initial.transl_m, 0.0)
    if not (np.isfinite(start_pose).all() and np.isfinite(start_transl).all()):
        raise SolveError("the first guess holds values that are not finite; give one for every present slot")
    objective = Objective.of(Evidence.of(problem, config.weights, dtype, device), config.weights, body)

    def put(array: Float[np.ndarray, "..."]) -> Float[Tensor, "..."]:
        return torch.tensor(array, dtype=dtype, device=device)

    pose = put(start_pose)
    root, transl = pose[:, :, 0].clone().requires_grad_(), put(start_transl).requires_grad_()
    slots = problem.num_frames if config.shape_per == "frame" else 1
    betas = put(initial.betas)[:, None].repeat(1, slots, 1).requires_grad_()
    prior = prior.to(device, dtype)
    z = prior.encode(pose).requires_grad_()

    def rooted() -> Bodies:
        turned = torch.cat([root[:, :, None], pose[:, :, 1:]], dim=2)
        return Bodies(turned, betas.detach().expand(-1, problem.num_frames, -1), transl)

    def whole() -> Bodies:
        return Bodies(prior.decode(z, root), betas.expand(-1, problem.num_frames, -1), transl, z)

    energies: list[Float[Tensor, ""]] = []
    root_terms = smpl_terms = None
    if config.root_iterations:
        energies += _descend(objective, rooted, [root, transl], config.root_iterations, config)
        root_terms = _detached(objective, rooted())
    if config.smpl_iterations:
        energies += _descend(objective, whole, [root, transl, betas, z], config.smpl_iterations, config)
        smpl_terms = _detached(objective, whole())
    last = whole() if config.smpl_iterations else rooted()
    trace = PaperTrace(
        torch.stack(energies).cpu().numpy() if energies else np.zeros(0), root_terms, smpl_terms
    )
    if not np.isfinite(trace.energy).all():
        first = int(np.flatnonzero(~np.isfinite(trace.energy))[0])
        raise SolveError(f"the energy is not finite at step {first}; check cameras, ground and learning rate")
    pose_out = _numpy(last.pose_rotvec)
    pose_out = np.where(present[..., None], pose_out, initial.pose_rotvec).astype(np.float32)
    transl_out = np.where(present, _numpy(last.transl_m), initial.transl_m).astype(np.float32)
    return PaperSolution(pose_out, transl_out, _numpy(last.betas).copy(), trace)


def _descend(
    objective: Objective,
    bodies: Callable[[], Bodies],
    variables: list[Tensor],
    iterations: int,
    config: PaperConfig,
) -> list[Float[Tensor, ""]]:
    """RMSprop on the summed energy; the energies before each step."""
    optimiser = torch.optim.RMSprop(variables, lr=config.learning_rate)
    energies = []
    for step in range(iterations):
        if config.schedule == "cosine":
            optimiser.param_groups[0]["lr"] = (
                0.5 * config.learning_rate * (1 + math.cos(math.pi * step / iterations))
            )
        optimiser.zero_grad(set_to_none=True)
        energy = objective.terms(bodies()).total.sum()
        energy.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        energies.append(energy.detach())
    return energies


def _detached(objective: Objective, bodies: Bodies) -> EnergyTerms:
    with torch.no_grad():
        return objective.terms(bodies)


def _numpy(tensor: Float[Tensor, "*shape"]) -> Float[np.ndarray, "*shape"]:
    return tensor.detach().cpu().numpy().astype(np.float32)
