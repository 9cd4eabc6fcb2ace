"""YOLOX with its raw head: grid decode and NMS outside the network.

Tensors: `images` float32 [1, 3, H, W], BGR 0..255 -> [1, A, 5 + classes], A = sum over strides 8, 16, 32 of
(H / s)(W / s), cells row by row. Per cell at (i, j) of stride s (YOLOX `decode_outputs`):

    centre = (xy + (i, j)) s      size = exp(wh) s      score = objectness * P(person)

O(A) decode, then greedy NMS over what passes the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from ..errors import InferenceError
from ..inference.backend import InferenceBackend
from .detector import Boxes
from .end_to_end import PERSON, YOLOX_PIXELS, CanvasInput, decode_dets
from .letterbox import Letterbox
from .nms import nms

STRIDES = (8, 16, 32)
_FIRST_CLASS = 5


class YoloxDetector:
    """YOLOX of any fixed or free input size; implements `Detector`."""

    def __init__(
        self,
        backend: InferenceBackend,
        max_side_px: int = 960,
        score_threshold: float = 0.1,
        nms_iou: float = 0.5,
    ) -> None:
        self._input = CanvasInput(backend, max_side_px, YOLOX_PIXELS)
        self._output = backend.outputs[0].name
        self._score_threshold = score_threshold
        self._nms_iou = nms_iou

    @property
    def max_side_px(self) -> int:
        return self._input.largest_side_px

    def detect(self, images_bgr: Sequence[np.ndarray]) -> list[Boxes]:
        """See `Detector.detect`."""
        fits = [self._input.fit(image) for image in images_bgr]
        found: dict[int, Boxes] = {}
        for group in self._input.batches(fits):
            raw = self._input.run([images_bgr[i] for i in group], [fits[i] for i in group])[self._output]
            for row, number in enumerate(group):
                found[number] = self._finish(raw[row], fits[number])
        return [found[i] for i in range(len(fits))]

    def _finish(self, raw: Float[np.ndarray, "A D"], box: Letterbox) -> Boxes:
        dets = decode_grid(raw, box.canvas_wh, self._score_threshold)
        dets = dets[nms(dets[:, :4], dets[:, 4], self._nms_iou)]
        return decode_dets(dets, np.ones(len(dets), bool), box, self._score_threshold)


def decode_grid(
    raw: Float[np.ndarray, "A D"], canvas_wh: tuple[int, int], score_threshold: float
) -> Float[np.ndarray, "N 5"]:
    """Boxes x1 y1 x2 y2 and scores of the cells that pass, canvas pixels.

    Raises:
        InferenceError: the number of cells is not that of the canvas.
    """
    cells, strides = _grid(canvas_wh)
    if len(raw) != len(cells):
        raise InferenceError(
            f"YOLOX gave {len(raw)} cells, expected {len(cells)} for an input of {canvas_wh[0]}x{canvas_wh[1]} "
            f"with strides {STRIDES}; this network needs another adapter"
        )
    scores = raw[:, 4] * raw[:, _FIRST_CLASS + PERSON]
    keep = np.flatnonzero(scores >= score_threshold)
    centre = (raw[keep, :2] + cells[keep]) * strides[keep]
    half = 0.5 * np.exp(raw[keep, 2:4]) * strides[keep]
    return np.concatenate([centre - half, centre + half, scores[keep, None]], axis=1).astype(np.float32)


@lru_cache(maxsize=64)
def _grid(canvas_wh: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of every cell (A,2) and its stride (A,1)."""
    width, height = canvas_wh
    cells, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full((rows.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
