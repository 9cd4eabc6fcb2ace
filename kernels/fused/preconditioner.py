"""An approximate inverse of the Gauss-Newton Hessian, per joint: 3x3 in space, pentadiagonal in time.

Smoothness at 30 Hz is some thousand times stiffer than one frame's pixels, so a preconditioner that is
diagonal in time leaves conjugate gradients crawling. Per joint (and for transl) the Hessian is taken as

    B_t  +  C (x) (w1 D1'D1 + w2 D2'D2)          B_t, C 3x3,  other joints ignored

With the mean B and C diagonalised together (W'CW = I, W'BW = diag) the three components part, each a
pentadiagonal system with diagonal (W'B_tW)_ii: exact for a body that does not change, cheap for one that does.
B_t comes from one leaf-to-root pass of composite inertias:  with p the joint, r_i = x_i - p, b_i = -[r_i]x

    sum_i b_i' H_i b_i,   moved to the parent by  b -> b + b_s  (s = p_j - p_q)

Betas get their 10 x 10 block.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arrays import (
    NUM_BETAS,
    NUM_FACE,
    NUM_JOINTS,
    NUM_ROWS,
    PARENTS,
    TORSO,
    Array,
    FusedBody,
    FusedPrior,
    FusedViews,
    FusedWeights,
    Workspace,
    compiled,
)
from .target import add_target_block
from .temporal import factor, solve, stencil

F0 = np.float32(0.0)
PIVOT_FLOOR = np.float32(1e-8)
BLOCKS = NUM_JOINTS + 1
GROUP = 4
BETA_GROUP = 8
"""Slots whose data curvature is averaged: preconditioners need not be exact."""
QUARTER = np.float32(0.25)


class Preconditioner(NamedTuple):
    """Factors of one person."""

    block: Array
    """(23, 6, L) B_t by joint, last one transl, in parameter axes: data and priors, no smoothness."""
    diagonal: Array
    """(69, L) diagonal of B_t: what damping is relative to."""
    W: Array
    """(23, 3, 3)."""
    lam: Array
    """(L, 69) diagonal additions."""
    bands: Array
    """(3, L)."""
    inverse: Array
    l1: Array
    l2: Array
    """(L, 69) factors."""
    z: Array
    """(L, 69) scratch."""
    beta_block: Array
    """(10, 10)."""
    beta_factor: Array
    """(10, 10) lower Cholesky factor."""


@compiled
def preconditioner(num_slots: int) -> Preconditioner:
    """Fresh memory."""
    f, L, S = np.float32, num_slots, NUM_ROWS
    return Preconditioner(
        np.zeros((BLOCKS, 6, L), f),
        np.zeros((S, L), f),
        np.zeros((BLOCKS, 3, 3), f),
        np.zeros((L, S), f),
        np.zeros((3, L), f),
        np.zeros((L, S), f),
        np.zeros((L, S), f),
        np.zeros((L, S), f),
        np.zeros((L, S), f),
        np.zeros((NUM_BETAS, NUM_BETAS), f),
        np.zeros((NUM_BETAS, NUM_BETAS), f),
    )


@compiled
def add_inertia(h: Array, r: Array, scratch: Array, S: Array, X: Array, B: Array) -> None:
    """Move a composite (S, X, B) that sits at distance r (3,) into another one.

    S = sum H, X = sum H b, B = sum b' H b, each 3x3; h (3, 3, 3) holds the S, X, B moved, scratch is (2, 3, 3).
    """
    b, H1 = scratch[0], scratch[1]
    b[0, 0] = F0
    b[0, 1] = r[2]
    b[0, 2] = -r[1]
    b[1, 0] = -r[2]
    b[1, 1] = F0
    b[1, 2] = r[0]
    b[2, 0] = r[1]
    b[2, 1] = -r[0]
    b[2, 2] = F0
    for i in range(3):
        for k in range(3):
            moved = h[1, i, k]
            for m in range(3):
                moved += h[0, i, m] * b[m, k]
            X[i, k] += moved
            S[i, k] += h[0, i, k]
            H1[i, k] = moved
    # b'(X + S b) + X'b + B
    for i in range(3):
        for k in range(3):
            s = h[2, i, k]
            for m in range(3):
                s += b[m, i] * H1[m, k] + h[1, m, i] * b[m, k]
            B[i, k] += s


@compiled
def composite(
    body: FusedBody, ws: Workspace, start: int, stop: int, smooth: bool, scale: Array,
    S: Array, X: Array, B: Array,
) -> None:  # fmt: skip
    """Composite inertias of all subtrees about their joints, (22, 3, 3) each: data averaged over slots
    [start, stop), the body as it stands in the middle of them.

    With `smooth`, every joint weighs scale[j] I (the inertia of E_t-pose) and points weigh nothing.
    """
    t = (start + stop) // 2
    S[:] = F0
    X[:] = F0
    B[:] = F0
    h = np.zeros((3, 3, 3), np.float32)
    r = np.empty(3, np.float32)
    scratch = np.empty((2, 3, 3), np.float32)
    for j in range(NUM_JOINTS):
        if smooth:
            for c in range(3):
                S[j, c, c] = scale[j]
        else:
            unpack(ws.H[j], start, stop, S[j])
    if not smooth:
        unpack(ws.H_torso, start, stop, h[0])
        for i in range(4):
            for c in range(3):
                for k in range(3):
                    S[TORSO[i], c, k] += QUARTER * h[0, c, k]
        for i in range(len(body.point_joint)):
            j = body.point_joint[i]
            h[:] = F0
            unpack(ws.H_point[i], start, stop, h[0])
            if i >= NUM_FACE:
                h[0, 2, 2] += ws.low_weight[t] * ws.share[i, t]
            for c in range(3):
                r[c] = ws.point_arm[i, c, t]
            add_inertia(h, r, scratch, S[j], X[j], B[j])
    for j in range(NUM_JOINTS - 1, 0, -1):
        q = PARENTS[j]
        for c in range(3):
            r[c] = ws.arm[j, c, t]
        h[0] = S[j]
        h[1] = X[j]
        h[2] = B[j]
        add_inertia(h, r, scratch, S[q], X[q], B[q])


@compiled
def unpack(H: Array, start: int, stop: int, out: Array) -> None:
    """Mean of six rows over slots [start, stop) -> symmetric 3x3."""
    share = np.float32(1.0) / np.float32(stop - start)
    index = 0
    for i in range(3):
        for k in range(i, 3):
            s = F0
            for t in range(start, stop):
                s += H[index, t]
            out[i, k] = share * s
            out[k, i] = share * s
            index += 1


@compiled
def congruence(A: Array, t: int, B: Array, out: Array) -> None:
    """out = A_t' B A_t for A (9, L)."""
    for i in range(3):
        for k in range(3):
            s = F0
            for m in range(3):
                for o in range(3):
                    s += A[3 * m + i, t] * B[m, o] * A[3 * o + k, t]
            out[i, k] = s


@compiled
def joint_diagonalise(B: Array, C: Array, W: Array) -> None:
    """W with W'CW = I and W'BW diagonal, for 3x3 symmetric B >= 0 and C > 0 (cyclic Jacobi on L^-1 B L^-T)."""
    trace = C[0, 0] + C[1, 1] + C[2, 2]
    floor = np.float32(1e-4) * trace + np.float32(1e-6) * (B[0, 0] + B[1, 1] + B[2, 2]) + np.float32(1e-12)
    a = np.sqrt(C[0, 0] + floor)
    b = C[1, 0] / a
    c = np.sqrt(max(C[1, 1] + floor - b * b, floor))
    d = C[2, 0] / a
    e = (C[2, 1] - d * b) / c
    f = np.sqrt(max(C[2, 2] + floor - d * d - e * e, floor))
    inv = np.zeros((3, 3), np.float32)  # L^-1
    inv[0, 0] = np.float32(1.0) / a
    inv[1, 1] = np.float32(1.0) / c
    inv[2, 2] = np.float32(1.0) / f
    inv[1, 0] = -b * inv[0, 0] * inv[1, 1]
    inv[2, 1] = -e * inv[1, 1] * inv[2, 2]
    inv[2, 0] = -(d * inv[0, 0] + e * inv[1, 0]) * inv[2, 2]
    M = np.zeros((3, 3), np.float32)
    V = np.zeros((3, 3), np.float32)
    for i in range(3):
        V[i, i] = np.float32(1.0)
        for k in range(3):
            s = F0
            for m in range(3):
                for o in range(3):
                    s += inv[i, m] * B[m, o] * inv[k, o]
            M[i, k] = s
    for _ in range(6):
        for p in range(2):
            for q in range(p + 1, 3):
                if abs(M[p, q]) > np.float32(1e-7) * (abs(M[p, p]) + abs(M[q, q])):
                    theta = (M[q, q] - M[p, p]) / (np.float32(2.0) * M[p, q])
                    sign = np.float32(1.0) if theta >= F0 else np.float32(-1.0)
                    tan = sign / (abs(theta) + np.sqrt(theta * theta + np.float32(1.0)))
                    cos = np.float32(1.0) / np.sqrt(tan * tan + np.float32(1.0))
                    sin = tan * cos
                    for m in range(3):
                        x, y = M[m, p], M[m, q]
                        M[m, p] = cos * x - sin * y
                        M[m, q] = sin * x + cos * y
                    for m in range(3):
                        x, y = M[p, m], M[q, m]
                        M[p, m] = cos * x - sin * y
                        M[q, m] = sin * x + cos * y
                    for m in range(3):
                        x, y = V[m, p], V[m, q]
                        V[m, p] = cos * x - sin * y
                        V[m, q] = sin * x + cos * y
    for i in range(3):
        for k in range(3):
            s = F0
            for m in range(3):
                s += inv[m, i] * V[m, k]
            W[i, k] = s


@compiled
def assemble(
    n: int,
    body: FusedBody,
    prior: FusedPrior,
    views: FusedViews,
    lam: FusedWeights,
    betas_weight: np.float32,
    ws: Workspace,
    pc: Preconditioner,
) -> None:
    """B_t, C and the beta block at the state of `evaluate`; then `refactor` for a damping."""
    L = ws.low.shape[0]
    S = np.empty((NUM_JOINTS, 3, 3), np.float32)
    X = np.empty((NUM_JOINTS, 3, 3), np.float32)
    B = np.empty((NUM_JOINTS, 3, 3), np.float32)
    out = np.empty((3, 3), np.float32)
    mean = np.zeros((BLOCKS, 3, 3), np.float32)
    smooth = np.zeros((BLOCKS, 3, 3), np.float32)
    # first the data, group by group; then smoothness, whose inertia changes slowly: three slots are enough.
    # One call site and a flag that is no literal, so that `composite` is compiled and inlined once
    groups = (L + GROUP - 1) // GROUP
    for part in range(groups + 3):
        smoothing = part >= groups
        if smoothing:
            start = ((part - groups) * (L - 1)) // 2
            stop = start + 1
            share = np.float32(1.0 / 3.0)
        else:
            start = part * GROUP
            stop = min(start + GROUP, L)
            share = np.float32(stop - start) / np.float32(L)
        t = (start + stop) // 2
        composite(body, ws, start, stop, smoothing, prior.joint_scale, S, X, B)
        total = smooth if smoothing else mean
        for j in range(NUM_JOINTS):
            if j == 0 and not smoothing:
                add_upright(ws, t, lam, B[0])
            congruence(ws.A[j], t, B[j], out)
            if not smoothing:
                if j > 0:
                    for i in range(3):
                        for k in range(3):
                            out[i, k] += lam.pose * prior.precision[3 * j - 3 + i, 3 * j - 3 + k]
                add_target_block(n, views, j, start, stop, out)
                store(out, pc.block[j], start, stop)
            for i in range(3):
                for k in range(3):
                    total[j, i, k] += share * out[i, k]
        if not smoothing:
            add_target_block(n, views, NUM_JOINTS, start, stop, S[0])
            store(S[0], pc.block[NUM_JOINTS], start, stop)
        for i in range(3):
            for k in range(3):
                total[NUM_JOINTS, i, k] += share * S[0, i, k]
    ratio = lam.trans_acceleration / max(lam.pose_acceleration + lam.pose_velocity, np.float32(1e-12))
    for c in range(3):
        smooth[NUM_JOINTS, c, c] += ratio
    stencil(L, lam.pose_velocity, lam.pose_acceleration, pc.bands)
    for j in range(BLOCKS):
        joint_diagonalise(mean[j], smooth[j], pc.W[j])
        for i in range(3):
            k = (0, 3, 5)[i]
            pc.diagonal[3 * j + i] = pc.block[j, k]
    beta_block(body, lam, betas_weight, ws, pc.beta_block)


@compiled
def add_upright(ws: Workspace, t: int, lam: FusedWeights, B: Array) -> None:
    """Curvature of the upright term by world turns of the root."""
    ex, ey, ez = ws.G[0, 1, t], ws.G[0, 4, t], ws.G[0, 7, t]
    w = lam.upright
    B[0, 0] += w * ez * ez
    B[1, 1] += w * ez * ez
    B[0, 2] -= w * ex * ez
    B[2, 0] -= w * ex * ez
    B[1, 2] -= w * ey * ez
    B[2, 1] -= w * ey * ez
    B[2, 2] += w * (ex * ex + ey * ey)


@compiled
def store(M: Array, rows: Array, start: int, stop: int) -> None:
    """Symmetric 3x3 -> six rows over slots [start, stop)."""
    for t in range(start, stop):
        rows[0, t] = M[0, 0]
        rows[1, t] = M[0, 1]
        rows[2, t] = M[0, 2]
        rows[3, t] = M[1, 1]
        rows[4, t] = M[1, 2]
        rows[5, t] = M[2, 2]


@compiled
def beta_block(
    body: FusedBody, lam: FusedWeights, betas_weight: np.float32, ws: Workspace, out: Array
) -> None:
    """10 x 10 Gauss-Newton block of the betas: sum over joints and points of B'HB."""
    L = ws.low.shape[0]
    B = np.zeros((NUM_JOINTS, 3, NUM_BETAS), np.float32)
    H = np.zeros((3, 3), np.float32)
    HP = np.zeros((3, 3), np.float32)
    HB = np.zeros((3, NUM_BETAS), np.float32)
    out[:] = F0
    for start in range(0, L, BETA_GROUP):
        stop = min(start + BETA_GROUP, L)
        t = (start + stop) // 2
        for j in range(NUM_JOINTS):
            q = PARENTS[j]
            for c in range(3):
                for k in range(NUM_BETAS):
                    s = body.offset_dirs[j, c, k]
                    if q >= 0:
                        s = B[q, c, k]
                        for a in range(3):
                            s += ws.G[q, 3 * c + a, t] * body.offset_dirs[j, a, k]
                    B[j, c, k] = s
            unpack(ws.H[j], start, stop, H)
            for i in range(len(body.point_joint)):
                if body.point_joint[i] == j:
                    unpack(ws.H_point[i], start, stop, HP)
                    H += HP
                    if i >= NUM_FACE:
                        H[2, 2] += ws.low_weight[t] * ws.share[i, t]
            H *= np.float32(stop - start)
            for c in range(3):
                for k in range(NUM_BETAS):
                    HB[c, k] = H[c, 0] * B[j, 0, k] + H[c, 1] * B[j, 1, k] + H[c, 2] * B[j, 2, k]
            for k in range(NUM_BETAS):
                for m in range(NUM_BETAS):
                    out[k, m] += B[j, 0, k] * HB[0, m] + B[j, 1, k] * HB[1, m] + B[j, 2, k] * HB[2, m]
    for k in range(NUM_BETAS):
        out[k, k] += lam.shape + betas_weight


@compiled
def refactor(mu: np.float32, pc: Preconditioner) -> None:
    """Factors of B_t + mu diag(B_t) + smoothness, and of the beta block damped alike."""
    L = pc.z.shape[0]
    for j in range(BLOCKS):
        for i in range(3):
            w0, w1, w2 = pc.W[j, 0, i], pc.W[j, 1, i], pc.W[j, 2, i]
            double = np.float32(2.0)
            grown = np.float32(1.0) + mu
            for t in range(L):
                b = pc.block[j]
                pc.lam[t, 3 * j + i] = (
                    grown * (w0 * w0 * b[0, t] + w1 * w1 * b[3, t] + w2 * w2 * b[5, t])
                    + double * (w0 * w1 * b[1, t] + w0 * w2 * b[2, t] + w1 * w2 * b[4, t])
                )  # fmt: skip
    factor(pc.lam, pc.bands, pc.inverse, pc.l1, pc.l2)
    F = pc.beta_factor
    for i in range(NUM_BETAS):
        for k in range(i + 1):
            s = pc.beta_block[i, k]
            if i == k:
                s *= np.float32(1.0) + mu
            for m in range(k):
                s -= F[i, m] * F[k, m]
            if i == k:
                F[i, i] = np.sqrt(s) if s > PIVOT_FLOOR else np.sqrt(PIVOT_FLOOR)
            else:
                F[i, k] = s / F[k, k]


@compiled
def precondition(pc: Preconditioner, r: Array, rb: Array, z: Array, zb: Array) -> None:
    """z = M^-1 r for rows (69, L), zb = M^-1 rb for betas."""
    L = r.shape[1]
    for j in range(BLOCKS):
        for i in range(3):
            w0, w1, w2 = pc.W[j, 0, i], pc.W[j, 1, i], pc.W[j, 2, i]
            for t in range(L):
                pc.z[t, 3 * j + i] = w0 * r[3 * j, t] + w1 * r[3 * j + 1, t] + w2 * r[3 * j + 2, t]
    solve(pc.inverse, pc.l1, pc.l2, pc.z)
    for j in range(BLOCKS):
        for i in range(3):
            w0, w1, w2 = pc.W[j, i, 0], pc.W[j, i, 1], pc.W[j, i, 2]
            for t in range(L):
                z[3 * j + i, t] = w0 * pc.z[t, 3 * j] + w1 * pc.z[t, 3 * j + 1] + w2 * pc.z[t, 3 * j + 2]
    F = pc.beta_factor
    for i in range(NUM_BETAS):
        s = rb[i]
        for m in range(i):
            s -= F[i, m] * zb[m]
        zb[i] = s / F[i, i]
    for i in range(NUM_BETAS - 1, -1, -1):
        s = zb[i]
        for m in range(i + 1, NUM_BETAS):
            s -= F[m, i] * zb[m]
        zb[i] = s / F[i, i]
