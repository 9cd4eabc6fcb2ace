"""What a camera tells of a person, without the camera: keypoints in metres beside the ray to the person.

The reference P is 0.9 m above the tracked ground point, d = |P - C| its distance from the optical centre C. Axes:

    away   (P - C) / d            right   away x up, horizontal            above   right x away

    u = d (w . right) / (w . away),   v = d (w . above) / (w . away)       for the ray w through a keypoint

(u, v) are metres on the plane through P across the ray: a body of the same size, seen from the same side, gives
the same numbers whatever the focal length, the distortion, the roll of the camera or its place in the world. Answers
come in the upright frame of the same slot: x right, y away from the camera along the ground, z up, origin P.

O(N T 17), float64; differentiable parts are none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..camera import CameraModel

Array = np.ndarray

REFERENCE_HEIGHT_M = 0.9
"""Of P over the ground: near the pelvis of most people."""
NEAREST_M = 0.5
"""Somebody nearer is taken to be this far: keeps the frame finite when a track runs under the camera."""
STEEPEST = 1e-3
"""Least horizontal part of the viewing direction; under it (straight down) "right" is the camera's own."""
FARTHEST = 20.0
"""Coordinates beyond so many metres are no body part of this person and are cut."""

SPEED_SCALE = 1.0 / 1.5
"""Brings walking speeds (m/s) near one."""
NEAR_M = 4.0
"""Perspective is told as NEAR_M / d."""

POINTS = slice(0, 34)
CONFIDENCE = slice(34, 51)
BOX = slice(51, 55)
SEEN = 55
PLACE = slice(56, 59)
"""Sine and cosine of the elevation, nearness: known without seeing anybody."""
SPEED = slice(59, 61)
FEATURES = 61
"""Numbers a frame."""


@dataclass(frozen=True)
class PersonFrames:
    """The frames of people's slots before one camera; float64."""

    reference_m: Float[Array, "*batch 3"]
    """P in the world, metres."""
    distance_m: Float[Array, "*batch"]
    """From the optical centre."""
    R_world_ray: Float[Array, "*batch 3 3"]
    """Columns right, above, away."""
    R_world_upright: Float[Array, "*batch 3 3"]
    """Columns right, away along the ground, up."""

    @property
    def sin_elevation(self) -> Float[Array, "*batch"]:
        """Of the camera as seen from the person: 0 level, 1 straight above."""
        return np.asarray(-self.R_world_ray[..., 2, 2])


def person_frames(camera: CameraModel, track_m: Float[Array, "*batch 3"]) -> PersonFrames:
    """Frames of tracked ground points.

    Args:
        camera: only its place counts, and its own right where it looks straight down on somebody.
        track_m: ground positions in the world, metres.
    """
    reference = np.asarray(track_m, np.float64) + np.array([0.0, 0.0, REFERENCE_HEIGHT_M])
    to_person = reference - camera.centre_world_m
    distance = np.maximum(np.linalg.norm(to_person, axis=-1), NEAREST_M)
    away = to_person / distance[..., None]
    level = np.hypot(away[..., 0], away[..., 1])[..., None]
    flat = np.stack([away[..., 1], -away[..., 0], np.zeros_like(away[..., 0])], -1)
    spare = camera.R_cam_world[0] * np.array([1.0, 1.0, 0.0])
    spare = spare / max(float(np.linalg.norm(spare)), 1e-9)
    right = np.where(level > STEEPEST, flat / np.maximum(level, STEEPEST), spare)
    above = np.cross(right, away)
    above /= np.maximum(np.linalg.norm(above, axis=-1, keepdims=True), 1e-9)
    away = np.cross(above, right)
    up = np.broadcast_to(np.array([0.0, 0.0, 1.0]), right.shape)
    ahead = np.cross(up, right)
    return PersonFrames(
        reference, distance, np.stack([right, above, away], -1), np.stack([right, ahead, up], -1)
    )


def on_plane(
    camera: CameraModel, px: Float[Array, "*batch P 2"], frames: PersonFrames, distorted: bool = False
) -> Float[Array, "*batch P 2"]:
    """(u, v) of pixels, metres; NaN where a ray runs away from the person.

    Args:
        camera: who saw them.
        px: pixels, undistorted unless `distorted`.
        frames: of the people the pixels belong to.
        distorted: as they stand in the picture.
    """
    ideal = camera.undistort_px(px) if distorted else np.asarray(px, np.float64)
    xy = (ideal - camera.K[:2, 2]) @ np.linalg.inv(camera.K[:2, :2]).T
    R_cam_ray = camera.R_cam_world @ frames.R_world_ray
    # rays in the person's axes: R^T (x, y, 1), all without forming the ones
    rays = xy @ R_cam_ray[..., :2, :] + R_cam_ray[..., 2:, :]
    ahead = rays[..., 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = frames.distance_m[..., None, None] * rays[..., :2] / ahead
    return np.asarray(np.where(ahead > STEEPEST, np.clip(flat, -FARTHEST, FARTHEST), np.nan))


def track_speed(
    track_m: Float[Array, "N T 3"], present: Bool[Array, "N T"], frames: PersonFrames, rate_hz: float
) -> Float[Array, "N T 2"]:
    """Right and away movement of tracked ground points, m/s; 0 next to slots without a track."""
    step = np.zeros_like(frames.reference_m)
    both = (present[:, 1:] & present[:, :-1])[..., None]
    step[:, :-1] = np.where(both, np.diff(np.asarray(track_m, np.float64), axis=1), 0.0)
    if step.shape[1] > 1:
        last = ~np.pad(both[..., 0], ((0, 0), (0, 1))) & np.pad(both[..., 0], ((0, 0), (1, 0)))
        step = np.where(last[..., None], np.roll(step, 1, axis=1), step)
    return np.asarray(np.einsum("ntc,ntcd->ntd", step, frames.R_world_upright[..., :2]) * rate_hz)


def assemble_features(
    points_m: Float[Tensor, "*batch 17 2"],
    confidence: Float[Tensor, "*batch 17"],
    box_m: Float[Tensor, "*batch 4"],
    sin_elevation: Float[Tensor, "*batch"],
    distance_m: Float[Tensor, "*batch"],
    speed_mps: Float[Tensor, "*batch 2"],
) -> Float[Tensor, "*batch 61"]:
    """The numbers the network reads of one frame.

    Args:
        points_m: (u, v) of the keypoints; not looked at where the confidence is 0.
        confidence: 0..1.
        box_m: left, lowest, right, highest coordinate of the box on the plane; not looked at where nothing is seen.
        sin_elevation: of the camera as seen from the person.
        distance_m: of the reference from the camera.
        speed_mps: right and away, of the ground point.
    """
    known = confidence > 0
    seen = known.any(-1, keepdim=True)
    points = torch.where(known[..., None], points_m, 0.0).flatten(-2)
    box = torch.where(seen, box_m, 0.0)
    sine = sin_elevation[..., None]
    cosine = (1 - sine * sine).clamp_min(0).sqrt()
    nearness = NEAR_M / distance_m[..., None]
    return torch.cat(
        [points, confidence, box, seen.to(points.dtype), sine, cosine, nearness, speed_mps * SPEED_SCALE], -1
    )
