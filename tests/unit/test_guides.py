"""Guides: cycles are found, phases are found, what guides say is a rotation with an honest spread."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.fused.guide_steps import posterior_of_steps
from crowdstream.kernels.grouping.alignment import align, log_steps
from crowdstream.kernels.grouping.alignment_config import AlignConfig
from crowdstream.kernels.grouping.fuse import between, share_of_second
from crowdstream.kernels.grouping.guide import GuideMotion, about_z, cycle_of, make_guide
from crowdstream.kernels.grouping.told import nearest_rotation, spread_of, tell
from crowdstream.kernels.grouping.told_config import ToldConfig
from crowdstream.kernels.rotation import rotmat_to_rotvec_np, rotvec_to_rotmat_np
from tests.gaits import PERIOD, gait, rotations

SPEED = np.full(64, 1.3)


def guide(phase: float = 0.0, person: int = 7, heading: float = 0.4, speed: float = 1.3) -> GuideMotion:
    return make_guide(
        (person, 0), rotations(gait(64, phase), heading), np.full(64, heading), np.full(64, speed)
    )


def off_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    turn = rotmat_to_rotvec_np(np.swapaxes(a, -1, -2) @ b)
    return np.degrees(np.linalg.norm(turn, axis=-1))


def test_the_cycle_of_a_gait_is_its_period() -> None:
    assert abs(cycle_of(rotations(gait(64))) - PERIOD) <= 1
    assert cycle_of(rotations(np.zeros((64, 24, 3)))) == 0


def test_a_guide_forgets_which_way_it_walked() -> None:
    one, other = guide(heading=0.3), guide(heading=-2.0)
    assert np.allclose(one.rotmats, other.rotmats, atol=1e-6)


def test_standing_people_have_no_way_to_face_along() -> None:
    assert not guide(speed=0.1).walks
    assert np.allclose(guide(speed=0.1).rotmats[:, 0], rotations(gait(64), 0.4)[:, 0])


@pytest.mark.parametrize("phase", [0.0, 0.2, 0.55, 0.9])
def test_the_phase_is_found_from_the_arms_alone(phase: float) -> None:
    poor = rotations(gait(64, phase), 1.0)
    seen = np.zeros((64, 22))
    seen[:, 16:18] = 1.0
    laid = align(guide(), poor, seen, SPEED, AlignConfig())
    told = tell([laid], 1, ToldConfig())
    assert told is not None
    assert off_deg(told.rotmats[8:56, 1:6], poor[8:56, 1:6]).mean() < 4.0


def test_a_guide_of_two_seconds_helps_across_a_gap_of_four() -> None:
    slots = 60 + 120 + 60
    poor = rotations(gait(slots, 0.3), 0.0)
    seen = np.ones((slots, 22))
    seen[60:180] = 0.0
    told = tell([align(guide(), poor, seen, np.full(slots, 1.3), AlignConfig())], 1, ToldConfig())
    assert told is not None
    straight = off_deg(poor[60:180, 1:3], np.broadcast_to(poor[59, 1:3], (120, 2, 3, 3))).mean()
    assert off_deg(told.rotmats[60:180, 1:3], poor[60:180, 1:3]).mean() < straight / 2


def test_spread_grows_where_nothing_is_seen() -> None:
    poor = rotations(gait(64), 0.0)
    seen = np.ones((64, 22))
    seen[20:] = 0.0
    told = tell([align(guide(), poor, seen, SPEED, AlignConfig())], 1, ToldConfig())
    assert told is not None
    assert told.sigma_rad[55:, 1].mean() > told.sigma_rad[:15, 1].mean()


def test_who_explains_what_was_seen_counts_more_and_the_own_segment_goes_first() -> None:
    poor = rotations(gait(64, swing=0.6), 0.0)
    seen = np.ones((64, 22))
    alike, unlike = guide(person=3), make_guide((2, 0), rotations(np.zeros((64, 24, 3))), SPEED * 0, SPEED)
    laid = [align(g, poor, seen, SPEED, AlignConfig()) for g in (unlike, alike)]
    told = tell(laid, 1, ToldConfig())
    assert told is not None and told.shares[0][0] == (3, 0) and told.shares[0][1] > 0.9
    twins = [align(guide(person=p), poor, seen, SPEED, AlignConfig()) for p in (2, 9)]
    own = tell(twins, 9, ToldConfig())
    assert own is not None and own.shares[0][0] == (9, 0)
    assert tell([], 1, ToldConfig()) is None


def test_the_order_of_guides_does_not_matter() -> None:
    poor, seen = rotations(gait(64, 0.1), 0.0), np.ones((64, 22))
    laid = [align(guide(0.1 * k, person=k), poor, seen, SPEED, AlignConfig()) for k in range(5)]
    one, other = tell(laid, 1, ToldConfig()), tell(laid[::-1], 1, ToldConfig())
    assert one is not None and other is not None
    assert np.array_equal(one.rotmats, other.rotmats) and one.shares == other.shares


def test_steps_follow_the_ratio_of_the_speeds() -> None:
    config = AlignConfig(step_sigma=0.3)
    even, fast = log_steps(1.2, np.full(4, 1.2), config), log_steps(1.2, np.full(4, 2.4), config)
    assert even[0].argmax() == 1 and fast[0, 2] > even[0, 2]
    assert np.allclose(np.exp(even).sum(-1), 1.0)
    assert np.array_equal(log_steps(0.1, np.full(4, 0.2), config)[0], even[0])  # who stands has no pace


def slow_posterior(emission: np.ndarray, steps: np.ndarray, loop: int) -> tuple[np.ndarray, float]:
    """Every way through the guide, one by one."""
    slots, states = emission.shape
    weight = np.zeros((slots, states))
    total = 0.0

    def go(t: int, path: list[int], log: float) -> None:
        nonlocal total
        if t == slots:
            total += np.exp(log)
            for k, s in enumerate(path):
                weight[k, s] += np.exp(log)
            return
        for step in range(3):
            there = path[-1] + step
            if there >= states:
                there = there - loop if loop > 0 else states - 1
            go(t + 1, [*path, there], log + steps[t, step] + emission[t, there])

    for s in range(states):
        go(1, [s], emission[0, s] - np.log(states))
    return weight / total, float(np.log(total))


@pytest.mark.parametrize("loop", [0, 3])
def test_the_compiled_posterior_is_the_sum_over_all_ways(loop: int) -> None:
    rng = np.random.default_rng(5)
    emission = rng.normal(size=(6, 5)) * 2.0
    steps = np.log(rng.dirichlet(np.ones(3), size=6))
    fast, evidence = posterior_of_steps(emission, steps, loop)
    slow, total = slow_posterior(emission, steps, loop)
    assert np.allclose(fast, slow, atol=1e-9)
    assert evidence == pytest.approx(total, abs=1e-9)


def test_the_posterior_survives_evidence_that_leaves_nothing() -> None:
    emission = np.full((80, 30), -1e5)
    emission[:, 3] = -9e4
    found, evidence = posterior_of_steps(emission, np.log(np.full((80, 3), 1 / 3)), 0)
    assert np.isfinite(found).all() and np.isfinite(evidence)
    assert np.allclose(found.sum(1), 1.0)


def test_fusing_goes_the_share_of_the_way() -> None:
    a, b = rotvec_to_rotmat_np(np.array([0.1, 0.0, 0.2])), rotvec_to_rotmat_np(np.array([0.7, -0.3, 0.2]))
    whole = off_deg(a, b)
    for share in (0.0, 0.25, 1.0):
        assert off_deg(a, between(a, b, np.array(share))) == pytest.approx(share * whole, abs=1e-5)
    assert share_of_second(np.array(0.2), np.array(0.2)) == pytest.approx(0.5)
    assert share_of_second(np.array(0.2), np.array(np.inf)) == 0.0


def test_the_spread_of_a_mean_matrix_is_that_of_its_rotations() -> None:
    rng = np.random.default_rng(2)
    turns = rotvec_to_rotmat_np(rng.normal(0.0, 0.2, (20_000, 3)))
    mean = turns.mean(0)
    assert np.sqrt(spread_of(mean, nearest_rotation(mean))) == pytest.approx(0.2, rel=0.05)
    assert np.allclose(nearest_rotation(3.0 * about_z(np.array(0.4))), about_z(np.array(0.4)))


def test_the_nearest_rotation_is_that_of_the_singular_values() -> None:
    rng = np.random.default_rng(4)
    turns = rotvec_to_rotmat_np(rng.normal(0.0, 0.9, (500, 6, 3)))
    means = np.einsum("k,nkij->nij", rng.dirichlet(np.ones(6)), turns)
    means[0] = np.zeros((3, 3))
    means[1] = np.diag([1.0, 1.0, -0.2])
    u, _, vt = np.linalg.svd(means)
    u[..., :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    assert np.allclose(nearest_rotation(means)[1:], (u @ vt)[1:], atol=1e-6)
    found = nearest_rotation(means)
    assert np.allclose(found @ np.swapaxes(found, -1, -2), np.eye(3), atol=1e-6)
