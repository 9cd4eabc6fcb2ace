"""Lifter and motion prior in preset `live`: targets reach the solve, switches switch, threads and seams do not show."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from motion_priors import still_prior
from walking import BODY, PRIOR, cut, walkers

from crowdstream.kernels.lifter.lifter import Lifter, LifterConfig
from crowdstream.kernels.solve.gauss_newton import (
    TERMS,
    Bodies,
    LiveResult,
    Targets,
    fused_body,
    fused_prior,
    fused_views,
    solve_live,
)
from crowdstream.kernels.solve.gauss_newton_config import LiveConfig
from crowdstream.kernels.solve.initialise import initialise, make_templates
from crowdstream.kernels.solve.initialise_config import FirstGuessConfig
from crowdstream.kernels.solve.lifted import lift_people, lifted_start, lifter_target
from crowdstream.kernels.solve.lifted_config import LiftedConfig
from crowdstream.kernels.solve.parts import people_of
from crowdstream.kernels.solve.prior_target_config import ProjectionConfig
from crowdstream.kernels.solve.problem import Provenance, WarmStart, WindowProblem
from crowdstream.kernels.solve.target import Target
from crowdstream.stream.reconstruct import Reconstructor
from crowdstream.stream.reconstruct_config import ReconstructConfig

STILL = still_prior(BODY)
KNEE = 4
FAINT = ProjectionConfig(seen_weight=0.02, hidden_weight=0.2)
"""Walkers swing their legs, of which the test's prior knows nothing: it is believed little."""


@pytest.fixture(scope="module")
def lifter() -> Lifter:
    torch.manual_seed(3)
    network = Lifter(LifterConfig(width=16, heads=2, feed_forward=1, layers=1, patch=16))
    with torch.no_grad():
        network.head.weight.normal_(0, 0.01)
    return network.eval()


@pytest.fixture(scope="module")
def asked() -> tuple[WindowProblem, Bodies]:
    problem, _ = walkers([0.3, 1.9], slots=12)
    config = FirstGuessConfig()
    start = initialise(
        problem, fused_views(problem, LiveConfig()), make_templates(BODY, PRIOR, config), config
    )
    return problem, start


def solve(asked: tuple[WindowProblem, Bodies], targets: Targets, **config: float) -> LiveResult:
    live = LiveConfig(threads=1, **config)
    return solve_live(*asked, fused_body(BODY), fused_prior(PRIOR), live, targets=targets)


def target_about(bodies: Bodies, pose_weight: float, place_weight: float) -> Target:
    n, t = bodies.transl_m.shape[:2]
    return Target(
        bodies.pose_rotvec[:, :, :22].astype(np.float64),
        np.full((n, t, 22), pose_weight),
        bodies.transl_m.astype(np.float64),
        np.full((n, t, 3), place_weight),
    )


def test_without_weight_a_target_changes_no_byte(asked):
    silent = target_about(asked[1], 0.0, 0.0)
    one, other = solve(asked, Targets()), solve(asked, Targets(motion_prior=silent, lifter=silent))
    np.testing.assert_array_equal(one.bodies.pose_rotvec, other.bodies.pose_rotvec)
    np.testing.assert_array_equal(one.terms, other.terms)


def test_a_target_of_great_weight_is_reached(asked):
    free = solve(asked, Targets()).bodies
    pose = free.pose_rotvec.copy()
    pose[:, :, KNEE, 0] += 0.4
    away = replace(free, pose_rotvec=pose, transl_m=free.transl_m + np.float32([0.3, -0.2, 0.1]))
    got = solve(asked, Targets(lifter=target_about(away, 1e7, 1e8)), outer=30, tolerance=0.0).bodies
    np.testing.assert_allclose(got.pose_rotvec[:, :, 1:22], away.pose_rotvec[:, :, 1:22], atol=0.01)
    np.testing.assert_allclose(got.transl_m, away.transl_m, atol=0.01)


def test_each_source_has_a_term_of_its_own(asked):
    free = solve(asked, Targets()).bodies
    away = replace(free, transl_m=free.transl_m + np.float32([0.5, 0, 0]))
    result = solve(asked, Targets(target_about(free, 0.0, 50.0), target_about(away, 0.0, 20.0)))
    vae, lifted = (result.terms[:, TERMS.index(name)] for name in ("E_VAE", "lifter"))
    off = result.bodies.transl_m
    np.testing.assert_allclose(vae, 50 * ((off - free.transl_m) ** 2).sum((1, 2)), rtol=1e-3)
    np.testing.assert_allclose(lifted, 20 * ((off - away.transl_m) ** 2).sum((1, 2)), rtol=1e-3)
    assert not solve(asked, Targets()).terms[:, -2:].any()


def test_networks_that_are_switched_off_are_not_used(lifter):
    problem, _ = walkers([0.3, 1.9], slots=16)
    off = ReconstructConfig(motion_prior=False, lifter=False)
    without = Reconstructor(off, BODY, PRIOR).solve(problem)
    with_them = Reconstructor(off, BODY, PRIOR, STILL, lifter).solve(problem)
    np.testing.assert_array_equal(without.pose_rotvec, with_them.pose_rotvec)
    np.testing.assert_array_equal(without.confidence, with_them.confidence)
    for switch in ("motion_prior", "lifter"):
        on = Reconstructor(off.model_copy(update={switch: True}), BODY, PRIOR, STILL, lifter).solve(problem)
        assert (on.pose_rotvec != without.pose_rotvec).any(), switch


def test_the_answer_does_not_depend_on_threads(lifter):
    problem, _ = walkers([0.3, 1.9, 2.5, 4.0, 5.0], slots=16)
    on = ReconstructConfig(motion_prior=True, lifter=True)
    answers = []
    for threads in (1, 3):
        config = on.model_copy(update={"live": LiveConfig(threads=threads)})
        stage = Reconstructor(config, BODY, PRIOR, STILL, lifter)
        answers.append((stage.solve(problem), stage.solve(replace(problem, window=1, slot0=4))))
        stage.close()
    for one, other in zip(*answers, strict=True):
        np.testing.assert_array_equal(one.pose_rotvec, other.pose_rotvec)
        np.testing.assert_array_equal(one.betas, other.betas)


def test_what_nobody_saw_is_told_by_the_prior_and_said_to_be(lifter):
    problem, _ = walkers([0.3, 2.0], speed=0.0)
    confidence = problem.confidence.copy()
    confidence[:, 0, 20:45] = 0.0
    hidden = replace(problem, confidence=confidence)
    off = ReconstructConfig(motion_prior=False, lifter=False, projection=FAINT)
    prior = Reconstructor(off.model_copy(update={"motion_prior": True}), BODY, PRIOR, STILL).solve(hidden)
    plain = Reconstructor(off, BODY, PRIOR).solve(hidden)
    assert (prior.provenance[0, 20:45] == Provenance.INFILLED).all()
    assert (prior.provenance == plain.provenance).all()
    assert (prior.confidence[0, 30:34] < 0.95 * plain.confidence[0, 30:34]).all()
    np.testing.assert_allclose(prior.confidence[1], plain.confidence[1], rtol=0.1)


def test_windows_join_where_they_overlap():
    whole, _ = walkers([0.3, 2.2], slots=80, speed=0.3)
    on = ReconstructConfig(motion_prior=True, lifter=False, projection=FAINT)
    stage = Reconstructor(on, BODY, PRIOR, STILL)
    first, second = stage.solve(cut(whole, 0)), stage.solve(cut(whole, 16))
    apart = np.linalg.norm(first.joints_m[:, 16:56, :22] - second.joints_m[:, :40, :22], axis=-1)
    assert apart.mean() < 0.03


def test_lifted_people_are_the_same_in_any_order(lifter):
    problem, _ = walkers([0.3, 1.9, 2.5, 4.0, 5.0], slots=20)
    order = np.array([3, 0, 4, 1, 2])
    turned = people_of(problem, order)
    one, other = lift_people(problem, lifter), lift_people(turned, lifter)
    np.testing.assert_array_equal(one.pose_rotvec[order], other.pose_rotvec)
    np.testing.assert_array_equal(one.sigma_root_m[order], other.sigma_root_m)


def test_a_known_person_goes_on_from_what_is_known(lifter):
    problem, _ = walkers([0.3, 1.9], slots=20)
    lifted = lift_people(problem, lifter)
    known = np.zeros((2, 20), bool)
    known[0, :12] = True
    random = np.random.default_rng(1)
    f = np.float32
    warm = WarmStart(
        known, random.normal(size=(2, 20, 24, 3)).astype(f), random.normal(size=(2, 20, 3)).astype(f),
        np.full((2, 10), 0.5, f), np.array([12, 0], f),
    )  # fmt: skip
    start = lifted_start(replace(problem, warm=warm), lifted, LiftedConfig())
    np.testing.assert_array_equal(start.pose_rotvec[0, :12], warm.pose_rotvec[0, :12])
    np.testing.assert_array_equal(start.pose_rotvec[1], lifted.pose_rotvec[1])
    np.testing.assert_array_equal(start.betas[0], warm.betas[0])


def test_the_lifters_target_is_as_sure_as_the_lifter(lifter):
    problem, _ = walkers([0.3, 1.9], slots=20)
    lifted = lift_people(problem, lifter)
    target = lifter_target(lifted, LiftedConfig(pose_weight=0.5, place_weight=0.25))
    angle, place = (s.astype(np.float64) for s in (lifted.sigma_rad, lifted.sigma_root_m))
    np.testing.assert_allclose(target.pose_weight, 0.5 / angle**2)
    np.testing.assert_allclose(target.transl_weight[..., 1], 0.25 / place**2)
    silent = lifter_target(lifted, LiftedConfig(pose_weight=0.0, place_weight=0.0))
    assert not silent.pose_weight.any() and not silent.transl_weight.any()
