"""What hands do in a crowd and no recording shows: phones, pockets, bags, folded arms, talk.

A pose of the arms is a place for each wrist in the frame of the chest (joint spine3: x left, y up, z ahead, metres
on the reference skeleton) and the side to which the elbow points; shoulder and elbow follow by `limbs.reach`. Places
are drawn about those of the table, drift slowly, and are blended with what the arms did before, for the whole window
or from some moment on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...kernels.rotation import rotvec_to_rotmat
from .limbs import OFFSETS_M, blend, reach
from .waves import drift, steps, uniform

Place = tuple[float, float, float]


@dataclass(frozen=True)
class Hold:
    """One thing to do with the hands, told for the left; the right is its mirror image."""

    name: str
    weight: float
    """How often, relative to the others."""
    wrist: Place
    elbow: Place
    """Direction."""
    both: Place | None = None
    """Where the other wrist is (told as if it were a left one); None: the other arm goes on as it did."""
    moves_m: float = 0.008
    """Standard deviation of the drift."""
    nod_rad: float = 0.0
    """How far the head looks down."""
    pace: float = 1.0
    """Of the drift, whose periods are 2 to 6 s at pace 1."""


HOLDS = (
    Hold("phone before the chest", 3.0, (0.09, 0.02, 0.30), (0.5, -1.0, -0.2), nod_rad=0.40),
    Hold(
        "phone in both hands", 2.0, (0.06, 0.00, 0.29), (0.7, -1.0, -0.1), (0.06, -0.01, 0.27), nod_rad=0.45
    ),
    Hold("phone at the ear", 2.5, (0.12, 0.25, 0.11), (0.7, -1.0, 0.6)),
    Hold("photograph", 0.7, (0.08, 0.22, 0.36), (0.7, -1.0, 0.1), (0.08, 0.22, 0.36)),
    Hold("one hand in a pocket", 2.0, (0.21, -0.30, 0.03), (1.0, 0.0, -0.7), moves_m=0.004),
    Hold("hands in pockets", 2.0, (0.21, -0.30, 0.03), (1.0, 0.0, -0.7), (0.21, -0.30, 0.03), moves_m=0.004),
    Hold("arms crossed", 1.5, (-0.09, -0.04, 0.18), (0.9, -1.0, 0.1), (-0.08, 0.02, 0.21), moves_m=0.004),
    Hold("hands before the belly", 1.2, (0.05, -0.25, 0.17), (1.0, -0.6, -0.3), (0.05, -0.25, 0.16)),
    Hold("hands behind the back", 0.8, (0.06, -0.26, -0.17), (1.0, -0.4, -0.6), (0.04, -0.28, -0.19)),
    Hold("hand on the hip", 0.8, (0.20, -0.22, 0.00), (1.0, -0.1, -0.4)),
    Hold("bag in the hand", 2.0, (0.23, -0.335, 0.00), (0.5, 0.0, -1.0), moves_m=0.015),
    Hold("hand on a shoulder strap", 1.5, (0.12, 0.02, 0.15), (0.7, -1.0, 0.0)),
    Hold("bag on the forearm", 0.8, (0.16, -0.06, 0.22), (0.6, -1.0, -0.3)),
    Hold("cup", 1.2, (0.12, -0.02, 0.26), (0.6, -1.0, -0.2), moves_m=0.02),
    Hold("box before the body", 0.8, (0.17, -0.12, 0.30), (0.6, -1.0, -0.2), (0.17, -0.12, 0.30)),
    Hold("hand at the face", 0.7, (0.06, 0.19, 0.16), (0.7, -1.0, 0.3), moves_m=0.015),
    Hold("pushing", 0.6, (0.22, -0.13, 0.36), (0.8, -1.0, -0.1), (0.22, -0.13, 0.36)),
    Hold("pointing", 0.5, (0.30, 0.12, 0.44), (0.8, -1.0, 0.0), moves_m=0.03),
    Hold(
        "talking hands",
        3.0,
        (0.16, -0.06, 0.27),
        (0.7, -1.0, -0.2),
        (0.17, -0.06, 0.25),
        moves_m=0.05,
        pace=3.5,
    ),
    Hold("one talking hand", 2.0, (0.17, -0.02, 0.28), (0.7, -1.0, -0.1), moves_m=0.06, pace=3.5),
)
PLACE_SD_M, ELBOW_SD = 0.022, 0.18
"""How much people differ."""
SHOULDER_DOWN_M = OFFSETS_M[13] + OFFSETS_M[16]
"""Left shoulder joint in the chest's frame, collar at rest."""
_HINGE = torch.tensor([0.0, -1.0, 0.0])
"""The left elbow bends the forearm from +x towards +z."""
_MIRROR = torch.tensor([-1.0, 1.0, 1.0])
_WRIST = torch.tensor([hold.wrist for hold in HOLDS])
_OTHER = torch.tensor([hold.both or hold.wrist for hold in HOLDS])
_ELBOW = torch.tensor([hold.elbow for hold in HOLDS])
_BOTH = torch.tensor([hold.both is not None for hold in HOLDS])
_MOVES = torch.tensor([hold.moves_m for hold in HOLDS])
_NOD = torch.tensor([hold.nod_rad for hold in HOLDS])
_PACE = torch.tensor([hold.pace for hold in HOLDS])
_WEIGHT = torch.tensor([hold.weight for hold in HOLDS])


def hold_things(
    rotmats: Float[Tensor, "B T 22 3 3"], generator: torch.Generator
) -> Float[Tensor, "B T 22 3 3"]:
    """Every window with its hands at something: arms, and the head that looks at it."""
    count, frames = rotmats.shape[:2]
    what = torch.multinomial(_WEIGHT, count, replacement=True, generator=generator)
    luck = torch.rand(count, 3, generator=generator)
    # three quarters hold on throughout, the rest take up or put down
    share = torch.where(
        luck[:, :1] < 0.75, torch.ones(count, frames), steps(count, frames, (0.5, 1.0), generator)
    )
    share = share * (0.88 + 0.12 * luck[:, 1:2])
    left_first = luck[:, 2] < 0.5
    out = rotmats.clone()
    for side in (0, 1):
        first = left_first if side == 0 else ~left_first
        rows = (first | _BOTH[what]).nonzero()[:, 0]
        wrist = torch.where(first[:, None], _WRIST[what], _OTHER[what])[rows]
        _arm(out, rows, side, wrist, what[rows], share[rows], generator)
    nod = (_NOD[what] * (0.7 + 0.6 * luck[:, 1]))[:, None] * share
    for joint, part in ((12, 0.4), (15, 0.6)):
        look = torch.stack([part * nod, torch.zeros_like(nod), torch.zeros_like(nod)], -1)
        out[:, :, joint] = out[:, :, joint] @ rotvec_to_rotmat(look)
    return out


def _arm(
    rotmats: Float[Tensor, "B T 22 3 3"],
    rows: Int[Tensor, "R"],
    side: int,
    wrist_m: Float[Tensor, "R 3"],
    what: Int[Tensor, "R"],
    share: Float[Tensor, "R T"],
    generator: torch.Generator,
) -> None:
    """Puts one wrist of some windows in its place, as far as `share` says; told as a left one."""
    count, frames = share.shape
    mirror = _MIRROR if side else torch.ones(3)
    moving = drift(count, frames, 3, (2.0, 6.0), generator, _PACE[what]) * _MOVES[what][:, None, None]
    person = torch.randn(2, count, 3, generator=generator).clamp(-2.0, 2.0)
    target = (wrist_m + PLACE_SD_M * person[0])[:, None] + moving
    elbow = (_ELBOW[what] + ELBOW_SD * person[1])[:, None] * mirror
    line = (target - SHOULDER_DOWN_M) * mirror
    hinge = _HINGE * (1.0 - 2.0 * side)
    normal = torch.linalg.cross(elbow.expand_as(line), line, dim=-1)
    upper, bend = reach(line, normal, OFFSETS_M[18 + side], OFFSETS_M[20 + side], hinge)
    collar = rotmats[rows, :, 13 + side].transpose(-1, -2)
    straight = torch.eye(3).expand(count, frames, 3, 3)
    for joint, goal, part in ((16, collar @ upper, 1.0), (18, bend, 1.0), (20, straight, 0.7)):
        at = (rows, slice(None), joint + side)
        rotmats[at] = blend(rotmats[at], goal, part * share)


def look_around(
    rotmats: Float[Tensor, "B T 22 3 3"], generator: torch.Generator
) -> Float[Tensor, "B T 22 3 3"]:
    """Heads that turn to one side or another, and nod a little; chest, neck and head share the turn."""
    count, frames = rotmats.shape[:2]
    size = uniform(0.15, 0.75, (count, 1), generator)
    side = torch.sign(uniform(-1.0, 1.0, (count, 1), generator))
    wander = drift(count, frames, 2, (1.5, 6.0), generator)
    yaw = size * (side * steps(count, frames, (0.4, 1.0), generator) + 0.25 * wander[..., 0])
    yaw = yaw.clamp(-1.2, 1.2)
    pitch = 0.06 * wander[..., 1] + uniform(-0.12, 0.2, (count, 1), generator)
    out = rotmats.clone()
    for joint, part in ((9, 0.12), (12, 0.38), (15, 0.5)):
        tip = pitch * (0.0 if joint == 9 else 0.5)
        out[:, :, joint] = out[:, :, joint] @ rotvec_to_rotmat(
            torch.stack([tip, part * yaw, torch.zeros_like(yaw)], -1)
        )
    return out
