"""Where the box of a hidden person is: carried along by their motion on the ground."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..camera import CameraModel
from ..ground import Ground

Array = np.ndarray

_ROD_M = 1.7
"""Length of the upright rod whose picture gives the scale; any human length does."""


def surface_points(ground: Ground, xy_m: Float[Array, "M 2"]) -> Float[Array, "M 3"]:
    """Points of the ground above (or below) world x, y."""
    out = np.empty((len(xy_m), 3))
    out[:, :2] = xy_m
    if len(ground.planes) == 1:
        plane = ground.planes[0]
        out[:, 2] = (plane.offset_m - xy_m @ plane.normal[:2]) / plane.normal[2]
        return out
    for row, xy in enumerate(np.asarray(xy_m, np.float64)):
        plane = ground.plane_at(xy)
        out[row, 2] = (plane.offset_m - xy @ plane.normal[:2]) / plane.normal[2]
    return out


def carry_boxes(
    camera: CameraModel,
    ground: Ground,
    then_m: Float[Array, "M 2"],
    now_m: Float[Array, "M 2"],
    foot_px: Float[Array, "M 2"],
    log_size: Float[Array, "M 2"],
) -> tuple[Float[Array, "M 2"], Float[Array, "M 2"]]:
    """Foot points and log sizes of boxes after their people went from `then_m` to `now_m`.

    The box keeps its place and size relative to the picture of an upright rod at the person's ground point.
    Rows that cannot be projected (behind the camera) stay as they were.
    """
    start, start_rod = _rod(camera, ground, then_m)
    end, end_rod = _rod(camera, ground, now_m)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = end_rod / start_rod
    moved = end + (foot_px - start) * ratio[:, None]
    good = np.isfinite(moved).all(axis=1) & (ratio > 0.05) & (ratio < 20.0)
    safe = np.where(good, ratio, 1.0)
    return np.where(good[:, None], moved, foot_px), log_size + np.log(safe)[:, None]


def _rod(
    camera: CameraModel, ground: Ground, xy_m: Float[Array, "M 2"]
) -> tuple[Float[Array, "M 2"], Float[Array, "M"]]:
    base = surface_points(ground, xy_m)
    low = camera.project(base)
    high = camera.project(base + np.array([0.0, 0.0, _ROD_M]))
    return low, np.linalg.norm(high - low, axis=-1)
