"""What hides a person's keypoints: the own body, things, other people, the picture's border.

The own body is twelve capsules. A keypoint is self-occluded when a capsule lies on its line of sight, further in
front of it than its own flesh is thick: the rule of `virtualcrowd.silhouette` for skins, on every fourth slot.
Things are drawn where crowds have them: a wall or a row of heads up to some height, a pillar that people walk behind, a
stretch in which all is hidden, another person in front, the border of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from ...kernels.settings import StageConfig
from ...kernels.skeleton import COCO_TO_SMPL, PARENTS
from .views import RATE_HZ, TrueView

VISIBLE, SELF_OCCLUDED, OCCLUDED, OUTSIDE = range(4)
"""Rows of the fitted tables (`sighting_model.STATES`)."""
EVERY = 4
"""Slots between two looks at what hides what."""

CAPSULES = (
    (1, 16, 0.10), (2, 17, 0.10), (0, 12, 0.10), (12, 15, 0.09), (1, 4, 0.08), (2, 5, 0.08), (4, 7, 0.055),
    (5, 8, 0.055), (16, 18, 0.05), (17, 19, 0.05), (18, 20, 0.04), (19, 21, 0.04),
)  # fmt: skip
"""Ends (SMPL joints) and radius, metres, of a body 1.71 m tall."""
HEAD, HEAD_RADIUS_M = 15, 0.105
THICKNESS_M = (
    0.11,
    0.10,
    0.10,
    0.09,
    0.09,
    0.13,
    0.13,
    0.09,
    0.09,
    0.08,
    0.08,
    0.19,
    0.19,
    0.12,
    0.12,
    0.09,
    0.09,
)
"""From a keypoint to skin of its own that does not hide it."""
FOREIGN_M = 0.05
"""The same to skin of other limbs."""
BONES = torch.tensor([(c, int(PARENTS[c])) for c in (4, 5, 7, 8, 12, 15, 16, 17, 18, 19, 20, 21)])
BONE_RADIUS_M = 0.11
"""How wide another person's bones hide what is behind."""


class HidingConfig(StageConfig):
    """How often people are hidden, and by what; shares of windows."""

    lower: float = Field(default=0.16, ge=0, le=1)
    """Everything below some height."""
    pillar: float = Field(default=0.10, ge=0, le=1)
    stretch: float = Field(default=0.08, ge=0, le=1)
    """All of the person for a while."""
    neighbour: float = Field(default=0.14, ge=0, le=1)
    """Another person in front."""
    border: float = Field(default=0.06, ge=0, le=1)
    """Cut by the picture."""

    @classmethod
    def none(cls) -> HidingConfig:
        """Nothing but the own body hides anybody."""
        return cls(lower=0, pillar=0, stretch=0, neighbour=0, border=0)


@dataclass(frozen=True)
class Hidden:
    """What shows of people."""

    state: Int[Tensor, "B T 17"]
    """VISIBLE .. OUTSIDE."""
    neighbour_m: Float[Tensor, "B T 17 2"]
    """Keypoints of the person in front, far away where there is none."""
    limits_m: Float[Tensor, "B T 4"]
    """The picture's borders on the plane: left, low, right, high."""

    def part(self, rows: slice) -> Hidden:
        """Some of the windows."""
        return Hidden(self.state[rows], self.neighbour_m[rows], self.limits_m[rows])


def self_occluded(view: TrueView) -> Bool[Tensor, "B T 17"]:
    """Keypoints behind the own body."""
    joints, depth = view.joints_m[:, ::EVERY], view.depth_m[:, ::EVERY]
    size = (view.height_m[:, ::EVERY] / 1.7).clamp(0.4, 1.2)[..., None, None]
    points, carrier = view.points_m[:, ::EVERY], torch.from_numpy(COCO_TO_SMPL)
    point_depth = view.point_depth_m[:, ::EVERY]
    a, b = (torch.tensor([c[k] for c in CAPSULES]) for k in (0, 1))
    radius = torch.tensor([c[2] for c in CAPSULES]) * size
    # children's heads are nearly as large
    radius = torch.where(b == HEAD, radius.clamp_min(HEAD_RADIUS_M), radius)
    start, way = joints[:, :, a], joints[:, :, b] - joints[:, :, a]
    off = points[:, :, :, None] - start[:, :, None]
    along = (off * way[:, :, None]).sum(-1) / (way * way).sum(-1)[:, :, None].clamp_min(1e-4)
    along = along.clamp(0, 1)
    beside = off - along[..., None] * way[:, :, None]
    apart = (beside * beside).sum(-1)
    inside = apart < radius**2
    surface = torch.lerp(depth[:, :, None, a], depth[:, :, None, b], along)
    surface = surface - (radius**2 - apart).clamp_min(0).sqrt()
    behind = point_depth[..., None] - surface > _allowed(carrier, a, b) * size
    hidden = (inside & behind).any(-1)
    return hidden.repeat_interleave(EVERY, 1)


def _allowed(carrier: Int[Tensor, "17"], a: Int[Tensor, "S"], b: Int[Tensor, "S"]) -> Float[Tensor, "17 S"]:
    """How far in front of each keypoint each capsule's skin may lie without hiding it."""
    parent = torch.from_numpy(PARENTS)[carrier]
    own = (carrier[:, None] == a) | (carrier[:, None] == b) | (parent[:, None] == a) | (parent[:, None] == b)
    thickness = torch.tensor(THICKNESS_M)[:, None]
    return torch.where(own, thickness, FOREIGN_M)


def hide(view: TrueView, config: HidingConfig, generator: torch.Generator) -> Hidden:
    """States of all keypoints."""
    batch, frames = view.lateral_m.shape

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(batch, 1, generator=generator)

    shares = torch.tensor([config.lower, config.pillar, config.stretch, config.neighbour, config.border])
    kind = torch.bucketize(torch.rand(batch, generator=generator), shares.cumsum(0))[:, None, None]
    slot = torch.arange(frames)
    begin, length = uniform(-0.5, 0.95) * frames, uniform(0.1, 1.2) * frames
    always = uniform(0, 1) < 0.45
    during = (always | ((slot >= begin) & (slot < begin + length)))[..., None]
    u, v = view.points_m.unbind(-1)
    across = u + view.lateral_m[..., None]
    waist = uniform(-0.75, 0.30)[..., None]
    lower = (kind == 0) & during & (v < waist)
    place = view.lateral_m.gather(1, (torch.rand(batch, 1, generator=generator) * frames).long())
    pillar_at = (place + 0.3 * torch.randn(batch, 1, generator=generator))[..., None]
    pillar = (kind == 1) & ((across - pillar_at).abs() < uniform(0.12, 0.8)[..., None])
    stretch = (kind == 2) & during
    beside, other = _neighbour(view, (kind == 3)[:, 0, 0], uniform(0, 1) < 0.5, generator)
    limits = _limits(view, (kind == 4)[:, 0], place, generator)
    outside = (u < limits[..., :1]) | (v < limits[..., 1:2]) | (u > limits[..., 2:3]) | (v > limits[..., 3:])
    state = torch.where(self_occluded(view), SELF_OCCLUDED, VISIBLE)
    state = torch.where(lower | pillar | stretch | beside, OCCLUDED, state)
    return Hidden(torch.where(outside, OUTSIDE, state), other, limits)


FAR_M = 1e4


def _neighbour(
    view: TrueView, there: Bool[Tensor, "B"], crossing: Bool[Tensor, "B 1"], generator: torch.Generator
) -> tuple[Bool[Tensor, "B T 17"], Float[Tensor, "B T 17 2"]]:
    """Another window's person in front: what they hide, and their keypoints."""
    batch, frames = view.lateral_m.shape
    draw = torch.randn(batch, 3, generator=generator)
    speed = torch.where(crossing, 0.8 * draw[:, :1], 0.1 * draw[:, :1]) / RATE_HZ
    time = torch.arange(frames) - frames / 2 + 8.0 * draw[:, 1:2]
    shift = torch.stack([speed * time + 0.22 * draw[:, 2:3], torch.zeros(batch, frames)], -1)
    points = view.points_m.roll(1, 0) + shift[:, :, None]
    hidden = torch.zeros(batch, frames, 17, dtype=torch.bool)
    rows = there.nonzero()[:, 0]
    if len(rows):
        bones = view.joints_m.roll(1, 0)[rows, ::EVERY] + shift[rows, ::EVERY, None]
        start = bones[:, :, BONES[:, 1]]
        way = bones[:, :, BONES[:, 0]] - start
        off = view.points_m[rows, ::EVERY][:, :, :, None] - start[:, :, None]
        along = (off * way[:, :, None]).sum(-1) / (way * way).sum(-1)[:, :, None].clamp_min(1e-4)
        beside = off - along.clamp(0, 1)[..., None] * way[:, :, None]
        near = ((beside * beside).sum(-1) < BONE_RADIUS_M**2).any(-1)
        hidden[rows] = near.repeat_interleave(EVERY, 1)
    return hidden, torch.where(there[:, None, None, None], points, FAR_M)


def _limits(
    view: TrueView, cut: Bool[Tensor, "B 1"], place_m: Float[Tensor, "B 1"], generator: torch.Generator
) -> Float[Tensor, "B T 4"]:
    """Borders of the picture on the plane; one of them cuts the chosen windows, the others are far."""
    batch, frames = view.lateral_m.shape
    side = torch.randint(0, 4, (batch, 1), generator=generator)
    depth = 0.35 * torch.randn(batch, 1, generator=generator)
    height = torch.rand(batch, 1, generator=generator)
    low, high = -0.8 + 0.9 * height, 0.2 + 0.6 * height
    edges = [
        torch.where(side == 0, place_m + depth, -FAR_M) - view.lateral_m,
        torch.where(side == 1, low, -FAR_M).expand(-1, frames),
        torch.where(side == 2, place_m + depth, FAR_M) - view.lateral_m,
        torch.where(side == 3, high, FAR_M).expand(-1, frames),
    ]
    far = torch.tensor([-FAR_M, -FAR_M, FAR_M, FAR_M])
    return torch.where(cut[..., None], torch.stack(edges, -1), far)
