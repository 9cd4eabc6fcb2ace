"""Unit quaternions (w, x, y, z) in numpy: what poses are blended with.

    exp(r) = (cos |r|/2, sin(|r|/2) r/|r|)         nlerp(a, b, s) = (1-s) a + s b, brought back to length 1

Blends of neighbouring poses differ from slerp by less than a hundredth of the angle between them.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Array = np.ndarray


def from_rotvec(rotvec: Float[Array, "*batch 3"]) -> Float[Array, "*batch 4"]:
    """Of axis-angle vectors, radians."""
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    half = 0.5 * angle
    scale = np.where(angle > 1e-8, np.sin(half) / np.maximum(angle, 1e-8), 0.5)
    return np.concatenate([np.cos(half), rotvec * scale], axis=-1)


def to_rotvec(q: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3"]:
    """Axis-angle, |r| <= pi."""
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    return np.asarray(q[..., 1:] * np.where(sine > 1e-8, angle / np.maximum(sine, 1e-8), 2.0))


def to_rotmat(q: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3 3"]:
    """Rotation matrices."""
    w, x, y, z = (q[..., k] for k in range(4))
    out = np.empty((*w.shape, 3, 3), q.dtype)
    out[..., 0, 0] = 1 - 2 * (y * y + z * z)
    out[..., 0, 1] = 2 * (x * y - w * z)
    out[..., 0, 2] = 2 * (x * z + w * y)
    out[..., 1, 0] = 2 * (x * y + w * z)
    out[..., 1, 1] = 1 - 2 * (x * x + z * z)
    out[..., 1, 2] = 2 * (y * z - w * x)
    out[..., 2, 0] = 2 * (x * z - w * y)
    out[..., 2, 1] = 2 * (y * z + w * x)
    out[..., 2, 2] = 1 - 2 * (x * x + y * y)
    return out


def from_rotmat(m: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 4"]:
    """Of rotation matrices, w >= 0: the best conditioned row of 4 q q^T."""
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = np.stack([
        np.stack([1 + xx + yy + zz, wx, wy, wz], axis=-1),
        np.stack([wx, 1 + xx - yy - zz, xy, xz], axis=-1),
        np.stack([wy, xy, 1 - xx + yy - zz, yz], axis=-1),
        np.stack([wz, xz, yz, 1 - xx - yy + zz], axis=-1),
    ], axis=-2)  # fmt: skip
    best = np.argmax(np.stack([rows[..., k, k] for k in range(4)], axis=-1), axis=-1)
    q = np.take_along_axis(rows, best[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.asarray(np.where(q[..., :1] < 0, -q, q))


def multiply(a: Float[Array, "*#batch 4"], b: Float[Array, "*#batch 4"]) -> Float[Array, "*#batch 4"]:
    """a after b."""
    aw, ax, ay, az = (a[..., k] for k in range(4))
    bw, bx, by, bz = (b[..., k] for k in range(4))
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def conjugate(q: Float[Array, "*batch 4"]) -> Float[Array, "*batch 4"]:
    """The inverse rotation."""
    return np.asarray(q * np.array([1.0, -1.0, -1.0, -1.0], q.dtype))


def about(axis: int, angle_rad: Float[Array, "*batch"] | float) -> Float[Array, "*batch 4"]:
    """Turns about one of the three axes (0 x, 1 y, 2 z)."""
    half = 0.5 * np.asarray(angle_rad, np.float64)
    out = np.zeros((*half.shape, 4))
    out[..., 0] = np.cos(half)
    out[..., 1 + axis] = np.sin(half)
    return out


def unit(q: Float[Array, "*batch 4"]) -> Float[Array, "*batch 4"]:
    """Brought back to length 1."""
    return np.asarray(q / np.sqrt((q * q).sum(-1, keepdims=True)))


def nlerp(
    a: Float[Array, "*#batch 4"], b: Float[Array, "*#batch 4"], share: Float[Array, "*#batch"]
) -> Float[Array, "*#batch 4"]:
    """From a (share 0) to b (share 1) by the shorter way."""
    dot = (a * b).sum(-1, keepdims=True)
    s = share[..., None]
    return unit((1.0 - s) * a + np.where(dot < 0, -s, s) * b)


def continuous(q: Float[Array, "T *batch 4"]) -> Float[Array, "T *batch 4"]:
    """The same rotations with signs that never jump from one row to the next."""
    flips = np.where((q[1:] * q[:-1]).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    return np.asarray(np.concatenate([q[:1], q[1:] * np.cumprod(flips, axis=0)]))
