"""How likely somebody lost at one place and time is found at another, walking as they do.

Both ends of a gap are Gaussian states (x, y, vx, vy): the earlier one as known from its past alone, the later one from
its future alone. In between a person does one of a few things (`GapModel`), each a walk whose velocity is an
Ornstein-Uhlenbeck process (`plane_motion`), so the density of the later state y given the earlier x is a mixture

    p(y | x) = sum_k w_k N(y; F_k(dt) x, F_k P_x F_k^T + Q_k(dt) + P_y)

Companions add components of their own: who walked beside others is expected to have gone where they went,

    N(y; (p_x + d_c, v_c), P_x + P_y + R(dt)),    R growing with the gap

with d_c the companion's way over the gap and v_c their velocity at its end. O(P) for P pairs; numpy float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from . import plane_motion as motion
from .plane_motion import Motion

Array = np.ndarray


@dataclass(frozen=True)
class GapModel:
    """One thing that people do while nobody sees them."""

    weight: float
    """Share of people; the weights of all models sum to 1."""
    speed_sigma_mps: float
    """Standing deviation of the velocity per axis."""
    memory_s: float
    """How long a velocity lasts."""


@dataclass(frozen=True)
class Companion:
    """What somebody who walked alongside did over the gap."""

    way_m: Float[Array, "2"]
    """From where they were when the person was lost to where they are when found."""
    velocity_mps: Float[Array, "2"]
    """At the end."""


def log_density(
    ends: Motion, start: Motion, gap_s: Float[Array, "P"], models: Sequence[GapModel]
) -> Float[Array, "P"]:
    """ln p(start | end), per m^2 and (m/s)^2, of P ends with a gap each.

    Args:
        start: one row, or one for each end.
    """
    parts = []
    for model in models:
        gone = _predict_each(ends, gap_s, model)
        off, spread = start.state - gone.state, gone.covariance + start.covariance
        parts.append(np.log(model.weight) + gaussian(off, spread))
    return np.asarray(np.logaddexp.reduce(parts, axis=0))


def _predict_each(ends: Motion, gap_s: Float[Array, "P"], model: GapModel) -> Motion:
    """`plane_motion.predict` with a time for each row."""
    tau, a = model.memory_s, np.exp(-gap_s / model.memory_s)
    reach, scale = tau * (1.0 - a), 2.0 * model.speed_sigma_mps**2 / tau
    f = np.tile(np.eye(4), (len(gap_s), 1, 1))
    f[:, 0, 2] = f[:, 1, 3] = reach
    f[:, 2, 2] = f[:, 3, 3] = a
    covariance = f @ ends.covariance @ f.transpose(0, 2, 1)
    q_pv = 0.5 * scale * reach**2
    for p, v in ((0, 2), (1, 3)):
        covariance[:, p, p] += scale * tau**2 * (gap_s - 2.0 * reach + 0.5 * tau * (1.0 - a * a))
        covariance[:, p, v] += q_pv
        covariance[:, v, p] += q_pv
        covariance[:, v, v] += 0.5 * scale * tau * (1.0 - a * a)
    return Motion(np.einsum("pij,pj->pi", f, ends.state), covariance)


def companion_log_density(
    end: Motion,
    start: Motion,
    gap_s: float,
    companions: Sequence[Companion],
    sigma_m: float,
    drift_mps: float,
) -> float:
    """The same of one pair, were the person to have stayed with their companions (a mixture of equal parts).

    Args:
        sigma_m: spread of the place relative to a companion after a short while.
        drift_mps: how fast it grows with the gap; of the relative velocity, too.
    """
    spread = np.diag([sigma_m**2 + (drift_mps * gap_s) ** 2] * 2 + [drift_mps**2] * 2)
    placed = end.covariance[0].copy()
    placed[:2, 2:] = placed[2:, :2] = placed[2:, 2:] = 0.0
    parts = []
    for companion in companions:
        mean = np.concatenate([end.position[0] + companion.way_m, companion.velocity_mps])
        parts.append(
            float(gaussian((start.state[0] - mean)[None], (placed + start.covariance[0] + spread)[None])[0])
        )
    return float(np.logaddexp.reduce(parts) - np.log(len(parts)))


def gaussian(off: Float[Array, "P D"], covariance: Float[Array, "P D D"]) -> Float[Array, "P"]:
    """ln N(off; 0, covariance)."""
    chol = np.linalg.cholesky(covariance)
    white = np.linalg.solve(chol, off[..., None])[..., 0]
    half_log_det = np.log(np.diagonal(chol, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray(-0.5 * (white**2).sum(axis=1) - half_log_det - 0.5 * off.shape[1] * np.log(2.0 * np.pi))


def filter_end(
    t_s: Float[Array, "K"],
    position_m: Float[Array, "K 2"],
    covariance_m2: Float[Array, "K 2 2"],
    speed_sigma_mps: float,
    memory_s: float,
    noise_memory_s: float,
) -> Motion:
    """The state at the last of K measured places, from them alone. One row.

    Give the times rising for the end of a track, and falling for its beginning: a walk looks the same backwards, so
    the velocity comes out in the direction of time either way. Errors of neighbouring frames are alike and count less
    (`plane_motion.correlated_noise_factor`).
    """
    backwards = len(t_s) > 1 and t_s[-1] < t_s[0]
    sign = -1.0 if backwards else 1.0
    speed = np.full(1, speed_sigma_mps)
    state = motion.start(position_m[:1], covariance_m2[:1], speed)
    steps = np.abs(np.diff(t_s))
    factor = motion.correlated_noise_factor(float(np.median(steps)) if len(steps) else 1.0, noise_memory_s)
    state = Motion(state.state, state.covariance * np.array([factor, factor, 1.0, 1.0])[:, None])
    for k, step in enumerate(steps.tolist(), start=1):
        state = motion.predict(state, step, speed, memory_s)
        state = motion.update(state, position_m[k : k + 1], factor * covariance_m2[k : k + 1])
    flip = np.array([1.0, 1.0, sign, sign])
    return Motion(state.state * flip, state.covariance * flip[:, None] * flip)


def bridge(
    end: Motion, start: Motion, gap_s: float, at_s: Float[Array, "K"], speed_sigma_mps: float, memory_s: float
) -> Motion:
    """States of one person at K times (s after the end) within the gap, given both of its ends.

    The earlier end predicted forwards and the later one predicted backwards to each time are independent given the
    state there but for the prior velocity that both contain; they are put together by their information.
    """
    speed = np.full(1, speed_sigma_mps)
    flip = np.array([1.0, 1.0, -1.0, -1.0])
    turned = Motion(start.state * flip, start.covariance * flip[:, None] * flip)
    states, covariances = [], []
    for at in at_s.tolist():
        there = motion.predict(end, at, speed, memory_s)
        back = motion.predict(turned, gap_s - at, speed, memory_s)
        back = Motion(back.state * flip, back.covariance * flip[:, None] * flip)
        gain = there.covariance[0] @ np.linalg.inv(there.covariance[0] + back.covariance[0])
        states.append(there.state[0] + gain @ (back.state[0] - there.state[0]))
        covariance = there.covariance[0] - gain @ there.covariance[0]
        covariances.append(0.5 * (covariance + covariance.T))
    return Motion(np.array(states).reshape(-1, 4), np.array(covariances).reshape(-1, 4, 4))
