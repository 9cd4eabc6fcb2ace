"""Preset `paper`: it descends, leaves the absent alone, treats people by themselves, and says what is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdstream.kernels.errors import SolveError
from crowdstream.kernels.solve.problem import WarmStart, WindowProblem
from crowdstream.kernels.solve.rmsprop import PaperSolution, solve_paper
from crowdstream.kernels.solve.rmsprop_config import PaperConfig
from crowdstream.kernels.solve.weights import EnergyWeights
from crowdstream.lab.bench.solve_cases import CaseConfig, SolveCase, make_case, rough_start
from crowdstream.lab.bench.solve_scores import score
from crowdstream.lab.mocap import MocapClip
from crowdstream.stream.body_files import load_body
from crowdstream.stream.prior_files import load_pose_prior

BODY, PRIOR = load_body(), load_pose_prior()
SHORT = PaperConfig(root_iterations=6, smpl_iterations=8)


def standing_case(people: int = 2) -> SolveCase:
    pose = np.zeros((40, 24, 3), np.float32)
    pose[:, 1:22] = PRIOR.mean.numpy().reshape(21, 3)
    pose[:, 18, 1] -= 0.6  # one elbow bent, so that there is something to find
    clip = MocapClip("stand", "idle_stand", pose, np.tile(np.float32([0, 0.9, 0]), (40, 1)), True)
    return make_case([clip], BODY, CaseConfig(people=people, frames=10, partial_rate=1.0))


@pytest.fixture(scope="module")
def case() -> SolveCase:
    return standing_case()


@pytest.fixture(scope="module")
def start(case: SolveCase) -> WarmStart:
    return rough_start(case, PRIOR.mean.numpy(), BODY)


def only(problem: WindowProblem, person: int) -> WindowProblem:
    keep = slice(person, person + 1)
    parts = {name: getattr(problem, name)[:, keep] for name in ("keypoints_px", "confidence", "box_px")}
    parts |= {name: getattr(problem, name)[:, keep] for name in ("hvip_px", "hvip_sigma_px")}
    parts |= {name: getattr(problem, name)[keep] for name in ("person_ids", "present", "track_m")}
    return replace(problem, **parts)


def only_start(start: WarmStart, person: int) -> WarmStart:
    return WarmStart(
        **{name: getattr(start, name)[person : person + 1] for name in start.__dataclass_fields__}
    )


@pytest.mark.parametrize("weights", [EnergyWeights(), EnergyWeights.mended()])
def test_the_energy_falls_in_both_stages_and_the_body_comes_nearer(
    case: SolveCase, start: WarmStart, weights: EnergyWeights
) -> None:
    config = PaperConfig(root_iterations=30, smpl_iterations=40, schedule="cosine", weights=weights)
    got = solve_paper(case.problem, start, BODY, PRIOR, config)
    energy = got.trace.energy
    assert len(energy) == 70
    assert energy[29] < energy[0] and energy[-1] < energy[30]
    before = score(case, BODY, start.pose_rotvec, start.transl_m, start.betas)
    after = score(case, BODY, got.pose_rotvec, got.transl_m, got.betas)
    assert after.px_observed < 0.6 * before.px_observed


def test_the_root_stage_moves_the_root_alone(case: SolveCase, start: WarmStart) -> None:
    got = solve_paper(case.problem, start, BODY, PRIOR, PaperConfig(root_iterations=5, smpl_iterations=0))
    np.testing.assert_array_equal(got.pose_rotvec[:, :, 1:], start.pose_rotvec[:, :, 1:])
    assert not np.allclose(got.pose_rotvec[:, :, 0], start.pose_rotvec[:, :, 0])
    assert (got.betas == 0).all()
    assert got.trace.smpl_terms is None and got.trace.root_terms is not None
    assert got.trace.root_terms.pose_prior.eq(0).all()


def test_absent_slots_keep_their_values_even_nan(case: SolveCase, start: WarmStart) -> None:
    absent = ~case.problem.present
    assert absent.any()
    pose, transl = start.pose_rotvec.copy(), start.transl_m.copy()
    pose[absent], transl[absent] = np.nan, np.nan
    holed = replace(start, pose_rotvec=pose, transl_m=transl)
    got = solve_paper(case.problem, holed, BODY, PRIOR, SHORT)
    whole = solve_paper(case.problem, start, BODY, PRIOR, SHORT)
    assert np.isnan(got.pose_rotvec[absent]).all()
    np.testing.assert_allclose(got.transl_m[~absent], whole.transl_m[~absent], atol=1e-5)


def test_people_do_not_feel_one_another(case: SolveCase, start: WarmStart) -> None:
    together = solve_paper(case.problem, start, BODY, PRIOR, SHORT)
    for person in range(2):
        alone = solve_paper(only(case.problem, person), only_start(start, person), BODY, PRIOR, SHORT)
        here = case.problem.present[person]
        np.testing.assert_allclose(
            together.transl_m[person][here], alone.transl_m[0][here], atol=1e-3
        )  # RMSprop divides by gradients near zero, which amplifies rounding


def test_it_repeats_itself_exactly(case: SolveCase, start: WarmStart) -> None:
    first, second = (solve_paper(case.problem, start, BODY, PRIOR, SHORT) for _ in range(2))
    np.testing.assert_array_equal(first.pose_rotvec, second.pose_rotvec)


def test_one_shape_per_person_is_one(case: SolveCase, start: WarmStart) -> None:
    config = SHORT.model_copy(update={"shape_per": "person"})
    got = solve_paper(case.problem, start, BODY, PRIOR, config)
    assert np.ptp(got.betas, axis=1).max() == 0 and np.abs(got.betas).max() > 0
    np.testing.assert_allclose(got.betas_of_people(case.problem), got.betas[:, 0], atol=1e-6)


def test_shapes_of_people_are_means_over_observed_slots(case: SolveCase, start: WarmStart) -> None:
    got = solve_paper(case.problem, start, BODY, PRIOR, SHORT)
    seen = case.problem.observed[0]
    assert isinstance(got, PaperSolution) and 0 < seen.sum() < len(seen)
    expected = got.betas[0][seen].mean(axis=0)
    np.testing.assert_allclose(got.betas_of_people(case.problem)[0], expected, atol=1e-6)


def test_the_whole_mesh_can_stand_in_for_the_soles(case: SolveCase, start: WarmStart) -> None:
    """Upright people touch the ground with their soles, so both give nearly the same."""
    weights = EnergyWeights(contact_vertices="mesh")
    mesh = solve_paper(case.problem, start, BODY, PRIOR, SHORT.model_copy(update={"weights": weights}))
    soles = solve_paper(case.problem, start, BODY, PRIOR, SHORT)
    assert mesh.trace.energy[0] == pytest.approx(soles.trace.energy[0], rel=0.02)


def test_a_first_guess_with_holes_is_refused(case: SolveCase, start: WarmStart) -> None:
    pose = start.pose_rotvec.copy()
    pose[case.problem.present] = np.nan
    with pytest.raises(SolveError, match="not finite"):
        solve_paper(case.problem, replace(start, pose_rotvec=pose), BODY, PRIOR, SHORT)
