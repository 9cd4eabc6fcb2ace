"""Laws of the motion over a gap: densities are densities, ends know their errors, bridges lead from end to end."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.tracking import gap_motion as gap
from crowdstream.kernels.tracking import plane_motion as pm

MODELS = (gap.GapModel(0.7, 0.3, 40.0), gap.GapModel(0.3, 1.0, 2.0))


def _state(
    x: float, y: float, vx: float, vy: float, sigma_m: float = 0.2, sigma_mps: float = 0.3
) -> pm.Motion:
    covariance = np.diag([sigma_m**2] * 2 + [sigma_mps**2] * 2)
    return pm.Motion(np.array([[x, y, vx, vy]]), covariance[None])


def test_a_gaussian_is_the_one_of_the_textbook() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 4, 4))
    covariance, off = root @ root.transpose(0, 2, 1) + 0.1 * np.eye(4), rng.normal(size=(5, 4))
    want = [
        -0.5 * o @ np.linalg.inv(c) @ o - 0.5 * np.log(np.linalg.det(2 * np.pi * c))
        for o, c in zip(off, covariance, strict=True)
    ]
    np.testing.assert_allclose(gap.gaussian(off, covariance), want, rtol=1e-9)


def test_the_density_of_the_later_end_sums_to_one() -> None:
    """Monte Carlo over place and velocity, drawn from a wide box."""
    rng = np.random.default_rng(1)
    end, half = _state(0.0, 0.0, 1.2, 0.0), np.array([6.0, 6.0, 4.0, 4.0])
    centre = np.array([2.4, 0.0, 0.6, 0.0])
    drawn = centre + rng.uniform(-half, half, size=(200_000, 4))
    later = pm.Motion(drawn, np.tile(0.05 * np.eye(4), (len(drawn), 1, 1)))
    many = pm.Motion(np.tile(end.state, (len(drawn), 1)), np.tile(end.covariance, (len(drawn), 1, 1)))
    density = np.exp(gap.log_density(many, later, np.full(len(drawn), 2.0), MODELS))
    assert density.mean() * np.prod(2 * half) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("model", MODELS)
def test_each_model_predicts_as_the_tracker_does(model: gap.GapModel) -> None:
    end, later = _state(1.0, 2.0, 0.7, -0.4), _state(3.0, 1.0, 0.5, -0.1)
    gone = pm.predict(end, 3.0, np.array([model.speed_sigma_mps]), model.memory_s)
    want = gap.gaussian(later.state - gone.state, gone.covariance + later.covariance)
    one = gap.GapModel(1.0, model.speed_sigma_mps, model.memory_s)
    np.testing.assert_allclose(gap.log_density(end, later, np.array([3.0]), (one,)), want, rtol=1e-10)


def test_the_longer_the_gap_the_less_it_says() -> None:
    """At the place that is expected the density falls with the gap; far from it, it rises."""
    end = _state(0.0, 0.0, 1.0, 0.0)
    gaps = np.array([1.0, 3.0, 9.0])
    ends = pm.Motion(np.tile(end.state, (3, 1)), np.tile(end.covariance, (3, 1, 1)))
    expected = [_state(g, 0.0, 1.0, 0.0) for g in gaps]
    at = pm.Motion(
        np.concatenate([m.state for m in expected]), np.concatenate([m.covariance for m in expected])
    )
    assert (np.diff(gap.log_density(ends, at, gaps, MODELS)) < 0).all()
    off = pm.Motion(at.state + np.array([0.0, 4.0, 0.0, 0.0]), at.covariance)
    assert (np.diff(gap.log_density(ends, off, gaps, MODELS)) > 0).all()


def test_filtered_backwards_a_walk_begins_as_it_ended_forwards() -> None:
    """Reversing time mirrors the velocity and nothing else."""
    rng = np.random.default_rng(2)
    t = np.arange(12) * 0.1
    place = np.stack([1.1 * t, 5.0 - 0.4 * t], axis=-1) + rng.normal(scale=0.05, size=(12, 2))
    covariance = np.tile(0.05**2 * np.eye(2), (12, 1, 1))
    forwards = gap.filter_end(t, place, covariance, 1.2, 20.0, 0.1)
    backwards = gap.filter_end(-t, place, covariance, 1.2, 20.0, 0.1)
    np.testing.assert_allclose(backwards.position, forwards.position, atol=1e-12)
    np.testing.assert_allclose(backwards.velocity, -forwards.velocity, atol=1e-12)
    assert forwards.velocity[0] == pytest.approx([1.1, -0.4], abs=0.25)


def test_filtered_ends_know_their_errors() -> None:
    """Mean squared error in units of the stated covariance is 4 for four honest numbers."""
    rng, t = np.random.default_rng(3), np.arange(15) * 0.1
    chi2 = []
    for _ in range(150):
        velocity = rng.normal(scale=1.0, size=2)
        true = velocity * t[:, None]
        seen = true + rng.normal(scale=0.1, size=true.shape)
        end = gap.filter_end(t, seen, np.tile(0.01 * np.eye(2), (len(t), 1, 1)), 1.0, 1e4, 0.0)
        off = end.state[0] - np.concatenate([true[-1], velocity])
        chi2.append(off @ np.linalg.solve(end.covariance[0], off))
    assert np.mean(chi2) == pytest.approx(4.0, abs=0.6)


def test_a_bridge_leads_from_the_one_end_to_the_other() -> None:
    end, begin = _state(0.0, 0.0, 1.0, 0.0, 0.01, 0.05), _state(3.0, 1.0, 0.8, 0.3, 0.01, 0.05)
    at = np.array([1e-3, 1.5, 3.0 - 1e-3])
    walk = gap.bridge(end, begin, 3.0, at, 1.0, 20.0)
    np.testing.assert_allclose(walk.position[[0, 2]], [[0.0, 0.0], [3.0, 1.0]], atol=0.02)
    spread = pm.spread(walk.position_covariance)
    assert spread[1] > 5 * max(spread[0], spread[2])
    assert (np.linalg.eigvalsh(walk.covariance) > 0).all()


def test_a_bridge_is_the_same_walk_seen_from_its_other_end() -> None:
    end, begin = _state(0.0, 0.0, 1.0, 0.2), _state(3.0, 1.0, 0.8, 0.3)
    turn = np.array([1.0, 1.0, -1.0, -1.0])
    at = np.array([0.4, 1.0, 2.2])
    one = gap.bridge(end, begin, 3.0, at, 0.9, 10.0)
    other = gap.bridge(
        pm.Motion(begin.state * turn, begin.covariance), pm.Motion(end.state * turn, end.covariance),
        3.0, 3.0 - at, 0.9, 10.0,
    )  # fmt: skip
    np.testing.assert_allclose(other.position, one.position, atol=1e-9)
    np.testing.assert_allclose(other.velocity, -one.velocity, atol=1e-9)


def test_who_stayed_with_a_companion_is_expected_where_they_went() -> None:
    """The companion turned off; a walk straight on is now the less likely one."""
    end = _state(0.0, 0.0, 1.2, 0.0)
    companion = gap.Companion(np.array([2.0, 4.0]), np.array([0.0, 1.2]))
    along, straight = _state(2.1, 4.1, 0.0, 1.1), _state(4.8, 0.0, 1.2, 0.0)
    density = [
        gap.companion_log_density(end, later, 4.0, [companion], 0.35, 0.2) for later in (along, straight)
    ]
    assert density[0] > density[1] + 10
    assert density[0] > float(gap.log_density(end, along, np.array([4.0]), MODELS)[0])
