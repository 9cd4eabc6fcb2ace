"""Targets: branches, merging by precision, what is not said, and what a target does to a solve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crowdstream.kernels.rotation import rotvec_to_rotmat_np
from crowdstream.kernels.solve.target import Target, TargetRows, merge_rows, nearest_branch, target_rows

N, T = 2, 6
WHOLE = np.tile(np.array([0, T]), (N, 1))


def target(seed: int = 0, spread: float = 0.5) -> Target:
    random = np.random.default_rng(seed)
    return Target(
        spread * random.normal(size=(N, T, 22, 3)),
        random.uniform(1, 50, (N, T, 22)),
        random.normal(size=(N, T, 3)),
        random.uniform(1, 50, (N, T, 3)),
    )


def guess(seed: int = 1) -> np.ndarray:
    return 0.5 * np.random.default_rng(seed).normal(size=(N, T, 24, 3))


def test_body_joints_and_places_are_taken_as_they_are():
    said = target()
    rows = target_rows(said, guess())
    np.testing.assert_allclose(
        rows.mean[:, 3:66], said.pose_rotvec[:, :, 1:].reshape(N, T, 63).swapaxes(1, 2)
    )
    np.testing.assert_allclose(rows.mean[:, 66:], said.transl_m.swapaxes(1, 2))


def test_pelvis_rows_turn_the_guess_into_the_target():
    said, start = target(), guess()
    turn = rotvec_to_rotmat_np(target_rows(said, start).mean[:, :3].swapaxes(1, 2))
    reached = turn @ rotvec_to_rotmat_np(start[:, :, 0])
    np.testing.assert_allclose(reached, rotvec_to_rotmat_np(said.pose_rotvec[:, :, 0]), atol=1e-12)


def test_the_nearest_branch_is_the_same_rotation_and_never_farther():
    random = np.random.default_rng(3)
    r, reference = 2.0 * random.normal(size=(200, 3)), 2.0 * random.normal(size=(200, 3))
    near = nearest_branch(r, reference)
    np.testing.assert_allclose(rotvec_to_rotmat_np(near), rotvec_to_rotmat_np(r), atol=1e-12)
    off, before = (np.linalg.norm(a - reference, axis=-1) for a in (near, r))
    assert (off <= before).all() and (off < before - 0.1).any()


def test_merging_is_the_sum_of_the_energies_but_for_a_constant():
    random = np.random.default_rng(4)
    one, two = target_rows(target(5), guess()), target_rows(target(6), guess())
    merged = merge_rows([one, two])
    states = random.normal(size=(3, N, 69, T))
    apart = [one.energy(x, WHOLE) + two.energy(x, WHOLE) - merged.energy(x, WHOLE) for x in states]
    np.testing.assert_allclose(apart[1:], np.broadcast_to(apart[0], (2, N)), rtol=1e-9)


def test_what_is_not_finite_is_not_said():
    said = target()
    pose, transl = said.pose_rotvec.copy(), said.transl_m.copy()
    pose[0, 2, 5], transl[1, 3, 0], pose[1, 1, 0] = np.nan, np.inf, np.nan
    rows = target_rows(replace(said, pose_rotvec=pose, transl_m=transl), guess())
    assert np.isfinite(rows.mean).all() and np.isfinite(rows.weight).all()
    assert (
        not rows.weight[0, 15:18, 2].any() and not rows.weight[1, 66, 3] and not rows.weight[1, :3, 1].any()
    )
    assert rows.weight[1, 67, 3] > 0 and (rows.weight > 0).sum() == rows.weight.size - 7


def test_energy_counts_the_slots_between_first_and_last():
    rows = TargetRows(np.zeros((N, 69, T)), np.ones((N, 69, T)))
    slots = np.array([[1, 4], [0, 0]])
    np.testing.assert_allclose(rows.energy(np.full((N, 69, T), 2.0), slots), [4.0 * 69 * 3, 0.0])
