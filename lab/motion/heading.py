"""Bent paths: a walk turned into a walk along a curve, about the foot that stands.

The whole body is moved by a rigid motion of the plane, x'(t) = R(phi(t)) x(t) + d(t). With

    d(t) = d(t-1) + (R(phi(t-1)) - R(phi(t))) p(t)

the point p(t) does not move when the heading changes, so that p is put into the resting foot: people turn about the leg
they stand on. Where both feet rest, nearly no turning is done, else one of them would slide.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .limbs import Legs, legs_of

FASTEST_TURN_RAD_S = 1.2
SIDEWAYS_M_S2 = 1.5
"""Of speed times turning; walkers in streets stay below."""
REST_STEP_M = 0.010
"""A joint of a foot that moves less than this in a frame rests."""
DOUBLE_SUPPORT_TURN = 0.1
"""How much is turned where both feet rest, of what is turned on one."""
AIRBORNE = 0.03
"""Weight of the pelvis as a pivot: it counts where neither foot rests."""


@dataclass(frozen=True)
class Bent:
    """A motion along a bent path."""

    root_rotmat: Float[Tensor, "B T 3 3"]
    root_m: Float[Tensor, "B T 3"]
    angle_rad: Float[Tensor, "B T"]
    """By which the heading was turned, counter-clockwise; 0 in the first frame."""
    slide_m: Float[Tensor, "B T 4"]
    """How far ankles and feet (left, right; left, right) move in a frame that did not before."""


def bend(
    rotmats: Float[Tensor, "B T 22 3 3"], root_m: Float[Tensor, "B T 3"], turn_rad: Float[Tensor, "B S"]
) -> Bent:
    """Walks along curves.

    Args:
        rotmats, root_m: as recorded.
        turn_rad: by which to turn from each frame to the next, T - 1 a window, radians.
    """
    legs = legs_of(rotmats, root_m)
    pivot, free = _pivots(legs, root_m)
    angle = torch.cat([torch.zeros_like(root_m[:, :1, 0]), (turn_rad * free).cumsum(1)], 1)
    c, s = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    turn = torch.stack([c, -s, zero, s, c, zero, zero, zero, one], -1)
    turn = turn.reshape(*angle.shape, 3, 3)
    back = turn[:, :-1] - turn[:, 1:]
    moved = (back @ pivot[..., None]).squeeze(-1).cumsum(1)
    offset = torch.cat([torch.zeros_like(moved[:, :1]), moved], 1)
    ends = torch.cat([legs.ankle_m, legs.foot_m], 2)
    middle = 0.5 * (ends[:, 1:] + ends[:, :-1])
    slide = (back[:, :, None] @ (middle - pivot[:, :, None])[..., None]).squeeze(-1).norm(dim=-1)
    return Bent(
        turn @ rotmats[:, :, 0],
        (turn @ root_m[..., None]).squeeze(-1) + offset,
        angle,
        torch.cat([slide[:, :1], slide], 1),
    )


def _pivots(
    legs: Legs, root_m: Float[Tensor, "B T 3"]
) -> tuple[Float[Tensor, "B S 3"], Float[Tensor, "B S"]]:
    """Between every two frames: about what point to turn, and how freely (0..1)."""
    ends = torch.stack([legs.ankle_m, legs.foot_m], 2)
    step = (ends[:, 1:] - ends[:, :-1]).norm(dim=-1)
    rest = torch.exp(-((step / REST_STEP_M) ** 2))
    points = 0.5 * (ends[:, 1:] + ends[:, :-1])
    weight = rest.sum(2).clamp_min(1e-9)
    foot = (rest[..., None] * points).sum(2) / weight[..., None]
    stands = rest.amax(2)
    free = 1.0 - (1.0 - DOUBLE_SUPPORT_TURN) * stands.amin(-1)
    middle = 0.5 * (root_m[:, 1:] + root_m[:, :-1])
    total = stands.sum(-1, keepdim=True) + AIRBORNE
    pivot = ((stands[..., None] * foot).sum(2) + AIRBORNE * middle) / total
    return _smooth(pivot), _smooth(free[..., None])[..., 0]


def _smooth(values: Float[Tensor, "B S D"]) -> Float[Tensor, "B S D"]:
    """Over five frames (1 2 3 2 1), the ends held."""
    held = torch.cat([values[:, :1]] * 2 + [values] + [values[:, -1:]] * 2, 1)
    taps = [1.0, 2.0, 3.0, 2.0, 1.0]
    count = values.shape[1]
    total = torch.zeros_like(values)
    for k, tap in enumerate(taps):
        total += tap / sum(taps) * held[:, k : k + count]
    return total


def curves(speed_m_s: Float[Tensor, "B"], frames: int, generator: torch.Generator) -> Float[Tensor, "B S"]:
    """Turning from frame to frame, radians: arcs and S-shapes, the faster the walker the wider."""
    count = len(speed_m_s)
    luck = torch.rand(count, 3, generator=generator)
    fastest = torch.minimum(torch.tensor(FASTEST_TURN_RAD_S), SIDEWAYS_M_S2 / speed_m_s.clamp_min(0.1))
    t = torch.arange(frames - 1) / (frames - 1)
    wave = torch.cos(torch.pi * (1.3 * luck[:, :1] * t + 2.0 * luck[:, 1:2]))
    return (2.0 * luck[:, 2:] - 1.0) * fastest[:, None] / 30.0 * wave
