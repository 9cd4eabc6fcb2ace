"""What simulated people wear: brightness and chroma of torso and legs, drawn from what real crowds wear.

Brightness l and chroma u = ln R/G, v = ln B/G are those of `kernels.perception.appearance`. Between people of PETS09
and of a hall (torso and legs): l 0.27 +- 0.25 and 0.45 +- 0.19, 0.50 +- 0.13 and 0.57 +- 0.09; chroma mostly near none,
with a few strong colours. One in six wears what others wear: all dark, or the house's uniform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Array = np.ndarray

HALVES = 2
"""Torso, legs."""
DARK_SHARE, UNIFORM_SHARE = 0.12, 0.05
_STREAM = 0xC107
_TORSO_BRIGHTNESS, _LEG_BRIGHTNESS = (0.38, 0.28), (0.46, 0.2)
"""Mean and standard deviation; cut to 0.02..0.95."""
_COLOURED = 0.45
"""Share of torsos in a strong colour."""
_UNREST_LOG_STD = 0.55
_DARK = np.array([[0.1, 0.02, 0.03], [0.22, 0.0, 0.08]])
_UNIFORM = np.array([[0.3, -0.1, 0.45], [0.2, 0.02, 0.06]])


@dataclass(frozen=True)
class Clothes:
    """What one person wears."""

    mean: Float[Array, "2 3"]
    """l, u, v of torso and legs."""
    spread: Float[Array, "2 3"]
    """Standard deviation from point to point: folds, prints, shade."""
    unrest: float
    """How many times more than others' their look changes as they turn and walk: an open jacket, a plain coat."""


def clothes_of(person: int, seed: int) -> Clothes:
    """The clothes of a person of a crowd; of nobody else's choosing."""
    rng = np.random.default_rng([_STREAM, seed, person])
    kind = rng.random()
    bright = np.clip([rng.normal(*_TORSO_BRIGHTNESS), rng.normal(*_LEG_BRIGHTNESS)], 0.02, 0.95)
    chroma = np.stack([rng.normal((0.02, 0.06), (0.04, 0.06)), rng.normal((-0.02, 0.1), (0.05, 0.09))])
    hue, strength = rng.uniform(0.0, 2.0 * np.pi), rng.gamma(3.0, 0.15)
    if rng.random() < _COLOURED:
        chroma[0] += strength * np.array([np.cos(hue), np.sin(hue)])
    mean = np.concatenate([bright[:, None], chroma], axis=1)
    small = rng.normal(0.0, (0.03, 0.015, 0.015), (HALVES, 3))
    if kind < DARK_SHARE:
        mean = _DARK + small
    elif kind < DARK_SHARE + UNIFORM_SHARE:
        mean = _UNIFORM + small
    texture = rng.uniform(0.06, 0.2, (HALVES, 1)) * np.array([1.0, 0.7, 0.6])
    return Clothes(mean, texture, float(np.exp(rng.normal(-0.1, _UNREST_LOG_STD))))
