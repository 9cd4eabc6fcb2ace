"""The solve stage: window problems in, window solutions out, with what each window hands on to the next.

A window overlaps the one before by all but its hop. The reconstructor keeps, per person, the bodies of the last
window they were in, and turns them into the warm start of the next one: known slots are already solved, new ones
get a first guess (`kernels.solve.initialise`), betas rest on all that was seen so far. People not in a window
for `forget_windows` are dropped, so memory is bounded by the people in view.

In preset `live` the lifter gives the first bodies and has a say in the solve, and the motion prior tells what is
hidden:

    lifter -> Gauss-Newton steps -> projection through the motion prior -> Gauss-Newton steps towards it

Without the lifter the first guess comes from posed templates (`kernels.solve.initialise`); without the motion prior
what is hidden is bridged by smoothness and the pose prior alone.

Not thread-safe: one reconstructor solves one site's windows in order. The presets share this face; `paper` is the
yardstick and starts every window from the same first guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..kernels.body.data import BodyData
from ..kernels.lifter.lifter import Lifter
from ..kernels.priors.gaussian_pose import GaussianPosePrior
from ..kernels.priors.motion_prior import MotionPrior
from ..kernels.priors.pose_prior import PosePrior
from ..kernels.solve.finish import finish
from ..kernels.solve.gauss_newton import (
    Bodies,
    LiveResult,
    Targets,
    fused_body,
    fused_prior,
    fused_views,
    solve_live,
)
from ..kernels.solve.gauss_newton_config import LiveConfig
from ..kernels.solve.initialise import initialise, make_templates
from ..kernels.solve.lifted import lift_people, lifted_start, lifter_target
from ..kernels.solve.prior_target import (
    expected_error_m,
    fill_hidden,
    prior_target,
    project_bodies,
)
from ..kernels.solve.problem import SolveStatus, WarmStart, WindowProblem, WindowSolution
from ..kernels.solve.rmsprop import solve_paper
from .checkpoint.frozen import freeze
from .checkpoint.thawed import thaw
from .errors import CheckpointError
from .pose_prior_file import load_any_pose_prior
from .pressure.records import FULL_EFFORT, Effort
from .prior_files import load_lifter, load_motion_prior, load_pose_prior
from .reconstruct_config import ReconstructConfig
from .warm_state import PersonState

Array = np.ndarray


class Reconstructor:
    """Solves windows in order."""

    def __init__(
        self,
        config: ReconstructConfig,
        body: BodyData,
        prior: GaussianPosePrior,
        motion_prior: MotionPrior | None = None,
        lifter: Lifter | None = None,
        paper_prior: PosePrior | None = None,
    ) -> None:
        """
        Args:
            config: settings; a network that is switched off there is not used.
            body, prior: what is solved for, and what poses are likely.
            motion_prior, lifter: None to do without.
            paper_prior: of preset `paper`; None takes `prior` there too.
        """
        self.config = config
        self._body, self._paper_prior = body, paper_prior or prior
        self._motion_prior = motion_prior if config.motion_prior else None
        self._lifter = lifter if config.lifter else None
        self._fused_body, self._fused_prior = fused_body(body), fused_prior(prior)
        self._templates = make_templates(body, prior, config.first_guess)
        self._people: dict[int, PersonState] = {}
        self._effort = FULL_EFFORT
        self._pool: ThreadPoolExecutor | None = None

    def solve(self, problem: WindowProblem) -> WindowSolution:
        """Bodies of one window; a person who cannot be solved has status FAILED and is not carried on."""
        if self.config.preset == "live":
            if problem.warm is None and self.config.warm_start:
                problem = replace(problem, warm=self._warm_start(problem))
            solution = self._solve_live(problem)
        else:
            solution = self._solve_paper(problem)
        self._remember(problem, solution)
        return solution

    def set_effort(self, effort: Effort) -> None:
        """From the next window on, this share of the settings' Gauss-Newton steps, at least one of each kind.

        Lifter and motion prior are asked as before: without them what is hidden is guessed worse than a step less
        makes it. Preset `paper` is the yardstick and always takes all its steps.
        """
        self._effort = effort

    def export_state(self) -> Mapping[int, PersonState]:
        """What the next window would start from, by person id; to be kept in the log."""
        return dict(self._people)

    def import_state(self, people: Mapping[int, PersonState]) -> None:
        """Go on from an exported state."""
        self._people = dict(people)

    def snapshot(self) -> bytes:
        """The same as bytes, for `restore`."""
        return freeze(self._people)

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot: the next windows are solved to the bytes they would have been solved to.

        Raises:
            CheckpointError: damaged, or of another version of the engine; nothing has changed then.
        """
        people = thaw(snapshot)
        if not isinstance(people, dict) or not all(isinstance(each, PersonState) for each in people.values()):
            raise CheckpointError("a snapshot that is none of a solver; it cannot be gone on from")
        self._people = people

    def close(self) -> None:
        """Let the threads go; the reconstructor can be used again afterwards."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _solve_live(self, problem: WindowProblem) -> WindowSolution:
        config = self.config
        if self._pool is None:
            self._pool = ThreadPoolExecutor(config.live.threads, thread_name_prefix="solve")
        views = fused_views(problem, config.live)
        if self._lifter is None:
            start = initialise(problem, views, self._templates, config.first_guess, self._pool)
            targets = Targets()
        else:
            lifted = lift_people(problem, self._lifter, self._pool)
            start = lifted_start(problem, lifted, config.lifted)
            targets = Targets(lifter=lifter_target(lifted, config.lifted))

        live = self._live_config()

        def steps(start: Bodies, targets: Targets, outer: int | None = None) -> LiveResult:
            return solve_live(
                problem,
                start,
                self._fused_body,
                self._fused_prior,
                live,
                self._pool,
                views,
                targets,
                outer,
            )

        result, expected = steps(start, targets), None
        if self._motion_prior is not None:
            told = project_bodies(
                problem, result.bodies, self._motion_prior, self._body, config.projection, self._pool
            )
            targets = replace(targets, motion_prior=prior_target(told, config.projection))
            after = _share_of(config.projection.outer, self._effort.solve_iterations)
            result = steps(fill_hidden(result.bodies, told), targets, after)
            expected = expected_error_m(told)
        status = np.where(result.converged == 1, SolveStatus.CONVERGED, SolveStatus.BUDGET)
        return finish(problem, result.bodies, status, self._body, config.finish, expected)

    def _live_config(self) -> LiveConfig:
        """The live solver's settings before the motion prior is asked, at the effort that holds."""
        live, share = self.config.live, self._effort.solve_iterations
        warm = live.outer_warm if self._motion_prior is None else self.config.projection.outer_before
        return live.model_copy(
            update={"outer": _share_of(live.outer, share), "outer_warm": _share_of(warm, share)}
        )

    def _solve_paper(self, problem: WindowProblem) -> WindowSolution:
        config = self.config
        cold = replace(problem, warm=None)
        if self._lifter is None:
            start = initialise(cold, fused_views(cold, config.live), self._templates, config.first_guess)
        else:
            start = lifted_start(cold, lift_people(cold, self._lifter), config.lifted)
        if problem.warm is None and config.warm_start:  # for the seam of eq. 14 alone
            problem = replace(problem, warm=self._warm_start(problem))
        found = solve_paper(
            problem,
            start.as_warm_start(problem.present),
            self._body,
            self._paper_prior,
            config.paper,
            motion_prior=self._motion_prior,
        )
        bodies = Bodies(found.pose_rotvec, found.transl_m, found.betas_of_people(problem))
        status = np.full(problem.num_people, SolveStatus.BUDGET)
        return finish(problem, bodies, status, self._body, config.finish)

    def _warm_start(self, problem: WindowProblem) -> WarmStart | None:
        n, t = problem.present.shape
        known = np.zeros((n, t), bool)
        pose = np.zeros((n, t, 24, 3), np.float32)
        transl = np.zeros((n, t, 3), np.float32)
        betas = np.zeros((n, 10), np.float32)
        weight = np.zeros(n, np.float32)
        for row, person in enumerate(problem.person_ids.tolist()):
            state = self._people.get(person)
            if state is None:
                continue
            shift = problem.slot0 - state.slot0
            old = np.arange(max(shift, 0), min(len(state.known), t + shift))
            old = old[state.known[old]]
            known[row, old - shift] = True
            pose[row, old - shift] = state.pose_rotvec[old]
            transl[row, old - shift] = state.transl_m[old]
            betas[row], weight[row] = state.betas, state.betas_weight
        if not known.any() and not weight.any():
            return None
        return WarmStart(known & problem.present, pose, transl, betas, weight)

    def _remember(self, problem: WindowProblem, solution: WindowSolution) -> None:
        oldest = problem.window - self.config.forget_windows
        people = {k: s for k, s in self._people.items() if s.window > oldest}
        observed = problem.observed
        for row, person in enumerate(solution.person_ids.tolist()):
            if solution.status[row] == SolveStatus.FAILED:
                people.pop(person, None)
                continue
            before = self._people.get(person)
            fresh = observed[row]
            if before is not None:  # slots that an earlier window has counted already
                end = before.slot0 + len(before.known) - problem.slot0
                fresh = fresh[max(end, 0) :]
            weight = (before.betas_weight if before is not None else 0.0) + float(fresh.sum())
            people[person] = PersonState(
                slot0=problem.slot0,
                window=problem.window,
                known=problem.present[row].copy(),
                pose_rotvec=solution.pose_rotvec[row],
                transl_m=solution.transl_m[row],
                betas=solution.betas[row],
                betas_weight=min(weight, self.config.betas_weight_max),
            )
        self._people = people


def _share_of(steps: int, share: float) -> int:
    return max(1, math.ceil(steps * share - 1e-9))  # a third of three is one, whatever the float says


def make_reconstructor(config: ReconstructConfig, body: BodyData) -> Reconstructor:
    """A reconstructor with the networks that ship and that its settings ask for.

    Raises:
        ModelError: a shipped file is missing or damaged, or the pose prior that is asked for cannot be read.
    """
    return Reconstructor(
        config,
        body,
        load_pose_prior(),
        load_motion_prior() if config.motion_prior else None,
        load_lifter() if config.lifter else None,
        _paper_prior(config),
    )


def _paper_prior(config: ReconstructConfig) -> PosePrior | None:
    return None if config.preset != "paper" else paper_pose_prior(config.pose_prior)


def paper_pose_prior(name: str) -> PosePrior:
    """E_pose of preset `paper`: gaussian, learned, or a file.

    Raises:
        ModelError: it cannot be read.
    """
    if name == "gaussian":
        return load_pose_prior()
    return load_any_pose_prior(None if name == "learned" else Path(name))
