"""The lifter network: 64 frames of keypoints in the person's own frame -> bodies, with their uncertainty.

    body(t) = S x(t) + head(transformer(tokens))(t),        tokens of `patch` frames

S is a ridge regression of a token's bodies on a token's keypoints: it knows the average stance and what follows
straight from the picture, and the network learns the rest (which way round, which leg is in front, what is hidden).
Rotations are 6D; the root's is relative to the upright frame of its slot (`rays`), so nothing depends on where the
camera stands, and nothing on how it is built. Uncertainty is a standard deviation per joint and frame, learned as
a Gaussian's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from ..errors import ShapeError
from ..rotation import rotmat_from_6d
from ..settings import StageConfig
from .rays import CONFIDENCE, FEATURES, SEEN

LIFTER_FRAMES = 64
NUM_ROTATIONS = 22
"""Pelvis and the 21 body joints."""
NUM_BETAS = 10
OUT = 6 * NUM_ROTATIONS + 3
"""6D of joints 0..21, then the pelvis from the reference, metres."""
SIGMAS = NUM_ROTATIONS + 1
ALL_SLOTS = slice(None)
LOG_SIGMA_RANGE = (-6.0, 1.2)
"""Standard deviations from 0.14 degrees (or 2.5 mm) to more than a half turn."""


class LifterConfig(StageConfig):
    """Sizes of the network."""

    width: int = Field(default=256, ge=16, le=2048, multiple_of=8)
    """Of a token."""
    heads: int = Field(default=4, ge=1, le=32)
    """Of attention."""
    feed_forward: int = Field(default=2, ge=1, le=8)
    """Width of the feed-forward layers, in token widths."""
    layers: int = Field(default=4, ge=1, le=24)
    """Each costs about 16 (4 + 2 feed_forward) width^2 multiplications a window at 4 frames a token."""
    patch: int = Field(default=4, ge=1, le=16)
    """Frames a token; must divide 64."""


@dataclass(frozen=True)
class LiftedFrames:
    """What the network says, each slot in its own upright frame."""

    rotmats: Float[Tensor, "B T 22 3 3"]
    """Joint 0 in the upright frame, the rest relative to their parents."""
    root_m: Float[Tensor, "B T 3"]
    """Pelvis joint from the reference, metres."""
    betas: Float[Tensor, "B 10"]
    """Of the whole window."""
    log_sigma: Float[Tensor, "B T 23"]
    """Log of the standard deviation per axis of joints' angles (rad), then of the pelvis (m)."""


class Lifter(nn.Module):
    """The network with its skip. Deterministic."""

    mean: Tensor
    scale: Tensor
    joint_template_m: Tensor
    joint_shapedirs_m: Tensor

    def __init__(self, config: LifterConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        tokens = LIFTER_FRAMES // c.patch
        if tokens * c.patch != LIFTER_FRAMES:
            raise ShapeError(f"LifterConfig.patch: got {c.patch}, expected a divisor of {LIFTER_FRAMES}")
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("scale", torch.ones(FEATURES))
        self.register_buffer("joint_template_m", torch.zeros(24, 3))
        self.register_buffer("joint_shapedirs_m", torch.zeros(24, 3, NUM_BETAS))
        self.skip = nn.Linear(c.patch * FEATURES, c.patch * OUT)
        self.embed = nn.Linear(c.patch * FEATURES, c.width)
        self.place = nn.Parameter(0.02 * torch.randn(tokens, c.width))
        layer = nn.TransformerEncoderLayer(
            c.width,
            c.heads,
            c.feed_forward * c.width,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.transformer = nn.TransformerEncoder(
            layer, c.layers, norm=nn.LayerNorm(c.width), enable_nested_tensor=False
        )
        self.head = nn.Linear(c.width, c.patch * (OUT + SIGMAS))
        self.shape = nn.Linear(c.width, NUM_BETAS)
        for last in (self.skip, self.head, self.shape):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        upright = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
        rest = torch.cat([upright.repeat(NUM_ROTATIONS), torch.zeros(3)])
        with torch.no_grad():
            # until the skip is fitted: the rest pose, facing the camera, pelvis at the reference
            rest[3:6] = torch.tensor([0.0, 0.0, 1.0])
            self.skip.bias.copy_(rest.repeat(c.patch))
            self.head.bias.view(c.patch, -1)[:, OUT:] = -1.0

    def forward(self, features: Float[Tensor, "B 64 61"], slots: slice = ALL_SLOTS) -> LiftedFrames:
        """Bodies of windows whose features `rays.assemble_features` made, in some of their slots."""
        batch, patch = len(features), self.config.patch
        tokens = self.scaled(features).reshape(batch, -1, patch * FEATURES)
        hidden = self.transformer(self.embed(tokens) + self.place)
        free = self.head(hidden).reshape(batch, LIFTER_FRAMES, OUT + SIGMAS)
        out = self.skip(tokens).reshape(batch, LIFTER_FRAMES, OUT) + free[..., :OUT]
        out, free = out[:, slots], free[:, slots]
        return LiftedFrames(
            rotmats=rotmat_from_6d(out[..., : OUT - 3].unflatten(-1, (NUM_ROTATIONS, 6))),
            root_m=out[..., OUT - 3 :],
            betas=self.shape(hidden.mean(1)),
            log_sigma=free[..., OUT:].clamp(*LOG_SIGMA_RANGE),
        )

    def scaled(self, features: Float[Tensor, "*batch 61"]) -> Float[Tensor, "*batch 61"]:
        """Features about zero and of size one; what is not known is zero, the least telling number."""
        known = features[..., CONFIDENCE] > 0
        seen = features[..., SEEN : SEEN + 1] > 0
        mask = torch.cat([known.repeat_interleave(2, -1), known, seen.expand(*seen.shape[:-1], 4)], -1)
        told = torch.cat([mask, torch.ones_like(features[..., SEEN:], dtype=torch.bool)], -1)
        return torch.where(told, (features - self.mean) / self.scale, 0.0)

    def rest_joints(self, betas: Float[Tensor, "*batch 10"]) -> Float[Tensor, "*batch 24 3"]:
        """Rest joints of shapes of the body the network was trained with, metres."""
        return self.joint_template_m + torch.einsum("...k,jck->...jc", betas, self.joint_shapedirs_m)
