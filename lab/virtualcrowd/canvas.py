"""The picture a view is drawn in: without distortion, bounded in width, with what stands still in it.

Drawing happens in ideal pixels, where straight edges stay straight, so distortion costs no error in what hides what;
the border of the camera's own picture becomes a curve in it. (Shares of pixels are then shares of ideal pixels: over
one body the scale of a distorted picture hardly changes.)

Obstacles are triangles. One plane of ground hides nobody who stands on it, so ground is drawn only where there are
several: each level by rays, exact with the holes that later planes cut, and the steps between levels as walls. It is
drawn 4 cm low, since soles and ground touch and must not fight for pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int

from ...kernels.camera import CameraModel
from ...kernels.fused.crowd_view import TILE, Optics, Scratch, draw_ground
from ...kernels.fused.zbuffer import NOTHING, THING, Lens, Probes, Sheet, draw
from ...kernels.ground import Ground
from .scene import Obstacle, Scene, surface_height_m

Array = np.ndarray

NEAR_M = 0.1
GROUND_DROP_M = 0.04
_LEAST_STEP_M = 0.06
"""Lower steps of the ground hide nothing that matters."""
_WALL_PIECE_M = 0.5
_BORDER_STEPS = 64
_WIDEST = 3.0
"""An undistorted picture is drawn at most so many times as wide as the camera's: fisheyes have no ideal one."""


@dataclass(frozen=True)
class Canvas:
    """Where and how finely a camera's view is drawn."""

    lens: Lens
    """World to pixels of the canvas."""
    optics: Optics
    """Normalised coordinates to distorted pixels of the camera."""
    inv_depth: Float[Array, "H W"]
    """float32, what stands still: 1/m; inf beyond the camera's picture."""
    ids: Int[Array, "H W"]
    """int32: THING or NOTHING."""

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height)."""
        return int(self.ids.shape[1]), int(self.ids.shape[0])

    def project(self, points_world_m: Float[Array, "*batch 3"]) -> tuple[Array, Array, Array]:
        """(canvas pixels (..., 2), distorted pixels of the camera (..., 2), depth in metres (...)); float64.

        Pixels of points behind the near plane are NaN.
        """
        cam = points_world_m @ self.lens.R.T + self.lens.t
        depth = cam[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = np.where(depth[..., None] >= NEAR_M, cam[..., :2] / depth[..., None], np.nan)
        canvas = xy @ self.lens.K[:2, :2].T + self.lens.K[:2, 2]
        return canvas, _distort(self.optics, xy), depth

    def __repr__(self) -> str:
        w, h = self.size_px
        return f"Canvas({w}x{h})"


def make_canvas(scene: Scene, camera: CameraModel, max_width_px: int) -> Canvas:
    """The canvas of a camera in a scene, with obstacles and steps of the ground drawn."""
    low, high, border = _ideal_extent(camera)
    scale = min(1.0, max_width_px / (high[0] - low[0]))
    width, height = (round(float(extent) * scale) for extent in high - low)
    K = camera.K.astype(np.float64).copy()
    K[:2, 2] -= low
    K[:2] *= scale
    K[:2, 2] -= 0.5
    lens = Lens(
        np.ascontiguousarray(camera.R_cam_world, np.float64),
        np.ascontiguousarray(camera.t_cam_world_m, np.float64),
        K,
        NEAR_M,
    )
    sheet = new_sheet(width, height, 1)
    for obstacle in scene.obstacles:
        _draw_still(prism(obstacle), lens, sheet)
    if len(scene.ground.planes) > 1:
        _draw_levels(scene.ground, camera, lens, sheet)
    if camera.has_distortion:
        inside = np.zeros((height, width), np.uint8)
        corners = np.round((border - low) * scale - 0.5).astype(np.int32)
        cv2.fillPoly(inside, [corners], 1)
        sheet.inv_depth[inside == 0] = np.inf
    return Canvas(lens, _optics(camera), sheet.inv_depth, sheet.ids)


def new_sheet(width: int, height: int, num_people: int) -> Sheet:
    """Empty buffers."""
    return Sheet(
        inv_depth=np.zeros((height, width), np.float32),
        ids=np.full((height, width), NOTHING, np.int32),
        stamp=np.zeros((height, width), np.int32),
        pixels=np.zeros(num_people, np.int64),
        turn=np.zeros(1, np.int64),
    )


def new_scratch(canvas: Canvas, num_people: int, num_probes: int, num_vertices: int) -> Scratch:
    """Memory of one thread, ready for its first frame."""
    sheet = new_sheet(*canvas.size_px, num_people)
    sheet.inv_depth[:] = canvas.inv_depth
    sheet.ids[:] = canvas.ids
    return Scratch(
        sheet=sheet,
        tile=new_sheet(TILE, TILE, num_people),
        points=np.empty((num_vertices, 3), np.float32),
        reach_px=np.zeros((num_people, 4)),
        own_inv=np.zeros((num_people, num_probes), np.float32),
        own_part=np.zeros((num_people, num_probes), np.int64),
        alone=np.zeros(num_people, np.int64),
    )


def prism(obstacle: Obstacle) -> Float[Array, "T 3 3"]:
    """World triangles of an obstacle's sides and top."""
    outline = obstacle.outline_m.astype(np.float64)
    count = len(outline)
    low = np.column_stack([outline, np.full(count, obstacle.base_m)])
    high = np.column_stack([outline, np.full(count, obstacle.base_m + obstacle.height_m)])
    after = np.roll(np.arange(count), -1)
    sides = np.concatenate(
        [
            np.stack([low, low[after], high[after]], axis=1),
            np.stack([low, high[after], high], axis=1),
        ]
    )
    top = np.stack([np.repeat(high[:1], count - 2, axis=0), high[1:-1], high[2:]], axis=1)
    return np.concatenate([sides, top])


def steps(ground: Ground) -> Float[Array, "T 3 3"]:
    """World triangles of the walls where a level of the ground ends above or below its surroundings."""
    walls = []
    for plane in ground.planes:
        if plane.outline_m is None:
            continue
        outline = plane.outline_m.astype(np.float64)
        middle = outline.mean(axis=0)
        for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            along = b - a
            across = np.array([along[1], -along[0]]) / max(float(np.linalg.norm(along)), 1e-9)
            across *= 0.01 * np.sign(across @ (0.5 * (a + b) - middle))
            pieces = max(1, int(np.ceil(np.linalg.norm(along) / _WALL_PIECE_M)))
            at = a + np.linspace(0.0, 1.0, pieces + 1)[:, None] * along
            # heights are asked for a little within the piece, so that corners do not fall to a third level
            near_ends = a + np.clip(np.linspace(0.0, 1.0, pieces + 1), 0.01, 0.99)[:, None] * along
            inner = surface_height_m(ground, near_ends - across) - GROUND_DROP_M
            outer = surface_height_m(ground, near_ends + across) - GROUND_DROP_M
            high = np.abs(inner - outer) > _LEAST_STEP_M
            for i in np.flatnonzero(high[:-1] | high[1:]):
                p, q = np.append(at[i], inner[i]), np.append(at[i + 1], inner[i + 1])
                r, s = np.append(at[i + 1], outer[i + 1]), np.append(at[i], outer[i])
                walls += [np.stack([p, q, r]), np.stack([p, r, s])]
    return np.array(walls).reshape(-1, 3, 3)


def _draw_still(triangles: Float[Array, "T 3 3"], lens: Lens, sheet: Sheet) -> None:
    points = triangles.reshape(-1, 3) @ lens.R.T + lens.t
    faces = np.arange(len(points)).reshape(-1, 3)
    none = Probes(np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros(0, np.int64))
    sheet.turn[0] += 1
    draw(
        points.astype(np.float32), faces, np.zeros(len(faces), np.int64), lens, THING, int(sheet.turn[0]),
        sheet, none,
    )  # fmt: skip


def _draw_levels(ground: Ground, camera: CameraModel, lens: Lens, sheet: Sheet) -> None:
    planes = np.array(
        [[*plane.normal, plane.offset_m - GROUND_DROP_M * plane.normal[2]] for plane in ground.planes]
    )
    sizes = np.array([0 if plane.outline_m is None else len(plane.outline_m) for plane in ground.planes])
    outlines = np.zeros((len(planes), max(int(sizes.max()), 1), 2))
    for row, plane in enumerate(ground.planes):
        if plane.outline_m is not None:
            outlines[row, : sizes[row]] = plane.outline_m
    draw_ground(
        planes.astype(np.float64), outlines, sizes.astype(np.int64), camera.centre_world_m.astype(np.float64),
        np.ascontiguousarray(camera.R_cam_world.T, np.float64), np.linalg.inv(lens.K), sheet,
    )  # fmt: skip
    _draw_still(steps(ground), lens, sheet)


def _ideal_extent(camera: CameraModel) -> tuple[Float[Array, "2"], Float[Array, "2"], Float[Array, "B 2"]]:
    """Corners of what the picture covers in ideal pixels, and its border there."""
    w, h = camera.size_px
    t = np.linspace(0.0, 1.0, _BORDER_STEPS, endpoint=False)[:, None]
    corners = np.array([[0.0, 0.0], [w, 0.0], [w, h], [0.0, h]]) - 0.5
    border = np.concatenate(
        [a + t * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    )
    ideal = camera.undistort_px(border)
    half = 0.5 * (_WIDEST - 1.0) * np.array([w, h])
    ideal = np.clip(ideal, corners[0] - half, corners[2] + half)
    return ideal.min(axis=0), ideal.max(axis=0), ideal


def _optics(camera: CameraModel) -> Optics:
    dist = np.zeros(5)
    dist[: min(5, len(camera.dist))] = camera.dist[:5]
    k1, k2, _, _, k3 = dist
    roots = np.roots([7.0 * k3, 5.0 * k2, 3.0 * k1, 1.0])  # of d/dr (r radial(r)) in r^2
    turning = roots.real[(np.abs(roots.imag) < 1e-9) & (roots.real > 0.0)]
    reach = float(np.sqrt(turning.min())) if len(turning) else 1e9
    return Optics(np.ascontiguousarray(camera.K, np.float64), dist, reach)


def _distort(optics: Optics, xy: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    """`CameraModel.distort` up to the radius where Brown's polynomial turns back, straight on beyond."""
    k1, k2, p1, p2, k3 = optics.dist
    radius = np.maximum(np.linalg.norm(xy, axis=-1, keepdims=True), 1e-12)
    near = xy * np.minimum(1.0, optics.reach / radius)
    x, y = near[..., 0], near[..., 1]
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    xd = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    yd = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    out = np.stack([xd, yd], axis=-1) + (xy - near)
    return np.asarray(out @ optics.K[:2, :2].T + optics.K[:2, 2])
