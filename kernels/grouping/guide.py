"""A well-seen segment, ready to help another: its rotations, its speed, and the cycle in which it repeats itself.

Joint 0 is turned into the frame of the way that the person walks, so that it can be put onto another way; of people who
stand there is no such frame, and their root helps nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .joint_weights import ROTATION_WEIGHTS

Array = np.ndarray

BODY = 22
"""Joints of the body: all but the hands."""
WEIGHTS: Float[Array, "22"] = ROTATION_WEIGHTS[:BODY]
CYCLE_SLOTS = (20, 56)
"""Shortest and longest cycle looked for: 0.67 to 1.9 s of two steps."""
_CLEAR = 0.5
"""A cycle counts when the motion one cycle later is so much nearer than half a cycle later."""
WALKS_MPS = 0.5
"""Slower people have no direction of walking."""


@dataclass(frozen=True)
class GuideMotion:
    """S slots of somebody who was seen."""

    key: tuple[int, int]
    """Person and first slot."""
    rotmats: Float[Array, "S 22 3 3"]
    """Rotations relative to the parents; joint 0 relative to the direction of walking (see `walks`)."""
    speed_mps: float
    """Mean over the segment."""
    walks: bool
    """Fast enough for joint 0 to mean anything."""
    loop: int
    """Length of the cycle, slots; 0 for a motion that does not repeat."""


def six(rotmats: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 6"]:
    """The 6D form of rotations: their first two columns."""
    return np.asarray(rotmats[..., :2].reshape(*rotmats.shape[:-2], 6))


def about_z(angle: Float[Array, "*batch"]) -> Float[Array, "*batch 3 3"]:
    """Rotations about the vertical, radians."""
    out = np.zeros((*angle.shape, 3, 3))
    out[..., 0, 0] = out[..., 1, 1] = np.cos(angle)
    out[..., 1, 0] = np.sin(angle)
    out[..., 0, 1] = -out[..., 1, 0]
    out[..., 2, 2] = 1.0
    return out


def make_guide(
    key: tuple[int, int],
    rotmats: Float[Array, "S 22 3 3"],
    heading_rad: Float[Array, "S"],
    speed_mps: Float[Array, "S"],
) -> GuideMotion:
    """A guide of a person's bodies.

    Args:
        key: person and first slot.
        rotmats: joint 0 in the world.
        heading_rad: direction of the way, about z; anything where the person stands.
        speed_mps: along the way.
    """
    mean = float(speed_mps.mean())
    walks = mean >= WALKS_MPS
    turned = np.array(rotmats, np.float64)
    if walks:
        turned[:, 0] = about_z(-heading_rad) @ turned[:, 0]
    return GuideMotion(key, turned, mean, walks, cycle_of(turned))


def cycle_of(rotmats: Float[Array, "S 22 3 3"]) -> int:
    """Length of the cycle of a motion, slots; 0 where it does not come back to itself clearly."""
    weighted = six(rotmats) * np.sqrt(WEIGHTS)[:, None]
    flat = weighted.reshape(len(rotmats), -1)
    low, high = CYCLE_SLOTS
    high = min(high, len(flat) - 8)
    if high <= low:
        return 0
    away = np.array([((flat[lag:] - flat[:-lag]) ** 2).sum(-1).mean() for lag in range(1, high + 1)])
    lag = low + int(away[low - 1 :].argmin())
    return lag if away[lag - 1] < _CLEAR * away[low // 2 :].max() else 0
