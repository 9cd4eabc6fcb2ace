"""What a camera tells of a person, without the camera: keypoints in metres beside the ray to the person.

The reference P is 0.9 m above the tracked ground point, d = |P - C| its distance from the optical centre C. Axes:

    away   (P - C) / d            right   away x up, horizontal            above   right x away

    u = d (w . right) / (w . away),   v = d (w . above) / (w . away)       for the ray w through a keypoint

(u, v) are metres on the plane through P across the ray: a body of the same size, seen from the same side, gives
the same numbers whatever the focal length, the distortion, the roll of the camera or its place in the world. Answers
come in the upright frame of the same slot: x right, y away from the camera along the ground, z up, origin P.

O(N T 17), in the precision of its input. Distant cameras and world coordinates of kilometres need float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..camera import CameraModel
from ..solve.problem import MODEL_RATE_HZ

Array = np.ndarray

REFERENCE_HEIGHT_M = 0.9
"""Of P over the ground: near the pelvis of most people."""
NEAREST_M = 0.5
"""Somebody nearer is taken to be this far: keeps the frame finite when a track runs under the camera."""
STEEPEST = 1e-3
"""Least horizontal part of the viewing direction; under it (straight down) "right" is the world's x."""
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
    """The frames of people's slots before one camera."""

    reference_m: Float[Tensor, "*batch 3"]
    """P in the world, metres."""
    distance_m: Float[Tensor, "*batch"]
    """From the optical centre."""
    axes_world_ray: Float[Tensor, "*batch 3 3"]
    """Columns right, above, away: left-handed, as pictures with v upwards are."""
    R_world_upright: Float[Tensor, "*batch 3 3"]
    """Columns right, away along the ground, up."""

    @property
    def sin_elevation(self) -> Float[Tensor, "*batch"]:
        """Of the camera as seen from the person: 0 level, 1 straight above."""
        return -self.axes_world_ray[..., 2, 2]


def person_frames(
    centre_world_m: Float[Tensor, "*#batch 3"], track_m: Float[Tensor, "*#batch 3"]
) -> PersonFrames:
    """Frames of tracked ground points.

    Args:
        centre_world_m: the optical centre, metres.
        track_m: ground positions in the world, metres.
    """
    up = torch.zeros_like(track_m)
    up[..., 2] = 1.0
    reference = track_m + REFERENCE_HEIGHT_M * up
    to_person = reference - centre_world_m
    distance = to_person.norm(dim=-1).clamp_min(NEAREST_M)
    away = to_person / distance[..., None]
    level = away[..., :2].norm(dim=-1, keepdim=True)
    flat = torch.stack([away[..., 1], -away[..., 0], torch.zeros_like(away[..., 0])], -1)
    spare = torch.zeros_like(flat)
    spare[..., 0] = 1.0
    right = torch.where(level > STEEPEST, flat / level.clamp_min(STEEPEST), spare)
    above = torch.nn.functional.normalize(torch.linalg.cross(right, away), dim=-1)
    away = torch.linalg.cross(above, right)
    ahead = torch.linalg.cross(up, right)
    return PersonFrames(
        reference, distance, torch.stack([right, above, away], -1), torch.stack([right, ahead, up], -1)
    )


def plane_points(
    directions: Float[Tensor, "*batch P 3"], frames: PersonFrames
) -> tuple[Float[Tensor, "*batch P 2"], Float[Tensor, "*batch P"]]:
    """(u, v) of rays, metres, and their part along the view; below `STEEPEST` a ray runs away from the person.

    Args:
        directions: world axes, of any length.
        frames: of the people the rays belong to.
    """
    rays = directions @ frames.axes_world_ray
    ahead = rays[..., 2]
    flat = frames.distance_m[..., None, None] * rays[..., :2] / ahead.clamp_min(STEEPEST)[..., None]
    return flat.clamp(-FARTHEST, FARTHEST), ahead


def directions_world(
    camera: CameraModel, px: Float[Array, "*batch 2"], distorted: bool = False
) -> Float[Array, "*batch 3"]:
    """Rays in world axes through pixels, with unit part along the optical axis.

    Args:
        camera: who saw them.
        px: pixels, undistorted unless `distorted`.
        distorted: as they stand in the picture.
    """
    ideal = camera.undistort_px(px) if distorted else np.asarray(px, np.float64)
    xy = (ideal - camera.K[:2, 2]) @ np.linalg.inv(camera.K[:2, :2]).T
    return np.asarray(xy @ camera.R_cam_world[:2] + camera.R_cam_world[2])


def track_speed(
    track_m: Float[Tensor, "*batch T 3"], present: Bool[Tensor, "*batch T"], frames: PersonFrames
) -> Float[Tensor, "*batch T 2"]:
    """Right and away movement of tracked ground points, m/s; 0 beside slots without a track.

    From each slot to the next; the last slot of a run keeps the speed of the one before.
    """
    both = present[..., 1:] & present[..., :-1]
    step = torch.where(both[..., None], track_m[..., 1:, :] - track_m[..., :-1, :], 0.0)
    none = torch.zeros_like(step[..., :1, :])
    ahead, behind = torch.cat([step, none], -2), torch.cat([none, step], -2)
    goes_on = torch.nn.functional.pad(both, (0, 1))
    step = torch.where(goes_on[..., None], ahead, behind)
    local = step[..., None, :] @ frames.R_world_upright[..., :2]
    return local.squeeze(-2) * MODEL_RATE_HZ


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
