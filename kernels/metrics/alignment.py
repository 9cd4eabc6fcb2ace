"""Best similarity or rigid motion between two point sets (Umeyama 1991; Procrustes), batched.

    min over s, R, t of  sum_p w_p | y_p - s R x_p - t |^2,   det R = +1
    H = X^T W Y = U S V^T,  Z = diag(1, 1, det(U V)),  R = V Z U^T,  s = tr(S Z) / sum w |x|^2

with X, Y about their weighted means. The rotation does not depend on s, so a rigid fit only sets s = 1.
Degenerate sets (one point, a line) have many best rotations; any of them gives the same residual. O(B P).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Array = np.ndarray

_SAME_POINT = 1e-12
"""Relative rounding of points that are equal."""


@dataclass(frozen=True)
class Similarity:
    """y = s R x + t, one a batch element. A rigid motion has s = 1."""

    scale: Float[Array, "*batch"]
    rotmat: Float[Array, "*batch 3 3"]
    shift_m: Float[Array, "*batch 3"]

    def apply(self, points_m: Float[Array, "*batch P 3"]) -> Float[Array, "*batch P 3"]:
        """The points moved.

        >>> turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> Similarity(np.array(2.0), turn, np.array([0.0, 0.0, 5.0])).apply(np.array([[1.0, 0.0, 0.0]])).tolist()
        [[0.0, 2.0, 5.0]]
        """
        turned = np.asarray(points_m, np.float64) @ np.swapaxes(self.rotmat, -1, -2)
        return np.asarray(self.scale[..., None, None] * turned + self.shift_m[..., None, :])


def fit_similarity(
    source_m: Float[Array, "*batch P 3"], target_m: Float[Array, "*batch P 3"], scaled: bool = True
) -> Similarity:
    """The similarity that brings `source_m` nearest to `target_m`; no reflection.

    Args:
        scaled: False for a rigid motion.

    Source points that all coincide have no scale: it is 0 then, so that they come to lie on the target's mean.

    >>> x = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> fit = fit_similarity(x, 3.0 * x + 1.0)
    >>> float(round(fit.scale[()], 9)), np.abs(fit.apply(x) - (3.0 * x + 1.0)).max() < 1e-12
    (3.0, np.True_)
    >>> float(fit_similarity(x, 3.0 * x + 1.0, scaled=False).scale[()])
    1.0
    """
    source, target = np.asarray(source_m, np.float64), np.asarray(target_m, np.float64)
    mean_x, mean_y = source.mean(axis=-2), target.mean(axis=-2)
    x, y = source - mean_x[..., None, :], target - mean_y[..., None, :]
    covariance = np.swapaxes(x, -1, -2) @ y
    return fit_moments(covariance, np.asarray((x * x).sum(axis=(-2, -1))), mean_x, mean_y, scaled)


def fit_moments(
    covariance: Float[Array, "*batch 3 3"],
    spread: Float[Array, "*batch"],
    mean_source_m: Float[Array, "*batch 3"],
    mean_target_m: Float[Array, "*batch 3"],
    scaled: bool = True,
) -> Similarity:
    """`fit_similarity` from H = X^T W Y, sum w |x|^2 and the two weighted means.

    >>> fit = fit_moments(np.diag([4.0, 2.0, 0.0]), np.array(3.0), np.zeros(3), np.ones(3))
    >>> float(fit.scale[()]), fit.rotmat.round(9).tolist() == np.eye(3).tolist(), fit.shift_m.tolist()
    (2.0, True, [1.0, 1.0, 1.0])
    """
    u, s, vt = np.linalg.svd(covariance)
    sign = np.ones_like(s)
    sign[..., 2] = np.where(_determinant(u) * _determinant(vt) < 0, -1.0, 1.0)
    rotmat = np.swapaxes((u * sign[..., None, :]) @ vt, -1, -2)
    if scaled:
        flat = spread <= (_SAME_POINT * (1.0 + np.abs(mean_source_m).max(axis=-1))) ** 2
        scale = np.where(flat, 0.0, (s * sign).sum(axis=-1) / np.where(flat, 1.0, spread))
    else:
        scale = np.ones(s.shape[:-1])
    shift = mean_target_m - scale[..., None] * (rotmat @ mean_source_m[..., None])[..., 0]
    return Similarity(np.asarray(scale), rotmat, shift)


def _determinant(matrix: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch"]:
    """Of 3 x 3 matrices: much faster than the general one."""
    a, b, c = matrix[..., 0, :], matrix[..., 1, :], matrix[..., 2, :]
    return np.asarray((a * np.cross(b, c)).sum(axis=-1))
