"""One batch to learn from or to be measured on: motion, bodies, cameras, sightings, tracks -> features and truth.

    motion on a body -> ideal picture -> what is hidden -> what the networks report -> which slots a camera and a
    tracker have -> all of it in the frames of the *tracked* ground points, which is what the lifter gets in use

Same windows, same generator state: same bytes. Some two milliseconds a window on one thread; a training step has
five more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from ...kernels.lifter.rays import (
    SEEN,
    PersonFrames,
    assemble_features,
    person_frames,
    plane_points,
    track_speed,
)
from ...kernels.settings import StageConfig
from ..motion.windows import MotionWindows
from .bodies import BodyPool, pose_people
from .hiding import OCCLUDED, Hidden, HidingConfig, hide
from .sightings import Reported, SightingLaw
from .views import RATE_HZ, Cameras, TrueView, ViewConfig, draw_cameras, tracked_ground, true_view

FEET = [15, 16]


class LessonConfig(StageConfig):
    """What a batch is like."""

    view: ViewConfig = ViewConfig()
    """Cameras and tracks."""
    hiding: HidingConfig = HidingConfig()
    """What stands in the way."""
    rates_hz: tuple[float, ...] = (30.0, 30.0, 25.0, 25.0, 20.0, 15.0, 10.0)
    """Frame rates of cameras, drawn evenly; slots between frames see nothing."""
    newcomer_share: float = Field(default=0.15, ge=0, le=1)
    """Share of windows of which only the beginning or the end belongs to the person, down to one slot."""
    lost_share: float = Field(default=0.2, ge=0, le=1)
    """Share of windows in which the tracker loses the person for a stretch."""
    least_confidence: tuple[float, float] = (0.0, 0.3)
    """Keypoints below a threshold are dropped; the pipeline's own 0.2 in two of three windows, else drawn."""

    @classmethod
    def in_view(cls) -> LessonConfig:
        """People in full view of a 30 Hz camera for a whole window: networks' noise and misses, no more."""
        return cls(
            hiding=HidingConfig.none(),
            rates_hz=(30.0,),
            newcomer_share=0.0,
            lost_share=0.0,
            least_confidence=(0.2, 0.2),
        )


@dataclass(frozen=True)
class Lesson:
    """B windows with their truth; positions in the upright frames of the tracked slots."""

    features: Float[Tensor, "B T 61"]
    rotmats: Float[Tensor, "B T 22 3 3"]
    """Joint 0 in the upright frame, the rest relative to their parents."""
    joints_m: Float[Tensor, "B T 22 3"]
    """From the reference."""
    betas: Float[Tensor, "B 10"]
    rest_m: Float[Tensor, "B 24 3"]
    """Rest joints of the bodies."""
    present: Bool[Tensor, "B T"]
    """Slots that belong to the person."""
    seen: Bool[Tensor, "B T"]
    """Slots with at least one keypoint."""
    frames: PersonFrames
    """Of the tracked ground points."""
    cameras: Cameras

    def __len__(self) -> int:
        return len(self.betas)

    def on(self, device: torch.device) -> Lesson:
        """The same with all that a loss looks at on a device; frames and cameras stay."""
        names = ("features", "rotmats", "joints_m", "betas", "rest_m", "present", "seen")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def make_lesson(
    windows: MotionWindows,
    pool: BodyPool,
    laws: Sequence[SightingLaw],
    config: LessonConfig,
    generator: torch.Generator,
) -> Lesson:
    """Sightings and truth of some windows.

    Args:
        windows: recorded motion.
        pool: bodies to put it on.
        laws: networks that look; each serves an even part of the windows.
        config: circumstances.
        generator: everything random follows from it.
    """
    which = torch.randint(0, len(pool), (len(windows),), generator=generator)
    people = pose_people(windows, pool, which)
    cameras = draw_cameras(people, config.view, generator)
    view = true_view(people, cameras)
    hidden = hide(view, config.hiding, generator)
    reported = _report(view, hidden, cameras, laws, generator)
    feet_hidden = (hidden.state[..., FEET] >= OCCLUDED).all(-1)
    track = tracked_ground(view, people, cameras, feet_hidden, config.view, generator)
    present = draw_presence(len(windows), windows.root_m.shape[1], config, generator)
    there = present & reported.found & draw_slots(len(windows), present.shape[1], config, generator)
    track = _hold(track, present)
    frames = person_frames(cameras.centre_m[:, None], track)
    features = _features(view, reported, there, track, present, frames, config, generator)
    turn = frames.R_world_upright
    root = turn.transpose(-1, -2) @ people.rotmats[:, :, 0]
    joints = (people.joints_m[:, :, :22] - frames.reference_m[:, :, None]) @ turn
    return Lesson(
        features=features,
        rotmats=torch.cat([root[:, :, None], people.rotmats[:, :, 1:]], 2),
        joints_m=joints,
        betas=people.betas,
        rest_m=pool.rest_m[which],
        present=present,
        seen=features[..., SEEN] > 0,
        frames=frames,
        cameras=cameras,
    )


def _report(
    view: TrueView,
    hidden: Hidden,
    cameras: Cameras,
    laws: Sequence[SightingLaw],
    generator: torch.Generator,
) -> Reported:
    """Each law on its part of the windows."""
    bounds = [round(k * len(view.lateral_m) / len(laws)) for k in range(len(laws) + 1)]
    parts = [
        law.report(view.part(slice(a, b)), hidden.part(slice(a, b)), cameras.height_px[a:b], generator)
        for law, a, b in zip(laws, bounds[:-1], bounds[1:], strict=True)
    ]
    return Reported(*(torch.cat([getattr(p, name) for p in parts]) for name in Reported.__dataclass_fields__))


def draw_presence(
    batch: int, frames: int, config: LessonConfig, generator: torch.Generator
) -> Bool[Tensor, "B T"]:
    """Slots that belong to the person: mostly all, sometimes a beginning or an end."""
    slot = torch.arange(frames)
    draw = torch.rand(batch, 3, generator=generator)
    length = (float(frames) ** draw[:, 1:2]).round()
    end = draw[:, 2:] < 0.6  # who is new has only the newest slots
    part = torch.where(end, slot >= frames - length, slot < length)
    return part | (draw[:, :1] >= config.newcomer_share)


def draw_slots(
    batch: int, frames: int, config: LessonConfig, generator: torch.Generator
) -> Bool[Tensor, "B T"]:
    """Slots in which the camera has a frame and the tracker has not lost the person."""
    rates = torch.tensor(config.rates_hz)[
        torch.randint(0, len(config.rates_hz), (batch, 1), generator=generator)
    ]
    slot = torch.arange(frames)
    draw = torch.rand(batch, 4, generator=generator)
    tick = ((slot + draw[:, :1]) * rates / RATE_HZ).floor()
    before = ((slot - 1 + draw[:, :1]) * rates / RATE_HZ).floor()
    begin = draw[:, 1:2] * frames
    lost = (slot >= begin) & (slot < begin + 3 + 37 * draw[:, 2:3]) & (draw[:, 3:] < config.lost_share)
    return (tick != before) & ~lost


def _hold(track: Float[Tensor, "B T 3"], present: Bool[Tensor, "B T"]) -> Float[Tensor, "B T 3"]:
    """Slots beyond presence take the nearest present track, as `lift` does."""
    frames = present.shape[1]
    slot = torch.arange(frames)
    first = present.int().argmax(1, keepdim=True)
    last = frames - 1 - present.flip(1).int().argmax(1, keepdim=True)
    return track.gather(1, torch.minimum(torch.maximum(slot, first), last)[..., None].expand_as(track))


def _features(
    view: TrueView,
    reported: Reported,
    there: Bool[Tensor, "B T"],
    track: Float[Tensor, "B T 3"],
    present: Bool[Tensor, "B T"],
    frames: PersonFrames,
    config: LessonConfig,
    generator: torch.Generator,
) -> Float[Tensor, "B T 61"]:
    """Reported points from the true frames into the tracked ones, through slightly wrong pitch and roll."""
    batch = len(there)
    tilt = torch.deg2rad(config.view.tilt_sigma_deg * torch.randn(batch, 2, 1, generator=generator))
    left, low, right, high = reported.box_m.unbind(-1)
    centre = 0.5 * torch.stack([left + right, low + high], -1)
    sides = [(left, centre[..., 1]), (centre[..., 0], low), (right, centre[..., 1]), (centre[..., 0], high)]
    box = torch.stack([torch.stack(side, -1) for side in sides], -2)
    flat = torch.cat([reported.points_m, box], 2)
    cos, sin = tilt[:, 1, :, None].cos(), tilt[:, 1, :, None].sin()
    u, v = cos * flat[..., 0] - sin * flat[..., 1], sin * flat[..., 0] + cos * flat[..., 1]
    axes = view.frames.axes_world_ray
    depth = view.frames.distance_m[..., None].expand_as(u)
    rays = torch.stack([u, v, depth], -1) @ axes.transpose(-1, -2)
    points, _ = plane_points(rays, frames)
    confidence = reported.confidence * there[..., None]
    confidence = torch.where(confidence >= _threshold(batch, config, generator), confidence, 0.0)
    edges = torch.stack([points[..., 17, 0], points[..., 18, 1], points[..., 19, 0], points[..., 20, 1]], -1)
    sine = frames.sin_elevation.clamp(-1, 1)
    sine = (sine.asin() + tilt[:, 0]).sin()
    speed = track_speed(track, present, frames)
    return assemble_features(points[..., :17, :], confidence, edges, sine, frames.distance_m, speed)


def _threshold(batch: int, config: LessonConfig, generator: torch.Generator) -> Float[Tensor, "B 1 1"]:
    low, high = config.least_confidence
    draw = torch.rand(batch, 2, 1, 1, generator=generator)
    usual = min(max(0.2, low), high)
    return torch.where(draw[:, 0] < 2 / 3, usual, low + (high - low) * draw[:, 1])
