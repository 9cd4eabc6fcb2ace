"""The motion stage of preset `paper`: what it starts from, what it moves, and what it leaves alone."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from motion_priors import still_prior

sys.path.pop(0)

from crowdstream.kernels.body.tensors import BodyTensors
from crowdstream.kernels.solve.energies.objective import Bodies
from crowdstream.kernels.solve.latent import size_of, start_segments
from crowdstream.kernels.solve.problem import WarmStart
from crowdstream.kernels.solve.rmsprop import PaperSolution, solve_paper
from crowdstream.kernels.solve.rmsprop_config import PaperConfig
from crowdstream.kernels.solve.weights import EnergyWeights
from crowdstream.lab.bench.solve_cases import CaseConfig, SolveCase, make_case, rough_start
from crowdstream.lab.mocap import MocapClip
from crowdstream.stream.body_files import load_body
from crowdstream.stream.prior_files import load_pose_prior

BODY, PRIOR = load_body(), load_pose_prior()
MOTION = still_prior(BODY)
SHORT = PaperConfig(root_iterations=2, smpl_iterations=0, motion_iterations=3, schedule="cosine")


def standing(people: int = 2, frames: int = 8, **config: float) -> SolveCase:
    pose = np.zeros((frames, 24, 3), np.float32)
    pose[:, 1:22] = PRIOR.mean.numpy().reshape(21, 3)
    clip = MocapClip("stand", "idle_stand", pose, np.tile(np.float32([0, 0.93, 0]), (frames, 1)), True)
    return make_case([clip], BODY, CaseConfig(people=people, frames=frames, **config))


CASE = standing(partial_rate=1.0)
START = rough_start(CASE, PRIOR.mean.numpy(), BODY)


def solve(config: PaperConfig = SHORT, case: SolveCase = CASE, start: WarmStart = START) -> PaperSolution:
    return solve_paper(case.problem, start, BODY, PRIOR, config, motion_prior=MOTION)


def test_still_bodies_of_any_size_come_back_as_they_were() -> None:
    """Through the segment's frame, the reference size, the encoder and all the way back, also up a moving stair."""
    n, t = 3, 20
    random = torch.Generator().manual_seed(3)
    pose = torch.zeros(n, 1, 24, 3)
    pose[:, :, :22] = 0.3 * torch.randn(n, 1, 22, 3, generator=random)
    transl = 5 * torch.randn(n, 1, 3, generator=random)
    betas = torch.randn(n, 10, generator=random)
    slope = 0.2 + 0.01 * torch.arange(t).expand(n, t)
    transl = transl + torch.tensor([0.0, 0, 1]) * slope[..., None]
    still = Bodies(pose.expand(n, t, 24, 3), betas[:, None].expand(n, t, 10), transl)
    body = BodyTensors.of(BODY)
    seen = torch.ones(n, t, 22, dtype=torch.bool)
    segments, z, shapes = start_segments(still, betas, seen, slope, body, MOTION, PRIOR)
    told = segments.decode(z, shapes).bodies
    torch.testing.assert_close(told.transl_m, still.transl_m, atol=2e-4, rtol=0)
    torch.testing.assert_close(told.pose_rotvec, still.pose_rotvec, atol=2e-4, rtol=0)
    assert z.shape == (n, 1, 384) and shapes.shape == (n, 1, 10)


def test_size_is_leg_length_over_the_reference() -> None:
    rest = torch.tensor(BODY.joint_template_m)
    reference = rest[:22].clone()
    assert float(size_of(rest, reference)) == pytest.approx(1.0)
    taller = 1.1 * rest
    assert float(size_of(taller, reference)) == pytest.approx(1.1)
    taller[12:] *= 2  # arms and head are no legs
    assert float(size_of(taller, reference)) == pytest.approx(1.1)


@pytest.mark.parametrize("weights", [EnergyWeights(), EnergyWeights.mended()])
def test_the_energy_falls(weights: EnergyWeights) -> None:
    got = solve(SHORT.model_copy(update={"weights": weights, "motion_iterations": 8}))
    energy = got.trace.energy
    assert len(energy) == 10 and energy[-1] < energy[2]
    assert got.trace.motion_terms is not None
    assert float(got.trace.motion_terms.total.sum()) < energy[2]


def test_without_prior_or_steps_there_is_no_such_stage() -> None:
    none = SHORT.model_copy(update={"motion_iterations": 0})
    a, b = solve(none), solve_paper(CASE.problem, START, BODY, PRIOR, SHORT)
    np.testing.assert_array_equal(a.pose_rotvec, b.pose_rotvec)
    assert a.trace.motion_terms is None and len(a.trace.energy) == 2
    assert not np.array_equal(solve().pose_rotvec, a.pose_rotvec)


def test_the_prior_is_left_as_it_was() -> None:
    """No gradients in it, still in training, no number changed; and the answer repeats itself."""
    prior = still_prior(BODY).train()
    before = {name: value.clone() for name, value in prior.state_dict().items()}
    learning = [parameter.requires_grad for parameter in prior.parameters()]
    assert any(learning)
    first = solve_paper(CASE.problem, START, BODY, PRIOR, SHORT, motion_prior=prior)
    assert prior.training
    assert [parameter.requires_grad for parameter in prior.parameters()] == learning
    assert all(parameter.grad is None for parameter in prior.parameters())
    assert all(torch.equal(value, before[name]) for name, value in prior.state_dict().items())
    np.testing.assert_array_equal(first.pose_rotvec, solve().pose_rotvec)


def test_people_do_not_feel_one_another() -> None:
    together = solve()
    keep = slice(1, 2)
    p = CASE.problem
    names = ("keypoints_px", "confidence", "box_px", "hvip_px", "hvip_sigma_px")
    alone = replace(
        p, person_ids=p.person_ids[keep], present=p.present[keep], track_m=p.track_m[keep],
        **{name: getattr(p, name)[:, keep] for name in names},
    )  # fmt: skip
    start = WarmStart(**{name: getattr(START, name)[keep] for name in START.__dataclass_fields__})
    got = solve_paper(alone, start, BODY, PRIOR, SHORT, motion_prior=MOTION)
    here = p.present[1]
    np.testing.assert_allclose(together.transl_m[1][here], got.transl_m[0][here], atol=1e-3)


def test_absent_slots_keep_their_values_even_nan() -> None:
    absent = ~CASE.problem.present
    assert absent.any()
    pose = START.pose_rotvec.copy()
    pose[absent] = np.nan
    got = solve(start=replace(START, pose_rotvec=pose))
    assert np.isnan(got.pose_rotvec[absent]).all() and np.isfinite(got.pose_rotvec[~absent]).all()


def test_what_moved_while_hidden_is_told_by_the_prior() -> None:
    """A wrong body in slots that nobody saw does not come through: their groups are hidden from the encoder."""
    case = standing(1, 30, partial_rate=0, hidden_rate=0, legs_hidden_rate=0, miss_rate=0, swap_rate=0)
    confidence = case.problem.confidence.copy()
    confidence[:, :, 10:20] = 0
    problem = replace(case.problem, confidence=confidence)
    truth = case.truth
    pose = truth.pose_rotvec.astype(np.float32)
    pose[:, 10:20, 1:20] += 0.7
    f = np.float32
    start = WarmStart(problem.present, pose, truth.transl_m.astype(f), truth.betas.astype(f), np.zeros(1, f))
    one = PaperConfig(root_iterations=0, smpl_iterations=0, motion_iterations=1, learning_rate=1e-6)
    got = solve_paper(problem, start, BODY, PRIOR, one, motion_prior=MOTION)
    np.testing.assert_allclose(got.pose_rotvec[:, :, 1:22], truth.pose_rotvec[:, :, 1:22], atol=5e-3)


def test_a_segment_has_one_shape_and_a_longer_problem_several_segments() -> None:
    case = standing(1, 70, partial_rate=0)
    start = rough_start(case, PRIOR.mean.numpy(), BODY)
    got = solve(SHORT.model_copy(update={"root_iterations": 0, "motion_iterations": 2}), case, start)
    assert np.ptp(got.betas[:, :64], axis=1).max() == 0 and np.ptp(got.betas[:, 64:], axis=1).max() == 0
    assert np.abs(got.betas[:, 63] - got.betas[:, 64]).max() > 0
    assert got.trace.motion_terms is not None and float(got.trace.motion_terms.connect.sum()) > 0


def test_the_seam_pulls_the_motion_to_the_window_before() -> None:
    """The last window has everybody a hand's breadth to the side; E_connect alone may close that."""
    shifted = START.transl_m + np.float32([0.1, 0, 0])
    known = CASE.problem.present.copy()
    known[:, 6:] = False
    warm = WarmStart(known, START.pose_rotvec, shifted, START.betas, START.betas_weight)
    problem = replace(CASE.problem, warm=warm)
    only = {
        name: 0.0 for name in EnergyWeights.model_fields if isinstance(getattr(EnergyWeights(), name), float)
    }
    keep = ("sigma_min", "reference_size_px", "min_size_px", "contact_height_m")
    weights = EnergyWeights().model_copy(
        update={k: v for k, v in only.items() if k not in keep} | {"connect": 100.0}
    )
    config = PaperConfig(
        root_iterations=0, smpl_iterations=0, motion_iterations=12, weights=weights, learning_rate=0.05
    )
    got = solve_paper(problem, START, BODY, PRIOR, config, motion_prior=MOTION)
    both = CASE.problem.present[:, 2] & CASE.problem.present[:, 3]
    assert both.any()
    moved = (got.transl_m - START.transl_m)[both, 3, 0]
    np.testing.assert_allclose(moved, 0.1, atol=0.03)
