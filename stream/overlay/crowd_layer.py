"""Bodies of one frame into its picture: shadows first, then shaded skins, the nearer over the farther."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ...kernels.body.data import BodyData
from ...kernels.camera import CameraModel
from ...kernels.fused.raster import Canvas, Looks, Optics, draw_body, lay_over
from ...kernels.fused.zbuffer import Lens
from .ground_marks import draw_shadows
from .moments import Bodies
from .skins import Pose, Skins

Array = np.ndarray

NEAR_M = 0.3
STATURE_M = 1.7
FADE_FRAMES = 5
"""A body comes in, and a guess changes to a sighting, over so many frames."""
_LAMP = np.array([-0.42, 0.0, -0.46])
"""From above (1), from the left and from behind the camera, camera axes."""


class CrowdLayer:
    """Draws the bodies of one camera's video; call `draw` for every frame in order."""

    def __init__(self, body: BodyData, camera: CameraModel, size_px: tuple[int, int], scale: int) -> None:
        self.camera = camera
        self._size_px = size_px
        self._skins = Skins(body)
        dist = np.zeros(5)
        dist[: min(5, len(camera.dist))] = camera.dist[:5]
        K = np.ascontiguousarray(camera.K, np.float64)
        R = np.ascontiguousarray(camera.R_cam_world, np.float64)
        self._lens = Lens(R, np.ascontiguousarray(camera.t_cam_world_m, np.float64), K, NEAR_M)
        self._optics = Optics(K, dist, one_to_one_radius(dist) ** 2, NEAR_M, scale)
        self._up = np.ascontiguousarray(R[:, 2])
        lamp = self._up + _LAMP
        self._lamp = lamp / np.linalg.norm(lamp)
        self._canvas = new_canvas(size_px, scale)
        self._shown: dict[int, tuple[float, float]] = {}

    def draw(
        self, picture: UInt8[Array, "H W 3"], bodies: Bodies, bgr: Float[Array, "N 3"], opacity: float
    ) -> tuple[Pose, Float[Array, "N 4"], Bool[Array, "N"]]:
        """Returns joints, boxes px (x1, y1, x2, y2) and who can be seen in the picture."""
        pose = self._skins.pose(bodies.rotmats, bodies.betas, bodies.transl_m)
        boxes, inside = self._boxes(pose)
        ease = self._ease(bodies)
        draw_shadows(picture, self.camera, pose, bodies.ground_m, ease[:, 0])
        heights = nominal_height_px(self.camera, pose)
        for row in np.flatnonzero(inside).tolist():
            level = self._skins.level_of(float(heights[row]))
            points = self._skins.in_camera(
                level, self._lens, pose, row, bodies.rotmats[row], bodies.betas[row]
            )
            draw_body(points, level.faces, self._optics, self._up, self._lamp, row, self._canvas)
        scale = self._optics.scale
        fine = heights * scale
        looks = Looks(
            np.ascontiguousarray(bgr, np.float32),
            (opacity * ease[:, 0]).astype(np.float32),
            ease[:, 1].astype(np.float32),
            np.clip(np.round(fine / 110), 1, 2 * scale).astype(np.int64),
            np.clip(np.round(fine / 26), 2 * scale, 8 * scale).astype(np.int64),
        )
        lay_over(picture, self._canvas, scale, looks)
        return pose, boxes, inside

    def _boxes(self, pose: Pose) -> tuple[Float[Array, "N 4"], Bool[Array, "N"]]:
        """Boxes of the joints with a margin for the skin around them."""
        px = self.camera.project(pose.joints_m)
        depth = self.camera.to_camera(pose.joints_m)[..., 2]
        safe = np.isfinite(px).all(axis=(1, 2)) & (depth > NEAR_M).all(axis=1)
        px = np.where(safe[:, None, None], px, 0.0)
        low, high = px.min(axis=1), px.max(axis=1)
        skin = 0.13 * self.camera.K[1, 1] / np.maximum(depth.mean(axis=1), NEAR_M)
        low, high = low - skin[:, None], high + skin[:, None]
        size = np.array(self._size_px, np.float64)
        inside = safe & (high > 0).all(axis=1) & (low < size).all(axis=1)
        return np.concatenate([low, high], axis=1), inside

    def _ease(self, bodies: Bodies) -> Float[Array, "N 2"]:
        """Strength 0..1 and how guessed 0..1 each person is shown, moving towards the truth frame by frame."""
        step, shown = 1.0 / FADE_FRAMES, {}
        first = not self._shown
        for person, guessed in zip(bodies.person_ids.tolist(), bodies.guessed.tolist(), strict=True):
            strength, hatch = self._shown.get(person, (1.0 if first else 0.0, float(guessed)))
            towards = float(guessed) - hatch
            shown[person] = (min(1.0, strength + step), hatch + np.clip(towards, -step, step))
        self._shown = shown
        return np.array([shown[p] for p in bodies.person_ids.tolist()]).reshape(-1, 2)


def nominal_height_px(camera: CameraModel, pose: Pose) -> Float[Array, "N"]:
    """How tall someone of mean stature is in the picture where each person is: sizes of lines and letters follow it,
    as they shall not flicker with every step."""
    depth = camera.to_camera(pose.joints_m[:, 0])[:, 2]
    return np.asarray(camera.K[1, 1] * STATURE_M / np.maximum(depth, NEAR_M))


def new_canvas(size_px: tuple[int, int], scale: int) -> Canvas:
    """An empty canvas for pictures of a size (width, height)."""
    shape = (size_px[1] * scale, size_px[0] * scale)
    span: Int[Array, "h 2"] = np.tile(np.array([shape[1], -1], np.int64), (shape[0], 1))
    return Canvas(
        np.zeros(shape, np.float32), np.full(shape, -1, np.int16), np.zeros(shape, np.float32),
        np.zeros(shape, np.float32), span,
    )  # fmt: skip


def one_to_one_radius(dist: Float[Array, "5"]) -> float:
    """Up to where the radial distortion grows with the radius; 10 where it always does."""
    r = np.linspace(0.0, 10.0, 4001)
    bent = r * (1.0 + r**2 * (dist[0] + r**2 * (dist[1] + r**2 * dist[4])))
    falls = np.flatnonzero(np.diff(bent) <= 0)
    return float(r[falls[0]]) if len(falls) else 10.0
