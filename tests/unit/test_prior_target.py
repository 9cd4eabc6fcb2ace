"""The motion prior in the live solve: what is hidden is not looked at, worlds and company do not matter."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from motion_priors import still_prior
from walking import BODY, walkers

from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.ground import Ground, GroundPlane
from crowdstream.kernels.rotation import rotvec_to_rotmat_np
from crowdstream.kernels.solve.gauss_newton import Bodies
from crowdstream.kernels.solve.parts import people_of
from crowdstream.kernels.solve.prior_target import (
    HIDDEN_SIGMA_RAD,
    SEEN_SIGMA_RAD,
    Projected,
    expected_error_m,
    fill_hidden,
    hidden_for,
    prior_target,
    project_bodies,
    spread,
)
from crowdstream.kernels.solve.prior_target_config import ProjectionConfig
from crowdstream.kernels.solve.problem import WindowProblem

STILL = still_prior(BODY)
KNEE, LEGS = 4, slice(13, 17)
CONFIG = ProjectionConfig()


def standing(people: int = 3, slots: int = 64) -> tuple[WindowProblem, Bodies]:
    """People who stand, each in a pose and at a place of their own, and their true bodies."""
    problem, joints = walkers([0.3 + n for n in range(people)], slots=slots, speed=0.0)
    random = np.random.default_rng(5)
    pose = np.zeros((people, slots, 24, 3))
    pose[:, :, 1:22] = 0.2 * random.normal(size=(people, 1, 21, 3))
    pose[:, :, 0] = [1.2, 1.2, 1.2]  # y up -> z up, and a third of a turn
    rest = BODY.joint_template_m[0]
    return problem, Bodies(
        pose.astype(np.float32), (joints[:, :, 0] - rest).astype(np.float32), np.zeros((people, 10))
    )


def hide(problem: WindowProblem, keypoints: slice, slots: slice, person: int = 0) -> WindowProblem:
    confidence = problem.confidence.copy()
    confidence[:, person, slots, keypoints] = 0.0
    return replace(problem, confidence=confidence)


def project(problem: WindowProblem, bodies: Bodies, **more: object) -> Projected:
    return project_bodies(problem, bodies, STILL, BODY, CONFIG, **more)


def rotations(bodies: Bodies) -> np.ndarray:
    return rotvec_to_rotmat_np(bodies.pose_rotvec[:, :, :22].astype(np.float64))


def test_a_still_body_comes_back_where_and_as_it_was():
    problem, bodies = standing()
    told = project(problem, bodies)
    np.testing.assert_allclose(rotations(told.bodies), rotations(bodies), atol=2e-3)
    np.testing.assert_allclose(told.bodies.transl_m, bodies.transl_m, atol=2e-3)
    assert told.seen.all()


def test_what_is_hidden_is_not_looked_at_and_comes_from_the_slots_around():
    problem, bodies = standing()
    hidden = hide(problem, LEGS, slice(20, 40))
    pose = bodies.pose_rotvec.copy()
    pose[0, 20:40, KNEE] = [1.5, 0.3, -0.8]
    told, blind = project(hidden, bodies), project(hidden, replace(bodies, pose_rotvec=pose))
    np.testing.assert_array_equal(told.bodies.pose_rotvec, blind.bodies.pose_rotvec)
    assert not told.seen[0, 20:40, KNEE - 1].any() and told.seen[0, :20].all() and told.seen[1:].all()
    np.testing.assert_allclose(rotations(told.bodies)[0, 30, KNEE], rotations(bodies)[0, 0, KNEE], atol=5e-3)


def test_a_short_window_and_a_late_comer_are_filled_up_with_hidden_slots():
    problem, bodies = standing(slots=24)
    told = project(problem, bodies)
    assert told.bodies.pose_rotvec.shape == (3, 24, 24, 3)
    np.testing.assert_allclose(rotations(told.bodies), rotations(bodies), atol=2e-3)
    present = problem.present.copy()
    present[1, :10] = False
    late = project(replace(problem, present=present), bodies)
    assert not late.seen[1, :10].any()
    np.testing.assert_allclose(rotations(late.bodies)[1, 12:], rotations(bodies)[1, 12:], atol=2e-3)


def test_a_longer_window_than_the_prior_takes_is_refused_with_the_setting_to_change():
    problem, bodies = standing(people=1, slots=65)
    with pytest.raises(ShapeError, match=r"window\.frames"):
        project(problem, bodies)


def test_raised_ground_raises_the_answer_and_nothing_else():
    problem, bodies = standing()
    high = replace(problem, ground=Ground((GroundPlane(offset_m=7.0),)))
    up = replace(bodies, transl_m=bodies.transl_m + np.float32([0, 0, 7]))
    low, raised = project(problem, bodies), project(high, up)
    np.testing.assert_allclose(raised.bodies.pose_rotvec, low.bodies.pose_rotvec, atol=1e-4)
    np.testing.assert_allclose(
        raised.bodies.transl_m - low.bodies.transl_m, np.full((3, 64, 3), [0, 0, 7]), atol=1e-4
    )


def test_the_answer_depends_neither_on_threads_nor_on_the_order_of_people():
    problem, bodies = standing(people=9)
    alone = project(problem, bodies)
    with ThreadPoolExecutor(3) as pool:
        shared = project(problem, bodies, pool=pool)
    order = np.random.default_rng(2).permutation(9)
    turned = people_of(problem, order)
    other = project(turned, Bodies(bodies.pose_rotvec[order], bodies.transl_m[order], bodies.betas[order]))
    for got in (shared.bodies, Bodies(*(getattr(other.bodies, k)[np.argsort(order)] for k in vars(bodies)))):
        np.testing.assert_array_equal(got.pose_rotvec, alone.bodies.pose_rotvec)
        np.testing.assert_array_equal(got.transl_m, alone.bodies.transl_m)


def test_a_broken_person_does_not_touch_the_others():
    problem, bodies = standing()
    pose = bodies.pose_rotvec.copy()
    pose[1] = np.nan
    sound, broken = project(problem, bodies), project(problem, replace(bodies, pose_rotvec=pose))
    for n in (0, 2):
        np.testing.assert_array_equal(broken.bodies.pose_rotvec[n], sound.bodies.pose_rotvec[n])
    assert not broken.seen[1, :, :21].any()


def test_gaps_count_to_the_nearest_seen_slot():
    seen = np.array([1, 0, 0, 0, 1, 0], bool)[None, :, None]
    assert hidden_for(seen)[0, :, 0].tolist() == [0, 1, 2, 1, 0, 1]
    assert (hidden_for(np.zeros((1, 6, 2), bool)) == 64).all()


def test_doubt_begins_with_what_is_shown_and_grows():
    gap = np.arange(65.0)
    sigma = spread(gap, 0.05, 0.3)
    assert sigma[0] == pytest.approx(0.05) and (np.diff(sigma) > 0).all() and 0.28 < sigma[-1] < 0.3
    assert (np.array(SEEN_SIGMA_RAD) <= np.array(HIDDEN_SIGMA_RAD)).all()


def test_the_target_is_loose_where_hidden_and_silent_without_weight():
    problem, bodies = standing()
    told = project(hide(problem, LEGS, slice(20, 40)), bodies)
    even = prior_target(told, ProjectionConfig(seen_weight=1.0, hidden_weight=1.0))
    assert even.pose_weight[0, 30, KNEE] < even.pose_weight[0, 22, KNEE] < even.pose_weight[0, 10, KNEE]
    np.testing.assert_allclose(even.pose_weight[1], np.tile(np.array(SEEN_SIGMA_RAD) ** -2.0, (64, 1)))
    seen_only = prior_target(told, ProjectionConfig(seen_weight=1.0, hidden_weight=0.0))
    assert seen_only.pose_weight[0, 30, KNEE] == 0 and seen_only.pose_weight[0, 10, KNEE] > 0
    silent = prior_target(told, ProjectionConfig(seen_weight=0.0, hidden_weight=0.0))
    assert not silent.pose_weight.any() and not silent.transl_weight.any()


def test_only_what_is_hidden_is_filled_in():
    problem, bodies = standing()
    hidden = hide(problem, slice(0, 17), slice(20, 40), person=2)
    told = project(hidden, bodies)
    pose = told.bodies.pose_rotvec + np.float32(0.25)
    filled = fill_hidden(
        bodies, replace(told, bodies=replace(told.bodies, pose_rotvec=pose, transl_m=pose[..., 0, :]))
    )
    np.testing.assert_array_equal(filled.pose_rotvec[:2], bodies.pose_rotvec[:2])
    np.testing.assert_array_equal(filled.pose_rotvec[2, 20:40, :22], pose[2, 20:40, :22])
    np.testing.assert_array_equal(filled.transl_m[2, 20:40], pose[2, 20:40, 0])
    np.testing.assert_array_equal(filled.transl_m[2, :20], bodies.transl_m[2, :20])


def test_expected_errors_are_nought_where_all_was_shown():
    problem, bodies = standing()
    expected = expected_error_m(project(hide(problem, LEGS, slice(20, 40)), bodies))
    assert not expected[1:].any() and not expected[0, :20].any()
    assert (expected[0, 20:40] > 0).all() and expected[0, 29] > expected[0, 21]
