"""Focal length, and camera height over rod length, in closed form on a grid (algorithms 2.1).

For a focal f the up normal N follows from the vanishing point. With r the ray of a pixel (unit depth) and
g = -r_b / (N . r_b), a rod standing on the plane N . X + D = 0 has its bottom at D g and its top at D g + H N.
Only rho = D / H shows in the picture, and  r_t x (rho g + N) = 0  gives each rod's own

    rho_i = -((r_t x g) . (r_t x N)) / |r_t x g|^2

The right focal is the one for which one rho, the median, explains all rods:

    minimise over f   median_i  |project(rho g_i + N) - top_i| / |top_i - bottom_i|

0.25 degrees of field of view a step; O(grid x N), no iteration. It starts `refine` and guards its basin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .uprights import Uprights
from .vanishing import up_normal

Array = np.ndarray

FOV_RANGE_DEG = (8.0, 135.0)
FOV_STEP_DEG = 0.25
_MAX_RODS = 400  # of the scan; more only smooth a start that is refined with all of them


@dataclass(frozen=True)
class FocalScan:
    """The best of the grid."""

    focal_px: float
    normal_cam: Float[Array, "3"]
    """Up, camera axes."""
    rho: float
    """Camera height over the ankles' plane / rod length."""
    residual: float
    """Median error of the tops / rod length."""
    at_border: bool
    """The best focal is the first or last of the grid: no minimum inside."""


def scan_focal(
    rods: Uprights,
    vanishing: Float[Array, "3"],
    size_px: tuple[int, int],
    focal_px: float | None = None,
) -> FocalScan:
    """Try focal lengths (or only the given one)."""
    w, h = size_px
    scale = 0.5 * max(w, h)
    centre = np.array([0.5 * (w - 1), 0.5 * (h - 1)])
    step = max(1, len(rods) // _MAX_RODS)
    top, bottom = (rods.top_px[::step] - centre) / scale, (rods.bottom_px[::step] - centre) / scale
    length = np.linalg.norm(top - bottom, axis=1)
    fovs = np.arange(FOV_RANGE_DEG[0], FOV_RANGE_DEG[1] + 1e-9, FOV_STEP_DEG)
    grid = 1.0 / np.tan(np.radians(fovs) / 2.0) if focal_px is None else np.array([focal_px / scale])
    results = [_explain(top, bottom, length, up_normal(vanishing, f), float(f)) for f in grid]
    best = int(np.argmin([residual for residual, _ in results]))
    residual, rho = results[best]
    return FocalScan(
        focal_px=float(grid[best] * scale),
        normal_cam=up_normal(vanishing, float(grid[best])),
        rho=rho,
        residual=residual,
        at_border=len(grid) > 1 and best in (0, len(grid) - 1),
    )


def _explain(
    top: Float[Array, "N 2"],
    bottom: Float[Array, "N 2"],
    length: Float[Array, "N"],
    normal: Float[Array, "3"],
    focal: float,
) -> tuple[float, float]:
    """Median relative error of the tops and the median rho; infinite where too few rods face the plane."""
    ones = np.ones((len(top), 1))
    r_b, r_t = np.concatenate([bottom / focal, ones], 1), np.concatenate([top / focal, ones], 1)
    slope = r_b @ normal
    facing = slope < -1e-4  # the ray through the feet goes down
    if facing.mean() < 0.9:
        return np.inf, np.nan
    g = -r_b[facing] / slope[facing, None]
    a, b = _cross(r_t[facing], g), _cross(r_t[facing], np.broadcast_to(normal, g.shape))
    each = -np.einsum("nc,nc->n", a, b) / np.einsum("nc,nc->n", a, a)
    rho = float(np.median(each))
    if not rho > 0.0:
        return np.inf, np.nan
    point = rho * g + normal
    if np.any(point[:, 2] <= 1e-6):
        return np.inf, np.nan
    error = np.linalg.norm(focal * point[:, :2] / point[:, 2:] - top[facing], axis=1)
    return float(np.median(error / length[facing])), rho


def _cross(a: Float[Array, "N 3"], b: Float[Array, "N 3"]) -> Float[Array, "N 3"]:
    """numpy's own spends ten times the arithmetic on axes."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)
