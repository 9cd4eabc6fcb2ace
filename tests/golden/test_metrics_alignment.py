"""Alignment against scipy: `Rotation.align_vectors` and `spatial.procrustes`, on sets of every shape."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from crowdstream.kernels.metrics.alignment import fit_similarity


@pytest.mark.parametrize("seed", range(8))
def test_rotation_is_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 9, 3)) + rng.normal(size=(2, 1, 3)) * 10
    fit = fit_similarity(x, y, scaled=False)
    theirs, rssd = Rotation.align_vectors(y - y.mean(0), x - x.mean(0))
    np.testing.assert_allclose(fit.rotmat, theirs.as_matrix(), atol=1e-9)
    assert np.linalg.norm(fit.apply(x) - y) == pytest.approx(rssd)


@pytest.mark.parametrize("seed", range(8))
def test_residual_of_a_similarity_is_scipys(seed: int) -> None:
    """`procrustes` allows mirror images and normalises both sets: compared where the best fit is no mirror image."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(9, 3)) * 3 + 5
    x = 0.4 * (y + rng.normal(0, 0.3, y.shape)) @ Rotation.random(rng=rng).as_matrix().T - 20
    _, _, disparity = procrustes(y, x)
    fit = fit_similarity(x, y)
    ours = ((fit.apply(x) - y) ** 2).sum() / ((y - y.mean(0)) ** 2).sum()
    assert ours == pytest.approx(disparity)
    assert np.linalg.det(fit.rotmat) == pytest.approx(1.0)


def test_batches_are_their_elements() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 4, 5, 7, 3))
    fit = fit_similarity(x, y)
    for i in range(4):
        for j in range(5):
            one = fit_similarity(x[i, j], y[i, j])
            np.testing.assert_allclose(fit.apply(x)[i, j], one.apply(x[i, j]), atol=1e-12)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_points_lines_and_planes_are_fitted_exactly(rank: int) -> None:
    rng = np.random.default_rng(rank)
    x = (rng.normal(size=(6, rank)) @ rng.normal(size=(rank, 3))) + 4.0
    y = 2.5 * x @ Rotation.random(rng=rng).as_matrix().T + 1.0
    fit = fit_similarity(x, y)
    np.testing.assert_allclose(fit.apply(x), y, atol=1e-9)
    assert fit.scale == pytest.approx(2.5 if rank else 0.0)
    assert np.linalg.det(fit.rotmat) == pytest.approx(1.0)


def test_far_from_the_origin_is_as_exact() -> None:
    """Crowds lie hundreds of metres from the world's origin; float64 leaves nanometres."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(24, 3)) + 1000.0
    y = 1.3 * x @ Rotation.random(rng=rng).as_matrix().T
    np.testing.assert_allclose(fit_similarity(x, y).apply(x), y, atol=1e-8)
