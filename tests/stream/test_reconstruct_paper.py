"""Preset `paper` in the solve stage: the motion prior takes part, and a window joins on to the one before."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from motion_priors import still_prior

sys.path.pop(0)

from crowdstream.kernels.solve.problem import Provenance, WindowProblem, WindowSolution
from crowdstream.kernels.solve.rmsprop_config import PaperConfig
from crowdstream.lab.bench.solve_cases import CaseConfig, cut, make_case
from crowdstream.lab.mocap import MocapClip
from crowdstream.stream.body_files import load_body
from crowdstream.stream.prior_files import load_pose_prior
from crowdstream.stream.reconstruct import Reconstructor
from crowdstream.stream.reconstruct_config import ReconstructConfig

BODY, PRIOR = load_body(), load_pose_prior()
PAPER = PaperConfig(root_iterations=0, smpl_iterations=1, motion_iterations=2)


def problems() -> list[WindowProblem]:
    pose = np.zeros((80, 24, 3), np.float32)
    pose[:, 1:22] = PRIOR.mean.numpy().reshape(21, 3)
    clip = MocapClip("stand", "idle_stand", pose, np.tile(np.float32([0, 0.93, 0]), (80, 1)), True)
    config = CaseConfig(people=1, frames=80, partial_rate=0, hidden_rate=0, legs_hidden_rate=0)
    case = make_case([clip], BODY, config)
    return [cut(case, window).problem for window in (0, 1)]


def stage(**config: bool) -> Reconstructor:
    settings = ReconstructConfig(
        preset="paper", paper=PAPER, lifter=False, **({"motion_prior": True} | config)
    )
    return Reconstructor(settings, BODY, PRIOR, motion_prior=still_prior(BODY))


def answers(**config: bool) -> list[WindowSolution]:
    one = stage(**config)
    return [one.solve(problem) for problem in problems()]


def test_the_prior_takes_part_where_it_is_asked_for_and_windows_join() -> None:
    with_seam, without_seam, without_prior = answers(), answers(warm_start=False), answers(motion_prior=False)
    for got in (with_seam, without_seam, without_prior):
        assert all(np.isfinite(solution.joints_m).all() for solution in got)
    np.testing.assert_array_equal(with_seam[0].joints_m, without_seam[0].joints_m)
    assert not np.array_equal(with_seam[1].joints_m, without_seam[1].joints_m)
    assert not np.array_equal(with_seam[0].joints_m, without_prior[0].joints_m)


def test_what_nobody_saw_is_said_to_be_infilled() -> None:
    problem = problems()[0]
    confidence = problem.confidence.copy()
    confidence[:, :, 20:45] = 0
    got = stage().solve(replace(problem, confidence=confidence))
    assert (got.provenance[0, 20:45] == Provenance.INFILLED).all()
    assert np.isfinite(got.joints_m).all() and (got.joints_m[0, 20:45, 0, 2] > 0.5).all()
