"""Focal length, normal and height together, with what really scatters: lean, stature, stride and pixels.

A rod's top, given its bottom, is modelled as (camera axes, lengths in rods)

    X_t = rho g + (1 + s_p + e) N + d_1 E_1 + d_2 E_2,     q = project(X_t)

s_p the person's own stature ~ N(0, sigma_s), e what a stride changes, d_1 and d_2 the lean along and across,
plus pixel noise. Linearised, the residual top - q has the 2x2 covariance  C = B diag(sigma^2) B^T + sigma_px^2 I,
with B = dq/d(e, d_1, d_2): a lean towards a steep camera looks like a short person, and is believed less there.
Gauss-Newton over (log f, two tilts of N, log rho), the statures eliminated by their Schur complement, and
Student-t weights for the rods that are none. A person who walks from far to near tells the focal length
whatever their stature: that is why rods carry identities. O(N) an iteration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from .uprights import Uprights

Array = np.ndarray


@dataclass(frozen=True)
class RodNoise:
    """One sigma each."""

    lean_rad: float = 0.05
    """2.9 degrees, walkers' shoulders over the middle of their feet."""
    stature: float = 0.045
    """Between adults / mean (6.5 % between sexes and within them, about 4.5 % within a crowd)."""
    stride: float = 0.03
    """Of the rod's length while walking."""
    pixel_share: float = 0.015
    """Of a keypoint pair's middle / rod length."""
    pixel_fixed: float = 0.4
    """Pixels."""
    student_dof: float = 4.0
    """Of the weights (dof + 2) / (dof + chi2): heavy enough tails for people who stoop or sit."""
    crowding: float = 0.15
    """Correlation of errors of neighbours on the image: a hundred rods of one place count as some seven."""


@dataclass(frozen=True)
class Geometry:
    """A camera over a plane, up to scale."""

    focal_px: float
    normal_cam: Float[Array, "3"]
    """Up, camera axes."""
    rho: float
    """Camera height over the ankles' plane / mean rod length."""


_FOCAL_PRIOR = (1.0, 0.35)
"""Focal length / longer side of the picture, and the sigma of its logarithm: fields of view of 28 to 91 degrees
within two sigma. Worth little against a hundred rods (a tele lens of 15 degrees is moved by 3 %), and all that
keeps the first ten people of a nearly level camera from being anything."""

_STEPS = 30
_TOLERANCE = 1e-5  # of a relative parameter
_DAMPING = 1e-3  # focal and tilt are nearly one direction for a level camera
_LARGEST = 0.2  # of a step: 20 % of the focal length, 11 degrees of tilt; the weights must follow


def refine(
    rods: Uprights,
    weights: Float[Array, "N"],
    start: Geometry,
    size_px: tuple[int, int],
    noise: RodNoise | None = None,
    fixed_focal: bool = False,
) -> Geometry:
    """Most likely geometry near `start`; `weights` (0..1) say how much each rod counts."""
    noise = noise or RodNoise()
    centre = 0.5 * (np.array(size_px, np.float64) - 1.0)
    top, bottom = rods.top_px - centre, rods.bottom_px - centre
    sigma_px = noise.pixel_fixed + noise.pixel_share * rods.length_px
    _, who = np.unique(_identities(rods.person), return_inverse=True)
    now = start
    for _ in range(_STEPS):
        H, b = _normal_equations(top, bottom, sigma_px, who, weights, now, noise)
        share, spread = _FOCAL_PRIOR
        H[0, 0] += spread**-2
        b[0] -= np.log(now.focal_px / (share * max(size_px))) * spread**-2
        if fixed_focal:
            H[0, :], H[:, 0], b[0] = 0.0, 0.0, 0.0
            H[0, 0] = 1.0
        x = np.linalg.solve(H + _DAMPING * np.diag(np.diag(H)), b)
        now = _step(now, np.clip(x, -_LARGEST, _LARGEST))
        if np.abs(x).max() < _TOLERANCE:
            break
    return now


def _step(geometry: Geometry, x: Float[Array, "4"]) -> Geometry:
    e1, e2 = tangents(geometry.normal_cam)
    n = geometry.normal_cam + x[1] * e1 + x[2] * e2
    return Geometry(
        geometry.focal_px * float(np.exp(x[0])),
        np.asarray(n / np.linalg.norm(n)),
        geometry.rho * float(np.exp(x[3])),
    )


def tangents(normal: Float[Array, "3"]) -> tuple[Float[Array, "3"], Float[Array, "3"]]:
    """Two unit vectors across `normal`: the first nearest to the optical axis, the second to its side."""
    ahead = np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.99 else np.array([0.0, -1.0, 0.0])
    e1 = ahead - (ahead @ normal) * normal
    e1 /= np.linalg.norm(e1)
    return e1, np.cross(normal, e1)


def _identities(person: Int[Array, "N"]) -> Int[Array, "N"]:
    """Unknown people get identities of their own."""
    return np.where(person >= 0, person, -1 - np.arange(len(person)))


def _normal_equations(
    top: Float[Array, "N 2"],
    bottom: Float[Array, "N 2"],
    sigma_px: Float[Array, "N"],
    who: Int[Array, "N"],
    weights: Float[Array, "N"],
    at: Geometry,
    noise: RodNoise,
) -> tuple[Float[Array, "4 4"], Float[Array, "4"]]:
    """Hessian and right side of the four parameters with statures eliminated."""
    f, normal = at.focal_px, at.normal_cam
    e1, e2 = tangents(normal)
    r_b = np.concatenate([bottom / f, np.ones((len(bottom), 1))], axis=1)
    slope = np.minimum(r_b @ normal, -1e-5)[:, None]
    g = -r_b / slope
    point = at.rho * g + normal
    depth = np.maximum(point[:, 2:], 1e-6)
    q = f * point[:, :2] / depth

    # how the top moves in space with log f, the two tilts, log rho; then with stature and lean
    r_f = np.concatenate([-bottom / f, np.zeros((len(bottom), 1))], axis=1)
    by_focal = at.rho * (-r_f / slope - g * (r_f @ normal)[:, None] / slope)
    tilts = [e - at.rho * g * (r_b @ e)[:, None] / slope for e in (e1, e2)]
    unit = np.ones_like(point)
    moves = np.stack([by_focal, *tilts, at.rho * g, normal * unit, e1 * unit, e2 * unit])
    dq = (f * moves[..., :2] - q * moves[..., 2:]) / depth
    dq[0] += q
    stature = dq[4]
    spread = dq[4:] * np.array([noise.stride, noise.lean_rad, noise.lean_rad])[:, None, None]
    C = np.einsum("kni,knj->nij", spread, spread) + (sigma_px**2)[:, None, None] * np.eye(2)
    white = _whitened(C, np.concatenate([dq[:4], stature[None], (top - q)[None]]))
    J, u, residual = white[:4], white[4], white[5]

    along, push = np.einsum("ni,ni->n", u, u), np.einsum("ni,ni->n", u, residual)
    s = np.zeros(int(who.max()) + 1)
    weight = weights
    for _ in range(3):  # statures and weights settle together
        chi2 = np.sum((residual - s[who, None] * u) ** 2, axis=1)
        weight = weights * (noise.student_dof + 2.0) / (noise.student_dof + chi2)
        h_s = np.bincount(who, weight * along) + noise.stature**-2
        s = np.bincount(who, weight * push) / h_s
    flat = J.reshape(4, -1)
    weighted = flat * np.repeat(weight, 2)
    cross = np.stack([np.bincount(who, weight * np.sum(each * u, axis=1)) for each in J])
    H = weighted @ flat.T - (cross / h_s) @ cross.T
    return H, weighted @ residual.ravel() - cross @ s


def _whitened(C: Float[Array, "N 2 2"], v: Float[Array, "K N 2"]) -> Float[Array, "K N 2"]:
    """L^-1 v with C = L L^T, in closed form."""
    l11 = np.sqrt(C[:, 0, 0])
    l21 = C[:, 1, 0] / l11
    l22 = np.sqrt(C[:, 1, 1] - l21**2)
    first = v[..., 0] / l11
    return np.stack([first, (v[..., 1] - l21 * first) / l22], axis=-1)
