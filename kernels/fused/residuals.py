"""The window energy of one person: value, forces and Gauss-Newton curvature, all terms in one pass.

    E_2D      = w sum_c,t,k  conf rho(|pi_c(x_k) - k_obs|^2 / size^2)                      (eq. 3, scale-free)
    E_hvip2D  = w sum_c,t    rho(|pi_c(h(torso)) - hvip|^2 / sigma^2)                      (eq. 4, robust)
    E_contact = w sum_t      rho(max(l,0)^2) + min(l,0)^2 + sum_i min(h_i,0)^2             (eq. 5, signed)
    E_t-trans = sum_t        w1 |D1 transl|^2 + w2 |D2 transl|^2                           (eq. 6)
    E_pose    = w sum_t      (theta - m)' P (theta - m)                                    (eq. 8, Gaussian)
    E_shape   = w (betas - b)' (betas - b) / s^2                                           (eq. 9)
    E_t-pose  = sum_t,j      s_j (w1 |D1 p_j|^2 + w2 |D2 p_j|^2)                           (eq. 10)
    and two that keep hidden people in place: track (torso over the tracked ground point), upright (the
    root's up axis vertical)
    target    = sum_t,i    w_i,t (x_i,t - m_i,t)^2     on the parameters: what lifter and motion prior say

h(x) drops the torso centre along the vertical onto the plane; h_i are heights of sole points above it and
l = -tau log mean exp(-h_i / tau) their soft minimum: one foot near the ground, none below. rho(e) = s^2 e / (s^2 + e)
(Geman-McClure), solved by reweighting: curvature rho'(e) J'J. All curvature by position is kept as one
symmetric 3x3 a point, so a product costs the same for one camera and for ten.
"""

from __future__ import annotations

import numpy as np

from .arrays import (
    KEYPOINT_JOINT,
    NUM_FACE,
    NUM_JOINTS,
    NUM_KEYPOINTS,
    NUM_ROT,
    TORSO,
    Array,
    FusedBody,
    FusedPrior,
    FusedViews,
    FusedWeights,
    Workspace,
    compiled,
)
from .kinematics import add_row, pull_back, push_forward
from .target import add_target_product, target_energy
from .temporal import add_difference_product, difference_energy

F0 = np.float32(0.0)
F1 = np.float32(1.0)
QUARTER = np.float32(0.25)
NEAR_M = np.float32(0.2)
"""Points nearer to the camera plane than this carry no reprojection term."""


@compiled
def add_pixel_term(
    x: Array, camera: Array, obs_u: Array, obs_v: Array, weight: Array, scale: Array,
    rho: np.float32, lam: np.float32, drop: Array, force: Array, H: Array,
) -> np.float32:  # fmt: skip
    """One robust reprojection residual of one point in one camera, all slots.

    Args:
        x: (3, L) point.
        camera: (16,).
        obs_u, obs_v: (L,) px.
        weight: (L,) confidence; 0 skips the slot.
        scale: (L,) residual unit, 1/px.
        rho: Geman-McClure scale in residual units.
        lam: weight of the term.
        drop: (3, 3) derivative of the projected point by x (identity, or the drop onto the ground).
        force: (3, L) += half the gradient by x.
        H: (6, L) += half the Gauss-Newton Hessian.
    """
    fx, fy, cx, cy = camera[0], camera[1], camera[2], camera[3]
    s2 = rho * rho
    energy = F0
    for t in range(x.shape[1]):
        conf = weight[t] * lam
        if conf <= F0:
            continue
        X, Y, Z = x[0, t], x[1, t], x[2, t]
        a = camera[4] * X + camera[5] * Y + camera[6] * Z + camera[13]
        b = camera[7] * X + camera[8] * Y + camera[9] * Z + camera[14]
        d = camera[10] * X + camera[11] * Y + camera[12] * Z + camera[15]
        if d < NEAR_M:
            continue
        iz = F1 / d
        a *= iz
        b *= iz
        su, sv = scale[t] * fx, scale[t] * fy
        ru = su * a + scale[t] * (cx - obs_u[t])
        rv = sv * b + scale[t] * (cy - obs_v[t])
        e = ru * ru + rv * rv
        k = s2 / (s2 + e)
        energy += conf * k * e
        wgt = conf * k * k
        su *= iz
        sv *= iz
        i0 = su * (camera[4] - a * camera[10])
        i1 = su * (camera[5] - a * camera[11])
        i2 = su * (camera[6] - a * camera[12])
        j0 = sv * (camera[7] - b * camera[10])
        j1 = sv * (camera[8] - b * camera[11])
        j2 = sv * (camera[9] - b * camera[12])
        g0 = i0 * drop[0, 0] + i1 * drop[1, 0] + i2 * drop[2, 0]
        g1 = i0 * drop[0, 1] + i1 * drop[1, 1] + i2 * drop[2, 1]
        g2 = i0 * drop[0, 2] + i1 * drop[1, 2] + i2 * drop[2, 2]
        h0 = j0 * drop[0, 0] + j1 * drop[1, 0] + j2 * drop[2, 0]
        h1 = j0 * drop[0, 1] + j1 * drop[1, 1] + j2 * drop[2, 1]
        h2 = j0 * drop[0, 2] + j1 * drop[1, 2] + j2 * drop[2, 2]
        force[0, t] += wgt * (ru * g0 + rv * h0)
        force[1, t] += wgt * (ru * g1 + rv * h1)
        force[2, t] += wgt * (ru * g2 + rv * h2)
        H[0, t] += wgt * (g0 * g0 + h0 * h0)
        H[1, t] += wgt * (g0 * g1 + h0 * h1)
        H[2, t] += wgt * (g0 * g2 + h0 * h2)
        H[3, t] += wgt * (g1 * g1 + h1 * h1)
        H[4, t] += wgt * (g1 * g2 + h1 * h2)
        H[5, t] += wgt * (g2 * g2 + h2 * h2)
    return energy


@compiled
def torso_rows(ws: Workspace, source: Array, out: Array) -> None:
    """Mean of hips and shoulders of `source` (22, 3, L) into out (3, L)."""
    for c in range(3):
        a, b, d, e, o = (
            source[TORSO[0], c],
            source[TORSO[1], c],
            source[TORSO[2], c],
            source[TORSO[3], c],
            out[c],
        )
        for t in range(o.shape[0]):
            o[t] = QUARTER * (a[t] + b[t] + d[t] + e[t])


@compiled
def evaluate(
    n: int, body: FusedBody, prior: FusedPrior, views: FusedViews, lam: FusedWeights, camera: Array,
    origin: Array, rows: Array, betas: Array, betas_mean: Array, betas_weight: np.float32,
    ws: Workspace, terms: Array, prior_force: Array,
) -> np.float32:  # fmt: skip
    """Energy at the state whose `forward` stands in ws; forces and curvature are left in ws.

    Args:
        n: person.
        camera: (C, 16) cameras with t moved to the person's local origin.
        origin: (3,) local origin in the world, metres.
        rows, betas: parameters.
        betas_mean, betas_weight: what earlier windows know of the shape.
        terms: (10,) written: value of every term, in the order of the head of this file.
        prior_force: (69, L) written: forces that act on parameters directly (E_pose, E_t-trans, target).

    Returns:
        The sum of the terms.
    """
    start, stop = views.slots[n, 0], views.slots[n, 1]
    L = stop - start
    num_cameras = camera.shape[0]
    terms[:] = F0
    ws.F[:] = F0
    ws.M[:] = F0
    ws.H[:] = F0
    ws.H_point[:] = F0
    ws.H_torso[:] = F0
    ws.point_force[:] = F0
    prior_force[:] = F0
    drop = np.eye(3, dtype=np.float32)

    for c in range(num_cameras):
        size = views.inv_size[n, c, start:stop]
        for k in range(NUM_KEYPOINTS):
            conf = views.confidence[n, c, k, start:stop]
            u, v = views.keypoints[n, c, k, 0, start:stop], views.keypoints[n, c, k, 1, start:stop]
            j = KEYPOINT_JOINT[k]
            if k < NUM_FACE:
                terms[0] += add_pixel_term(
                    ws.x[k], camera[c], u, v, conf, size, lam.reprojection_scale, lam.reprojection,
                    drop, ws.point_force[k], ws.H_point[k],
                )  # fmt: skip
            else:
                terms[0] += add_pixel_term(
                    ws.p[j], camera[c], u, v, conf, size, lam.reprojection_scale, lam.reprojection,
                    drop, ws.F[j], ws.H[j],
                )  # fmt: skip

    # the torso: HVIP in every camera, and the track
    torso_rows(ws, ws.p, ws.row3)
    foot = ws.row6
    foot[:] = F0
    nx, ny, nz, d0 = views.plane[n, 0], views.plane[n, 1], views.plane[n, 2], views.plane[n, 3]
    for t in range(L):
        iz = F1 / nz[start + t]
        gx, gy = nx[start + t] * iz, ny[start + t] * iz
        local = (d0[start + t] - nx[start + t] * origin[0] - ny[start + t] * origin[1]) * iz - origin[2]
        foot[0, t] = ws.row3[0, t]
        foot[1, t] = ws.row3[1, t]
        foot[2, t] = local - gx * ws.row3[0, t] - gy * ws.row3[1, t]
    middle = start + L // 2
    drop[2, 0] = -nx[middle] / nz[middle]
    drop[2, 1] = -ny[middle] / nz[middle]
    drop[2, 2] = F0
    torso_force = ws.u[0]  # scratch: velocities are not in use here
    torso_force[:] = F0
    given = ws.low
    for c in range(num_cameras):
        scale = views.hvip_inv_sigma[n, c, start:stop]
        for t in range(L):
            given[t] = F1 if scale[t] > F0 else F0
        terms[1] += add_pixel_term(
            foot[0:3], camera[c], views.hvip[n, c, 0, start:stop], views.hvip[n, c, 1, start:stop],
            given, scale, lam.hvip_scale, lam.hvip, drop, torso_force, ws.H_torso,
        )  # fmt: skip
    for t in range(L):
        wgt = lam.track * views.track_weight[n, start + t]
        rx = ws.row3[0, t] + origin[0] - views.track[n, 0, start + t]
        ry = ws.row3[1, t] + origin[1] - views.track[n, 1, start + t]
        terms[7] += wgt * (rx * rx + ry * ry)
        torso_force[0, t] += wgt * rx
        torso_force[1, t] += wgt * ry
        ws.H_torso[0, t] += wgt
        ws.H_torso[3, t] += wgt
    for i in range(4):
        for c in range(3):
            o, f = ws.F[TORSO[i], c], torso_force[c]
            for t in range(L):
                o[t] += QUARTER * f[t]

    terms[2] = contact(n, views, lam, origin, start, ws)

    # the root stays upright: residual is the horizontal part of its up axis
    for t in range(L):
        ex, ey, ez = ws.G[0, 1, t], ws.G[0, 4, t], ws.G[0, 7, t]
        terms[8] += lam.upright * (ex * ex + ey * ey)
        fx, fy = lam.upright * ex, lam.upright * ey
        ws.M[0, 0, t] += -ez * fy
        ws.M[0, 1, t] += ez * fx
        ws.M[0, 2, t] += ex * fy - ey * fx

    for c in range(3):
        x = rows[NUM_ROT + c]
        terms[3] += difference_energy(x, lam.trans_velocity, lam.trans_acceleration)
        add_difference_product(x, lam.trans_velocity, lam.trans_acceleration, prior_force[NUM_ROT + c])
    for j in range(NUM_JOINTS):
        w1, w2 = lam.pose_velocity * prior.joint_scale[j], lam.pose_acceleration * prior.joint_scale[j]
        for c in range(3):
            terms[6] += difference_energy(ws.p[j, c], w1, w2)
            add_difference_product(ws.p[j, c], w1, w2, ws.F[j, c])

    # E_pose
    centred = ws.u.reshape(NUM_ROT, L)[3:]
    for i in range(NUM_ROT - 3):
        for t in range(L):
            centred[i, t] = rows[3 + i, t] - prior.mean[i]
    precision_product(prior.precision, centred, lam.pose, prior_force[3:NUM_ROT])
    for i in range(NUM_ROT - 3):
        s = F0
        for t in range(L):
            s += centred[i, t] * prior_force[3 + i, t]
        terms[4] += s
    terms[9] = target_energy(n, views, origin, rows, start, prior_force)
    for k in range(betas.shape[0]):
        terms[5] += lam.shape * betas[k] * betas[k]
        e = betas[k] - betas_mean[k]
        terms[5] += betas_weight * e * e
    return np.float32(terms.sum())


@compiled
def contact(
    n: int, views: FusedViews, lam: FusedWeights, origin: Array, start: int, ws: Workspace
) -> np.float32:
    """E_contact; adds its forces on points, and leaves ws.share, ws.low_weight and penetration in ws.H_point."""
    points, L = ws.share.shape
    tau = lam.contact_softness_m
    s2 = lam.contact_scale_m * lam.contact_scale_m
    energy = F0
    for t in range(L):
        a, b, g = views.plane[n, 0, start + t], views.plane[n, 1, start + t], views.plane[n, 2, start + t]
        d = views.plane[n, 3, start + t] - (a * origin[0] + b * origin[1] + g * origin[2])
        least = np.float32(1e9)
        for i in range(NUM_FACE, points):
            h = a * ws.x[i, 0, t] + b * ws.x[i, 1, t] + g * ws.x[i, 2, t] - d
            ws.share[i, t] = h
            least = min(least, h)
        total = F0
        for i in range(NUM_FACE, points):
            h = ws.share[i, t]
            total += np.exp((least - h) / tau)
            if h < F0:
                energy += lam.contact * h * h
                f = lam.contact * h
                ws.point_force[i, 0, t] += f * a
                ws.point_force[i, 1, t] += f * b
                ws.point_force[i, 2, t] += f * g
                w = lam.contact
                ws.H_point[i, 0, t] += w * a * a
                ws.H_point[i, 1, t] += w * a * b
                ws.H_point[i, 2, t] += w * a * g
                ws.H_point[i, 3, t] += w * b * b
                ws.H_point[i, 4, t] += w * b * g
                ws.H_point[i, 5, t] += w * g * g
        low = least - tau * np.log(total / np.float32(points - NUM_FACE))
        e = low * low
        k = F1
        if low > F0:
            k = s2 / (s2 + e)
        energy += lam.contact * k * e
        ws.low_weight[t] = lam.contact * k * k
        for i in range(NUM_FACE, points):
            share = np.exp((least - ws.share[i, t]) / tau) / total
            ws.share[i, t] = share
            f = ws.low_weight[t] * low * share
            ws.point_force[i, 0, t] += f * a
            ws.point_force[i, 1, t] += f * b
            ws.point_force[i, 2, t] += f * g
    return energy


@compiled
def precision_product(P: Array, x: Array, scale: np.float32, out: Array) -> None:
    """out += scale P x for x (D, L); seven columns of P at a time keep the row of out in registers."""
    D, L = x.shape
    for i in range(D):
        o = out[i]
        k = 0
        while k + 6 < D:
            a, b, c, d = scale * P[i, k], scale * P[i, k + 1], scale * P[i, k + 2], scale * P[i, k + 3]
            e, f, g = scale * P[i, k + 4], scale * P[i, k + 5], scale * P[i, k + 6]
            x0, x1, x2, x3, x4, x5, x6 = x[k], x[k + 1], x[k + 2], x[k + 3], x[k + 4], x[k + 5], x[k + 6]
            for t in range(L):
                o[t] += (
                    a * x0[t] + b * x1[t] + c * x2[t] + d * x3[t] + e * x4[t] + f * x5[t] + g * x6[t]
                )  # fmt: skip
            k += 7
        while k < D:
            a = scale * P[i, k]
            x0 = x[k]
            for t in range(L):
                o[t] += a * x0[t]
            k += 1


@compiled
def symmetric_times(H: Array, u: Array, f: Array) -> None:
    """f = H u, H as six rows."""
    u0, u1, u2 = u[0], u[1], u[2]
    a, b, c, f0 = H[0], H[1], H[2], f[0]
    for t in range(f0.shape[0]):
        f0[t] = a[t] * u0[t] + b[t] * u1[t] + c[t] * u2[t]
    d, e, f1 = H[3], H[4], f[1]
    for t in range(f1.shape[0]):
        f1[t] = b[t] * u0[t] + d[t] * u1[t] + e[t] * u2[t]
    g, f2 = H[5], f[2]
    for t in range(f2.shape[0]):
        f2[t] = c[t] * u0[t] + e[t] * u1[t] + g[t] * u2[t]


@compiled
def curvature_product(
    n: int, body: FusedBody, prior: FusedPrior, views: FusedViews, lam: FusedWeights, betas_weight: np.float32,
    v: Array, vb: Array, ws: Workspace, out: Array, out_betas: Array,
) -> None:  # fmt: skip
    """out = J' W J v: the Gauss-Newton Hessian (half of it, as everywhere here) times a direction.

    v, out are (69, L); vb, out_betas (10,). Damping is the caller's.
    """
    start = views.slots[n, 0]
    L = v.shape[1]
    push_forward(body, v, vb, ws)
    ws.M[:] = F0
    tmp = ws.low
    for j in range(NUM_JOINTS):
        symmetric_times(ws.H[j], ws.u[j], ws.F[j])
        w1, w2 = lam.pose_velocity * prior.joint_scale[j], lam.pose_acceleration * prior.joint_scale[j]
        for c in range(3):
            add_difference_product(ws.u[j, c], w1, w2, ws.F[j, c])
    torso_rows(ws, ws.u, ws.row3)
    symmetric_times(ws.H_torso, ws.row3, ws.row6[0:3])
    for c in range(3):
        f = ws.row6[c]
        for t in range(L):
            f[t] *= QUARTER
        for i in range(4):
            add_row(f, ws.F[TORSO[i], c])
    for i in range(len(body.point_joint)):
        symmetric_times(ws.H_point[i], ws.point_u[i], ws.point_force[i])
    # the soft minimum couples the sole points of a slot
    nx, ny, nz = views.plane[n, 0, start:], views.plane[n, 1, start:], views.plane[n, 2, start:]
    tmp[:] = F0
    for i in range(NUM_FACE, len(body.point_joint)):
        share, ux, uy, uz = ws.share[i], ws.point_u[i, 0], ws.point_u[i, 1], ws.point_u[i, 2]
        for t in range(L):
            tmp[t] += share[t] * (nx[t] * ux[t] + ny[t] * uy[t] + nz[t] * uz[t])
    for t in range(L):
        tmp[t] *= ws.low_weight[t]
    for i in range(NUM_FACE, len(body.point_joint)):
        share, fx, fy, fz = ws.share[i], ws.point_force[i, 0], ws.point_force[i, 1], ws.point_force[i, 2]
        for t in range(L):
            s = tmp[t] * share[t]
            fx[t] += s * nx[t]
            fy[t] += s * ny[t]
            fz[t] += s * nz[t]
    G, w, M = ws.G[0], ws.w[0], ws.M[0]
    for t in range(L):
        ex, ey, ez = G[1, t], G[4, t], G[7, t]
        fx = lam.upright * (w[1, t] * ez - w[2, t] * ey)
        fy = lam.upright * (w[2, t] * ex - w[0, t] * ez)
        M[0, t] -= ez * fy
        M[1, t] += ez * fx
        M[2, t] += ex * fy - ey * fx
    pull_back(body, ws, out, out_betas)
    precision_product(prior.precision, v[3:NUM_ROT], lam.pose, out[3:NUM_ROT])
    for c in range(3):
        add_difference_product(v[NUM_ROT + c], lam.trans_velocity, lam.trans_acceleration, out[NUM_ROT + c])
    add_target_product(n, views, start, v, out)
    for k in range(out_betas.shape[0]):
        out_betas[k] += (lam.shape + betas_weight) * vb[k]
