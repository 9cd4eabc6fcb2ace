"""Laws of the fading-velocity Kalman filter: exact over any gap, equal to the textbook, honest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from crowdstream.kernels.tracking import plane_motion as pm


def _random_motion(rng: np.random.Generator, count: int) -> pm.Motion:
    root = rng.normal(size=(count, 4, 4))
    return pm.Motion(rng.normal(size=(count, 4)), root @ root.transpose(0, 2, 1) + 0.1 * np.eye(4))


@settings(max_examples=50, deadline=None)
@given(st.floats(0.001, 3.0), st.floats(0.001, 3.0), st.integers(0, 10**6))
def test_two_steps_are_one_long_step(dt_a: float, dt_b: float, seed: int) -> None:
    motion = _random_motion(np.random.default_rng(seed), 3)
    speed = np.array([0.3, 1.0, 40.0])
    twice = pm.predict(pm.predict(motion, dt_a, speed, 2.0), dt_b, speed, 2.0)
    once = pm.predict(motion, dt_a + dt_b, speed, 2.0)
    np.testing.assert_allclose(twice.state, once.state, atol=1e-9)
    np.testing.assert_allclose(twice.covariance, once.covariance, rtol=1e-7, atol=1e-9)


def test_prediction_is_the_matrix_exponential_of_the_process() -> None:
    """Van Loan's construction of F and Q from the continuous model, one axis."""
    tau, speed, dt = 1.7, 1.3, 0.4
    drift, noise = np.array([[0.0, 1.0], [0.0, -1.0 / tau]]), np.diag([0.0, 2.0 * speed**2 / tau])
    big = expm(np.block([[-drift, noise], [np.zeros((2, 2)), drift.T]]) * dt)
    f = big[2:, 2:].T
    q = f @ big[:2, 2:]
    motion = _random_motion(np.random.default_rng(1), 1)
    got = pm.predict(motion, dt, np.array([speed]), tau)
    axis = np.ix_([0, 2], [0, 2])
    np.testing.assert_allclose(got.state[0, [0, 2]], f @ motion.state[0, [0, 2]], rtol=1e-10)
    want = f @ motion.covariance[0][axis] @ f.T + q
    np.testing.assert_allclose(got.covariance[0][axis], want, rtol=1e-9)


def test_update_is_the_textbook_information_form() -> None:
    rng = np.random.default_rng(2)
    motion, noise = _random_motion(rng, 5), np.tile(np.array([[0.3, 0.1], [0.1, 0.2]]), (5, 1, 1))
    seen = rng.normal(size=(5, 2))
    got = pm.update(motion, seen, noise)
    h = np.eye(2, 4)
    for k in range(5):
        information = np.linalg.inv(motion.covariance[k]) + h.T @ np.linalg.inv(noise[k]) @ h
        covariance = np.linalg.inv(information)
        pull = np.linalg.inv(motion.covariance[k]) @ motion.state[k] + h.T @ np.linalg.inv(noise[k]) @ seen[k]
        np.testing.assert_allclose(got.covariance[k], covariance, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(got.state[k], covariance @ pull, rtol=1e-8, atol=1e-10)


def test_errors_of_the_filter_are_as_large_as_it_says() -> None:
    """Walks drawn from the model itself: mean normalised squared error of x, y is 2."""
    rng = np.random.default_rng(3)
    count, dt, tau, speed, sigma = 400, 0.1, 3.0, 1.2, 0.3
    truth = np.zeros((count, 4))
    truth[:, 2:] = rng.normal(scale=speed, size=(count, 2))
    noise = np.tile(sigma**2 * np.eye(2), (count, 1, 1))
    speeds = np.full(count, speed)
    motion = pm.start(truth[:, :2] + rng.normal(scale=sigma, size=(count, 2)), noise, speeds)
    still = pm.Motion(np.zeros((1, 4)), np.zeros((1, 4, 4)))
    root = np.linalg.cholesky(
        pm.predict(still, dt, np.ones(1) * speed, tau).covariance[0] + 1e-15 * np.eye(4)
    )
    for _ in range(30):
        truth = pm.predict(pm.Motion(truth, np.zeros((count, 4, 4))), dt, speeds, tau).state
        truth = truth + rng.normal(size=(count, 4)) @ root.T
        motion = pm.update(
            pm.predict(motion, dt, speeds, tau),
            truth[:, :2] + rng.normal(scale=sigma, size=(count, 2)), noise,
        )  # fmt: skip
    off = motion.position - truth[:, :2]
    score = np.einsum("ni,nij,nj->n", off, pm.inverse_2x2(motion.position_covariance), off)
    assert score.mean() == pytest.approx(2.0, abs=4.0 * 2.0 / np.sqrt(count))


def test_someone_unseen_comes_to_rest_after_memory_times_speed() -> None:
    motion = pm.Motion(np.array([[0.0, 0.0, 1.5, -1.0]]), np.eye(4)[None])
    far = pm.predict(motion, 1e3, np.ones(1), 2.0)
    np.testing.assert_allclose(far.state[0], [3.0, -2.0, 0.0, 0.0], atol=1e-9)


@given(st.integers(0, 10**6))
def test_closed_form_inverse_and_spread(seed: int) -> None:
    root = np.random.default_rng(seed).normal(size=(4, 2, 2))
    matrix = root @ root.transpose(0, 2, 1) + 0.05 * np.eye(2)
    np.testing.assert_allclose(pm.inverse_2x2(matrix) @ matrix, np.tile(np.eye(2), (4, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(pm.spread(matrix), np.sqrt(np.linalg.eigvalsh(matrix)[:, -1]), rtol=1e-9)
