"""Synthetic window problems: the truth explains them, the seed repeats them, the scores obey their laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from crowdstream.kernels.errors import SolveError
from crowdstream.kernels.ground import Ground, GroundPlane
from crowdstream.kernels.solve.energies.evidence import Evidence
from crowdstream.kernels.solve.energies.hvip import TORSO_JOINTS
from crowdstream.kernels.solve.weights import EnergyWeights
from crowdstream.lab.bench.solve_cases import CaseConfig, SolveCase, cut, make_case, rough_start
from crowdstream.lab.bench.solve_scores import procrustes_errors, score
from crowdstream.lab.mocap import MocapClip
from crowdstream.stream.body_files import load_body
from crowdstream.stream.prior_files import load_pose_prior

BODY = load_body()
CLEAN = {
    "noise_px": 0.0,
    "noise_share": 0.0,
    "miss_rate": 0.0,
    "hidden_rate": 0.0,
    "legs_hidden_rate": 0.0,
    "swap_rate": 0.0,
    "partial_rate": 0.0,
}


def strollers(frames: int = 120) -> list[MocapClip]:
    """A made-up walk along +z: legs and arms swing about the prior's mean pose."""
    pose = np.zeros((frames, 24, 3), np.float32)
    pose[:, 1:22] = load_pose_prior().mean.numpy().reshape(21, 3)
    swing = 0.4 * np.sin(2 * np.pi * np.arange(frames) / 30)
    for joint, sign in ((1, 1), (2, -1), (16, -1), (17, 1)):
        pose[:, joint, 0] += sign * swing
    pelvis = np.stack([np.zeros(frames), np.full(frames, 0.9), 0.04 * np.arange(frames)], axis=1)
    return [MocapClip("stroll", "walk", pose, pelvis.astype(np.float32), True)]


@pytest.fixture(scope="module")
def case() -> SolveCase:
    return make_case(strollers(), BODY, CaseConfig(people=3, frames=40))


def test_the_same_seed_gives_the_same_case_and_another_does_not(case: SolveCase) -> None:
    again = make_case(strollers(), BODY, CaseConfig(people=3, frames=40))
    other = make_case(strollers(), BODY, CaseConfig(people=3, frames=40, seed=1))
    np.testing.assert_array_equal(case.problem.keypoints_px, again.problem.keypoints_px)
    np.testing.assert_array_equal(case.problem.track_m, again.problem.track_m)
    assert not np.array_equal(case.problem.keypoints_px, other.problem.keypoints_px)


@pytest.mark.parametrize("view", ["high", "low"])
def test_without_noise_the_truth_explains_every_pixel(view: str) -> None:
    config = CaseConfig(people=2, frames=16, cameras=2, view=view, **CLEAN)
    clean = make_case(strollers(), BODY, config)
    truth = clean.truth
    got = score(clean, BODY, truth.pose_rotvec, truth.transl_m, truth.betas)
    assert got.px_observed < 1e-3 and got.px_true < 1e-6
    assert got.mpjpe_mm < 1e-9 and got.root_m < 1e-9 and got.accel_mm < 1e-9
    assert clean.problem.observed[clean.truth.inside.all(axis=-1).any(axis=0)].all()


def test_people_stand_on_the_ground_below_their_tracks() -> None:
    clean = make_case(strollers(), BODY, CaseConfig(people=4, frames=40, **CLEAN))
    ankles = clean.truth.joints_m[:, :, [7, 8], 2].min(axis=2)
    assert (ankles > 0.0).all() and (ankles < 0.25).all()
    torso = clean.truth.joints_m[:, :, list(TORSO_JOINTS), :2].mean(axis=2)
    assert np.abs(clean.problem.track_m[..., :2] - torso).max() < 1.0
    assert (clean.problem.track_m[..., 2] == 0).all()


def test_noise_is_of_the_size_asked_for() -> None:
    asked = {**CLEAN, "noise_px": 2.0}
    noisy = make_case(strollers(), BODY, CaseConfig(people=10, frames=60, **asked))
    off = noisy.problem.keypoints_px - noisy.truth.keypoints_px
    assert off[noisy.problem.confidence > 0].std() == pytest.approx(2.0, rel=0.25)


def test_what_is_not_seen_has_neither_box_nor_interaction_point(case: SolveCase) -> None:
    p = case.problem
    blind = ~(p.confidence > 0).any(axis=-1)
    assert blind.any()
    assert (p.box_px[blind] == 0).all() and (p.hvip_sigma_px[blind] == 0).all()
    assert (p.hvip_sigma_px[~blind] > 0).all()
    assert not p.confidence[:, ~p.present].any()


def test_a_slow_camera_sees_each_third_slot_only() -> None:
    slow = make_case(strollers(), BODY, CaseConfig(people=2, frames=30, observe_every=3, **CLEAN))
    assert not slow.problem.observed[:, np.arange(30) % 3 != 0].any()
    assert slow.problem.observed[:, ::3].any()


def test_windows_of_a_long_case_overlap(case: SolveCase) -> None:
    first, second = cut(case, 0, hop=8, frames=24), cut(case, 1, hop=8, frames=24)
    np.testing.assert_array_equal(
        first.problem.keypoints_px[:, :, 8:], second.problem.keypoints_px[:, :, :-8]
    )
    np.testing.assert_array_equal(first.truth.joints_m[:, 8:], second.truth.joints_m[:, :-8])
    assert second.problem.slot0 == 8
    with pytest.raises(SolveError, match="has 40"):
        cut(case, 3, hop=8, frames=24)


def test_evidence_takes_the_ground_under_each_track(case: SolveCase) -> None:
    """A kerb of 15 cm on one side of the first person's path lifts the ground there and nowhere else."""
    p = case.problem
    far = p.track_m[0, p.present[0], 0].mean()
    outline = np.array([[far, -50.0], [far + 50.0, -50.0], [far + 50.0, 50.0], [far, 50.0]])
    ground = Ground((GroundPlane(), GroundPlane(offset_m=0.15, outline_m=outline)))
    evidence = Evidence.of(replace(p, ground=ground), EnergyWeights())
    on_kerb = torch.from_numpy((p.track_m[..., 0] > far) & (p.track_m[..., 0] < far + 50))
    assert on_kerb.any() and not on_kerb.all()
    torch.testing.assert_close(evidence.offset_m, 0.15 * on_kerb.float())


def test_evidence_drops_what_nobody_should_look_at(case: SolveCase) -> None:
    p = case.problem
    holed = p.keypoints_px.copy()
    holed[p.confidence == 0] = np.nan
    evidence = Evidence.of(replace(p, keypoints_px=holed), EnergyWeights())
    assert evidence.keypoints_px.isfinite().all()
    assert evidence.sigma[:, torch.from_numpy(~p.present)].eq(0).all()
    assert evidence.hvip_sigma_px[:, torch.from_numpy(~p.present)].eq(0).all()


def test_too_short_clips_are_refused() -> None:
    with pytest.raises(SolveError, match="no clip has 500"):
        make_case(strollers(), BODY, CaseConfig(people=1, frames=500))


def test_the_rough_start_faces_the_right_way(case: SolveCase) -> None:
    start = rough_start(case, load_pose_prior().mean.numpy(), BODY)
    facing = Rotation.from_rotvec(start.pose_rotvec[:, :, 0].reshape(-1, 3)).apply([0.0, 0.0, 1.0])
    truth = Rotation.from_rotvec(case.truth.pose_rotvec[:, :, 0].reshape(-1, 3)).apply([0.0, 0.0, 1.0])
    assert (facing * truth).sum(axis=1).mean() > 0.5
    up = Rotation.from_rotvec(start.pose_rotvec[:, :, 0].reshape(-1, 3)).apply([0.0, 1.0, 0.0])
    np.testing.assert_allclose(up[:, 2], 1.0, atol=1e-5)


def test_mpjpe_forgives_place_and_procrustes_a_similarity(case: SolveCase) -> None:
    truth = case.truth
    moved = score(case, BODY, truth.pose_rotvec, truth.transl_m + np.array([0.3, 0.0, 0.4]), truth.betas)
    assert moved.mpjpe_mm < 1e-9 and moved.root_m == pytest.approx(0.5)
    assert moved.accel_mm < 1e-9 and moved.px_true > 1.0
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5, 24, 3))
    turn = Rotation.random(5, random_state=1).as_matrix()
    similar = 1.7 * np.einsum("bij,bkj->bki", turn, points) + rng.normal(size=(5, 1, 3))
    assert procrustes_errors(similar, points).max() < 1e-12
    mirrored = points * (-1.0, 1.0, 1.0)
    assert procrustes_errors(mirrored, points).min() > 0.1  # a reflection is not forgiven
