"""What makes one person's way of moving their own: small set offsets, things in the hand, hands that talk.

Carried things are drawn on top of captured motion: about one adult in ten looks at a phone, one in six carries a bag
at one side. Neither is named in the motion's `source`, which tells where legs and trunk come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d

from . import quaternion as qt
from .stances import Stance

Array = np.ndarray

PHONE_SHARE, BAG_SHARE = 0.10, 0.16
OFFSET_SD_RAD = {3: 0.015, 6: 0.015, 9: 0.02, 12: 0.035, 15: 0.04, 13: 0.025, 14: 0.025, 16: 0.05, 17: 0.05}
"""Per joint: spine, neck, head, collars, shoulders; about each axis."""
ELBOW_SD_RAD = 0.10
TEMPO_SD = 0.04


class Carrying(IntEnum):
    """What is in a person's hand."""

    NOTHING = 0
    PHONE = 1
    BAG = 2


@dataclass(frozen=True)
class Style:
    """One person's own."""

    tempo: float
    """Cadence over the ordinary one."""
    offsets: Float[Array, "24 4"]
    """Turns after each joint's own."""
    carrying: Carrying
    side: int
    """Of the hand that carries."""
    arm: Float[Array, "3 4"]
    """Shoulder, elbow and wrist of the carrying arm."""


def draw_style(rng: np.random.Generator, stature_m: float, running: bool) -> Style:
    """A style at random; joggers and small children carry nothing."""
    rotvec = np.zeros((24, 3))
    for joint, sd in OFFSET_SD_RAD.items():
        rotvec[joint] = np.clip(rng.normal(0.0, sd, 3), -2 * sd, 2 * sd)
    bend = np.clip(rng.normal(0.0, ELBOW_SD_RAD, 2), -0.08, 0.2)
    rotvec[18, 1], rotvec[19, 1] = -bend[0], bend[1]
    side, luck = int(rng.integers(2)), float(rng.random())
    tempo = float(np.clip(rng.normal(1.0, TEMPO_SD), 0.9, 1.1))
    carrying = Carrying.NOTHING
    if stature_m >= 1.3 and not running:
        bagging = PHONE_SHARE <= luck < PHONE_SHARE + BAG_SHARE
        carrying = Carrying.PHONE if luck < PHONE_SHARE else Carrying.BAG if bagging else Carrying.NOTHING
    if carrying == Carrying.PHONE:
        rotvec[15, 0] += 0.22
        rotvec[12, 0] += 0.12
    return Style(tempo, qt.from_rotvec(rotvec), carrying, side, _arm(carrying, side, rng))


def _arm(carrying: Carrying, side: int, rng: np.random.Generator) -> Float[Array, "3 4"]:
    sign = 1.0 - 2.0 * side
    if carrying == Carrying.PHONE:
        flexion, drop, inward, elbow = (
            0.35 + rng.uniform(-0.1, 0.1),
            1.25,
            0.45,
            1.75 + rng.uniform(-0.15, 0.15),
        )
    else:
        flexion, drop, inward, elbow = -0.02 + rng.uniform(-0.05, 0.05), 1.30, 0.0, 0.14
    turns = (
        qt.about(0, np.float64(-flexion)),
        qt.about(2, np.float64(-sign * drop)),
        qt.about(0, np.float64(inward)),
    )
    shoulder = qt.multiply(qt.multiply(turns[0], turns[1]), turns[2])
    return np.stack([shoulder, qt.about(1, np.float64(-sign * elbow)), qt.about(0, np.float64(0.0))])


def dress(quats: Float[Array, "T 24 4"], style: Style) -> Float[Array, "T 24 4"]:
    """A body's motion in a person's style."""
    out = qt.multiply(quats, style.offsets)
    if style.carrying != Carrying.NOTHING:
        joints = [16 + style.side, 18 + style.side, 20 + style.side]
        share = np.full((len(out), 1), 0.85 if style.carrying == Carrying.PHONE else 0.72)
        out[:, joints] = qt.nlerp(out[:, joints], style.arm, share)
    return out


def talk(
    quats: Float[Array, "T 24 4"], talking: Bool[Array, "T"], hands: Stance, rng: np.random.Generator
) -> Float[Array, "T 24 4"]:
    """Arms that speak in turns while a person talks.

    Args:
        quats: the body without them.
        talking: when.
        hands: a gesturing stance, whose arms are used.
        rng: of this person.
    """
    if not talking.any():
        return quats
    frames = len(quats)
    # one speaks for some seconds, then listens: noise of about 3 s, the upper part of it shows
    wave = gaussian_filter1d(rng.normal(size=frames + 200), 40.0)[100 : 100 + frames] * np.sqrt(
        80.0 * np.sqrt(np.pi)
    )
    envelope = np.clip(1.2 * wave + 0.3, 0.0, 1.0) * gaussian_filter1d(talking.astype(float), 12.0)
    envelope = gaussian_filter1d(envelope, 6.0)
    # there and back, so that the end of the stance is no jump
    at = (int(rng.integers(hands.num_frames)) + np.arange(frames)) % (2 * hands.num_frames - 2)
    at = np.minimum(at, 2 * hands.num_frames - 2 - at)
    arms = [16, 17, 18, 19]
    out = quats.copy()
    out[:, arms] = qt.nlerp(quats[:, arms], hands.quats[at][:, arms].astype(np.float64), envelope[:, None])
    return out
