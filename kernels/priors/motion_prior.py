"""The motion prior: a transformer VAE over segments of 64 frames (DyCrowd sec. III-C).

    z_p in R^256  from the local encoder E_p (transformer),   z_r in R^128  from the global encoder E_r (MLP)
    D(z_p, z_r) -> motion state x in R^330 a frame, and contact probabilities

Both ways have a linear skip: z = P (x~ - mean) + network, x = mean + C z + network, where P and C begin as principal
components of the motions' lowest frequencies (a DCT over time) and x~ is the state bridged across what is hidden
(`occlusion_fill`). The linear model is fitted in seconds; the network has to learn only what it gets wrong.

The transformer reads and writes tokens of `patch` frames: motion at 30 Hz is smooth, and 16 wide tokens cost a
quarter of 64. The decoder gives rotations (6D) and the pelvis's path; joints, velocities and matrices of the state
follow from them, so a decoded state never contradicts itself. E_p sees the whole state, not its local part alone:
how someone travels tells what hidden legs do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from ..rotation import rotmat_from_6d, rotmat_to_6d
from ..settings import StageConfig
from .motion_state import (
    BODY_JOINTS,
    CONTACTS,
    GLOBAL,
    GROUPS,
    ROOT_ROTATION,
    ROTATIONS,
    SEGMENT_FRAMES,
    STATE_DIM,
    assemble,
    place_joints,
)
from .occlusion_fill import bridge_state
from .velocity_hold import hold_velocity

LOCAL_LATENT = 256
GLOBAL_LATENT = 128
LATENT_DIM = LOCAL_LATENT + GLOBAL_LATENT
LOCAL_OUT = 6 * BODY_JOINTS
GLOBAL_OUT = 6 + 3
OUT = LOCAL_OUT + GLOBAL_OUT


class MotionPriorConfig(StageConfig):
    """Sizes of the network. Decoding costs about 12 width^2 (64 / patch) decoder_layers multiplications a segment."""

    width: int = Field(default=256, ge=16, le=2048, multiple_of=8)
    """Of a token."""
    heads: int = Field(default=4, ge=1, le=32)
    """Of attention."""
    feed_forward: int = Field(default=2, ge=1, le=8)
    """Width of the feed-forward layers, in token widths."""
    encoder_layers: int = Field(default=5, ge=1, le=24)
    """Of E_p."""
    decoder_layers: int = Field(default=3, ge=1, le=24)
    """Of D."""
    global_width: int = Field(default=256, ge=16, le=2048)
    """Of E_r's hidden layers."""
    token_latent: int = Field(default=64, ge=4, le=512)
    """What a token hands to the latent, and gets from it."""
    patch: int = Field(default=4, ge=1, le=16)
    """Frames a token; must divide 64."""
    frequencies: int = Field(default=20, ge=4, le=64)
    """DCT coefficients the linear skip sees; 20 of 64 reach 4.7 Hz."""


@dataclass(frozen=True)
class DecodedMotion:
    """What the decoder gives, in the segment's frame."""

    rotmats: Float[Tensor, "B T 22 3 3"]
    """Joint 0 in the segment's frame, the rest relative to their parents."""
    root_m: Float[Tensor, "B T 3"]
    """Pelvis joint, metres on the reference skeleton."""
    contact_logits: Float[Tensor, "B T 8"]
    """Of ankles, feet, knees, wrists (left, right); probability is their sigmoid."""


def dct_rows(count: int, frames: int = SEGMENT_FRAMES) -> Float[Tensor, "count frames"]:
    """The first rows of the orthonormal DCT-II matrix."""
    t = torch.arange(frames, dtype=torch.float64)
    k = torch.arange(count, dtype=torch.float64)[:, None]
    rows = torch.cos(math.pi * (t + 0.5) * k / frames) * math.sqrt(2.0 / frames)
    rows[0] /= math.sqrt(2.0)
    return rows.float()


class MotionPrior(nn.Module):
    """E_p, E_r and D. Deterministic in evaluation: `encode` gives the mean of the posterior."""

    mean: Tensor
    scale: Tensor
    out_mean: Tensor
    dct: Tensor
    rest_joints_m: Tensor

    def __init__(self, config: MotionPriorConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        tokens = SEGMENT_FRAMES // c.patch
        self.register_buffer("mean", torch.zeros(STATE_DIM))
        self.register_buffer("scale", torch.ones(STATE_DIM))
        self.register_buffer("out_mean", torch.zeros(OUT))
        self.register_buffer("rest_joints_m", torch.zeros(22, 3))
        self.register_buffer("dct", dct_rows(c.frequencies), persistent=False)
        self.embed = nn.Linear(c.patch * (STATE_DIM + GROUPS), c.width)
        self.place = nn.Parameter(0.02 * torch.randn(tokens, c.width))
        self.encoder = _transformer(c.encoder_layers, c)
        self.token_out = nn.Linear(c.width, c.token_latent)
        self.to_latent = nn.Linear(tokens * c.token_latent, LOCAL_LATENT)
        self.to_spread = nn.Linear(c.width, LOCAL_LATENT + GLOBAL_LATENT)
        path = SEGMENT_FRAMES * (STATE_DIM - GLOBAL.start + 1)
        self.global_encoder = nn.Sequential(
            nn.Linear(path, c.global_width),
            nn.GELU(),
            nn.Linear(c.global_width, c.global_width),
            nn.GELU(),
            nn.Linear(c.global_width, GLOBAL_LATENT),
        )
        self.local_in = nn.Linear(c.frequencies * LOCAL_OUT, LOCAL_LATENT, bias=False)
        self.global_in = nn.Linear(c.frequencies * GLOBAL_OUT, GLOBAL_LATENT, bias=False)
        self.local_out = nn.Linear(LOCAL_LATENT, c.frequencies * LOCAL_OUT, bias=False)
        self.global_out = nn.Linear(GLOBAL_LATENT, c.frequencies * GLOBAL_OUT, bias=False)
        self.from_latent = nn.Linear(LATENT_DIM, tokens * c.token_latent)
        self.token_in = nn.Linear(c.token_latent, c.width)
        self.decode_place = nn.Parameter(0.02 * torch.randn(tokens, c.width))
        self.decoder = _transformer(c.decoder_layers, c)
        self.head = nn.Linear(c.width, c.patch * (OUT + CONTACTS))
        for skip in (self.local_in, self.global_in, self.local_out, self.global_out):
            skip.weight.requires_grad_(False)  # set by the analysis that training starts from
        last = self.global_encoder[-1]
        assert isinstance(last, nn.Linear)
        for layer in (self.to_latent, last, self.head, self.to_spread):
            nn.init.zeros_(layer.weight)  # the linear skip alone is where training starts
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.to_spread.bias, -6.0)

    def encode(
        self, state: Float[Tensor, "B T 330"], seen: Bool[Tensor, "B T 22"]
    ) -> tuple[Float[Tensor, "B 384"], Float[Tensor, "B 384"]]:
        """Mean and log variance of q(z | what is seen).

        Args:
            state: of `motion_state`, 64 frames; hidden entries are not looked at.
            seen: body joints 1..21, then the global part (pelvis path and rotation).
        """
        filled = bridge_state(hold_velocity(state, seen), seen, self.mean)
        batch = len(state)
        scaled = (filled - self.mean) / self.scale
        flags = seen.to(scaled.dtype)
        tokens = torch.cat([scaled, flags], -1).reshape(batch, SEGMENT_FRAMES // self.config.patch, -1)
        hidden = self.encoder(self.embed(tokens) + self.place)
        linear_local, linear_global = self._linear_in(filled)
        local = linear_local + self.to_latent(self.token_out(hidden).flatten(1))
        path = torch.cat([scaled[..., GLOBAL], flags[..., BODY_JOINTS:]], -1)
        whole = linear_global + self.global_encoder(path.flatten(1))
        return torch.cat([local, whole], -1), self.to_spread(hidden.mean(1))

    def decode(self, z: Float[Tensor, "B 384"]) -> DecodedMotion:
        """Motion of a latent. Differentiable."""
        c = self.config
        batch = len(z)
        given = self.from_latent(z).reshape(batch, -1, c.token_latent)
        hidden = self.token_in(given) + self.decode_place
        free = self.head(self.decoder(hidden)).reshape(batch, SEGMENT_FRAMES, OUT + CONTACTS)
        out = self.linear_out(z) + free[..., :OUT]
        sixd = out[..., :LOCAL_OUT].unflatten(-1, (BODY_JOINTS, 6))
        root = out[..., None, LOCAL_OUT : LOCAL_OUT + 6]
        rotmats = rotmat_from_6d(torch.cat([root, sixd], -2))
        return DecodedMotion(rotmats, out[..., LOCAL_OUT + 6 :], free[..., OUT:])

    def linear_out(self, z: Float[Tensor, "B 384"]) -> Float[Tensor, "B T 135"]:
        """The linear skip of the decoder: rotations (6D of joints 1..21, then pelvis) and pelvis, metres."""
        batch, k = len(z), self.config.frequencies
        local = self.local_out(z[:, :LOCAL_LATENT]).reshape(batch, k, LOCAL_OUT)
        whole = self.global_out(z[:, LOCAL_LATENT:]).reshape(batch, k, GLOBAL_OUT)
        return self.dct.T @ torch.cat([local, whole], -1) + self.out_mean

    def _linear_in(
        self, filled: Float[Tensor, "B T 330"]
    ) -> tuple[Float[Tensor, "B 256"], Float[Tensor, "B 128"]]:
        waves = self.dct @ (output_form(filled) - self.out_mean)
        local = self.local_in(waves[..., :LOCAL_OUT].flatten(1))
        return local, self.global_in(waves[..., LOCAL_OUT:].flatten(1))

    def state_of(self, motion: DecodedMotion) -> Float[Tensor, "B T 330"]:
        """The decoded motion as the 330 numbers of the paper."""
        joints, _ = self.place_joints(motion)
        return assemble(joints, motion.rotmats, motion.root_m, self.rest_joints_m)

    def place_joints(
        self, motion: DecodedMotion
    ) -> tuple[Float[Tensor, "B T 22 3"], Float[Tensor, "B T 22 3 3"]]:
        """Joints of a decoded motion on the reference skeleton, segment's frame, and their axes."""
        return place_joints(motion.rotmats, motion.root_m, self.rest_joints_m)


def output_form(state: Float[Tensor, "*batch 330"]) -> Float[Tensor, "*batch 135"]:
    """The part of a state that the decoder writes: 6D of joints 1..21, 6D of the pelvis, pelvis position."""
    body = state[..., ROTATIONS].reshape(*state.shape[:-1], BODY_JOINTS, 3, 3)
    root = state[..., ROOT_ROTATION].reshape(*state.shape[:-1], 3, 3)
    position = state[..., GLOBAL][..., :3]
    return torch.cat([rotmat_to_6d(body).flatten(-2), rotmat_to_6d(root), position], -1)


def _transformer(layers: int, config: MotionPriorConfig) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        config.width,
        config.heads,
        config.feed_forward * config.width,
        dropout=0.0,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
    return nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(config.width), enable_nested_tensor=False)
