"""The solve stage on walkers whose bodies are known: right, deterministic, carried from window to window, bounded."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from walking import BODY, PRIOR, TORSO, cut, walkers

from crowdstream.kernels.solve.gauss_newton_config import LiveConfig
from crowdstream.kernels.solve.problem import Provenance, SolveStatus
from crowdstream.stream.pressure.records import FULL_EFFORT, Effort
from crowdstream.stream.reconstruct import Reconstructor
from crowdstream.stream.reconstruct_config import ReconstructConfig


def reconstructor(**config: object) -> Reconstructor:
    return Reconstructor(ReconstructConfig(live=LiveConfig(threads=2), **config), BODY, PRIOR)


def test_walkers_are_found_where_and_how_they_are():
    problem, joints = walkers([0.3, 1.9, 3.6, 5.0])
    solution = reconstructor().solve(problem)
    off = np.linalg.norm(solution.joints_m[:, :, :22] - joints[:, :, :22], axis=-1)
    assert off.mean() < 0.05
    assert off.mean((1, 2)).max() < 0.09  # nobody is turned round
    assert solution.reprojection_px.max() < 4.0
    assert (solution.provenance == Provenance.OBSERVED).all()
    assert (solution.status != SolveStatus.FAILED).all()
    torso = joints[:, :, TORSO].mean(2)
    assert np.linalg.norm(solution.ground_m[..., :2] - torso[..., :2], axis=-1).mean() < 0.05
    np.testing.assert_allclose(solution.ground_m[..., 2], 0.0, atol=1e-6)


@pytest.mark.parametrize("pitch", [10.0, 45.0])
def test_standing_people_face_the_right_way(pitch):
    yaws = list(np.arange(8) * (2 * np.pi / 8) + 0.2)
    problem, joints = walkers(yaws, slots=8, speed=0.0, pitch_deg=pitch, height_m=3.0 if pitch < 20 else 13.0)
    solution = reconstructor().solve(problem)
    across = solution.joints_m[:, :, 16] - solution.joints_m[:, :, 17]
    want = joints[:, :, 16] - joints[:, :, 17]
    cosine = (across * want).sum(-1) / np.linalg.norm(across, axis=-1) / np.linalg.norm(want, axis=-1)
    assert cosine.min() > np.cos(np.deg2rad(25))


def test_answer_depends_neither_on_threads_nor_on_company():
    problem, _ = walkers([0.3, 1.9, 3.6], slots=24)
    together = reconstructor().solve(problem)
    alone = Reconstructor(ReconstructConfig(live=LiveConfig(threads=1)), BODY, PRIOR).solve(problem)
    np.testing.assert_array_equal(together.pose_rotvec, alone.pose_rotvec)
    order = [2, 0, 1]
    turned = replace(
        problem, person_ids=problem.person_ids[order], present=problem.present[order],
        keypoints_px=np.ascontiguousarray(problem.keypoints_px[:, order]),
        confidence=problem.confidence[:, order].copy(), box_px=problem.box_px[:, order].copy(),
        hvip_px=problem.hvip_px[:, order].copy(), hvip_sigma_px=problem.hvip_sigma_px[:, order].copy(),
        track_m=problem.track_m[order].copy(),
    )  # fmt: skip
    permuted = reconstructor().solve(turned)
    np.testing.assert_array_equal(permuted.joints_m, together.joints_m[order])


def test_hidden_stretch_is_bridged_and_said():
    problem, joints = walkers([0.3, 2.0])
    confidence = problem.confidence.copy()
    confidence[:, 0, 20:45] = 0.0
    confidence[:, 1, 20:26] = 0.0
    solution = reconstructor().solve(replace(problem, confidence=confidence))
    assert (solution.provenance[0, 20:45] == Provenance.INFILLED).all()
    assert (solution.provenance[1, 20:26] == Provenance.INTERPOLATED).all()
    assert np.linalg.norm(solution.joints_m[0, 20:45, 0] - joints[0, 20:45, 0], axis=-1).max() < 0.15
    assert solution.confidence[0, 32] < 0.7 * solution.confidence[0, 18]


def test_absent_people_and_slots_are_left_out():
    problem, _ = walkers([0.3, 2.0, 4.0], slots=24)
    present = problem.present.copy()
    present[0, :10] = False
    present[1] = False
    solution = reconstructor().solve(replace(problem, present=present))
    assert (solution.provenance[0, :10] == Provenance.ABSENT).all()
    assert (solution.provenance[1] == Provenance.ABSENT).all()
    assert (solution.provenance[2] == Provenance.OBSERVED).all()
    assert not solution.joints_m[0, :10].any() and not solution.confidence[1].any()


def test_nobody_at_all_is_an_empty_answer():
    problem, _ = walkers([0.3], slots=16)
    none = replace(
        problem, person_ids=np.zeros(0, np.int64), present=np.zeros((0, 16), bool),
        **{k: getattr(problem, k)[:, :0] for k in ("keypoints_px", "confidence", "box_px", "hvip_px", "hvip_sigma_px")},
        track_m=problem.track_m[:0],
    )  # fmt: skip
    assert reconstructor().solve(none).num_person_frames == 0


def test_next_window_starts_from_the_last_and_costs_less():
    whole, _ = walkers([0.3, 2.2], slots=80)
    warm, cold = reconstructor(), reconstructor(warm_start=False)
    first = cut(whole, 0)
    warm.solve(first)
    second = cut(whole, 16)
    start = warm._warm_start(second)
    assert start is not None and start.known[:, :48].all() and not start.known[:, 48:].any()
    assert (start.betas_weight == 64).all()
    a, b = warm.solve(second), cold.solve(second)
    assert np.abs(a.joints_m - b.joints_m).mean() < 0.03
    assert {state.betas_weight for state in warm.export_state().values()} == {80.0}


def test_state_goes_through_the_log_and_is_bounded():
    whole, _ = walkers([0.3, 2.2], slots=112)
    one, other = reconstructor(), reconstructor()
    one.solve(cut(whole, 0))
    other.import_state(one.export_state())
    np.testing.assert_array_equal(
        one.solve(cut(whole, 16)).pose_rotvec, other.solve(cut(whole, 16)).pose_rotvec
    )
    newcomer = replace(cut(whole, 48), person_ids=np.array([900, 901]))
    one.solve(newcomer)
    assert set(one.export_state()) == {900, 901}  # window 3; the others were last seen in window 1


def test_a_poisoned_person_fails_alone():
    whole, _ = walkers([0.3, 2.2], slots=80)
    stage = reconstructor()
    stage.solve(cut(whole, 0))
    state = dict(stage.export_state())
    state[100] = replace(state[100], pose_rotvec=np.full_like(state[100].pose_rotvec, np.nan))
    stage.import_state(state)
    solution = stage.solve(cut(whole, 16))
    assert solution.status.tolist() == [SolveStatus.FAILED, solution.status[1]]
    assert solution.status[1] != SolveStatus.FAILED
    assert (solution.provenance[0] == Provenance.ABSENT).all() and np.isfinite(solution.joints_m).all()
    assert 100 not in stage.export_state()


def test_paper_answers_through_the_same_face():
    problem, joints = walkers([0.3], slots=8)
    config = ReconstructConfig(preset="paper")
    config = config.model_copy(
        update={"paper": config.paper.model_copy(update={"root_iterations": 3, "smpl_iterations": 3})}
    )
    solution = Reconstructor(config, BODY, PRIOR).solve(problem)
    assert np.linalg.norm(solution.joints_m - joints, axis=-1).mean() < 0.3


def test_less_effort_takes_fewer_steps_and_the_answer_stays_near():
    problem, joints = walkers([0.3, 1.9, 3.6])
    full = reconstructor().solve(problem)
    less = reconstructor()
    less.set_effort(Effort(1, solve_iterations=0.5))
    halved = less.solve(problem)
    fewer_steps = Reconstructor(
        ReconstructConfig(live=LiveConfig(threads=2, outer=4, outer_warm=2)), BODY, PRIOR
    )
    np.testing.assert_array_equal(halved.joints_m, fewer_steps.solve(problem).joints_m)
    assert not np.array_equal(halved.joints_m, full.joints_m)
    off = np.linalg.norm(halved.joints_m[:, :, :22] - joints[:, :, :22], axis=-1)
    assert off.mean() < 0.08 and (halved.status != SolveStatus.FAILED).all()


def test_a_share_however_small_is_one_step_and_full_effort_is_what_the_settings_say():
    problem, _ = walkers([0.3, 1.9], slots=24)
    least = reconstructor()
    least.set_effort(Effort(9, solve_iterations=0.01))
    once = Reconstructor(ReconstructConfig(live=LiveConfig(threads=2, outer=1, outer_warm=1)), BODY, PRIOR)
    np.testing.assert_array_equal(least.solve(problem).joints_m, once.solve(problem).joints_m)
    back = reconstructor()
    back.set_effort(Effort(9, solve_iterations=0.01))
    back.set_effort(FULL_EFFORT)
    np.testing.assert_array_equal(back.solve(problem).joints_m, reconstructor().solve(problem).joints_m)
