"""Joint errors of matched person-frames: MPJPE and its aligned and un-aligned kin.

    e = mean_j | A(x_j) - y_j |,   x predicted, y true, over a set of joints

| function            | A, fitted per person-frame                    | names                              |
|---------------------|-----------------------------------------------|------------------------------------|
| `world_errors`      | nothing                                       | MPJPE-WORLD; GMPJPE (same rigid camera) |
| `pelvis_errors`     | both pelvises to the origin                   | MPJPE; T-MPJPE over all 24 joints  |
| `rigid_errors`      | rotation and translation                      | RT-MPJPE                           |
| `similarity_errors` | rotation, translation and scale, no reflection| PA-MPJPE                           |

All take SMPL-24 joints in metres and give millimetres per person-frame. O(M J), in blocks of bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from .alignment import fit_similarity
from .joint_sets import PELVIS, SMPL_24

Array = np.ndarray

MM_PER_M = 1e3
_BLOCK = 8192
"""Person-frames worked on at once: 14 MB of joints."""


def world_errors(
    predicted_m: Float[Array, "M 24 3"], true_m: Float[Array, "M 24 3"], joints: Int[Array, "J"] = SMPL_24
) -> Float[Array, "M"]:
    """Mean distance of the joints as they stand, mm.

    >>> x = np.zeros((1, 24, 3))
    >>> float(world_errors(x + np.array([0.0, 0.1, 0.0]), x).round(6)[0])
    100.0
    """
    return _in_blocks(lambda x, y: x, predicted_m, true_m, joints)


def pelvis_errors(
    predicted_m: Float[Array, "M 24 3"], true_m: Float[Array, "M 24 3"], joints: Int[Array, "J"] = SMPL_24
) -> Float[Array, "M"]:
    """MPJPE: mean distance after the pelvises are put together, mm.

    >>> x = np.zeros((1, 24, 3)); moved = x + 3.0; moved[0, 10] += np.array([0.24, 0.0, 0.0])
    >>> float(pelvis_errors(moved, x).round(6)[0])  # 240 mm of one joint in 24
    10.0
    """

    def to_pelvis(x: Float[Array, "B 24 3"], y: Float[Array, "B 24 3"]) -> Float[Array, "B 24 3"]:
        return np.asarray(x - x[:, PELVIS, None] + y[:, PELVIS, None])

    return _in_blocks(to_pelvis, predicted_m, true_m, joints)


def rigid_errors(
    predicted_m: Float[Array, "M 24 3"], true_m: Float[Array, "M 24 3"], joints: Int[Array, "J"] = SMPL_24
) -> Float[Array, "M"]:
    """RT-MPJPE: mean distance after the best rotation and translation of the set, mm.

    >>> x = np.zeros((1, 24, 3)); x[0, :12, 0], x[0, 12:, 0] = -1.0, 1.0
    >>> turned = x[..., [1, 0, 2]] * np.array([1.0, -1.0, 1.0]) + 7.0
    >>> float(rigid_errors(turned, x).round(6)[0]), float(rigid_errors(1.1 * turned, x).round(6)[0])
    (0.0, 100.0)
    """
    return _fitted_errors(predicted_m, true_m, joints, scaled=False)


def similarity_errors(
    predicted_m: Float[Array, "M 24 3"], true_m: Float[Array, "M 24 3"], joints: Int[Array, "J"] = SMPL_24
) -> Float[Array, "M"]:
    """PA-MPJPE: mean distance after the best similarity of the set, mm.

    >>> x = np.zeros((1, 24, 3)); x[0, :12, 0], x[0, 12:, 0] = -1.0, 1.0
    >>> float(similarity_errors(1.1 * x + 7.0, x).round(6)[0])
    0.0
    """
    return _fitted_errors(predicted_m, true_m, joints, scaled=True)


def _fitted_errors(
    predicted_m: Float[Array, "M 24 3"],
    true_m: Float[Array, "M 24 3"],
    joints: Int[Array, "J"],
    scaled: bool,
) -> Float[Array, "M"]:
    """The fit sees the joints of the set only, as the public evaluators do."""

    def fitted(x: Float[Array, "B 24 3"], y: Float[Array, "B 24 3"]) -> Float[Array, "B 24 3"]:
        return fit_similarity(x[:, joints], y[:, joints], scaled).apply(x)

    return _in_blocks(fitted, predicted_m, true_m, joints)


def _in_blocks(
    align: Callable[[Array, Array], Array],
    predicted_m: Float[Array, "M 24 3"],
    true_m: Float[Array, "M 24 3"],
    joints: Int[Array, "J"],
) -> Float[Array, "M"]:
    out = np.zeros(len(true_m))
    for start in range(0, len(out), _BLOCK):
        block = slice(start, start + _BLOCK)
        x, y = np.asarray(predicted_m[block], np.float64), np.asarray(true_m[block], np.float64)
        off = (align(x, y) - y)[:, joints]
        out[block] = MM_PER_M * np.sqrt(np.einsum("bjc,bjc->bj", off, off)).mean(axis=1)
    return out
