"""People who stand or walk upright, as the two ends of a vertical rod (Crowd3D `lib/filter_joints.py`).

The rod goes from the middle of the ankles (bottom) to the middle of the shoulders (top). A person counts
as upright when both knees are straight enough, shoulders, hips and ankles lie on one line, nothing leans
far from the image's vertical, and the feet are not far apart (the middle of a long stride is a poor foot).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ..errors import ShapeError
from ..hvip import ANKLE_HEIGHT_M, SHOULDER_RATIO, STATURE_M

Array = np.ndarray

_NEEDED = [5, 6, 11, 12, 13, 14, 15, 16]


@dataclass(frozen=True)
class UprightRules:
    """Who counts as upright; the angles are Crowd3D's."""

    min_confidence: float = 0.4
    """Of every shoulder, hip, knee and ankle."""
    knee_deg: float = 120.0
    knee_sum_deg: float = 260.0
    straight_deg: float = 160.0
    """Shoulders, hips, ankles."""
    vertical_deg: float = 35.0
    """Body against the image's vertical."""
    max_stride: float = 0.35
    """Distance between the ankles / rod length."""
    min_length_px: float = 12.0
    """Shorter rods are all noise."""


@dataclass(frozen=True)
class Uprights:
    """Vertical rods in one camera's picture (undistorted pixels)."""

    top_px: Float[Array, "N 2"]
    """Middle of the shoulders."""
    bottom_px: Float[Array, "N 2"]
    """Middle of the ankles."""
    person: Int[Array, "N"]
    """Who; rods of one person share a stature. Negative: unknown, each rod a person of its own place."""

    def __post_init__(self) -> None:
        if not len(self.top_px) == len(self.bottom_px) == len(self.person):
            raise ShapeError(
                f"Uprights: {self.top_px.shape = }, {self.bottom_px.shape = }, {self.person.shape = } disagree"
            )

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: Array) -> Uprights:
        """Some of the rods, by index or mask."""
        return Uprights(self.top_px[rows], self.bottom_px[rows], self.person[rows])

    @property
    def length_px(self) -> Float[Array, "N"]:
        return np.asarray(np.linalg.norm(self.top_px - self.bottom_px, axis=1))


def rod_length_m(stature_m: float = STATURE_M) -> float:
    """Middle of ankles to middle of shoulders of a walker of this stature, metres (1.21 for 1.70).

    The trap: 1.40 m, which circulates for this prior, is the shoulders' height over the *ground* of a
    person standing straight. Put between ankle and shoulder keypoints it makes everything 15 % too large.
    """
    return (SHOULDER_RATIO - ANKLE_HEIGHT_M / STATURE_M) * stature_m


def find_uprights(
    keypoints_px: Float[Array, "N 17 2"],
    confidence: Float[Array, "N 17"],
    rules: UprightRules | None = None,
) -> tuple[Float[Array, "N 2"], Float[Array, "N 2"], Bool[Array, "N"]]:
    """Top and bottom of each person's rod, and whether the person is upright."""
    rules = rules or UprightRules()
    kp = np.asarray(keypoints_px, np.float64)
    top, hip, bottom = kp[:, [5, 6]].mean(axis=1), kp[:, [11, 12]].mean(axis=1), kp[:, [15, 16]].mean(axis=1)
    left = _angle_deg(kp[:, 11], kp[:, 13], kp[:, 15])
    right = _angle_deg(kp[:, 12], kp[:, 14], kp[:, 16])
    length = np.linalg.norm(top - bottom, axis=1)
    stride = np.linalg.norm(kp[:, 15] - kp[:, 16], axis=1) / np.maximum(length, 1e-9)
    parts = ((bottom, top), (bottom, hip), (hip, top))
    leaning = [_from_vertical_deg(low, high) > rules.vertical_deg for low, high in parts]
    upright = (
        (np.asarray(confidence)[:, _NEEDED] >= rules.min_confidence).all(axis=1)
        & (np.minimum(left, right) >= rules.knee_deg)
        & (left + right >= rules.knee_sum_deg)
        & (_angle_deg(top, hip, bottom) >= rules.straight_deg)
        & (stride <= rules.max_stride)
        & (length >= rules.min_length_px)
        & ~np.any(leaning, axis=0)
    )
    return top, bottom, np.asarray(upright)


def _angle_deg(
    a: Float[Array, "N 2"], corner: Float[Array, "N 2"], b: Float[Array, "N 2"]
) -> Float[Array, "N"]:
    u, v = a - corner, b - corner
    cross = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    return np.asarray(np.degrees(np.abs(np.arctan2(cross, np.einsum("nc,nc->n", u, v)))))


def _from_vertical_deg(low: Float[Array, "N 2"], high: Float[Array, "N 2"]) -> Float[Array, "N"]:
    up = low - high
    return np.asarray(np.degrees(np.abs(np.arctan2(up[:, 0], up[:, 1]))))
