"""Preset `paper`: the optimisation of DyCrowd to the letter, person by person (sec. III-B, III-C, IV-B).

    stage root     100 iterations   argmin E_root over translation and root rotation                    (eq. 2)
    stage SMPL     150 iterations   argmin E_smpl over these, shape and the pose's latent z             (eq. 7)
    stage motion   200 iterations   argmin E_motion over a motion latent and a shape per segment        (eq. 11)
    stage group    200 iterations   argmin E_group over the same, for badly seen segments: `group`      (eq. 18)

RMSprop, learning rate 0.01, torch's own constants (alpha 0.99), each stage with a fresh state. All people of
the window move in one batch: they do not interact and RMSprop scales every variable by itself, so the result is the
same as one by one. Shapes belong to person-frames, as printed (beta_nt); `shape_per = "person"` shares
one over time. In the motion stage a segment has one (beta_ns). The prior is whatever stands in for VPoser: it must
encode and decode a pose.

What eq. 11 leaves open, and what is done here: E_smpl stays whole, so E_pose is that of the decoded pose, encoded again
and not detached; a window is one segment of everybody (longer problems are several, joined by eq. 14); z starts from
the encoder (`latent`); the seam of eq. 14 lies where what is published passes from one window to the next (`seam`).

This is the yardstick, not the engine: torch eager, 450 passes of O(C N T J). Threads are the caller's matter.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..body.data import BodyData
from ..errors import SolveError
from ..priors.motion_prior import MotionPrior
from ..priors.motion_state import SEGMENT_FRAMES
from ..priors.pose_prior import PosePrior, settled
from ..priors.visibility import placed, seen_groups
from .energies.evidence import Evidence
from .energies.motion_objective import MotionObjective, MotionTerms, SeamTensors
from .energies.objective import Bodies, EnergyTerms, Objective
from .latent import Segments, start_segments
from .prior_target import ground_heights
from .problem import WarmStart, WindowProblem
from .rmsprop_config import PaperConfig
from .seam import seam_of


@dataclass(frozen=True)
class PaperTrace:
    """What happened on the way."""

    energy: Float[np.ndarray, "I"]
    """Summed energy before every step: E_root for the first stage, then E_smpl, then E_motion."""
    root_terms: EnergyTerms | None
    """Terms per person after the root stage; None where it was skipped."""
    smpl_terms: EnergyTerms | None
    """Terms per person after the SMPL stage; None where it was skipped."""
    motion_terms: MotionTerms | None = None
    """Terms per person at the end; None where the motion stage was left out."""


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
        return np.asarray(np.einsum("nt,ntk->nk", _counted(problem), self.betas), np.float32)


def solve_paper(
    problem: WindowProblem,
    initial: WarmStart,
    body: BodyData,
    prior: PosePrior,
    config: PaperConfig | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    motion_prior: MotionPrior | None = None,
) -> PaperSolution:
    """Run the stages from a first guess.

    Args:
        problem: observations of one window; its warm start, if there is one, gives E_connect its seam and nothing else.
        initial: first guess of every present person-frame (`known` is not looked at).
        body: the body to fit.
        prior: stands in for VPoser.
        config: None for the printed settings.
        dtype: of all computing.
        device: where to compute.
        motion_prior: of the motion stage; None leaves that stage out.

    Raises:
        SolveError: the first guess is not finite, or the energy ceases to be.
    """
    config = config or PaperConfig()
    first = first_bodies(problem, initial, dtype, device)
    objective = Objective.of(Evidence.of(problem, config.weights, dtype, device), config.weights, body)
    last, trace = _fundamental(objective, first, settled(prior, device, dtype), config)
    if motion_prior is not None and config.motion_iterations and problem.num_people:
        network = copy.deepcopy(motion_prior).eval().requires_grad_(False).to(device, dtype)
        last, trace = _motion(
            problem, objective, last, body, (network, settled(prior, device, dtype)), config, trace
        )
    return answer_of(problem, initial, last, trace)


def first_bodies(
    problem: WindowProblem, initial: WarmStart, dtype: torch.dtype, device: torch.device | str
) -> Bodies:
    """The first guess as variables, 0 where nobody is.

    Raises:
        SolveError: it is not finite.
    """
    present = problem.present[..., None]
    pose = np.where(present[..., None], initial.pose_rotvec, 0.0)
    transl = np.where(present, initial.transl_m, 0.0)
    if not (np.isfinite(pose).all() and np.isfinite(transl).all()):
        raise SolveError("the first guess holds values that are not finite; give one for every present slot")

    def put(array: Float[np.ndarray, "..."]) -> Float[Tensor, "..."]:
        return torch.tensor(array, dtype=dtype, device=device)

    shapes = put(initial.betas)[:, None].expand(-1, problem.num_frames, -1)
    return Bodies(put(pose), shapes, put(transl))


def answer_of(problem: WindowProblem, initial: WarmStart, last: Bodies, trace: PaperTrace) -> PaperSolution:
    """The last bodies of present slots, the first guess elsewhere.

    Raises:
        SolveError: the energy has ceased to be finite.
    """
    present = problem.present[..., None]
    if not np.isfinite(trace.energy).all():
        step = int(np.flatnonzero(~np.isfinite(trace.energy))[0])
        raise SolveError(f"the energy is not finite at step {step}; check cameras, ground and learning rate")
    pose_out = np.where(present[..., None], numpy_of(last.pose_rotvec), initial.pose_rotvec).astype(
        np.float32
    )
    transl_out = np.where(present, numpy_of(last.transl_m), initial.transl_m).astype(np.float32)
    return PaperSolution(pose_out, transl_out, numpy_of(last.betas).copy(), trace)


def _fundamental(
    objective: Objective, first: Bodies, prior: PosePrior, config: PaperConfig
) -> tuple[Bodies, PaperTrace]:
    """Root and SMPL stages (eqs 2 and 7)."""
    slots = first.pose_rotvec.shape[1]
    pose = first.pose_rotvec
    root, transl = pose[:, :, 0].clone().requires_grad_(), first.transl_m.clone().requires_grad_()
    shapes = slots if config.shape_per == "frame" else 1
    betas = first.betas[:, :shapes].clone().requires_grad_()
    z = prior.encode(pose).detach().requires_grad_()

    def rooted() -> Bodies:
        turned = torch.cat([root[:, :, None], pose[:, :, 1:]], dim=2)
        return Bodies(turned, betas.detach().expand(-1, slots, -1), transl)

    def whole() -> Bodies:
        return Bodies(prior.decode(z, root), betas.expand(-1, slots, -1), transl, z)

    energies: list[Float[Tensor, ""]] = []
    root_terms = smpl_terms = None
    if config.root_iterations:
        energies += descend(
            lambda: objective.terms(rooted()).total, [root, transl], config.root_iterations, config
        )
        with torch.no_grad():
            root_terms = objective.terms(rooted())
    if config.smpl_iterations:
        variables = [root, transl, betas, z]
        energies += descend(lambda: objective.terms(whole()).total, variables, config.smpl_iterations, config)
        with torch.no_grad():
            smpl_terms = objective.terms(whole())
    with torch.no_grad():
        last = whole() if config.smpl_iterations else rooted()
    return last, PaperTrace(stacked(energies), root_terms, smpl_terms)


def _motion(
    problem: WindowProblem,
    objective: Objective,
    last: Bodies,
    body: BodyData,
    priors: tuple[MotionPrior, PosePrior],
    config: PaperConfig,
    trace: PaperTrace,
) -> tuple[Bodies, PaperTrace]:
    """The motion stage (eq. 11), from the bodies of the stage before."""
    seen = placed(seen_groups(problem.confidence, problem.present, config.mask_confidence), problem.present)
    motion, segments, *variables = motion_stage(problem, objective, last, seen, body, priors)
    energies = descend(
        lambda: motion.terms(segments.decode(*variables)).total, variables, config.motion_iterations, config
    )
    with torch.no_grad():
        told = segments.decode(*variables)
        terms = motion.terms(told)
    energy = np.concatenate([trace.energy, stacked(energies)])
    return told.bodies, PaperTrace(energy, trace.root_terms, trace.smpl_terms, terms)


def motion_stage(
    problem: WindowProblem,
    objective: Objective,
    last: Bodies,
    seen: Bool[np.ndarray, "N T 22"],
    body: BodyData,
    priors: tuple[MotionPrior, PosePrior],
) -> tuple[MotionObjective, Segments, Float[Tensor, "N S L"], Float[Tensor, "N S K"]]:
    """E_motion (eq. 11) with its variables: a latent and a shape of each segment, where they start from.

    Args:
        last: bodies of the stage before.
        seen: what of them the encoder is to believe.
        priors: in the precision and on the device of the objective.
    """
    e = objective.evidence
    seam = None if problem.warm is None else seam_of(problem.warm, body)
    motion = MotionObjective(
        objective, SEGMENT_FRAMES, None if seam is None else SeamTensors.of(seam, e.offset_m)
    )
    counted = torch.as_tensor(_counted(problem), dtype=e.offset_m.dtype, device=e.offset_m.device)
    betas = torch.einsum("nt,ntk->nk", counted, last.betas)
    ground = torch.as_tensor(ground_heights(problem, numpy_of(last.transl_m))).to(e.offset_m)
    with torch.no_grad():
        segments, z, shapes = start_segments(
            last,
            betas,
            torch.as_tensor(seen, device=e.present.device),
            ground,
            objective.body,
            *priors,
        )
    return motion, segments, z.requires_grad_(), shapes.requires_grad_()


def _counted(problem: WindowProblem) -> Float[np.ndarray, "N T"]:
    """Shares that make a mean over a person's observed slots (else present ones)."""
    observed = problem.observed
    count = np.where(observed.any(axis=1, keepdims=True), observed, problem.present).astype(np.float32)
    return np.asarray(count / np.maximum(count.sum(axis=1, keepdims=True), 1))


def descend(
    energy_of: Callable[[], Float[Tensor, "N"]],
    variables: list[Tensor],
    iterations: int,
    config: PaperConfig,
) -> list[Float[Tensor, ""]]:
    """RMSprop on the energy summed over people; the sums before each step."""
    optimiser = torch.optim.RMSprop(variables, lr=config.learning_rate)
    energies = []
    for step in range(iterations):
        if config.schedule == "cosine":
            optimiser.param_groups[0]["lr"] = (
                0.5 * config.learning_rate * (1 + math.cos(math.pi * step / iterations))
            )
        optimiser.zero_grad(set_to_none=True)
        energy = energy_of().sum()
        energy.backward(inputs=variables)  # type: ignore[no-untyped-call]
        optimiser.step()
        energies.append(energy.detach())
    return energies


def stacked(energies: list[Float[Tensor, ""]]) -> Float[np.ndarray, "I"]:
    """Energies of the steps, as numbers."""
    return torch.stack(energies).cpu().numpy() if energies else np.zeros(0)


def numpy_of(tensor: Float[Tensor, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Float32, without gradients."""
    return tensor.detach().cpu().numpy().astype(np.float32)
