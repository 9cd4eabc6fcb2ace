"""Legs that reach for their feet: the two-bone problem in closed form.

With thigh a, shin b and the ankle d away from the hip, the thigh leaves the line hip-ankle by

    cos alpha = (a^2 + d^2 - b^2) / (2 a d)                (law of cosines)

towards the front, in the plane whose normal is the thigh's own lateral axis. Knees are hinges: thigh and shin share
that axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

Array = np.ndarray

FULL_REACH = 0.9995
EASY_REACH = 0.994
"""Of the leg's length: a knee is never quite straight, and stiff ones snap."""
SOFT_REACH = 0.965
"""From here on a swinging leg gives way."""
MAX_LOWERING = 0.12
"""Of the leg's length."""


@dataclass(frozen=True)
class Leg:
    """One leg over T frames."""

    knee_m: Float[Array, "T 3"]
    ankle_m: Float[Array, "T 3"]
    """Where it came to be: the target, unless that was out of reach."""
    thigh: Float[Array, "T 3 3"]
    """World axes of the hip joint."""
    shin: Float[Array, "T 3 3"]
    """World axes of the knee joint."""


def reach(
    hip_m: Float[Array, "T 3"],
    ankle_m: Float[Array, "T 3"],
    lateral: Float[Array, "T 3"],
    thigh_bone: Float[Array, "3"],
    shin_bone: Float[Array, "3"],
) -> Leg:
    """The leg between a hip and an ankle.

    Args:
        hip_m: hip joint, world.
        ankle_m: where the ankle is to be.
        lateral: the body's left as the thigh has it; the knee bends about it.
        thigh_bone: hip to knee in the rest pose.
        shin_bone: knee to ankle in the rest pose.
    """
    a, b = float(np.linalg.norm(thigh_bone)), float(np.linalg.norm(shin_bone))
    line = ankle_m - hip_m
    far = np.linalg.norm(line, axis=1)
    d = np.clip(far, 0.3 * (a + b), FULL_REACH * (a + b))
    down = line / far[:, None]
    left = lateral - (lateral * down).sum(1, keepdims=True) * down
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    front = np.cross(down, left)
    cosine = (a * a + d * d - b * b) / (2 * a * d)
    sine = np.sqrt(np.maximum(1.0 - cosine * cosine, 0.0))
    thigh = cosine[:, None] * down + sine[:, None] * front
    knee = hip_m + a * thigh
    ankle = hip_m + d[:, None] * down
    shin = (ankle - knee) / b
    return Leg(knee, ankle, _axes(thigh, left, thigh_bone), _axes(shin, left, shin_bone))


def _axes(
    along: Float[Array, "T 3"], left: Float[Array, "T 3"], bone: Float[Array, "3"]
) -> Float[Array, "T 3 3"]:
    """The rotation that takes a rest bone to `along` and the rest pose's left into the plane of `left`."""
    y = bone / np.linalg.norm(bone)
    x = np.array([1.0, 0.0, 0.0]) - y[0] * y
    x /= np.linalg.norm(x)
    rest = np.stack([x, y, np.cross(x, y)], axis=1)
    here = np.stack([left, along, np.cross(left, along)], axis=2)
    return np.asarray(here @ rest.T)


def lowering_m(
    hips_m: Float[Array, "T 2 3"],
    ankles_m: Float[Array, "T 2 3"],
    resting: Bool[Array, "T 2"],
    leg_m: float,
) -> Float[Array, "T"]:
    """How far the pelvis has to come down for legs to reach their resting feet, smoothly in time."""
    flat = np.linalg.norm(hips_m[..., :2] - ankles_m[..., :2], axis=-1)
    high = np.sqrt(np.maximum((EASY_REACH * leg_m) ** 2 - flat**2, (0.4 * leg_m) ** 2))
    need = (np.maximum(hips_m[..., 2] - ankles_m[..., 2] - high, 0.0) * resting).max(axis=1)
    need = np.minimum(need, MAX_LOWERING * leg_m)
    return np.asarray(gaussian_filter1d(maximum_filter1d(need, 5, mode="nearest"), 2.0, mode="nearest"))


def within_reach(
    hip_m: Float[Array, "T 3"], ankle_m: Float[Array, "T 3"], leg_m: float
) -> Float[Array, "T 3"]:
    """Ankles in the air drawn in softly to where a nearly straight leg can have them."""
    line = ankle_m - hip_m
    far = np.linalg.norm(line, axis=1, keepdims=True)
    near = SOFT_REACH * leg_m
    span = (EASY_REACH - SOFT_REACH) * leg_m
    drawn = near + span * np.tanh((far - near) / span)
    return np.asarray(hip_m + line * np.where(far > near, drawn / far, 1.0))
