"""The crowd from above in a small dark panel: ground grid, scale bar, what the camera sees, trails, dots, facing.

Up in the panel is where the camera looks. The map is the same for all frames: it holds the places of the people
(2nd to 98th percentile with a margin) and the camera where it stands near enough.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from ...kernels.camera import CameraModel
from .lettering import GREY, letters, rounded, tint

Array = np.ndarray

HEIGHT_SHARE, WIDTH_SHARE = 0.36, 0.32
"""Of the picture, at most."""
LEAST_SHARE = 0.84
"""Shortest side of the panel, of the shorter side allowed."""
MARGIN_M = 1.5
PANEL_BGR = (30, 23, 19)
SEEN_BGR = (52, 42, 35)
GRID_BGR = (70, 59, 52)
EDGE_BGR = (104, 92, 84)
OPACITY = 0.90
SUB = 4
"""cv2's sub-pixel bits: coordinates are given in 1/16 px."""
FAR_M = 400.0
OUT_PX = 4000.0
"""Places further out of the panel are pulled to here."""
TRAIL_PIECES = 20
TRAIL_INK = 0.8
BARS_M = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True)
class PlanMap:
    """World x, y in metres to pixels of the panel."""

    A: Float[Array, "2 2"]
    b: Float[Array, "2"]
    size_px: tuple[int, int]
    """(width, height)."""

    @property
    def px_per_m(self) -> float:
        return float(np.sqrt(abs(np.linalg.det(self.A))))

    def to_px(self, xy_m: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        return np.asarray(xy_m @ self.A.T + self.b)


def make_map(camera: CameraModel, places_m: Float[Array, "P 2"], picture_px: tuple[int, int]) -> PlanMap:
    """The map for a picture of a size.

    Args:
        places_m: where people were seen, world x, y; may be empty.
    """
    turn = _heading_up(camera)
    eye = turn @ camera.centre_world_m[:2]
    places = places_m @ turn.T if len(places_m) else eye[None] + np.array([[-5.0, 2.0], [5.0, 12.0]])
    low, high = np.percentile(places, [2, 98], axis=0)
    size = np.maximum(high - low, 4.0)
    if (eye > low - 0.6 * size).all() and (eye < high + 0.6 * size).all():
        low, high = np.minimum(low, eye), np.maximum(high, eye)
    middle, size = (low + high) / 2, np.maximum(high - low, 4.0) + 2 * MARGIN_M
    most = np.array([WIDTH_SHARE * picture_px[0], HEIGHT_SHARE * picture_px[1]])
    least = LEAST_SHARE * most.min()
    scale = float((most / size).min())
    panel = np.clip(np.round(size * scale), least, most).astype(int)
    A = scale * np.array([[1.0, 0.0], [0.0, -1.0]]) @ turn  # rows of a picture grow downwards
    b = (panel - 1) / 2 - scale * np.array([middle[0], -middle[1]])
    return PlanMap(A, b, (int(panel[0]), int(panel[1])))


def _heading_up(camera: CameraModel) -> Float[Array, "2 2"]:
    """Rotation of the ground that takes the camera's heading to +y; of a camera looking down, its picture's up."""
    ahead = camera.R_cam_world[2, :2]
    if np.linalg.norm(ahead) < 0.2:
        ahead = -camera.R_cam_world[1, :2]
    x, y = ahead / np.linalg.norm(ahead)
    return np.array([[y, -x], [x, y]])


@dataclass
class BirdsEye:
    """The panel of one video; call `draw` for every frame in order."""

    camera: CameraModel
    plan: PlanMap
    ground_m: float
    """Height of the ground, world z."""
    trail_s: float
    base: UInt8[Array, "h w 3"] = field(init=False)
    cover: Float[Array, "h w"] = field(init=False)
    _trails: dict[int, deque[tuple[int, tuple[int, int]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        width, height = self.plan.size_px
        self.base = _still(self.camera, self.plan, self.ground_m)
        self.cover = OPACITY * rounded(width, height, max(5.0, 0.05 * height))

    def draw(
        self, picture: UInt8[Array, "H W 3"], left: int, top: int, t_ns: int, person_ids: Int[Array, "N"],
        places_m: Float[Array, "N 2"], facing: Float[Array, "N 2"], bgr: Float[Array, "N 3"],
        hollow: Array,
    ) -> None:  # fmt: skip
        """The panel with its corner at a pixel.

        Args:
            facing: unit vectors on the ground; NaN where not known.
            hollow: (N,) bool: people drawn as rings, whose bodies are not known.
        """
        panel = self.base.copy()
        at = np.clip(self.plan.to_px(places_m), -OUT_PX, OUT_PX)
        dot = max(1.7, 0.0165 * self.plan.size_px[1])
        self._remember(t_ns, person_ids, at)
        for n, person in enumerate(person_ids):
            self._trail(panel, int(person), t_ns, bgr[n])
        for n in np.argsort(at[:, 1]):
            colour = tuple(float(c) for c in bgr[n])
            self._dot(panel, at[n], dot, facing[n], colour, bool(hollow[n]))
        under = picture[top : top + panel.shape[0], left : left + panel.shape[1]]
        cover = self.cover[..., None]
        under[:] = (under + cover * (panel.astype(np.float32) - under) + 0.5).astype(np.uint8)

    def _dot(
        self, panel: UInt8[Array, "h w 3"], at: Float[Array, "2"], dot: float, facing: Float[Array, "2"],
        colour: tuple[float, ...], hollow: bool,
    ) -> None:  # fmt: skip
        """A dot with a nose where the person faces, set off from what lies under it."""
        nose = None
        if np.isfinite(facing).all():
            ahead = self.plan.A @ facing
            ahead /= max(float(np.linalg.norm(ahead)), 1e-9)
            side = np.array([-ahead[1], ahead[0]])
            nose = np.array([2.3 * ahead, 0.95 * side, -0.95 * side])
        for grow, ink in ((0.9, PANEL_BGR), (0.0, colour)):
            if nose is not None:
                tip = np.round((at + nose * (dot + grow)) * 16).astype(np.int32)
                cv2.fillPoly(panel, [tip], ink, cv2.LINE_AA, SUB)
            cv2.circle(panel, _sub(at), round((dot + grow) * 16), ink, -1, cv2.LINE_AA, SUB)
        if hollow:
            cv2.circle(panel, _sub(at), round(dot * 0.55 * 16), PANEL_BGR, -1, cv2.LINE_AA, SUB)

    def _remember(self, t_ns: int, person_ids: Int[Array, "N"], at_px: Float[Array, "N 2"]) -> None:
        for person, place in zip(person_ids.tolist(), np.round(at_px * 16).astype(int).tolist(), strict=True):
            self._trails.setdefault(person, deque()).append((t_ns, (place[0], place[1])))
        for person, trail in list(self._trails.items()):
            while trail and t_ns - trail[0][0] > self.trail_s * 1e9:
                trail.popleft()
            if not trail:
                del self._trails[person]

    def _trail(self, panel: UInt8[Array, "h w 3"], person: int, t_ns: int, bgr: Float[Array, "3"]) -> None:
        trail = self._trails.get(person, ())
        if len(trail) < 2:
            return
        points = list(trail)
        step = max(1, len(points) // TRAIL_PIECES)
        thick = max(1, round(0.0075 * self.plan.size_px[1]))
        blue, green, red = bgr.tolist()
        for k in range(len(points) % step, len(points) - 1, step):
            t_piece_ns, start = points[k]
            share = TRAIL_INK * max(0.0, 1.0 - (t_ns - t_piece_ns) / (self.trail_s * 1e9)) ** 1.2
            rest = 1.0 - share
            colour = (
                rest * SEEN_BGR[0] + share * blue, rest * SEEN_BGR[1] + share * green, rest * SEEN_BGR[2] + share * red,
            )  # fmt: skip
            cv2.line(panel, start, points[min(k + step, len(points) - 1)][1], colour, thick, cv2.LINE_AA, SUB)


def _sub(px: Float[Array, "2"]) -> tuple[int, int]:
    return round(float(px[0]) * 16), round(float(px[1]) * 16)


def _still(camera: CameraModel, plan: PlanMap, ground_m: float) -> UInt8[Array, "h w 3"]:
    """What does not move: grid, what the camera sees of the ground, the camera, the scale bar."""
    width, height = plan.size_px
    panel: Array = np.full((height, width, 3), PANEL_BGR, np.uint8)
    seen = plan.to_px(_seen_ground(camera, ground_m))
    points = np.round(np.clip(seen, -OUT_PX, OUT_PX) * 16).astype(np.int32)
    cv2.fillPoly(panel, [points], SEEN_BGR, cv2.LINE_AA, SUB)
    _grid(panel, plan)
    cv2.polylines(panel, [points], True, EDGE_BGR, 1, cv2.LINE_AA, SUB)
    _camera_mark(panel, camera, plan)
    _scale_bar(panel, plan)
    return panel


def _seen_ground(camera: CameraModel, ground_m: float) -> Float[Array, "P 2"]:
    """Outline of the ground in the picture, world x, y; rays over the horizon end far out."""
    w, h = camera.size_px
    steps = np.linspace(0.0, 1.0, 9)
    border = np.concatenate(
        [
            np.stack([steps * (w - 1), np.full(9, h - 1.0)], 1),
            np.stack([np.full(9, w - 1.0), (1 - steps) * (h - 1)], 1),
            np.stack([(1 - steps) * (w - 1), np.zeros(9)], 1),
            np.stack([np.zeros(9), steps * (h - 1)], 1),
        ]
    )
    rays = camera.rays_world(border)
    eye = camera.centre_world_m
    flat = np.maximum(np.linalg.norm(rays[:, :2], axis=1), 1e-6)
    with np.errstate(divide="ignore"):
        length = np.where(rays[:, 2] < -1e-6, (ground_m - eye[2]) / rays[:, 2], np.inf)
    return np.asarray(eye[:2] + rays[:, :2] * np.minimum(length, FAR_M / flat)[:, None])


def _grid(panel: UInt8[Array, "h w 3"], plan: PlanMap) -> None:
    """Lines along world x and y, as far apart as the scale bar is long."""
    step = bar_m(plan)
    width, height = plan.size_px
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    world = (corners - plan.b) @ np.linalg.inv(plan.A).T
    low, high = world.min(axis=0), world.max(axis=0)
    for axis in range(2):
        for value in np.arange(np.ceil(low[axis] / step), np.floor(high[axis] / step) + 1) * step:
            ends = np.array([low, high])
            ends[:, axis] = value
            a, b = np.clip(plan.to_px(ends), -OUT_PX, OUT_PX)
            cv2.line(panel, _sub(a), _sub(b), GRID_BGR, 1, cv2.LINE_AA, SUB)


def bar_m(plan: PlanMap) -> float:
    """Length of the scale bar: the longest round number that fits a third of the panel."""
    fits = [bar for bar in BARS_M if bar * plan.px_per_m <= 0.34 * plan.size_px[0]]
    return fits[-1] if fits else BARS_M[0]


def _scale_bar(panel: UInt8[Array, "h w 3"], plan: PlanMap) -> None:
    bar, (_, height) = bar_m(plan), plan.size_px
    size = max(6, round(0.038 * height))
    x0, y = 1.2 * size, height - 1.2 * size
    x1 = x0 + bar * plan.px_per_m
    colour = (200, 195, 190)
    cv2.line(panel, _sub(np.array([x0, y])), _sub(np.array([x1, y])), colour, 1, cv2.LINE_AA, SUB)
    for x in (x0, x1):
        ends = np.array([[x, y - 0.3 * size], [x, y + 0.3 * size]])
        cv2.line(panel, _sub(ends[0]), _sub(ends[1]), colour, 1, cv2.LINE_AA, SUB)
    tint(panel, letters(f"{bar:g} m", size), round(x0), round(y - 1.7 * size), GREY)


def _camera_mark(panel: UInt8[Array, "h w 3"], camera: CameraModel, plan: PlanMap) -> None:
    """A small wedge at the camera, or at the border of the panel nearest to it."""
    width, height = plan.size_px
    at = plan.to_px(camera.centre_world_m[:2])
    size = max(4.0, 0.035 * height)
    at = np.clip(at, size, np.array([width, height]) - size)
    wedge = at + size * np.array([[0.0, 0.55], [-0.75, -0.75], [0.75, -0.75]])
    points = np.round(wedge * 16).astype(np.int32)
    cv2.fillPoly(panel, [points], (225, 220, 214), cv2.LINE_AA, SUB)
