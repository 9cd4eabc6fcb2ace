"""Rotations: axis-angle, matrices and the 6D form, with leading batch dimensions everywhere.

    R(r) = I + a [r]x + b [r]x^2,   a = sin|r| / |r|,   b = (1 - cos|r|) / |r|^2        (Rodrigues)

Torch functions are differentiable everywhere but where a rotation of exactly pi makes the logarithm jump;
`*_np` are their float64 twins for code that needs no gradients. No host synchronisation.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

SERIES_BELOW = 1e-2
"""|r|^2 under which the series are used: their first left-out term is then below float64's rounding."""


def skew(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The matrix [v]x with [v]x w = v x w."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    flat = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1)
    return flat.reshape(*x.shape, 3, 3)


def rotvec_to_rotmat(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Exponential map, radians -> rotation matrices. Smooth everywhere, r = 0 included."""
    t = (rotvec * rotvec).sum(-1)
    small = t < SERIES_BELOW
    angle = torch.where(small, torch.ones_like(t), t).sqrt()  # keeps sqrt's gradient finite at 0
    half = torch.sin(0.5 * angle) / (0.5 * angle)
    a = torch.where(small, 1 - t / 6 * (1 - t / 20 * (1 - t / 42 * (1 - t / 72))), torch.sin(angle) / angle)
    b = torch.where(small, 0.5 - t / 24 * (1 - t / 30 * (1 - t / 56 * (1 - t / 90))), 0.5 * half * half)
    x, y, z = rotvec.unbind(-1)
    ax, ay, az, bx, by, bz = a * x, a * y, a * z, b * x, b * y, b * z
    xx, yy, zz, xy, xz, yz = bx * x, by * y, bz * z, bx * y, bx * z, by * z
    rows = [1 - yy - zz, xy - az, xz + ay, xy + az, 1 - xx - zz, yz - ax, xz - ay, yz + ax, 1 - xx - yy]
    return torch.stack(rows, dim=-1).reshape(*t.shape, 3, 3)


def rotmat_to_quaternion(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternions (w, x, y, z) with w >= 0.

    The symmetric matrix 4 q q^T is linear in R; its row with the largest diagonal never vanishes, so the
    result is accurate at every angle, pi included.
    """
    m = rotmat
    w2 = 1 + m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    x2 = 1 + m[..., 0, 0] - m[..., 1, 1] - m[..., 2, 2]
    y2 = 1 - m[..., 0, 0] + m[..., 1, 1] - m[..., 2, 2]
    z2 = 1 - m[..., 0, 0] - m[..., 1, 1] + m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = torch.stack([w2, wx, wy, wz, wx, x2, xy, xz, wy, xy, y2, yz, wz, xz, yz, z2], dim=-1)
    best = torch.stack([w2, x2, y2, z2], dim=-1).argmax(-1)
    pick = best[..., None, None].expand(*best.shape, 1, 4)
    row = rows.reshape(*w2.shape, 4, 4).gather(-2, pick).squeeze(-2)
    row = row / row.norm(dim=-1, keepdim=True)
    return torch.where(row[..., :1] < 0, -row, row)


def rotmat_to_rotvec(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Logarithm, |r| <= pi. Accurate at 0 and near pi; at pi itself the sign of the axis is free."""
    q = rotmat_to_quaternion(rotmat)
    w, v = q[..., :1], q[..., 1:]
    n2 = (v * v).sum(-1, keepdim=True)
    small = n2 < SERIES_BELOW
    n = torch.where(small, torch.ones_like(n2), n2).sqrt()
    # 2 asin(n) / n, for w > 0: n2 may be 0 here, so no root of it is taken
    series = 2 * (1 + n2 * (1 / 6 + n2 * (3 / 40 + n2 * (15 / 336 + n2 * (105 / 3456 + n2 * 945 / 42240)))))
    return v * torch.where(small, series, 2 * torch.atan2(n, w) / n)


def rotmat_to_6d(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """The first two columns, one after the other (Zhou et al. 2019)."""
    return rotmat[..., :2].transpose(-1, -2).flatten(-2)


def rotmat_from_6d(sixd: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Gram-Schmidt of two column vectors (Zhou et al. 2019); undefined where they are parallel or zero."""
    x = torch.nn.functional.normalize(sixd[..., :3], dim=-1)
    y = sixd[..., 3:] - (x * sixd[..., 3:]).sum(-1, keepdim=True) * x
    y = torch.nn.functional.normalize(y, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def geodesic_distance(
    a: Float[Tensor, "*#batch 3 3"], b: Float[Tensor, "*#batch 3 3"]
) -> Float[Tensor, "*#batch"]:
    """Angle of the rotation from a to b, 0..pi radians. Not differentiable at 0 and pi."""
    q = rotmat_to_quaternion(a.transpose(-1, -2) @ b)
    return 2 * torch.atan2(q[..., 1:].norm(dim=-1), q[..., 0])


def slerp_rotvec(
    a: Float[Tensor, "*#batch 3"], b: Float[Tensor, "*#batch 3"], share: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*#batch 3"]:
    """Along the shortest arc from a (share 0) to b (share 1): exp(log(a)) exp(share log(a^-1 b))."""
    ra, rb = rotvec_to_rotmat(a), rotvec_to_rotmat(b)
    step = rotmat_to_rotvec(ra.transpose(-1, -2) @ rb)
    return rotmat_to_rotvec(ra @ rotvec_to_rotmat(share[..., None] * step))


def _double(array: Float[np.ndarray, "..."]) -> Tensor:
    """A float64 tensor; arrays that must not be written to (views of the wire, broadcasts) are copied."""
    wide = np.asarray(array, np.float64)
    return torch.from_numpy(wide if wide.flags.writeable else wide.copy())


def rotvec_to_rotmat_np(rotvec: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """`rotvec_to_rotmat` in float64 numpy."""
    return rotvec_to_rotmat(_double(rotvec)).numpy()


def rotmat_to_rotvec_np(rotmat: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3"]:
    """`rotmat_to_rotvec` in float64 numpy."""
    return rotmat_to_rotvec(_double(rotmat)).numpy()


def slerp_rotvec_np(
    a: Float[np.ndarray, "*#batch 3"], b: Float[np.ndarray, "*#batch 3"], share: Float[np.ndarray, "*#batch"]
) -> Float[np.ndarray, "*#batch 3"]:
    """`slerp_rotvec` in float64 numpy."""
    tensors = (_double(each) for each in (a, b, share))
    return slerp_rotvec(*tensors).numpy()
