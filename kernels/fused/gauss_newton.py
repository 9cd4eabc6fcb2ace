"""A whole window of one person in one compiled call: damped, truncated Gauss-Newton.

    repeat  linearise;  (J'WJ + mu D) dx = -J'Wr  by preconditioned conjugate gradients, matrix-free;
            rho = (E(x) - E(x + dx)) / predicted
            accepted: x += dx, mu *= max(1/3, 1 - (2 rho - 1)^3), nu = 2      (Nielsen 1999)
            refused:  mu *= nu, nu *= 2
    until   the relative gain falls below the tolerance, or the budget ends

Robust terms are reweighted at each linearisation. People are independent: the caller hands out lists of
people to threads (the interpreter lock is released) and the answer does not depend on how.
"""

from __future__ import annotations

import numpy as np

from .arrays import (
    NUM_BETAS,
    NUM_ROWS,
    Array,
    FusedBody,
    FusedBudget,
    FusedPrior,
    FusedViews,
    FusedWeights,
    Workspace,
    compiled,
    workspace,
)
from .kinematics import forward, pull_back
from .preconditioner import Preconditioner, assemble, precondition, preconditioner, refactor
from .residuals import curvature_product, evaluate

F0 = np.float32(0.0)
F1 = np.float32(1.0)
MIN_DAMPING = np.float32(1e-6)
MAX_DAMPING = np.float32(1e4)


@compiled
def dot(a: Array, b: Array, c: Array, d: Array) -> float:
    """<a, b> + <c, d>, rows and betas; rows in float32, their sums in float64."""
    total = 0.0
    for i in range(a.shape[0]):
        x, y = a[i], b[i]
        s = F0
        for t in range(x.shape[0]):
            s += x[t] * y[t]
        total += float(s)
    for k in range(c.shape[0]):
        total += float(c[k] * d[k])
    return total


@compiled
def add_scaled(a: float, x: Array, xb: Array, y: Array, yb: Array) -> None:
    """y += a x."""
    f = np.float32(a)
    for i in range(x.shape[0]):
        p, q = x[i], y[i]
        for t in range(p.shape[0]):
            q[t] += f * p[t]
    for k in range(xb.shape[0]):
        yb[k] += f * xb[k]


@compiled
def gradient(
    body: FusedBody, lam: FusedWeights, betas: Array, betas_mean: Array, betas_weight: np.float32,
    ws: Workspace, prior_force: Array, g: Array, gb: Array,
) -> None:  # fmt: skip
    """Half the gradient of the energy at the state of `evaluate`."""
    pull_back(body, ws, g, gb)
    add_scaled(1.0, prior_force, gb[:0], g, gb[:0])
    for k in range(NUM_BETAS):
        gb[k] += lam.shape * betas[k] + betas_weight * (betas[k] - betas_mean[k])


@compiled
def conjugate_gradients(
    n: int, body: FusedBody, prior: FusedPrior, views: FusedViews, lam: FusedWeights, betas_weight: np.float32,
    budget: FusedBudget, mu: np.float32, ws: Workspace, pc: Preconditioner, g: Array, gb: Array,
    x: Array, xb: Array, scratch: Array, scratch_b: Array,
) -> int:  # fmt: skip
    """x = -(H + mu D)^-1 g, approximately; returns the number of products."""
    r, z, p, h = scratch[0], scratch[1], scratch[2], scratch[3]
    rb, zb, pb, hb = scratch_b[0], scratch_b[1], scratch_b[2], scratch_b[3]
    x[:] = F0
    xb[:] = F0
    r[:] = -g
    rb[:] = -gb
    precondition(pc, r, rb, z, zb)
    p[:] = z
    pb[:] = zb
    rz = dot(r, z, rb, zb)
    stop = rz * budget.forcing * budget.forcing
    products = 0
    for _ in range(budget.inner):
        curvature_product(n, body, prior, views, lam, betas_weight, p, pb, ws, h, hb)
        for i in range(NUM_ROWS):
            d, q, o = pc.diagonal[i], p[i], h[i]
            for t in range(o.shape[0]):
                o[t] += mu * d[t] * q[t]
        for k in range(NUM_BETAS):
            hb[k] += mu * pc.beta_block[k, k] * pb[k]
        products += 1
        curvature = dot(p, h, pb, hb)
        if not curvature > 0.0:
            break
        a = rz / curvature
        add_scaled(a, p, pb, x, xb)
        add_scaled(-a, h, hb, r, rb)
        precondition(pc, r, rb, z, zb)
        rz_new = dot(r, z, rb, zb)
        if not rz_new > stop:
            break
        b = np.float32(rz_new / rz)
        rz = rz_new
        for i in range(NUM_ROWS):
            q, o = p[i], z[i]
            for t in range(q.shape[0]):
                q[t] = o[t] + b * q[t]
        for k in range(NUM_BETAS):
            pb[k] = zb[k] + b * pb[k]
    return products


@compiled
def solve_person(
    n: int, body: FusedBody, prior: FusedPrior, views: FusedViews, lam: FusedWeights, budget: FusedBudget,
    base: Array, rows: Array, betas: Array, betas_mean: Array, betas_weight: np.float32,
    origin: Array, camera: Array, info: Array, terms: Array,
) -> None:  # fmt: skip
    """Solve one person in place.

    Args:
        n: person, index into `views`.
        base: (9, L) base rotation of the root.
        rows: (69, L) start, overwritten by the answer; transl relative to the origin.
        betas: (10,) start, overwritten.
        betas_mean, betas_weight: Gaussian that earlier windows put on the betas.
        origin: (3,) local origin, metres.
        camera: (C, 16) with t moved to the origin.
        info: (4,) written: outer steps, products, final damping, 1 if the tolerance was met.
        terms: (10,) written: terms of the final energy.
    """
    L = rows.shape[1]
    ws = workspace(len(body.point_joint), L)
    pc = preconditioner(L)
    f = np.float32
    prior_force, g, dx = np.zeros((NUM_ROWS, L), f), np.zeros((NUM_ROWS, L), f), np.zeros((NUM_ROWS, L), f)
    trial = np.zeros((NUM_ROWS, L), f)
    gb, dxb, trial_b = np.zeros(NUM_BETAS, f), np.zeros(NUM_BETAS, f), np.zeros(NUM_BETAS, f)
    scratch, scratch_b = np.zeros((4, NUM_ROWS, L), f), np.zeros((4, NUM_BETAS), f)

    mu, nu = budget.damping, 2.0
    trial_terms = np.zeros_like(terms)
    info[:] = F0
    trial[:] = rows
    trial_b[:] = betas
    energy = np.float32(np.inf)
    predicted = 0.0
    restoring = False
    # one call of each kernel in the whole loop: every further one would be compiled again
    while True:
        forward(body, base, trial, trial_b, ws)
        trial_energy = evaluate(
            n, body, prior, views, lam, camera, origin, trial, trial_b, betas_mean, betas_weight,
            ws, trial_terms, prior_force,
        )  # fmt: skip
        if not restoring:
            if trial_energy < energy:
                gain = (energy - trial_energy) / max(predicted, 1e-12)
                relative = (energy - trial_energy) / energy
                rows[:] = trial
                betas[:] = trial_b
                terms[:] = trial_terms
                energy = trial_energy
                if info[0] > F0:
                    shrink = 1.0 - (2.0 * float(gain) - 1.0) ** 3
                    mu = f(mu * (shrink if shrink > 1.0 / 3.0 else 1.0 / 3.0))
                    mu = mu if mu > MIN_DAMPING else MIN_DAMPING
                    nu = 2.0
                    if relative < budget.tolerance:
                        info[3] = F1
                        break
            else:
                mu = f(mu * nu)
                nu *= 2.0
                if info[0] < F1 or mu > MAX_DAMPING or info[0] >= budget.outer:
                    break
                trial[:] = rows
                trial_b[:] = betas
                restoring = True
                continue
        if info[0] >= budget.outer:
            break
        if not restoring:
            gradient(body, lam, betas, betas_mean, betas_weight, ws, prior_force, g, gb)
            assemble(n, body, prior, views, lam, betas_weight, ws, pc)
        restoring = False
        refactor(mu, pc)
        info[1] += conjugate_gradients(
            n, body, prior, views, lam, betas_weight, budget, mu, ws, pc, g, gb, dx, dxb, scratch, scratch_b
        )  # fmt: skip
        info[0] += F1
        # gradients here are halves, so the gain of a CG step in the quadratic model is -<dx, g>
        predicted = -dot(dx, g, dxb, gb)
        trial[:] = rows
        trial_b[:] = betas
        add_scaled(1.0, dx, dxb, trial, trial_b)
    info[2] = mu
