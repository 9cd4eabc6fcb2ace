"""The skeleton in rows: forward kinematics, its derivative along a direction, and the transpose of that.

    G_j = G_q exp(theta_j)            p_j = p_q + G_q offset_j(betas)          x_i = p_j + G_j o_i(betas)

With the left Jacobian J_l of SO(3), d exp(theta) = [J_l dtheta]x exp(theta), so a parameter velocity v gives

    A_j = G_q J_l(theta_j)            w_j = w_q + A_j v_j                                      (turn)
    u_j = u_q + w_q x (p_j - p_q) + G_q d offset_j                                             (move)

and forces F_j on joints come back to the parameters from the leaves to the root, torques about each joint:

    F_q += F_j,   M_q += M_j + (p_j - p_q) x F_j,   dE/dtheta_j = A_j^T M_j,   dE/dtransl = F_0

O(22 L) each, no 66 x 66 Jacobian is ever formed.
"""

from __future__ import annotations

import numpy as np

from .arrays import NUM_BETAS, NUM_JOINTS, NUM_ROT, PARENTS, Array, FusedBody, Workspace, compiled

F1 = np.float32(1.0)
HALF = np.float32(0.5)
SIXTH = np.float32(1.0 / 6.0)


@compiled
def exp_and_jacobian(v: Array, R: Array, J: Array) -> None:
    """R = exp(v) and its left Jacobian; series in |v|^2, float32-exact up to |v| = pi and smooth at 0."""
    x, y, z = v[0], v[1], v[2]
    for t in range(x.shape[0]):
        X, Y, Z = x[t], y[t], z[t]
        q = X * X + Y * Y + Z * Z
        a = F1
        b = F1
        d = F1
        # sin(s)/s, (1 - cos s)/s^2, (s - sin s)/s^3 by Horner from the highest term down
        for n in range(7, 0, -1):
            a = F1 - q * np.float32(1.0 / ((2 * n) * (2 * n + 1))) * a
            b = F1 - q * np.float32(1.0 / ((2 * n + 1) * (2 * n + 2))) * b
            d = F1 - q * np.float32(1.0 / ((2 * n + 2) * (2 * n + 3))) * d
        b = HALF * b
        d = SIXTH * d
        XX, YY, ZZ, XY, XZ, YZ = X * X, Y * Y, Z * Z, X * Y, X * Z, Y * Z
        R[0, t] = F1 - b * (YY + ZZ)
        R[1, t] = b * XY - a * Z
        R[2, t] = b * XZ + a * Y
        R[3, t] = b * XY + a * Z
        R[4, t] = F1 - b * (XX + ZZ)
        R[5, t] = b * YZ - a * X
        R[6, t] = b * XZ - a * Y
        R[7, t] = b * YZ + a * X
        R[8, t] = F1 - b * (XX + YY)
        J[0, t] = F1 - d * (YY + ZZ)
        J[1, t] = d * XY - b * Z
        J[2, t] = d * XZ + b * Y
        J[3, t] = d * XY + b * Z
        J[4, t] = F1 - d * (XX + ZZ)
        J[5, t] = d * YZ - b * X
        J[6, t] = d * XZ - b * Y
        J[7, t] = d * YZ + b * X
        J[8, t] = F1 - d * (XX + YY)


@compiled
def multiply(A: Array, B: Array, C: Array) -> None:
    """C = A B, 3x3 in nine rows each."""
    for i in range(3):
        a0, a1, a2 = A[3 * i], A[3 * i + 1], A[3 * i + 2]
        for j in range(3):
            b0, b1, b2, c = B[j], B[3 + j], B[6 + j], C[3 * i + j]
            for t in range(c.shape[0]):
                c[t] = a0[t] * b0[t] + a1[t] * b1[t] + a2[t] * b2[t]


@compiled
def add_times(A: Array, v: Array, base: Array, out: Array) -> None:
    """out = base + A v, rows."""
    v0, v1, v2 = v[0], v[1], v[2]
    for c in range(3):
        a0, a1, a2, s, o = A[3 * c], A[3 * c + 1], A[3 * c + 2], base[c], out[c]
        for t in range(o.shape[0]):
            o[t] = s[t] + a0[t] * v0[t] + a1[t] * v1[t] + a2[t] * v2[t]


@compiled
def transpose_times(A: Array, v: Array, out: Array) -> None:
    """out = A^T v, rows."""
    v0, v1, v2 = v[0], v[1], v[2]
    for c in range(3):
        a0, a1, a2, o = A[c], A[3 + c], A[6 + c], out[c]
        for t in range(o.shape[0]):
            o[t] = a0[t] * v0[t] + a1[t] * v1[t] + a2[t] * v2[t]


@compiled
def add_cross(a: Array, b: Array, out: Array) -> None:
    """out += a x b, rows."""
    for c in range(3):
        d, e = (c + 1) % 3, (c + 2) % 3
        ad, ae, bd, be, o = a[d], a[e], b[d], b[e], out[c]
        for t in range(o.shape[0]):
            o[t] += ad[t] * be[t] - ae[t] * bd[t]


@compiled
def add_turned(G: Array, o0: float, o1: float, o2: float, out: Array) -> None:
    """out += G o for one vector o shared by all slots."""
    for c in range(3):
        g0, g1, g2, o = G[3 * c], G[3 * c + 1], G[3 * c + 2], out[c]
        for t in range(o.shape[0]):
            o[t] += g0[t] * o0 + g1[t] * o1 + g2[t] * o2


@compiled
def turned_back_sum(G: Array, f: Array, out: Array) -> None:
    """out (3,) += sum over slots of G^T f."""
    f0, f1, f2 = f[0], f[1], f[2]
    for c in range(3):
        g0, g1, g2 = G[c], G[3 + c], G[6 + c]
        s = np.float32(0.0)
        for t in range(f0.shape[0]):
            s += g0[t] * f0[t] + g1[t] * f1[t] + g2[t] * f2[t]
        out[c] += s


@compiled
def add_row(a: Array, out: Array) -> None:
    """out += a."""
    for t in range(out.shape[0]):
        out[t] += a[t]


@compiled
def add_rows(a: Array, b: Array, out: Array) -> None:
    """out = a + b, three rows each."""
    for c in range(3):
        p, q, o = a[c], b[c], out[c]
        for t in range(o.shape[0]):
            o[t] = p[t] + q[t]


@compiled
def set_rows(start: Array, o0: np.float32, o1: np.float32, o2: np.float32, out: Array) -> None:
    """out = start + o, rows; explicit loops, because array expressions are slow to compile."""
    for c in range(3):
        s, o = start[c], out[c]
        shift = o0 if c == 0 else (o1 if c == 1 else o2)
        for t in range(o.shape[0]):
            o[t] = s[t] + shift


@compiled
def turned(G: Array, o0: float, o1: float, o2: float, out: Array) -> None:
    """out = G o for one vector o shared by all slots."""
    for c in range(3):
        g0, g1, g2, o = G[3 * c], G[3 * c + 1], G[3 * c + 2], out[c]
        for t in range(o.shape[0]):
            o[t] = g0[t] * o0 + g1[t] * o1 + g2[t] * o2


@compiled
def shaped(mean: Array, dirs: Array, betas: Array, out: Array) -> None:
    """out (M, 3) = mean + dirs betas."""
    for i in range(out.shape[0]):
        for c in range(3):
            s = mean[i, c]
            for k in range(NUM_BETAS):
                s += dirs[i, c, k] * betas[k]
            out[i, c] = s


@compiled
def forward(body: FusedBody, base: Array, rows: Array, betas: Array, ws: Workspace) -> None:
    """Joints, points, world rotations and parameter axes.

    Args:
        body: rest skeleton.
        base: (9, L) base rotation of the root.
        rows: (69, L) parameters.
        betas: (10,).
        ws: filled: offset, point_offset, G, A, p, arm, x, point_arm.
    """
    shaped(body.offset, body.offset_dirs, betas, ws.offset)
    shaped(body.point_offset, body.point_dirs, betas, ws.point_offset)
    for j in range(NUM_JOINTS):
        q = PARENTS[j]
        exp_and_jacobian(rows[3 * j : 3 * j + 3], ws.R_local, ws.J_left)
        offset = ws.offset[j]
        if q < 0:
            multiply(ws.R_local, base, ws.G[j])
            for c in range(9):
                a, o = ws.J_left[c], ws.A[j, c]
                for t in range(o.shape[0]):
                    o[t] = a[t]
            for c in range(3):
                o = ws.arm[j, c]
                for t in range(o.shape[0]):
                    o[t] = offset[c]
            set_rows(rows[NUM_ROT:], offset[0], offset[1], offset[2], ws.p[j])
        else:
            multiply(ws.G[q], ws.R_local, ws.G[j])
            multiply(ws.G[q], ws.J_left, ws.A[j])
            turned(ws.G[q], offset[0], offset[1], offset[2], ws.arm[j])
            add_rows(ws.p[q], ws.arm[j], ws.p[j])
    for i in range(len(body.point_joint)):
        j = body.point_joint[i]
        offset = ws.point_offset[i]
        turned(ws.G[j], offset[0], offset[1], offset[2], ws.point_arm[i])
        add_rows(ws.p[j], ws.point_arm[i], ws.x[i])


@compiled
def push_forward(body: FusedBody, rows: Array, betas: Array, ws: Workspace) -> None:
    """Velocities of joints (ws.u, ws.w) and points (ws.point_u) under a parameter velocity: J v."""
    zero = np.float32(0.0)
    d = np.zeros(3, np.float32)
    for j in range(NUM_JOINTS):
        q = PARENTS[j]
        v = rows[3 * j : 3 * j + 3]
        for c in range(3):
            s = np.float32(0.0)
            for k in range(NUM_BETAS):
                s += body.offset_dirs[j, c, k] * betas[k]
            d[c] = s
        if q < 0:
            set_rows(rows[NUM_ROT:], d[0], d[1], d[2], ws.u[j])
            ws.row3[:] = np.float32(0.0)
            add_times(ws.A[j], v, ws.row3, ws.w[j])
        else:
            add_times(ws.A[j], v, ws.w[q], ws.w[j])
            set_rows(ws.u[q], zero, zero, zero, ws.u[j])
            add_cross(ws.w[q], ws.arm[j], ws.u[j])
            add_turned(ws.G[q], d[0], d[1], d[2], ws.u[j])
    for i in range(len(body.point_joint)):
        j = body.point_joint[i]
        set_rows(ws.u[j], zero, zero, zero, ws.point_u[i])
        add_cross(ws.w[j], ws.point_arm[i], ws.point_u[i])
        for c in range(3):
            s = np.float32(0.0)
            for k in range(NUM_BETAS):
                s += body.point_dirs[i, c, k] * betas[k]
            d[c] = s
        if d[0] != 0.0 or d[1] != 0.0 or d[2] != 0.0:
            add_turned(ws.G[j], d[0], d[1], d[2], ws.point_u[i])


@compiled
def pull_back(body: FusedBody, ws: Workspace, rows: Array, betas: Array) -> None:
    """Forces on joints (ws.F), torques (ws.M) and forces on points -> parameters: J^T f.

    ws.F and ws.M are summed up towards the root on the way; rows and betas are overwritten.
    """
    betas[:] = np.float32(0.0)
    d = np.zeros(3, np.float32)
    for i in range(len(body.point_joint)):
        j = body.point_joint[i]
        for c in range(3):
            add_row(ws.point_force[i, c], ws.F[j, c])
        add_cross(ws.point_arm[i], ws.point_force[i], ws.M[j])
        if i >= 5:
            d[:] = np.float32(0.0)
            turned_back_sum(ws.G[j], ws.point_force[i], d)
            for k in range(NUM_BETAS):
                betas[k] += body.point_dirs[i, 0, k] * d[0]
                betas[k] += body.point_dirs[i, 1, k] * d[1]
                betas[k] += body.point_dirs[i, 2, k] * d[2]
    for j in range(NUM_JOINTS - 1, -1, -1):
        q = PARENTS[j]
        d[:] = np.float32(0.0)
        if q >= 0:
            for c in range(3):
                add_row(ws.F[j, c], ws.F[q, c])
                add_row(ws.M[j, c], ws.M[q, c])
            add_cross(ws.arm[j], ws.F[j], ws.M[q])
            turned_back_sum(ws.G[q], ws.F[j], d)
        else:
            for c in range(3):
                d[c] = ws.F[0, c].sum()
                rows[NUM_ROT + c] = ws.F[0, c]
        transpose_times(ws.A[j], ws.M[j], rows[3 * j : 3 * j + 3])
        for c in range(3):
            for k in range(NUM_BETAS):
                betas[k] += body.offset_dirs[j, c, k] * d[c]
