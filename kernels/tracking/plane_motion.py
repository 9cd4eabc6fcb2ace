"""Motion of many points on a plane: Kalman filters with a velocity that fades, one batch for all.

Per axis the velocity is an Ornstein-Uhlenbeck process and the position its integral,

    dp = v dt,    dv = -v / tau dt + sqrt(q) dW,    q = 2 s^2 / tau

with s the standing deviation of the velocity and tau its memory. Over any gap dt, with a = exp(-dt / tau):

    F   = [[1, tau (1 - a)], [0, a]]
    Qpp = q tau^2 (dt - 2 tau (1 - a) + tau / 2 (1 - a^2))
    Qpv = q tau^2 / 2 (1 - a)^2,    Qvv = q tau / 2 (1 - a^2)

This is exact, so two steps are one long step whatever the frame rate; for dt << tau it is the constant
velocity model, and someone unseen for long comes to rest instead of walking on for ever.
The unit is free: metres on the ground, pixels of a foot point, logarithms of a box size.
O(M) for M points; not differentiable code (numpy float64).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Array = np.ndarray


@dataclass(frozen=True)
class Motion:
    """Gaussian states of M points. NaN rows stand for points that are not placed."""

    state: Float[Array, "M 4"]
    """x, y, vx, vy."""
    covariance: Float[Array, "M 4 4"]

    @property
    def position(self) -> Float[Array, "M 2"]:
        return self.state[:, :2]

    @property
    def velocity(self) -> Float[Array, "M 2"]:
        return self.state[:, 2:]

    @property
    def position_covariance(self) -> Float[Array, "M 2 2"]:
        return self.covariance[:, :2, :2]

    def take(self, rows: Int[Array, "R"] | Bool[Array, "M"]) -> Motion:
        return Motion(self.state[rows], self.covariance[rows])

    def put(self, rows: Int[Array, "R"], other: Motion) -> Motion:
        """A copy with some rows replaced."""
        state, covariance = self.state.copy(), self.covariance.copy()
        state[rows], covariance[rows] = other.state, other.covariance
        return Motion(state, covariance)

    def joined(self, other: Motion) -> Motion:
        return Motion(
            np.concatenate([self.state, other.state]), np.concatenate([self.covariance, other.covariance])
        )

    @staticmethod
    def unplaced(count: int) -> Motion:
        return Motion(np.full((count, 4), np.nan), np.full((count, 4, 4), np.nan))


def start(
    position: Float[Array, "M 2"],
    position_covariance: Float[Array, "M 2 2"],
    speed_sigma: Float[Array, "M"],
) -> Motion:
    """Points first seen now: at their measurement, velocity zero give or take `speed_sigma`."""
    m = len(position)
    state = np.concatenate([position, np.zeros((m, 2))], axis=1)
    covariance = np.zeros((m, 4, 4))
    covariance[:, :2, :2] = position_covariance
    covariance[:, 2, 2] = covariance[:, 3, 3] = speed_sigma**2
    return Motion(state, covariance)


def predict(motion: Motion, dt_s: float, speed_sigma: Float[Array, "M"], memory_s: float) -> Motion:
    """The states `dt_s` later.

    Args:
        speed_sigma: standing deviation of the velocity, unit/s, per point.
        memory_s: tau.
    """
    if dt_s <= 0.0:
        return motion
    a = np.exp(-dt_s / memory_s)
    reach = memory_s * (1.0 - a)
    q = 2.0 * speed_sigma**2 / memory_s
    f = np.eye(4)
    f[0, 2] = f[1, 3] = reach
    f[2, 2] = f[3, 3] = a
    covariance = f @ motion.covariance @ f.T
    q_pp = q * memory_s**2 * (dt_s - 2.0 * reach + 0.5 * memory_s * (1.0 - a * a))
    q_pv = 0.5 * q * reach**2
    q_vv = 0.5 * q * memory_s * (1.0 - a * a)
    for p, v in ((0, 2), (1, 3)):
        covariance[:, p, p] += q_pp
        covariance[:, p, v] += q_pv
        covariance[:, v, p] += q_pv
        covariance[:, v, v] += q_vv
    return Motion(motion.state @ f.T, covariance)


def update(
    motion: Motion, measured: Float[Array, "M 2"], measured_covariance: Float[Array, "M 2 2"]
) -> Motion:
    """The states after a position measurement each (Joseph form: stays symmetric and positive)."""
    s = motion.position_covariance + measured_covariance
    gain = motion.covariance[:, :, :2] @ inverse_2x2(s)
    state = motion.state + np.einsum("mik,mk->mi", gain, measured - motion.position)
    keep = np.tile(np.eye(4), (len(state), 1, 1))
    keep[:, :, :2] -= gain
    covariance = keep @ motion.covariance @ keep.transpose(0, 2, 1)
    covariance += gain @ measured_covariance @ gain.transpose(0, 2, 1)
    return Motion(state, 0.5 * (covariance + covariance.transpose(0, 2, 1)))


def inverse_2x2(matrix: Float[Array, "M 2 2"]) -> Float[Array, "M 2 2"]:
    """Inverses of 2x2 matrices in closed form (ten times cheaper than LAPACK on small ones)."""
    out = np.empty_like(matrix)
    out[:, 0, 0], out[:, 1, 1] = matrix[:, 1, 1], matrix[:, 0, 0]
    out[:, 0, 1], out[:, 1, 0] = -matrix[:, 0, 1], -matrix[:, 1, 0]
    return np.asarray(out / determinant_2x2(matrix)[:, None, None])


def determinant_2x2(matrix: Float[Array, "M 2 2"]) -> Float[Array, "M"]:
    return np.asarray(matrix[:, 0, 0] * matrix[:, 1, 1] - matrix[:, 0, 1] * matrix[:, 1, 0])


def spread(matrix: Float[Array, "M 2 2"]) -> Float[Array, "M"]:
    """Square root of the larger eigenvalue: the half axis of the one-sigma ellipse."""
    half = 0.5 * (matrix[:, 0, 0] + matrix[:, 1, 1])
    gap = np.sqrt((0.5 * (matrix[:, 0, 0] - matrix[:, 1, 1])) ** 2 + matrix[:, 0, 1] * matrix[:, 1, 0])
    return np.asarray(np.sqrt(np.maximum(half + gap, 0.0)))


def correlated_noise_factor(dt_s: float, memory_s: float) -> float:
    """How much a measurement covariance grows so that a filter for independent errors stays honest.

    Errors of a detector on one person are alike for a while: AR(1) with r = exp(-dt / memory). Their mean
    over many frames has (1 + r) / (1 - r) times the variance that independent errors would have.
    """
    if memory_s <= 0.0:
        return 1.0
    r = np.exp(-max(dt_s, 1e-3) / memory_s)
    return float((1.0 + r) / (1.0 - r))
