"""The banded path smoother against plain dense algebra, and what a walker's path must obey."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.tracking.smooth_path import smooth_paths

DT = 1 / 30


def measured(n: int = 3, t: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(n, t, 2, 2))
    information = np.einsum("ntij,ntkj->ntik", half, half) * 20 + 5 * np.eye(2)
    information[rng.random((n, t)) < 0.4] = 0.0
    information[:, 3] = np.eye(2)
    return rng.normal(size=(n, t, 2)) * 3, information


def dense(z: np.ndarray, information: np.ndarray, accel: float, speed: float) -> np.ndarray:
    """The minimum of the module's head by a full matrix, one person, weights one."""
    t = len(z)
    rows, right = [], []
    for k in range(t):
        root = np.linalg.cholesky(information[k] + 1e-15 * np.eye(2)).T
        block = np.zeros((2, 2 * t))
        block[:, 2 * k : 2 * k + 2] = root
        rows.append(block)
        right.append(root @ z[k])
    for order, sigma in ((2, accel * DT * DT), (1, speed * DT * np.sqrt(t - 1))):
        rows.append(np.kron(np.diff(np.eye(t), n=order, axis=0), np.eye(2)) / sigma)
        right.append(np.zeros(2 * (t - order)))
    return np.linalg.lstsq(np.concatenate(rows), np.concatenate(right), rcond=None)[0].reshape(t, 2)


def test_equals_the_dense_solution() -> None:
    z, information = measured()
    got = smooth_paths(z, information, DT, 1.2, 1.5, nu=np.inf)
    for person in range(len(z)):
        np.testing.assert_allclose(got[person], dense(z[person], information[person], 1.2, 1.5), atol=1e-5)


def test_a_steady_walk_is_kept_and_its_gap_bridged() -> None:
    walk = np.array([1.0, -2.0]) + np.arange(64)[:, None] * DT * np.array([1.2, 0.4])
    information = np.tile(np.eye(2) * 100.0, (1, 64, 1, 1))
    information[:, 20:45] = 0.0
    got = smooth_paths(np.where(information[..., 0, :1] > 0, walk, np.nan), information, DT, 1.0)
    assert np.abs(got[0] - walk).max() < 0.02


def test_one_wrong_position_pulls_little() -> None:
    z = np.zeros((1, 64, 2))
    z[0, 30] = (5.0, 0.0)
    information = np.tile(np.eye(2) * 100.0, (1, 64, 1, 1))
    robust = smooth_paths(z, information, DT, 1.0)
    plain = smooth_paths(z, information, DT, 1.0, nu=np.inf)
    assert np.abs(robust).max() < 0.02 < 0.1 < np.abs(plain).max()


def test_people_do_not_touch_one_another_and_may_be_moved_and_turned() -> None:
    z, information = measured(n=4)
    together = smooth_paths(z, information, DT, 1.0)
    for person in range(4):
        alone = smooth_paths(z[person : person + 1], information[person : person + 1], DT, 1.0)
        np.testing.assert_allclose(alone[0], together[person], atol=1e-9)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    turned = smooth_paths(z @ turn.T + 50.0, turn @ information @ turn.T, DT, 1.0)
    np.testing.assert_allclose(turned, together @ turn.T + 50.0, atol=1e-6)


@pytest.mark.parametrize("t", [0, 1, 2, 3])
def test_short_and_unseen_paths_have_an_answer(t: int) -> None:
    z = np.ones((2, t, 2))
    information = np.zeros((2, t, 2, 2))
    information[0, :1] = np.eye(2)
    got = smooth_paths(z, information, DT, 1.0)
    assert got.shape == (2, t, 2) and np.isfinite(got).all()
    np.testing.assert_allclose(got[0], 1.0, atol=1e-6)
