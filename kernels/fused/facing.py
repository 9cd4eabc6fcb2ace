"""Which way a person faces, and roughly how they stand: templates x yaws scored by reprojection, smoothed in time.

A template is a posed skeleton's 17 keypoints about the pelvis, z up, facing +x at yaw 0. Placed at the
tracked ground point, turned by yaw, and projected by the true camera (so elevation is accounted for), its
picture is compared with the seen keypoints up to a shift and a scale in the image:

    cost = sum_c,k  min(conf |s m + b - k_obs|^2 / (sigma size)^2, cap),     s, b in closed form, s clamped

Left and right joints tell front from back. The path over slots is the Viterbi path with a penalty on turns;
the walking direction comes in as one more cost. O(N T C M K 17).
"""

from __future__ import annotations

import numpy as np

from .arrays import NUM_KEYPOINTS, Array, compiled

F0 = np.float32(0.0)
F1 = np.float32(1.0)


@compiled
def template_cost(
    n: int, t: int, cameras: Array, keypoints: Array, confidence: Array, inv_size: Array,
    templates: Array, heights: Array, place: Array, cosines: Array, sines: Array,
    sigma: np.float32, cap: np.float32, cost: Array, scales: Array,
) -> None:  # fmt: skip
    """Costs (K, M) and best image scales (K, M) of one person in one slot; zeros where nothing is seen.

    Args:
        cameras: (C, 16); keypoints (N, C, 17, 2, T); confidence (N, C, 17, T); inv_size (N, C, T).
        templates: (M, 17, 3) about the pelvis, metres; heights (M,) of the pelvis above the sole.
        place: (3,) ground point, metres.
        cosines, sines: (K,) of the yaws.
        sigma: keypoint noise in box sizes; cap: most a keypoint may cost.
    """
    u = np.empty(NUM_KEYPOINTS, np.float32)
    v = np.empty(NUM_KEYPOINTS, np.float32)
    num_yaws, num_templates = len(cosines), templates.shape[0]
    cost[:] = F0
    scales[:] = F1
    for c in range(cameras.shape[0]):
        size = inv_size[n, c, t]
        if not size > F0:
            continue
        total = F0
        mu = F0
        mv = F0
        for k in range(NUM_KEYPOINTS):
            w = confidence[n, c, k, t]
            total += w
            mu += w * keypoints[n, c, k, 0, t]
            mv += w * keypoints[n, c, k, 1, t]
        if not total > np.float32(0.5):
            continue
        mu /= total
        mv /= total
        R = cameras[c]
        inv_var = size * size / (sigma * sigma)
        for yaw in range(num_yaws):
            cy, sy = cosines[yaw], sines[yaw]
            for m in range(num_templates):
                pu = F0
                pv = F0
                for k in range(NUM_KEYPOINTS):
                    a, b = templates[m, k, 0], templates[m, k, 1]
                    x = place[0] + cy * a - sy * b
                    y = place[1] + sy * a + cy * b
                    z = place[2] + heights[m] + templates[m, k, 2]
                    d = max(R[10] * x + R[11] * y + R[12] * z + R[15], np.float32(0.2))
                    u[k] = R[0] * (R[4] * x + R[5] * y + R[6] * z + R[13]) / d
                    v[k] = R[1] * (R[7] * x + R[8] * y + R[9] * z + R[14]) / d
                    w = confidence[n, c, k, t]
                    pu += w * u[k]
                    pv += w * v[k]
                pu /= total
                pv /= total
                mm = F0
                mo = F0
                for k in range(NUM_KEYPOINTS):
                    w = confidence[n, c, k, t]
                    du, dv = u[k] - pu, v[k] - pv
                    mm += w * (du * du + dv * dv)
                    mo += w * (du * (keypoints[n, c, k, 0, t] - mu) + dv * (keypoints[n, c, k, 1, t] - mv))
                s = min(max(mo / max(mm, np.float32(1e-6)), np.float32(0.7)), np.float32(1.3))
                scales[yaw, m] = s
                e = F0
                for k in range(NUM_KEYPOINTS):
                    w = confidence[n, c, k, t]
                    ru = s * (u[k] - pu) - (keypoints[n, c, k, 0, t] - mu)
                    rv = s * (v[k] - pv) - (keypoints[n, c, k, 1, t] - mv)
                    e += w * min((ru * ru + rv * rv) * inv_var, cap)
                cost[yaw, m] += e


@compiled
def facing_path(
    people: Array, cameras: Array, keypoints: Array, confidence: Array, inv_size: Array, slots: Array,
    templates: Array, heights: Array, place: Array, heading: Array, heading_weight: Array,
    cosines: Array, sines: Array, sigma: np.float32, cap: np.float32, turn_sigma: np.float32,
    yaw: Array, mix: Array, scale: Array,
) -> None:  # fmt: skip
    """Viterbi path of yaws for the listed people.

    Args:
        place: (N, T, 3) ground points; heading (N, T) walking direction, rad; heading_weight (N, T) its cost.
        turn_sigma: turn per slot that costs 1/2, rad.
        yaw: (N, T) written, rad (between the grid's angles by a parabola through the costs).
        mix: (N, T, M) written, shares of the templates, sum 1.
        scale: (N, T) written, image scale of the best template: stature over the template's; 0 if unseen.
    """
    K, M = len(cosines), templates.shape[0]
    T = place.shape[1]
    step = np.float32(2.0 * np.pi / K)
    cost = np.zeros((K, M), np.float32)
    scales = np.zeros((K, M), np.float32)
    costs = np.zeros((T, K, M), np.float32)
    all_scales = np.zeros((T, K, M), np.float32)
    best = np.zeros((T, K), np.float32)
    back = np.zeros((T, K), np.int64)
    seen = np.zeros(T, np.bool_)
    turn = np.zeros(K, np.float32)
    for d in range(K):
        a = min(d, K - d) * step
        turn[d] = min(np.float32(0.5) * (a / turn_sigma) ** 2, np.float32(20.0))
    for i in range(len(people)):
        n = people[i]
        start, stop = slots[n, 0], slots[n, 1]
        for t in range(start, stop):
            template_cost(
                n, t, cameras, keypoints, confidence, inv_size, templates, heights, place[n, t],
                cosines, sines, sigma, cap, cost, scales,
            )  # fmt: skip
            costs[t] = cost
            all_scales[t] = scales
            seen[t] = False
            for c in range(cameras.shape[0]):
                if inv_size[n, c, t] > F0:
                    seen[t] = True
            for k in range(K):
                e = cost[k, 0]
                for m in range(1, M):
                    e = min(e, cost[k, m])
                angle = k * step - heading[n, t]
                e += heading_weight[n, t] * (F1 - np.float32(np.cos(angle)))
                if t == start:
                    best[t, k] = e
                else:
                    least = np.float32(1e30)
                    for q in range(K):
                        value = best[t - 1, q] + turn[abs(q - k)]
                        if value < least:
                            least = value
                            back[t, k] = q
                    best[t, k] = e + least
        if stop <= start:
            continue
        k = 0
        for q in range(K):
            if best[stop - 1, q] < best[stop - 1, k]:
                k = q
        for t in range(stop - 1, start - 1, -1):
            least = costs[t, k, 0]
            pick = 0
            for m in range(1, M):
                if costs[t, k, m] < least:
                    least = costs[t, k, m]
                    pick = m
            lo, hi = costs[t, (k + K - 1) % K, pick], costs[t, (k + 1) % K, pick]
            bend = lo + hi - np.float32(2.0) * least
            shift = F0
            if bend > np.float32(1e-6):
                shift = min(max(np.float32(0.5) * (lo - hi) / bend, np.float32(-0.5)), np.float32(0.5))
            yaw[n, t] = (k + shift) * step
            total = F0
            for m in range(M):
                mix[n, t, m] = np.exp(np.float32(0.5) * (least - costs[t, k, m]))
                total += mix[n, t, m]
            for m in range(M):
                mix[n, t, m] /= total
            scale[n, t] = all_scales[t, k, pick] if seen[t] else F0
            k = back[t, k]
