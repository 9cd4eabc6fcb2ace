"""Where torso and legs of people are in a picture, as fixed patterns of points, and which of them others hide.

The torso is a strip along the line from mid-shoulders to mid-hips, as wide as the shoulders look (never narrower than
a person from the side); each leg is a thin strip along hip, knee and ankle that stops short of the shoe. Where the
keypoints they hang on were not found, fixed shares of the box stand in.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

Array = np.ndarray

_SURE = 0.25
"""Keypoints below this confidence are not used."""
_ALONG, _ACROSS = np.linspace(0.08, 0.92, 7), np.linspace(-1.0, 1.0, 5)
_DOWN, _ASIDE = np.linspace(0.15, 1.8, 8), np.linspace(-0.045, 0.045, 3)
"""Leg: 0 hip, 1 knee, 2 ankle; shares of the box height to either side."""
TORSO_POINTS = len(_ALONG) * len(_ACROSS)
LEG_POINTS = 2 * len(_DOWN) * len(_ASIDE)
_L_SHOULDER, _R_SHOULDER, _L_HIP, _R_HIP = 5, 6, 11, 12


def body_points(
    boxes_px: Float[Array, "P 4"], keypoints_px: Float[Array, "P 17 2"], confidence: Float[Array, "P 17"]
) -> Float[Array, "P S 2"]:
    """Points on each person, px: TORSO_POINTS of the torso, then LEG_POINTS of the legs."""
    legs = [_leg(boxes_px, keypoints_px, confidence, joints, side) for joints, side in
            (((11, 13, 15), 0.12), ((12, 14, 16), -0.12))]  # fmt: skip
    return np.concatenate([_torso(boxes_px, keypoints_px, confidence), *legs], axis=1)


def hidden_by_nearer(
    points_px: Float[Array, "P S 2"], boxes_px: Float[Array, "N 4"], rows: Int[Array, "P"]
) -> Bool[Array, "P S"]:
    """Points that lie in the box of somebody whose feet are lower in the picture: who stands further in front.

    A margin of the box at its sides is not taken: a box is wider than its person.

    Args:
        rows: whose points they are, of the boxes.
    """
    own = boxes_px[rows]
    low, high = boxes_px[:, :2].copy(), boxes_px[:, 2:].copy()
    margin = 0.15 * (high[:, 0] - low[:, 0])
    low[:, 0] += margin
    high[:, 0] -= margin
    nearer = boxes_px[None, :, 3] > (own[:, 3] + 0.02 * (own[:, 3] - own[:, 1]))[:, None]
    meets = (low[None] < own[:, None, 2:]).all(axis=-1) & (high[None] > own[:, None, :2]).all(axis=-1)
    hidden = np.zeros(points_px.shape[:2], bool)
    for p, n in zip(*np.nonzero(nearer & meets), strict=True):
        hidden[p] |= ((points_px[p] > low[n]) & (points_px[p] < high[n])).all(axis=-1)
    return hidden


def _torso(
    boxes_px: Float[Array, "P 4"], keypoints_px: Float[Array, "P 17 2"], confidence: Float[Array, "P 17"]
) -> Float[Array, "P S 2"]:
    four = [_L_SHOULDER, _R_SHOULDER, _L_HIP, _R_HIP]
    sure = (confidence[:, four] > _SURE).all(axis=1, keepdims=True)
    left, right = keypoints_px[:, _L_SHOULDER], keypoints_px[:, _R_SHOULDER]
    width = boxes_px[:, 2:3] - boxes_px[:, :1]
    top = np.where(sure, 0.5 * (left + right), _in_box(boxes_px, 0.5, 0.2))
    bottom = np.where(sure, keypoints_px[:, _L_HIP : _R_HIP + 1].mean(axis=1), _in_box(boxes_px, 0.5, 0.5))
    axis = bottom - top
    length = np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-6)
    seen_half = 0.4 * np.abs(left - right)[:, :1]
    half = np.where(sure, np.clip(seen_half, 0.16 * length, 0.4 * length), 0.16 * width)
    across = half * np.stack([axis[:, 1], -axis[:, 0]], axis=-1) / length
    points = (
        top[:, None, None]
        + _ALONG[None, :, None, None] * axis[:, None, None]
        + _ACROSS[None, None, :, None] * across[:, None, None]
    )
    return np.asarray(points.reshape(len(boxes_px), TORSO_POINTS, 2))


def _leg(
    boxes_px: Float[Array, "P 4"], keypoints_px: Float[Array, "P 17 2"], confidence: Float[Array, "P 17"],
    joints: tuple[int, int, int], side: float,
) -> Float[Array, "P S 2"]:  # fmt: skip
    hip_joint, knee_joint, ankle_joint = joints
    sure = (confidence[:, [hip_joint, knee_joint]] > _SURE).all(axis=1, keepdims=True)
    sure_ankle = sure & (confidence[:, ankle_joint, None] > _SURE)
    hip = np.where(sure, keypoints_px[:, hip_joint], _in_box(boxes_px, 0.5 + side, 0.52))
    knee = np.where(sure, keypoints_px[:, knee_joint], _in_box(boxes_px, 0.5 + side, 0.72))
    shin = np.where(sure, knee + 0.9 * (knee - hip), _in_box(boxes_px, 0.5 + side, 0.93))
    ankle = np.where(sure_ankle, keypoints_px[:, ankle_joint], shin)
    down = _DOWN[None, :, None]
    line = np.where(
        down < 1.0,
        hip[:, None] + down * (knee - hip)[:, None],
        knee[:, None] + (down - 1.0) * (ankle - knee)[:, None],
    )
    height = (boxes_px[:, 3] - boxes_px[:, 1])[:, None, None]
    points = np.repeat(line[:, :, None], len(_ASIDE), axis=2)
    points[..., 0] += _ASIDE * height
    return np.asarray(points.reshape(len(boxes_px), -1, 2))


def _in_box(boxes_px: Float[Array, "P 4"], x: float, y: float) -> Float[Array, "P 2"]:
    """A point of each box by its shares of width and height."""
    return np.asarray(boxes_px[:, :2] + np.array([x, y]) * (boxes_px[:, 2:] - boxes_px[:, :2]))
