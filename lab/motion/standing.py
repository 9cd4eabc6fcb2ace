"""Idle bodies: standing poses put to slow life.

From two poses of standing, A and B: legs and feet as in A; the trunk, arms and head go from A to B once, softly; the
pelvis sways and shifts its weight from foot to foot while the ankles stay, the legs reaching for them (`limbs.reach`);
the chest breathes. So nothing slides, and whoever shifts the weight bends the other knee.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...kernels.rotation import rotvec_to_rotmat
from .limbs import ANKLES, HIPS, KNEES, OFFSETS_M, Legs, blend, legs_of, reach
from .recombine import UPPER
from .waves import drift, steps, uniform

EASY_REACH = 0.996
"""Of the leg's length: as straight as standing people's knees are."""
SHIFT_M = 0.05
"""Of the pelvis towards a foot."""
BREATH_HZ = (0.2, 0.33)
RESTLESS_RAD = {3: 0.012, 15: 0.03, 16: 0.015, 17: 0.015, 18: 0.02, 19: 0.02}
"""How far joints of the upper body wander."""
_KNEE_HINGE = torch.tensor([1.0, 0.0, 0.0])
_THIGHS, _SHINS = OFFSETS_M[list(KNEES)], OFFSETS_M[list(ANKLES)]
_LEG_M = float((_THIGHS[0] + _SHINS[0]).norm())


def stand(
    lower: Float[Tensor, "B 22 3 3"],
    upper: Float[Tensor, "B 22 3 3"],
    root_m: Float[Tensor, "B 3"],
    frames: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "B T 22 3 3"], Float[Tensor, "B T 3"]]:
    """Windows of standing: local rotations and the pelvis.

    Args:
        lower: pose A, both feet at rest; joint 0 in the world.
        upper: pose B; only its upper body is used.
        root_m: pelvis of A.
        frames: of a window.
        generator: random.
    """
    count = len(lower)
    planted = legs_of(lower, root_m)
    way = uniform(0.3, 1.0, (count, 1), generator) * steps(count, frames, (0.8, 2.5), generator)
    rotmats = lower[:, None].expand(count, frames, 22, 3, 3).clone()
    trunk = blend(
        rotmats[:, :, UPPER], upper[:, None, UPPER], way[..., None].expand(count, frames, len(UPPER))
    )
    rotmats[:, :, UPPER] = trunk
    _breathe(rotmats, generator)
    root = _sway(rotmats, root_m, planted, generator)
    _plant(rotmats, root, planted)
    return rotmats, root


def _breathe(rotmats: Float[Tensor, "B T 22 3 3"], generator: torch.Generator) -> None:
    count, frames = rotmats.shape[:2]
    wave = drift(count, frames, 1, (1 / BREATH_HZ[1], 1 / BREATH_HZ[0]), generator)[..., 0]
    size = uniform(0.003, 0.010, (count, 1), generator)
    restless = drift(count, frames, 18, (1.0, 6.0), generator)
    zero = torch.zeros_like(wave)
    for joint, pitch in ((9, -size * wave), (12, 0.8 * size * wave)):
        rotmats[:, :, joint] = rotmats[:, :, joint] @ rotvec_to_rotmat(torch.stack([pitch, zero, zero], -1))
    for k, (joint, size_rad) in enumerate(RESTLESS_RAD.items()):
        turn = rotvec_to_rotmat(size_rad * restless[..., 3 * k : 3 * k + 3])
        rotmats[:, :, joint] = rotmats[:, :, joint] @ turn


def _sway(
    rotmats: Float[Tensor, "B T 22 3 3"],
    root_m: Float[Tensor, "B 3"],
    planted: Legs,
    generator: torch.Generator,
) -> Float[Tensor, "B T 3"]:
    """Turns the pelvis a little, and gives its way: to and fro, and from foot to foot."""
    count, frames = rotmats.shape[:2]
    across = planted.ankle_m[:, 0] - planted.ankle_m[:, 1]
    across = torch.nn.functional.normalize(across * torch.tensor([1.0, 1.0, 0.0]), dim=-1)
    ahead = torch.stack([across[:, 1], -across[:, 0], across[:, 2]], -1)
    shift = uniform(-1.0, 1.0, (count, 1), generator) * (steps(count, frames, (0.8, 2.0), generator) - 0.5)
    wander = drift(count, frames, 5, (2.0, 8.0), generator)
    aside = SHIFT_M * 1.4 * shift + 0.006 * wander[..., 0]
    fore = 0.007 * wander[..., 1]
    root = root_m[:, None] + aside[..., None] * across[:, None] + fore[..., None] * ahead[:, None]
    # the hip over the loaded foot goes out and up: the pelvis rolls about the way ahead
    roll, pitch, yaw = (
        0.8 * aside + 0.006 * wander[..., 2],
        0.01 * wander[..., 3],
        0.03 * wander[..., 4] + 0.8 * shift * 0.1,
    )
    up = torch.tensor([0.0, 0.0, 1.0])
    lean = -roll[..., None] * ahead[:, None] + pitch[..., None] * across[:, None] + yaw[..., None] * up
    pelvis = rotvec_to_rotmat(lean) @ rotmats[:, :, 0]
    # the trunk above stays about where it looked
    rotmats[:, :, 3] = (
        pelvis.transpose(-1, -2) @ rotvec_to_rotmat(0.5 * lean) @ rotmats[:, :, 0] @ rotmats[:, :, 3]
    )
    rotmats[:, :, 0] = pelvis
    return root


def _plant(rotmats: Float[Tensor, "B T 22 3 3"], root_m: Float[Tensor, "B T 3"], planted: Legs) -> None:
    """Legs from the moved pelvis to the ankles that stayed; lowers the pelvis where they are too short."""
    pelvis = rotmats[:, :, 0]
    offset = (pelvis[:, :, None] @ OFFSETS_M[list(HIPS), :, None]).squeeze(-1)
    hip = root_m[:, :, None] + offset
    flat = (hip - planted.ankle_m[:, None])[..., :2].norm(dim=-1)
    high = torch.sqrt(((EASY_REACH * _LEG_M) ** 2 - flat**2).clamp_min(0.1))
    need = (hip[..., 2] - planted.ankle_m[:, None, :, 2] - high).clamp_min(0.0).amax(-1)
    root_m[..., 2] -= need
    line = planted.ankle_m[:, None] - (root_m[:, :, None] + offset)
    lateral = planted.thigh[:, None, ..., 0].expand_as(line)
    thigh, knee = reach(line, lateral, _THIGHS, _SHINS, _KNEE_HINGE)
    shin = thigh @ knee
    rotmats[:, :, HIPS[0] : HIPS[1] + 1] = pelvis[:, :, None].transpose(-1, -2) @ thigh
    rotmats[:, :, KNEES[0] : KNEES[1] + 1] = knee
    rotmats[:, :, ANKLES[0] : ANKLES[1] + 1] = shin.transpose(-1, -2) @ planted.sole[:, None]


def standing_frames(contact: Bool[Tensor, "B T 8"], upright: Bool[Tensor, "B T"]) -> Bool[Tensor, "B T"]:
    """Frames in which an upright body has both ankles and both feet at rest."""
    return contact[..., :4].all(-1) & upright
