"""Shadows on a grid that lies along the rays of the sun.

    u = x - s_x z,   v = y - s_y z,      s = sun_xy / sun_z

takes every ray of the sun to one cell, and z orders what lies on it: the highest is lit. Unmoving things are drawn
into the grid once as polygons, bodies in every frame as clouds of points (denser than the cells). A body's shadow on
unmoving things is then just where it is higher than they are; penumbra by a small blur. With s = 0 the same
grid gives what stands right above the ground: contact shade. O(points + cells).
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from .surfaces import Surface

Array = np.ndarray

CELL_M = 0.025
MOST_CELLS = 3000
"""Cells along a side; larger places get larger cells."""
OWN_THICKNESS_M = 0.07
"""Height by which something must be above a point to shade it: more than a cell spans on one body."""

_GAPS = np.ones((3, 3), np.uint8)
"""Holes between the points of one body are no wider than this."""


class SunGrid:
    """What the sun sees first."""

    def __init__(
        self, low_m: Float[Array, "2"], high_m: Float[Array, "2"], shear: Float[Array, "2"],
        surfaces: list[Surface], cell_m: float = CELL_M,
    ) -> None:  # fmt: skip
        side = float((high_m - low_m).max())
        self.cell_m = max(cell_m, side / MOST_CELLS)
        self._low = low_m.astype(np.float32)
        self._shear = shear.astype(np.float32)
        columns, rows = np.ceil((high_m - low_m) / self.cell_m).astype(int) + 1
        self.still = np.full((rows, columns), -np.inf, np.float32)
        for surface in surfaces:
            if surface.casts or abs(surface.normal[2]) > 0.3:
                self._draw(surface)
        self._top = np.empty_like(self.still)

    def place(self, points_m: Float[Array, "M 3"]) -> Float[Array, "M 2"]:
        """Column and row of points, float32; whole numbers at the centres of cells."""
        flat = points_m[:, :2] - points_m[:, 2:] * self._shear
        return np.asarray((flat - self._low) / np.float32(self.cell_m))

    def sunlit(self, points_m: Float[Array, "M 3"], with_bodies: bool) -> Bool[Array, "M"]:
        """Whether the sun reaches points; with bodies, after `cast`."""
        cell, inside = self._cells(points_m)
        top = self._top if with_bodies else self.still
        return np.asarray(~inside | (points_m[:, 2] + OWN_THICKNESS_M >= top.ravel()[cell]))

    def cast(
        self, points_m: Float[Array, "M 3"], below_m: float | None = None
    ) -> Float[Array, "rows columns"]:
        """Share of the sun that bodies take from unmoving things; float32 0..1.

        Args:
            points_m: on the bodies' skins.
            below_m: only points no higher than this above the unmoving things count; None: all.
        """
        cell, inside = self._cells(points_m)
        z = np.where(inside, points_m[:, 2], -np.inf).astype(np.float32)
        above = z > self.still.ravel()[cell] + 0.005
        if below_m is None:
            np.copyto(self._top, self.still)
            np.maximum.at(self._top.reshape(-1), cell, z)
        else:
            above &= z < self.still.ravel()[cell] + below_m
        mask = np.zeros(self.still.shape, np.uint8)
        mask.reshape(-1)[cell[above]] = 255
        return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _GAPS))

    def _cells(self, points_m: Float[Array, "M 3"]) -> tuple[Int[Array, "M"], Bool[Array, "M"]]:
        place = self.place(points_m)
        rows, columns = self.still.shape
        column = (place[:, 0] + 0.5).astype(np.int32)
        row = (place[:, 1] + 0.5).astype(np.int32)
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        return np.where(inside, row * columns + column, 0), inside

    def _draw(self, surface: Surface) -> None:
        """One polygon; upright ones that the sun sees edge on have no cells."""
        n = surface.normal
        steep = n[0] * self._shear[0] + n[1] * self._shear[1] + n[2]
        if abs(steep) < 1e-3:
            return
        corners = self.place(surface.corners_m.astype(np.float32))
        limit = np.array(self.still.shape[::-1]) - 1
        first = np.clip(np.floor(corners.min(axis=0)), 0, limit).astype(int)
        last = np.clip(np.ceil(corners.max(axis=0)), 0, limit).astype(int)
        mask = np.zeros((last - first + 1)[::-1], np.uint8)
        far = 8.0 * max(self.still.shape)
        fixed = np.round(np.clip(corners - first, -far, far) * 256).astype(np.int32)
        cv2.fillConvexPoly(mask, fixed.reshape(-1, 1, 2), 1, shift=8)
        u = np.arange(first[0], last[0] + 1) * self.cell_m + self._low[0]
        v = np.arange(first[1], last[1] + 1) * self.cell_m + self._low[1]
        z = (float(n @ surface.corners_m[0]) - n[0] * u - n[1] * v[:, None]) / steep
        z = np.clip(z, surface.corners_m[:, 2].min(), surface.corners_m[:, 2].max())
        part = self.still[first[1] : last[1] + 1, first[0] : last[0] + 1]
        np.maximum(part, np.where(mask > 0, z, -np.inf).astype(np.float32), out=part)


def soften(mask: Array, cells: float) -> Array:
    """Penumbra: a blur of the mask, bytes."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), cells))
