"""The detections of one frame that tracking can use, and where each of them stands.

On a ground that is the HVIP in metres; without one it is the foot of the box in pixels. Boxes that are no
boxes are left out without a word; people who stand nowhere on the ground are left out and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..kernels.camera import CameraModel
from ..kernels.ground import Ground
from ..kernels.hvip import hvip_from_keypoints
from ..kernels.tracking.association import Side
from ..kernels.tracking.boxes import BORDER_PX, to_foot_and_size
from .records import Observation
from .track_config import TrackConfig

Array = np.ndarray

Geometry = tuple[CameraModel, Ground]


@dataclass(frozen=True)
class Seen:
    """The usable detections of one frame in an order of their own: best score first, ties by place."""

    boxes_px: Float[Array, "N 4"]
    scores: Float[Array, "N"]
    keypoints_px: Float[Array, "N 17 2"]
    confidence: Float[Array, "N 17"]
    appearance: Float[Array, "N A"]
    position: Float[Array, "N 2"]
    """Ground metres, or foot pixels in the image fallback."""
    covariance: Float[Array, "N 2 2"]

    def side(self) -> Side:
        return Side(
            self.position, self.covariance, self.boxes_px, self.keypoints_px, self.confidence,
            self.appearance, np.zeros(len(self.scores)),
        )  # fmt: skip


def usable(
    config: TrackConfig, geometry: Geometry | None, size_px: tuple[int, int], observation: Observation
) -> tuple[Seen, dict[str, int]]:
    """What can be used of an observation, and its drops with those off the ground counted in."""
    boxes = np.asarray(observation.boxes_px, np.float64).reshape(-1, 4)
    scores = np.asarray(observation.scores, np.float64)
    sound = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    keep = np.flatnonzero(sound & (scores >= config.low_score))
    keep = keep[np.lexsort((*boxes[keep].T, -scores[keep]))]
    boxes, scores = boxes[keep], scores[keep]
    keypoints = np.asarray(observation.keypoints_px, np.float64)[keep]
    confidence = np.where(np.isfinite(observation.confidence), observation.confidence, 0.0)[keep]
    appearance = np.asarray(observation.appearance, np.float64)
    appearance = appearance[keep] if len(appearance) else np.zeros((len(keep), 0))
    if geometry is None:
        position, covariance = measure_foot(config, boxes)
        covariance = covariance + _border_doubt(boxes, size_px)
    else:
        points = hvip_from_keypoints(*geometry, keypoints, confidence.astype(np.float64), boxes)
        position, covariance = points.position_m[:, :2], points.covariance_m2
    seen = Seen(boxes, scores, keypoints, confidence.astype(np.float64), appearance, position, covariance)
    placed = np.isfinite(position).all(axis=1)
    drops = dict(observation.drops)
    if not placed.all():
        drops["track_off_ground"] = int((~placed).sum())
        seen = Seen(**{name: value[placed] for name, value in vars(seen).items()})
    return seen, drops


def measure_foot(
    config: TrackConfig, boxes_px: Float[Array, "N 4"]
) -> tuple[Float[Array, "N 2"], Float[Array, "N 2 2"]]:
    """Feet of the boxes (px) and their covariances (px²)."""
    foot, log_size = to_foot_and_size(boxes_px)
    sigma = 0.5 + config.box_noise_share * np.exp(log_size[:, 1])
    return foot, (sigma**2)[:, None, None] * np.eye(2)


def _border_doubt(boxes_px: Float[Array, "N 4"], size_px: tuple[int, int]) -> Float[Array, "N 2 2"]:
    """Variance that the foot of a box has because the border of the picture cuts it: half its size."""
    size = boxes_px[:, 2:] - boxes_px[:, :2]
    far = boxes_px[:, 2:] >= np.array(size_px, np.float64) - BORDER_PX
    cut = far | np.stack([boxes_px[:, 0] <= BORDER_PX, np.zeros(len(size), bool)], axis=-1)
    return np.asarray(np.where(cut, 0.25 * size**2, 0.0)[:, :, None] * np.eye(2))
