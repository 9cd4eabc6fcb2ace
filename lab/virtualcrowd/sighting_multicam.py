"""Truth for real keypoints: two people in four calibrated views, triangulated without the view under test.

    1. each picture is turned upright (the cameras are rolled by up to 25 degrees, ours are not):
       a homography K Rz K^-1 and the camera R' = Rz R;
    2. people are found and posed in every view; boxes of different views belong to one person when their
       keypoints meet in space (median distance of reprojection over the height);
    3. each joint is triangulated by consensus: every pair of views proposes a point (DLT), the one that most views
       agree with is refined over those;
    4. positions are smoothed over time (Savitzky-Golay, third order, 0.18 s), reprojected, and give better
       boxes; pose and triangulation are run once more with them.

For the error of view v the consensus is taken over the other three: the network cannot vouch for itself. What all
views get wrong alike (where the network thinks a hip is) stays invisible here; `sighting_fit_bias` looks for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy.signal import savgol_filter

from ...kernels.camera import CameraModel
from ...kernels.perception.pose import PoseEstimator
from .sighting_clips import ClipError, Networks, detect_at, frames_bgr

Array = np.ndarray

PEOPLE = 2
RATE_HZ = 60.0
AGREES = 0.045
"""A view agrees with a point it sees within this share of the person's height."""
SURE = 0.35
"""Keypoints of lower confidence do not vote."""
SMOOTH_FRAMES = 11
DETECT_SIDE_PX = 640
FIRST_SCORE = 0.3
MARGINS = (0.07, 0.11, 0.07, 0.07)
"""From outermost keypoints to the box, share of the height: left, top, right, bottom."""


@dataclass(frozen=True)
class MultiView:
    """Two people, C views; pictures are upright."""

    cameras: tuple[CameraModel, ...]
    points_m: Float[Array, "P F 17 3"]
    """World, smoothed, from all views; NaN where no three views agree nearby in time."""
    others_px: Float[Array, "C P F 17 2"]
    """What the other views say about each view; NaN where two of them do not agree."""
    boxes_px: Float[Array, "C P F 4"]
    """Round the reprojected keypoints."""

    @property
    def num_frames(self) -> int:
        return int(self.points_m.shape[1])


def read_cameras(folder: Path) -> tuple[CameraModel, ...]:
    """The calibrated cameras of the set, as they are.

    Raises:
        ClipError: no calibration there.
    """
    path = folder / "calibration.json"
    if not path.is_file():
        raise ClipError(f"{path} is missing; expected the four-view clip there (--data)")
    cameras = json.loads(path.read_text("utf-8"))["cameras"]
    return tuple(
        CameraModel(
            K=np.array(c["K"]),
            R_cam_world=np.array(c["R"]),
            t_cam_world_m=np.array(c["t"]),
            size_px=(int(c["image_size"][0]), int(c["image_size"][1])),
        )
        for c in cameras
    )


def upright(camera: CameraModel) -> tuple[CameraModel, Float[Array, "3 3"]]:
    """The camera without roll, and the homography that takes its pictures there.

    Distortion of these lenses is under a tenth of a pixel and is left out.
    """
    up = camera.R_cam_world @ np.array([0.0, 0.0, 1.0])
    angle = np.arctan2(up[0], -up[1])
    c, s = np.cos(-angle), np.sin(-angle)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    width, height = camera.size_px
    corners = (
        camera.K
        @ turn
        @ np.linalg.inv(camera.K)
        @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]], float)
    )
    flat = corners[:2] / corners[2]
    low, high = flat.min(axis=1), flat.max(axis=1)
    shift = np.eye(3)
    shift[:2, 2] = -low
    K = shift @ camera.K
    size = (int(np.ceil(high[0] - low[0])), int(np.ceil(high[1] - low[1])))
    straight = CameraModel(
        K=K, R_cam_world=turn @ camera.R_cam_world, t_cam_world_m=turn @ camera.t_cam_world_m, size_px=size
    )
    return straight, K @ turn @ np.linalg.inv(camera.K)


def pictures(folder: Path, view: int, camera: CameraModel, warp: Float[Array, "3 3"]) -> list[Array]:
    """All frames of one view, upright (memory: 100 frames are 0.8 GB, so at half size)."""
    half = np.diag([0.5, 0.5, 1.0])
    size = (camera.size_px[0] // 2, camera.size_px[1] // 2)
    return [
        cv2.warpPerspective(image, half @ warp, size, flags=cv2.INTER_AREA)
        for _, image in frames_bgr(folder / f"cam{view + 1:02d}.mp4")
    ]


def halved(camera: CameraModel) -> CameraModel:
    """The camera of pictures at half size."""
    K = np.diag([0.5, 0.5, 1.0]) @ camera.K
    size = (camera.size_px[0] // 2, camera.size_px[1] // 2)
    return CameraModel(K=K, R_cam_world=camera.R_cam_world, t_cam_world_m=camera.t_cam_world_m, size_px=size)


def reconstruct(images: list[list[Array]], cameras: tuple[CameraModel, ...], networks: Networks) -> MultiView:
    """Triangulated people of the four-view clip.

    Args:
        images: by view, by frame.
        cameras: of these pictures.
        networks: the detector and the large pose network are used.
    """
    frames = min(len(view) for view in images)
    views = len(images)
    points = np.full((PEOPLE, frames, 17, 3), np.nan)
    for k in range(frames):
        seen = []
        for c in range(views):
            boxes, scores = detect_at(networks.detector, images[c][k], DETECT_SIDE_PX)
            seen.append(networks.large.estimate(images[c][k], boxes[scores >= FIRST_SCORE]))
        for p, joints in enumerate(meet(seen, cameras)[:PEOPLE]):
            points[p, k] = joints
    points = _same_order(points)
    boxes = _boxes_of(_smoothed(points), cameras)
    px, confidence = pose_boxes(images, boxes, networks.large)
    heights = boxes[..., 3] - boxes[..., 1]
    every = tuple(range(views))
    full, _ = consensus(px, confidence, heights, cameras, every, 3)
    points = _smoothed(full)
    others = np.full((views, PEOPLE, frames, 17, 2), np.nan)
    for c in every:
        rest = tuple(v for v in every if v != c)
        lone, _ = consensus(px, confidence, heights, cameras, rest, 2)
        others[c] = cameras[c].project(_smoothed(lone))
    return MultiView(cameras, points, others, _boxes_of(points, cameras))


def pose_boxes(
    images: list[list[Array]], boxes_px: Float[Array, "C P F 4"], pose: PoseEstimator
) -> tuple[Float[Array, "C P F 17 2"], Float[Array, "C P F 17"]]:
    """Keypoints of known boxes in every view; NaN where there is no box."""
    views, people, frames, _ = boxes_px.shape
    px = np.full((views, people, frames, 17, 2), np.nan)
    confidence = np.zeros((views, people, frames, 17))
    for c in range(views):
        for k in range(frames):
            rows = np.flatnonzero(np.isfinite(boxes_px[c, :, k]).all(axis=-1))
            if len(rows):
                found = pose.estimate(images[c][k], boxes_px[c, rows, k].astype(np.float32))
                px[c, rows, k], confidence[c, rows, k] = found
    return px, confidence


def consensus(
    px: Float[Array, "C P F 17 2"],
    confidence: Float[Array, "C P F 17"],
    heights_px: Float[Array, "C P F"],
    cameras: tuple[CameraModel, ...],
    views: tuple[int, ...],
    agree: int,
) -> tuple[Float[Array, "P F 17 3"], Bool[Array, "C P F 17"]]:
    """The point most of `views` agree with, refined over them; NaN where fewer than `agree` do."""
    limit = AGREES * heights_px[..., None]
    votes = (confidence >= SURE) & np.isfinite(px).all(axis=-1)
    best = np.full((*px.shape[1:4], 3), np.nan)
    best_count = np.zeros(px.shape[1:4], int)
    for pair in combinations(views, 2):
        chosen = np.zeros_like(votes)
        chosen[list(pair)] = votes[list(pair)].all(axis=0)
        point = _triangulate(px, chosen, cameras)
        fits = _fits(point, px, limit, votes, cameras, views)
        count = fits.sum(axis=0)
        better = count > best_count
        best[better], best_count = point[better], np.maximum(count, best_count)
    fits = _fits(best, px, limit, votes, cameras, views)
    refined = _triangulate(px, fits, cameras)
    refined[fits.sum(axis=0) < agree] = np.nan
    return refined, fits


def _fits(
    points: Float[Array, "P F 17 3"],
    px: Float[Array, "C P F 17 2"],
    limit: Float[Array, "C P F 1"],
    votes: Bool[Array, "C P F 17"],
    cameras: tuple[CameraModel, ...],
    views: tuple[int, ...],
) -> Bool[Array, "C P F 17"]:
    fits = np.zeros(votes.shape, bool)
    for c in views:
        gap = np.linalg.norm(cameras[c].project(points) - px[c], axis=-1)
        fits[c] = votes[c] & (np.nan_to_num(gap, nan=np.inf) < limit[c])
    return fits


def _triangulate(
    px: Float[Array, "C P F 17 2"], chosen: Bool[Array, "C P F 17"], cameras: tuple[CameraModel, ...]
) -> Float[Array, "P F 17 3"]:
    """Linear triangulation (Hartley & Zisserman 12.2) over the chosen views; NaN where fewer than two."""
    rows = []
    for c, camera in enumerate(cameras):
        P = np.concatenate([camera.R_cam_world, camera.t_cam_world_m[:, None]], axis=1)
        xy = (np.nan_to_num(px[c]) - camera.K[:2, 2]) / np.diag(camera.K)[:2]
        pair = xy[..., None] * P[2] - P[:2]
        rows.append(pair * chosen[c][..., None, None])
    system = np.concatenate(rows, axis=-2)
    A = np.einsum("...ri,...rj->...ij", system[..., :3], system[..., :3]) + 1e-12 * np.eye(3)
    b = -np.einsum("...ri,...r->...i", system[..., :3], system[..., 3])
    point = np.linalg.solve(A, b[..., None])[..., 0]
    point[chosen.sum(axis=0) < 2] = np.nan
    return np.asarray(point)


def meet(seen: list[tuple[Array, Array]], cameras: tuple[CameraModel, ...]) -> list[Float[Array, "17 3"]]:
    """People of one frame: sets of at least three boxes, one a view, whose keypoints meet; best first."""
    views = len(seen)
    choices = [[-1, *range(len(s[0]))] for s in seen]
    found: list[tuple[float, tuple[int, ...], Array]] = []
    for pick in np.stack(np.meshgrid(*choices, indexing="ij"), axis=-1).reshape(-1, views):
        if (pick >= 0).sum() < 3:
            continue
        px = np.zeros((views, 1, 1, 17, 2))
        confidence = np.zeros((views, 1, 1, 17))
        tall = np.ones((views, 1, 1))
        for c in np.flatnonzero(pick >= 0):
            px[c, 0, 0], confidence[c, 0, 0] = seen[c][0][pick[c]], seen[c][1][pick[c]]
            tall[c] = 1.15 * np.ptp(seen[c][0][pick[c], :, 1])
        used = tuple(np.flatnonzero(pick >= 0).tolist())
        point, fits = consensus(px, confidence, tall, cameras, used, 2)
        found.append((float(fits.sum()), tuple(pick.tolist()), point[0, 0]))
    found.sort(key=lambda each: -each[0])
    taken: list[tuple[int, ...]] = []
    people = []
    for count, chosen, point in found:
        free = all(a < 0 or a != b for other in taken for a, b in zip(chosen, other, strict=True))
        if free and count >= 24:
            taken.append(chosen)
            people.append(point)
    return people


def _same_order(points: Float[Array, "P F 17 3"]) -> Float[Array, "P F 17 3"]:
    """People in the same rows all along, by the place of their trunks."""
    out = points.copy()
    with np.errstate(invalid="ignore"):
        centre = np.nanmean(np.where(np.isfinite(points), points, np.nan)[:, :, 5:13], axis=2)
    last = centre[:, 0].copy()
    for k in range(1, points.shape[1]):
        straight = np.nansum(np.linalg.norm(centre[:, k] - last, axis=-1))
        crossed = np.nansum(np.linalg.norm(centre[::-1, k] - last, axis=-1))
        if crossed < straight:
            out[:, k] = points[::-1, k]
            centre[:, k] = centre[::-1, k].copy()
        last = np.where(np.isfinite(centre[:, k]), centre[:, k], last)
    return out


def _smoothed(points: Float[Array, "P F 17 3"], gap: int = 6) -> Float[Array, "P F 17 3"]:
    """Over time; gaps of up to `gap` frames are bridged, longer ones stay NaN."""
    out = np.full_like(points, np.nan)
    steps = np.arange(points.shape[1])
    for p, j in np.ndindex(points.shape[0], points.shape[2]):
        known = np.flatnonzero(np.isfinite(points[p, :, j, 0]))
        if len(known) < SMOOTH_FRAMES:
            continue
        filled = np.stack([np.interp(steps, known, points[p, known, j, d]) for d in range(3)], axis=1)
        smooth = savgol_filter(filled, SMOOTH_FRAMES, 3, axis=0)
        near = np.abs(steps[:, None] - known[None]).min(axis=1) <= gap // 2
        out[p, near, j] = smooth[near]
    return out


def _boxes_of(points: Float[Array, "P F 17 3"], cameras: tuple[CameraModel, ...]) -> Float[Array, "C P F 4"]:
    """Boxes round reprojected keypoints; NaN with fewer than twelve of them."""
    boxes = []
    enough = np.isfinite(points[..., 0]).sum(axis=-1) >= 12
    for camera in cameras:
        px = camera.project(points)
        filled = np.where(enough[..., None, None], px, 0.0)
        low, high = np.nanmin(filled, axis=2), np.nanmax(filled, axis=2)
        tall = (high - low)[..., 1:] * 1.18
        box = np.concatenate([low - tall * MARGINS[:2], high + tall * MARGINS[2:]], axis=-1)
        boxes.append(np.where(enough[..., None], box, np.nan))
    return np.stack(boxes)
