"""The whole `live` solve as it runs, networks and all: person-frames per second, each once, and where time goes.

Windows of a long case in order, warm started; the first one is left out. A person-frame is new in one window only, so a
window counts its last hop. Seconds are of the wall, on the threads of the configuration; the parts are measured by
themselves on the same windows, in processor time, because together they share threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...kernels.body.data import BodyData
from ...kernels.lifter.lifter import Lifter
from ...kernels.priors.gaussian_pose import GaussianPosePrior
from ...kernels.priors.motion_prior import MotionPrior
from ...kernels.solve.gauss_newton import Bodies
from ...kernels.solve.lifted import lift_people
from ...kernels.solve.prior_target import project_bodies
from ...stream.reconstruct import Reconstructor
from ...stream.reconstruct_config import ReconstructConfig
from .metric import Direction, Metric
from .solve_cases import SolveCase, cut
from .solve_scores import score

HOP = 16


@dataclass(frozen=True)
class Networks:
    """What a reconstructor is given beside its configuration."""

    pose: GaussianPosePrior
    motion: MotionPrior
    lifter: Lifter


@dataclass(frozen=True)
class FullRun:
    """One long case, solved window by window."""

    wall_s: float
    processor_s: float
    lifter_s: float
    prior_s: float
    """Processor seconds; what is left of `processor_s` is the joints' Gauss-Newton and what belongs to it."""
    person_frames: int
    """Each once."""
    mpjpe_mm: float
    accel_mm: float

    def metrics(self, prefix: str) -> list[Metric]:
        """The figures of a run; speeds are of the machine, so only errors are held against the baseline."""
        per = 1e3 / max(self.person_frames, 1)
        joints_s = self.processor_s - self.lifter_s - self.prior_s
        return [
            Metric(f"{prefix}.pf_per_s", self.person_frames / self.wall_s, "pf/s"),
            Metric(f"{prefix}.processor_ms_per_pf", per * self.processor_s, "ms"),
            Metric(f"{prefix}.lifter_ms_per_pf", per * self.lifter_s, "ms"),
            Metric(f"{prefix}.prior_ms_per_pf", per * self.prior_s, "ms"),
            Metric(f"{prefix}.joints_ms_per_pf", per * joints_s, "ms"),
            Metric(f"{prefix}.mpjpe_mm", self.mpjpe_mm, "mm", Direction.LOWER, rel_tol=0.05),
            Metric(f"{prefix}.accel_mm", self.accel_mm, "mm/frame2", Direction.LOWER, rel_tol=0.05),
        ]


def full_run(case: SolveCase, body: BodyData, networks: Networks, config: ReconstructConfig) -> FullRun:
    """Every window of a long case, as the engine would solve it."""
    stage = Reconstructor(config, body, networks.pose, networks.motion, networks.lifter)
    wall_s = processor_s = lifter_s = prior_s = 0.0
    person_frames, errors, accels = 0, [], []
    for index in range((case.problem.num_frames - 64) // HOP + 1):
        part = cut(case, index, HOP)
        began, began_cpu = time.perf_counter(), time.process_time()
        solution = stage.solve(part.problem)
        if index == 0:  # nothing is known yet, and everything is loaded
            continue
        wall_s += time.perf_counter() - began
        processor_s += time.process_time() - began_cpu
        person_frames += int(part.problem.present[:, -HOP:].sum())
        figures = score(part, body, solution.pose_rotvec, solution.transl_m, solution.betas)
        errors.append(figures.mpjpe_mm)
        accels.append(figures.accel_mm)
        found = Bodies(solution.pose_rotvec, solution.transl_m, solution.betas)
        if config.lifter:
            lifter_s += _seconds(partial(lift_people, part.problem, networks.lifter))
        if config.motion_prior:
            asked = (part.problem, found, networks.motion, body, config.projection)
            prior_s += _seconds(partial(project_bodies, *asked))
    stage.close()
    return FullRun(
        wall_s, processor_s, lifter_s, prior_s, person_frames,
        float(np.nanmean(errors)), float(np.nanmean(accels)),
    )  # fmt: skip


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
