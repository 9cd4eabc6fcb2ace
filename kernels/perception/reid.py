"""Appearance codes of a re-identification network: one picture of a person in, one embedding out.

The contract is that of Open Model Zoo's `person-reidentification-retail` networks: the box as it is, stretched to the
input's size, BGR, 0..255, channels last or first as the input says; the output's direction e is the embedding. People
of whom others in front hide most are not asked about: the network would describe whoever hides them.

Networks differ in how far apart they put people: strangers lie 0.60 from each other (median cosine distance, PETS09) by
0287, 0.17 by 0288. So that one table of evidence serves all, the code of a wide network gets one more number,

    code = [sqrt(s) e, sqrt(1 - s)]        |code| = 1,  d(code, code') = s d(e, e')
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from ..errors import InferenceError
from ..inference.backend import InferenceBackend
from .appearance_code import unit_rows
from .appearance_regions import body_points, hidden_by_nearer

Array = np.ndarray

MAX_HIDDEN = 0.5
"""People of whom others hide a larger share get no code."""
WIDE_SCALE = 0.29
"""s of wide networks: their strangers as far apart as those of a narrow one."""
CPU_BUDGET = 8
"""Codes a picture on a CPU: at 4 to 9 ms each as much as a pose network spends."""


class ReidNetwork:
    """Embeddings by a loaded network. Implements `AppearanceCoder`."""

    def __init__(self, backend: InferenceBackend, narrow: bool = False) -> None:
        """
        Args:
            narrow: its embeddings lie close together as they are.

        Raises:
            InferenceError: not one image of a fixed size in, or not one row of numbers out.
        """
        if len(backend.inputs) != 1 or len(backend.outputs) != 1:
            raise InferenceError(
                f"a re-id network has one input and one output, got {len(backend.inputs)} and {len(backend.outputs)}"
            )
        spec, out = backend.inputs[0], backend.outputs[0]
        self._last = len(spec.shape) == 4 and spec.shape[3] == 3
        sides = spec.shape[1:3] if self._last else spec.shape[2:4]
        if len(sides) != 2 or None in sides or len(out.shape) != 2 or out.shape[1] is None:
            raise InferenceError(
                f"re-id network: input {list(spec.shape)} and output {list(out.shape)}; expected one picture of a "
                "fixed size, [n,h,w,3] or [n,3,h,w], and one code, [n,a]"
            )
        self._height, self._width = int(sides[0] or 0), int(sides[1] or 0)
        self._batch = spec.shape[0]
        self._backend = backend
        self._scale = 1.0 if narrow else WIDE_SCALE
        self._numbers = int(out.shape[1])

    @property
    def size(self) -> int:
        """Numbers in a code."""
        return self._numbers + 1

    @property
    def budget(self) -> int | None:
        """Codes a picture; None on a GPU."""
        return CPU_BUDGET if self._backend.rung.endswith("cpu") else None

    def codes(
        self,
        image_bgr: UInt8[Array, "H W 3"],
        boxes_px: Float[Array, "N 4"],
        keypoints_px: Float[Array, "N 17 2"],
        confidence: Float[Array, "N 17"],
        rows: Int[Array, "P"],
    ) -> Float[Array, "P A"]:
        """See `AppearanceCoder.codes`."""
        out = np.zeros((len(rows), self.size), np.float32)
        if len(rows) == 0:
            return out
        boxes = boxes_px.astype(np.float64)
        points = body_points(boxes[rows], keypoints_px[rows].astype(np.float64), confidence[rows])
        hidden = hidden_by_nearer(points, boxes, rows).mean(axis=1)
        clipped = _clipped(boxes[rows], image_bgr)
        wanted = np.flatnonzero((hidden <= MAX_HIDDEN) & ((clipped[:, 2:] - clipped[:, :2]) >= 2).all(axis=1))
        step = self._batch or max(len(wanted), 1)
        for start in range(0, len(wanted), step):
            part = wanted[start : start + step]
            out[part, :-1] = np.sqrt(self._scale) * unit_rows(self._embed(image_bgr, clipped[part], step))
            out[part, -1] = np.sqrt(1.0 - self._scale)
        return out

    def _embed(
        self, image_bgr: UInt8[Array, "H W 3"], boxes_px: Int[Array, "K 4"], batch: int
    ) -> Float[Array, "K A"]:
        crops = np.zeros((batch, self._height, self._width, 3), np.float32)
        for k, (x1, y1, x2, y2) in enumerate(boxes_px.tolist()):
            crops[k] = cv2.resize(
                image_bgr[y1:y2, x1:x2], (self._width, self._height), interpolation=cv2.INTER_LINEAR
            )
        tensor = crops if self._last else np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
        result = self._backend.run({self._backend.inputs[0].name: tensor})[self._backend.outputs[0].name]
        return np.asarray(result[: len(boxes_px)], np.float32)


def _clipped(boxes_px: Float[Array, "P 4"], image_bgr: UInt8[Array, "H W 3"]) -> Int[Array, "P 4"]:
    """Whole pixels of the boxes that lie in the picture."""
    height, width = image_bgr.shape[:2]
    return np.asarray(np.clip(np.rint(boxes_px), 0, (width, height, width, height)).astype(np.int64))
