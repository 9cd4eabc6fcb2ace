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
from pydantic import Field

from ..settings import StageConfig
from .alignment import Alignment
from .guide import BODY

Array = np.ndarray


class ToldConfig(StageConfig):
    """How guides are mixed."""

    guides: int = Field(default=8, ge=1, le=64)
    """Best ones that are mixed."""
    temperature: float = Field(default=20.0, gt=0)
    """Log evidence by which one guide must be better to count e times as much."""
    own_bonus: float = Field(default=20.0, ge=0)
    """Log evidence that a segment of the same person has ahead: the paper's in-sequence case first."""
    sigma_rad: float = Field(default=0.16, gt=0)
    """Error of a guide's rotation about each axis even when all agree: people differ, and guides are estimates."""


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
    sigma = np.sqrt(spread_of(mean) + config.sigma_rad**2)
    if walking == 0:
        sigma[:, 0] = np.inf
    shares = tuple((alignments[k].guide.key, float(p)) for p, k in zip(share, order, strict=True))
    return Told(rotmats, sigma, shares)


def nearest_rotation(matrices: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3 3"]:
    """The rotation nearest to a matrix in the Frobenius norm (polar decomposition)."""
    u, _, vt = np.linalg.svd(matrices)
    flip = np.sign(np.linalg.det(u @ vt))
    u[..., :, 2] *= flip[..., None]
    return np.asarray(u @ vt)


def spread_of(mean: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch"]:
    """Variance about each axis, rad^2, of rotations with such a mean matrix.

    For a small isotropic spread tr(mean R^T) = 3 - 3 sigma^2, with R the nearest rotation: its singular values' sum.
    """
    total = np.linalg.svd(mean, compute_uv=False).sum(-1)
    return np.asarray(np.maximum(1.0 - total / 3.0, 0.0))
