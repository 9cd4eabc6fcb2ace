"""The group stage of preset `paper`: badly seen segments, guided by well seen ones (DyCrowd eq. 18).

    argmin over z_ns, beta_ns   E_group = E_motion + E_AMC        200 iterations of RMSprop, as the motion stage

The rows of the problem are poor segments, one a row; who is poor, and whose motion is the guide, is decided before
(eqs 15 and 16). Latents start from the motion stage's answer: the bodies that are given are encoded as they are, hidden
slots too, for they are already what the prior makes of them. Without guides this is the motion stage, continued.
Guides stand still; people do not interact, so all rows move in one batch.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..body.data import BodyData
from ..errors import SolveError
from ..priors.motion_prior import MotionPrior
from ..priors.motion_state import SEGMENT_FRAMES
from ..priors.pose_prior import PosePrior, settled
from .energies.amc import Guides, amc
from .energies.evidence import Evidence
from .energies.motion_objective import MotionBodies
from .energies.objective import Objective
from .latent import MODELLED_JOINTS
from .problem import WarmStart, WindowProblem
from .rmsprop import (
    PaperSolution,
    PaperTrace,
    answer_of,
    descend,
    first_bodies,
    motion_stage,
    numpy_of,
    stacked,
)
from .rmsprop_config import PaperConfig


@dataclass(frozen=True)
class GroupSolution:
    """Guided bodies, and how far they were from their guides."""

    bodies: PaperSolution
    """Its trace has the energies E_group of all steps, and the terms of E_motion at the end."""
    amc_before: Float[np.ndarray, "N"]
    """E_AMC at the start, times its lambda; 0 without a guide."""
    amc_after: Float[np.ndarray, "N"]
    """The same at the end."""


def solve_group(
    problem: WindowProblem,
    start: WarmStart,
    guides: Sequence[Float[np.ndarray, "_ _ 3 3"] | None],
    body: BodyData,
    prior: PosePrior,
    motion_prior: MotionPrior,
    config: PaperConfig | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> GroupSolution:
    """Guide poor segments by others (eq. 18).

    Args:
        problem: what was observed of them, a segment a row, at most 64 slots; its warm start gives E_connect its seam.
        start: bodies of every present slot, as the motion stage left them (`known` is not looked at).
        guides: of each row the guide's rotations relative to the parents, slots x 22 or 24 joints, of any length; None
            for a row that has none.
        body: the body to fit.
        prior: stands in for VPoser.
        motion_prior: of the latents.
        config: None for the printed settings; `group_iterations` steps are made.

    Raises:
        SolveError: rows and guides do not fit; more than a segment; bodies or energy that are not finite.
    """
    config = config or PaperConfig()
    _check(problem, guides)
    first = first_bodies(problem, start, dtype, device)
    weights = config.weights
    objective = Objective.of(Evidence.of(problem, weights, dtype, device), weights, body)
    network = copy.deepcopy(motion_prior).eval().requires_grad_(False).to(device, dtype)
    believed = np.repeat(problem.present[..., None], MODELLED_JOINTS, axis=2)
    priors = (network, settled(prior, device, dtype))
    motion, segments, *variables = motion_stage(problem, objective, first, believed, body, priors)
    led = Guides.of(guides, objective.evidence.offset_m)

    def guidance(told: MotionBodies) -> Float[Tensor, "N"]:
        assert told.bodies.rotmats is not None
        return weights.amc * amc(told.bodies.rotmats, objective.evidence.present, led, weights.amc_softness)

    def energy() -> Float[Tensor, "N"]:
        told = segments.decode(*variables)
        return motion.terms(told).total + guidance(told)

    with torch.no_grad():
        before = guidance(segments.decode(*variables))
    steps = stacked(descend(energy, variables, config.group_iterations, config))
    with torch.no_grad():
        last = segments.decode(*variables)
        trace = PaperTrace(steps, None, None, motion.terms(last))
    answer = answer_of(problem, start, last.bodies, trace)
    return GroupSolution(answer, numpy_of(before), numpy_of(guidance(last)))


def _check(problem: WindowProblem, guides: Sequence[Float[np.ndarray, "_ _ 3 3"] | None]) -> None:
    if problem.num_frames > SEGMENT_FRAMES:
        raise SolveError(
            f"group stage: got {problem.num_frames} slots a row, expected at most {SEGMENT_FRAMES}: a segment a row"
        )
    if len(guides) != problem.num_people:
        raise SolveError(
            f"group stage: got {len(guides)} guides for {problem.num_people} rows; give None for none"
        )
    for row, motion in enumerate(guides):
        if motion is None:
            continue
        if motion.shape[0] == 0 or motion.shape[1] < MODELLED_JOINTS or not np.isfinite(motion).all():
            raise SolveError(
                f"group stage: guide of row {row} has shape {motion.shape}; expected finite rotations of at least one "
                f"slot and {MODELLED_JOINTS} joints"
            )
