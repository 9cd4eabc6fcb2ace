"""Heatmap pose (PP-TinyPose): the peak of each map, refined by DARK.

    m = argmax H,   x = m - (d2 log H~)^-1 (d log H~)  at m        (Zhang et al. 2020, "DARK", eq. 8)

H~ is H smoothed by a 3x3 Gaussian, as PaddleDetection does before its log. First derivatives are central, the
second ones of step two. Only a 7x7 patch round each peak is read. Cells map to crop pixels by exactly the ratio
of the sizes, x_crop = ratio x_cell, without a half-cell shift: right for these networks, checked by mirroring.
The value of the unsmoothed peak is the confidence. O(N J h w) for the argmax, O(N J) for the rest.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from ..errors import InferenceError
from ..inference.backend import InferenceBackend
from .pose import NUM_KEYPOINTS, TopDownPose

_BLUR = (0.25, 0.5, 0.25)  # what OpenCV takes for a 3-wide Gaussian of unset sigma
_FLOOR = 1e-4  # log stays finite where the network says zero or a little less
_MIN_CURVATURE = 1e-9  # flatter peaks give no direction: the argmax stays
_MAX_STEP = 1.0  # cells; a step that leaves the neighbouring cells is a bad fit, not a better peak


class HeatmapPose(TopDownPose):
    """A network with one output [batch, 17 or more, h, w]."""

    def __init__(
        self, backend: InferenceBackend, workers: int = 1, buckets: tuple[int, ...] | None = None
    ) -> None:
        super().__init__(backend, workers, buckets)
        self._output = backend.outputs[0].name

    def decode(
        self, outputs: dict[str, np.ndarray]
    ) -> tuple[Float[np.ndarray, "N K 2"], Float[np.ndarray, "N K"]]:
        """See `TopDownPose.decode`."""
        heatmaps = outputs[self._output]
        if heatmaps.ndim != 4 or heatmaps.shape[1] < NUM_KEYPOINTS:
            raise InferenceError(
                f"pose network gave {list(heatmaps.shape)}, expected heatmaps [batch, {NUM_KEYPOINTS}+, h, w]"
            )
        points, confidence = refine_peaks(heatmaps[:, :NUM_KEYPOINTS])
        ratio = np.array(self._crop_wh, np.float64) / np.array(heatmaps.shape[:1:-1], np.float64)
        return points * ratio, confidence


def refine_peaks(
    heatmaps: Float[np.ndarray, "N K h w"],
) -> tuple[Float[np.ndarray, "N K 2"], Float[np.ndarray, "N K"]]:
    """Peaks (x, y) in cells, float64, and their values clipped to 0..1, float32.

    Peaks within two cells of the border are not refined: the stencil does not fit.
    """
    n, k, height, width = heatmaps.shape
    flat = heatmaps.reshape(n * k, height * width)
    best = flat.argmax(axis=1)
    confidence = np.clip(flat[np.arange(n * k), best], 0.0, 1.0).astype(np.float32)
    x, y = best % width, best // width
    points = np.stack([x, y], axis=1).astype(np.float64)
    inner = np.flatnonzero((x >= 2) & (x < width - 2) & (y >= 2) & (y < height - 2))
    if inner.size:
        patches = _patches(heatmaps.reshape(n * k, height, width), inner, x[inner], y[inner])
        points[inner] += newton_step(np.log(np.maximum(_smooth(patches), _FLOOR)))
    return points.reshape(n, k, 2), confidence.reshape(n, k)


def newton_step(log_patch: Float[np.ndarray, "M 5 5"]) -> Float[np.ndarray, "M 2"]:
    """(x, y) from the middle of each patch to the top of its second-order fit; 0 where it has no top."""
    p = log_patch
    dx = 0.5 * (p[:, 2, 3] - p[:, 2, 1])
    dy = 0.5 * (p[:, 3, 2] - p[:, 1, 2])
    dxx = 0.25 * (p[:, 2, 4] - 2 * p[:, 2, 2] + p[:, 2, 0])
    dyy = 0.25 * (p[:, 4, 2] - 2 * p[:, 2, 2] + p[:, 0, 2])
    dxy = 0.25 * (p[:, 3, 3] - p[:, 1, 3] - p[:, 3, 1] + p[:, 1, 1])
    determinant = dxx * dyy - dxy * dxy
    has_top = (determinant > _MIN_CURVATURE) & (dxx < 0)
    safe = np.where(has_top, determinant, 1.0)
    step = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=1) / safe[:, None]
    return np.asarray(np.clip(np.where(has_top[:, None], step, 0.0), -_MAX_STEP, _MAX_STEP))


def _patches(
    maps: Float[np.ndarray, "M h w"],
    which: Int[np.ndarray, "I"],
    x: Int[np.ndarray, "I"],
    y: Int[np.ndarray, "I"],
) -> Float[np.ndarray, "I 7 7"]:
    """7x7 cells round (x, y), mirrored at the border without repeating it (as OpenCV blurs)."""
    height, width = maps.shape[1:]
    reach = np.arange(-3, 4)
    rows = _reflect(y[:, None] + reach, height)
    columns = _reflect(x[:, None] + reach, width)
    return np.asarray(maps[which[:, None, None], rows[:, :, None], columns[:, None, :]], np.float64)


def _reflect(index: Int[np.ndarray, "I 7"], size: int) -> Int[np.ndarray, "I 7"]:
    return np.asarray((size - 1) - np.abs((size - 1) - np.abs(index)))


def _smooth(patches: Float[np.ndarray, "I 7 7"]) -> Float[np.ndarray, "I 5 5"]:
    a, b, c = _BLUR
    rows = a * patches[:, :-2] + b * patches[:, 1:-1] + c * patches[:, 2:]
    return np.asarray(a * rows[:, :, :-2] + b * rows[:, :, 1:-1] + c * rows[:, :, 2:])
