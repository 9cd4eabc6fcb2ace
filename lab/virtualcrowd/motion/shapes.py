"""Bodies of given stature: shape coefficients of the shipped body.

Coefficients 1..9 are drawn, coefficient 0 (7.5 cm of stature a unit, linear) is solved so that the rest pose is as
tall as asked for. Children lie far along it on purpose (0.95 m: -10): legs shorten more than the trunk and the head
half as much; the head, belly and hip directions make up some of what is missing of a child's proportions. At 0.95 m
head and neck are a fifth of the body and the legs 45 %, as children of three or four have them. Below about 0.9 m the
body is a child in size only; nothing in the directions is a toddler's.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ....kernels.body.data import NUM_BETAS, BodyData

Array = np.ndarray

SPREAD = np.array([0.0, 0.9, 0.7, 0.8, 0.6, 0.7, 0.6, 0.7, 0.8, 0.6])
LIMIT = 2.0
CHILD_M = 1.45
"""Statures below are children's."""
_BELLY, _HEAD, _HIPS = 5, 6, 8


def betas_of_stature(stature_m: float, rng: np.random.Generator, body: BodyData) -> Float[Array, "10"]:
    """A body of that height, otherwise drawn at random.

    Args:
        stature_m: sole to top of the head, metres.
        rng: of this person.
        body: with directions as in `kernels/weights/body.md`.
    """
    betas = np.clip(rng.normal(0.0, 1.0, NUM_BETAS), -LIMIT, LIMIT) * SPREAD
    young = float(np.clip((CHILD_M + 0.10 - stature_m) / 0.60, 0.0, 1.0))
    betas *= 1.0 - 0.6 * young
    betas[_HEAD] += 1.2 * young
    betas[_BELLY] += 0.6 * young
    betas[_HIPS] -= 0.8 * young
    betas[0] = 0.0
    for _ in range(3):  # one step but for the vertex that is the highest
        step = np.zeros(NUM_BETAS)
        step[0] = 1.0
        slope = body.stature_m(betas + step) - body.stature_m(betas)
        betas[0] += (stature_m - body.stature_m(betas)) / slope
    return np.asarray(betas)
