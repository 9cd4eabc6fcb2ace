"""SimCC pose (RTMPose, DWPose): one row of bins for x, one for y, per keypoint.

    x = argmax(simcc_x) / r,  y = argmax(simcc_y) / r,   r = bins per crop pixel (2)

The raw score of a keypoint is the smaller of its two maxima. It is no probability: it runs from about 0 to 10, and
useful thresholds lie between 3 and 5. So that every network's confidence means the same to those who use it,

    confidence = 1 / (1 + exp(-(raw - midpoint) / width))      midpoint 4, width 1

maps 3, 4, 5 to 0.27, 0.5, 0.73. A network whose maxima are already 0..1 is given `midpoint=None`: clipped, not bent.
Sets larger than COCO-17 (Halpe-26, 133 whole-body points) begin with these 17. O(N J (W + H)).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..errors import InferenceError
from ..inference.backend import InferenceBackend
from .pose import NUM_KEYPOINTS, TopDownPose


class SimccPose(TopDownPose):
    """A network with outputs `simcc_x` [batch, 17+, r W] and `simcc_y` [batch, 17+, r H]."""

    def __init__(
        self,
        backend: InferenceBackend,
        workers: int = 1,
        buckets: tuple[int, ...] | None = None,
        midpoint: float | None = 4.0,
        width: float = 1.0,
    ) -> None:
        super().__init__(backend, workers, buckets)
        self._midpoint = midpoint
        self._width = width

    def decode(
        self, outputs: dict[str, np.ndarray]
    ) -> tuple[Float[np.ndarray, "N K 2"], Float[np.ndarray, "N K"]]:
        """See `TopDownPose.decode`."""
        rows_x, rows_y = outputs["simcc_x"], outputs["simcc_y"]
        if rows_x.shape[1] < NUM_KEYPOINTS or rows_x.shape[:2] != rows_y.shape[:2]:
            raise InferenceError(
                f"pose network gave simcc_x {list(rows_x.shape)} and simcc_y {list(rows_y.shape)}, "
                f"expected [batch, {NUM_KEYPOINTS}+, bins] for the same keypoints"
            )
        points, raw = decode_simcc(rows_x[:, :NUM_KEYPOINTS], rows_y[:, :NUM_KEYPOINTS], self._crop_wh)
        return points, self._confidence(raw)

    def _confidence(self, raw: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "N K"]:
        if self._midpoint is None:
            return np.asarray(np.clip(raw, 0.0, 1.0), np.float32)
        return np.asarray(1.0 / (1.0 + np.exp((self._midpoint - raw) / self._width)), np.float32)


def decode_simcc(
    rows_x: Float[np.ndarray, "N K BX"], rows_y: Float[np.ndarray, "N K BY"], crop_wh: tuple[int, int]
) -> tuple[Float[np.ndarray, "N K 2"], Float[np.ndarray, "N K"]]:
    """Keypoints in crop pixels, float64, and raw scores (the smaller maximum)."""
    ratio_x, ratio_y = rows_x.shape[2] / crop_wh[0], rows_y.shape[2] / crop_wh[1]
    points = np.stack([rows_x.argmax(axis=2) / ratio_x, rows_y.argmax(axis=2) / ratio_y], axis=2)
    return points, np.minimum(rows_x.max(axis=2), rows_y.max(axis=2))
