"""What guides say of a segment: one Gaussian on every joint's rotation, mixed from several aligned guides.

    m_t = nearest rotation to  sum_g p_g sum_s p_g(s | t) R_g,s        sigma_t^2 = spread of the mixture + own error

p_g follows from how well each guide explains what was seen, flattened by a temperature (slots of a segment are far from
independent). The spread is large where guides disagree or the phase is unknown, so that then nothing is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .alignment import Alignment
from .guide import BODY
from .told_config import ToldConfig

Array = np.ndarray

_CLEAR_VOLUME = 0.02
"""Determinant of a mean matrix below which its rotations point everywhere."""
_NEWTON_STEPS = 6
"""From determinant 0.02 on, five bring it to a rotation to 1e-9."""


@dataclass(frozen=True)
class Told:
    """A segment as its guides tell it."""

    rotmats: Float[Array, "T 22 3 3"]
    """Relative to the parents; joint 0 relative to the direction of walking."""
    sigma_rad: Float[Array, "T 22"]
    """Standard deviation about each axis; inf where nothing is said."""
    shares: tuple[tuple[tuple[int, int], float], ...]
    """Guides by key, largest share first."""


def tell(alignments: Sequence[Alignment], person: int, config: ToldConfig) -> Told | None:
    """Mix the guides of a segment; None without any.

    Args:
        person: who is guided; their own segments have `own_bonus`.
    """
    if not alignments:
        return None
    worth = [a.evidence + (config.own_bonus if a.guide.key[0] == person else 0.0) for a in alignments]
    order = sorted(range(len(worth)), key=lambda k: (-worth[k], alignments[k].guide.key))[: config.guides]
    share = np.exp((np.array([worth[k] for k in order]) - worth[order[0]]) / config.temperature)
    share /= share.sum()
    slots = len(alignments[0].posterior)
    mean, walking = np.zeros((slots, BODY, 3, 3)), 0.0
    for p, k in zip(share, order, strict=True):
        guide = alignments[k].guide
        told = (alignments[k].posterior @ guide.rotmats.reshape(len(guide.rotmats), -1)).reshape(mean.shape)
        mean[:, 1:] += p * told[:, 1:]
        if guide.walks:
            mean[:, 0] += p * told[:, 0]
            walking += float(p)
    mean[:, 0] = mean[:, 0] / walking if walking > 0 else np.eye(3)
    rotmats = nearest_rotation(mean)
    sigma = np.sqrt(spread_of(mean, rotmats) + config.sigma_rad**2)
    if walking == 0:
        sigma[:, 0] = np.inf
    shares = tuple((alignments[k].guide.key, float(p)) for p, k in zip(share, order, strict=True))
    return Told(rotmats, sigma, shares)


def nearest_rotation(matrices: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3 3"]:
    """The rotation nearest to a matrix in the Frobenius norm.

    Newton's iteration for the polar factor (Higham 1986), X <- (X + X^-T) / 2, on matrices scaled to determinant 1: a
    mean of rotations is never far from one. Where it is not clearly a rotation, by singular values.
    """
    flat = np.asarray(matrices, np.float64).reshape(-1, 3, 3)
    volume = np.linalg.det(flat)
    clear = volume > _CLEAR_VOLUME
    x = np.where(clear[:, None, None], flat, np.eye(3))
    x = x / np.cbrt(np.where(clear, volume, 1.0))[:, None, None]
    for _ in range(_NEWTON_STEPS):
        cofactor = np.stack([np.cross(x[:, (k + 1) % 3], x[:, (k + 2) % 3]) for k in range(3)], axis=1)
        x = 0.5 * (x + cofactor / (x[:, 0] * cofactor[:, 0]).sum(-1)[:, None, None])
    if not clear.all():
        u, _, vt = np.linalg.svd(flat[~clear])
        u[..., :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
        x[~clear] = u @ vt
    return np.asarray(x.reshape(matrices.shape))


def spread_of(
    mean: Float[Array, "*batch 3 3"], nearest: Float[Array, "*batch 3 3"]
) -> Float[Array, "*batch"]:
    """Variance about each axis, rad^2, of rotations with such a mean matrix.

    For a small isotropic spread tr(R^T M) = 3 - 3 sigma^2, with R the rotation nearest to the mean M.
    """
    return np.asarray(np.maximum(1.0 - (mean * nearest).sum((-1, -2)) / 3.0, 0.0))
