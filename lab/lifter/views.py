"""Where cameras stand and where the tracker thinks the person stands.

camera     elevation 0-70 degrees, distance 4-120 m, from anywhere; the person's height in the picture is drawn of
           its own, so any focal length is met. Nothing else of a camera reaches the lifter.
ground     the tracked point is off along the view, by what a picture error of some centimetres means on the ground
           at that elevation, by a calibration's share of the distance, and - where the feet are hidden - by what
           the torso's height was wrong (a child is put too near, somebody crouching too): algorithms 2.6,
           `kernels.hvip`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...kernels.hvip import TORSO_HEIGHT_M
from ...kernels.lifter.rays import PersonFrames, person_frames, plane_points
from ...kernels.settings import StageConfig
from .bodies import PosedPeople
from .chains import chain

RATE_HZ = 30.0
TORSO = [1, 2, 16, 17]
ANKLES = [15, 16]
"""Of COCO."""


class ViewConfig(StageConfig):
    """How cameras and tracks are drawn."""

    elevation_deg: tuple[float, float] = (-2.0, 70.0)
    """Of the camera as seen from the person."""
    steep_share: float = Field(default=0.4, ge=0, le=1)
    """Share of windows over the whole range; the rest below 32 degrees, as most cameras look."""
    distance_m: tuple[float, float] = (4.0, 120.0)
    """Log-uniform."""
    height_px: tuple[float, float] = (28.0, 420.0)
    """Of the person in the picture, log-uniform."""
    picture_sigma_m: float = Field(default=0.035, ge=0)
    """Vertical error of a ground point in the picture with the feet in view, metres at the person."""
    torso_sigma_m: float = Field(default=0.06, ge=0)
    """The same where only the torso tells, besides the torso's own wrong height."""
    lateral_sigma_m: float = Field(default=0.035, ge=0)
    """Sideways error of the ground point."""
    depth_share: float = Field(default=0.015, ge=0)
    """Lasting error along the view, share of the distance: calibration."""
    ground_sigma_m: float = Field(default=0.03, ge=0)
    """Lasting error of the ground's height."""
    tilt_sigma_deg: float = Field(default=0.7, ge=0)
    """Error of the camera's pitch and roll."""
    memory_s: float = Field(default=0.5, gt=0)
    """Of the ground point's error, after smoothing."""


@dataclass(frozen=True)
class Cameras:
    """One camera a window."""

    centre_m: Float[Tensor, "B 3"]
    height_px: Float[Tensor, "B"]
    """Size in the picture of a person who fills 1.7 m of the plane across the ray."""
    elevation_rad: Float[Tensor, "B"]
    """Over the window's middle."""
    distance_m: Float[Tensor, "B"]


def draw_cameras(people: PosedPeople, config: ViewConfig, generator: torch.Generator) -> Cameras:
    """Cameras about people whose window's middle is at the origin; none comes nearer than 3 m."""
    batch = len(people)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(batch, generator=generator)

    low, high = config.elevation_deg
    steep = torch.rand(batch, generator=generator) < config.steep_share
    elevation = torch.deg2rad(torch.where(steep, uniform(low, high), uniform(low, min(32.0, high))))
    distance = _log_uniform(*config.distance_m, batch, generator)
    travel = people.joints_m[:, :, 0, :2].norm(dim=-1).amax(1)
    distance = torch.maximum(distance, (travel + 3.0) / elevation.cos())
    azimuth = uniform(-torch.pi, torch.pi)
    level = distance * elevation.cos()
    centre = torch.stack([level * azimuth.cos(), level * azimuth.sin(), 0.9 + distance * elevation.sin()], -1)
    return Cameras(centre, _log_uniform(*config.height_px, batch, generator), elevation, distance)


def _log_uniform(low: float, high: float, batch: int, generator: torch.Generator) -> Tensor:
    share = torch.rand(batch, generator=generator)
    return low * (high / low) ** share


@dataclass(frozen=True)
class TrueView:
    """People as an ideal picture shows them, each slot in the frame of its true ground point."""

    ground_m: Float[Tensor, "B T 3"]
    """Under the torso."""
    frames: PersonFrames
    points_m: Float[Tensor, "B T 17 2"]
    """Keypoints on the plane."""
    joints_m: Float[Tensor, "B T 24 2"]
    """Joints on the plane."""
    depth_m: Float[Tensor, "B T 24"]
    """Of the joints along the view."""
    point_depth_m: Float[Tensor, "B T 17"]
    """Of the keypoints."""
    box_m: Float[Tensor, "B T 4"]
    """Left, lowest, right, highest: the body with its flesh."""
    lateral_m: Float[Tensor, "B T"]
    """How far right of the window's middle the person stands: what stands still in the picture is fixed in it."""

    @property
    def height_m(self) -> Float[Tensor, "B T"]:
        """Of the box."""
        return self.box_m[..., 3] - self.box_m[..., 1]

    def part(self, rows: slice) -> TrueView:
        """Some of the windows."""
        f = self.frames
        frames = PersonFrames(
            f.reference_m[rows], f.distance_m[rows], f.axes_world_ray[rows], f.R_world_upright[rows]
        )
        rest = {k: getattr(self, k)[rows] for k in self.__dataclass_fields__ if k != "frames"}
        return TrueView(frames=frames, **rest)


MARGIN_M = (0.07, 0.06, 0.07, 0.13)
"""Flesh round the outermost joints: left, under the feet, right, over the head joint."""


def true_view(people: PosedPeople, cameras: Cameras) -> TrueView:
    """The ideal picture."""
    ground = smooth(people.joints_m[:, :, TORSO].mean(2)) * torch.tensor([1.0, 1.0, 0.0])
    centre = cameras.centre_m[:, None]
    frames = person_frames(centre, ground)
    every = torch.cat([people.joints_m, people.keypoints_m], 2) - centre[:, :, None]
    flat, ahead = plane_points(every, frames)
    joints, points = flat[:, :, :24], flat[:, :, 24:]
    left, low, right, high = MARGIN_M
    lowest, highest = joints.amin(2), joints.amax(2)
    box = torch.cat([lowest - torch.tensor([left, low]), highest + torch.tensor([right, high])], -1)
    middle = ground.shape[1] // 2
    across = frames.R_world_upright[:, middle, None, :, 0]
    lateral = ((ground - ground[:, middle, None]) * across).sum(-1)
    return TrueView(ground, frames, points, joints, ahead[:, :, :24], ahead[:, :, 24:], box, lateral)


def smooth(path: Float[Tensor, "B T C"], reach: int = 4) -> Float[Tensor, "B T C"]:
    """Mean over 2 reach + 1 slots, edges repeated."""
    wide = torch.nn.functional.pad(path.transpose(1, 2), (reach, reach), mode="replicate")
    return torch.nn.functional.avg_pool1d(wide, 2 * reach + 1, stride=1).transpose(1, 2)


def tracked_ground(
    view: TrueView,
    people: PosedPeople,
    cameras: Cameras,
    feet_hidden: Bool[Tensor, "B T"],
    config: ViewConfig,
    generator: torch.Generator,
) -> Float[Tensor, "B T 3"]:
    """Where the tracker puts people, float32 metres."""
    batch, frames = feet_hidden.shape
    noise = smooth(chain(generator, batch, frames, 3, RATE_HZ, config.memory_s))
    noise = noise / noise.std().clamp_min(1e-6)
    sine = view.frames.sin_elevation.clamp_min(0.05)
    tangent = sine / (1 - sine * sine).clamp_min(0.05).sqrt()
    with_feet = config.picture_sigma_m * noise[..., 0] / sine
    torso = people.joints_m[:, :, TORSO, 2].mean(2)
    blind = (torso - TORSO_HEIGHT_M) / tangent + config.torso_sigma_m * noise[..., 1] / sine
    share = smooth(feet_hidden.float()[..., None], 6)[..., 0]
    far = view.frames.distance_m
    along = (1 - share) * with_feet + share * blind
    along = torch.minimum(torch.maximum(along, -0.25 * far), 0.35 * far)
    lasting = torch.randn(batch, 2, generator=generator)
    along = along + config.depth_share * lasting[:, :1] * far
    across = config.lateral_sigma_m * noise[..., 2]
    axes = view.frames.R_world_upright
    off = axes[..., 0] * across[..., None] + axes[..., 1] * along[..., None]
    height = config.ground_sigma_m * lasting[:, 1:]
    return view.ground_m + off + torch.stack([torch.zeros_like(across)] * 2 + [height.expand_as(across)], -1)
