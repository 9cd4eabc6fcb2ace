"""Detectors with NMS inside: RTMDet, and YOLOX as exported by mmdeploy.

Tensors: image float32 [batch, 3, height, width] -> `dets` [batch, n, 5] = x1 y1 x2 y2 score in input pixels
and `labels` [batch, n], 0 for a person (-1 pads). The two families differ in what they want to be fed:

    RTMDet  (BGR - mean) / std          YOLOX  BGR 0..255 as it is

The networks suppress inside (RTMDet-nano: score > 0.05, IoU 0.6, at most 100 boxes a pass).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from ..errors import InferenceError
from ..inference.backend import InferenceBackend
from .detector import Boxes
from .letterbox import SIDE_MULTIPLE, Letterbox, fit_fixed, fit_free, paint

PERSON = 0


@dataclass(frozen=True)
class PixelScaling:
    """value * scale + bias per BGR channel."""

    scale_bgr: Float[np.ndarray, "3"]
    bias_bgr: Float[np.ndarray, "3"]

    @staticmethod
    def from_mean_std(mean_bgr: Sequence[float], std_bgr: Sequence[float]) -> PixelScaling:
        """The scaling (value - mean) / std."""
        mean, std = np.asarray(mean_bgr, np.float32), np.asarray(std_bgr, np.float32)
        return PixelScaling(1 / std, -mean / std)


RTMDET_PIXELS = PixelScaling.from_mean_std((103.53, 116.28, 123.675), (57.375, 57.12, 58.395))
YOLOX_PIXELS = PixelScaling(np.ones(3, np.float32), np.zeros(3, np.float32))


@dataclass(frozen=True)
class CanvasInput:
    """Lays images into the input tensor of a detector; the shared front half of every adapter."""

    backend: InferenceBackend
    max_side_px: int
    pixels: PixelScaling
    fixed_wh: tuple[int, int] | None = field(init=False)
    """Input size of a network that has but one."""

    def __post_init__(self) -> None:
        shape = self.backend.inputs[0].shape
        height, width = shape[2], shape[3]
        object.__setattr__(
            self, "fixed_wh", (width, height) if width is not None and height is not None else None
        )
        if self.fixed_wh is None and (self.max_side_px < SIDE_MULTIPLE or self.max_side_px % SIDE_MULTIPLE):
            raise InferenceError(
                f"detector input side of {self.max_side_px} px: expected a positive multiple of {SIDE_MULTIPLE}"
            )

    @property
    def largest_side_px(self) -> int:
        """Longest side of what the network is shown."""
        return self.max_side_px if self.fixed_wh is None else max(self.fixed_wh)

    @property
    def max_batch(self) -> int:
        """Images one call may hold; on a CPU one, where a larger batch gains nothing and costs memory."""
        declared = self.backend.inputs[0].shape[0]
        if declared is not None:
            return declared
        return 1 if self.backend.rung.endswith("cpu") else 16

    def fit(self, image_bgr: np.ndarray) -> Letterbox:
        """Where an image goes."""
        if (
            image_bgr.ndim != 3
            or image_bgr.shape[2] != 3
            or image_bgr.dtype != np.uint8
            or not image_bgr.size
        ):
            raise InferenceError(
                f"detector got an image of {image_bgr.dtype} {list(image_bgr.shape)}, expected uint8 [H, W, 3]"
            )
        wh = (image_bgr.shape[1], image_bgr.shape[0])
        return fit_free(wh, self.max_side_px) if self.fixed_wh is None else fit_fixed(wh, self.fixed_wh)

    def batches(self, fits: Sequence[Letterbox]) -> list[list[int]]:
        """Image numbers that may share a call: same canvas, at most `max_batch`; every image once."""
        by_canvas: dict[tuple[int, int], list[int]] = {}
        for number, box in enumerate(fits):
            by_canvas.setdefault(box.canvas_wh, []).append(number)
        size = self.max_batch
        return [group[i : i + size] for group in by_canvas.values() for i in range(0, len(group), size)]

    def run(self, images_bgr: Sequence[np.ndarray], fits: Sequence[Letterbox]) -> dict[str, np.ndarray]:
        """One call over images of one canvas size."""
        width, height = fits[0].canvas_wh
        canvas = np.empty((len(fits), 3, height, width), np.float32)
        for image, box, out in zip(images_bgr, fits, canvas, strict=True):
            paint(image, box, self.pixels.scale_bgr, self.pixels.bias_bgr, out)
        return self.backend.run({self.backend.inputs[0].name: canvas})


class EndToEndDetector:
    """A detector that gives finished boxes; implements `Detector`."""

    def __init__(
        self, backend: InferenceBackend, max_side_px: int, score_threshold: float, pixels: PixelScaling
    ) -> None:
        """Args: `max_side_px` a multiple of 32; `score_threshold` below which boxes are left out."""
        self._input = CanvasInput(backend, max_side_px, pixels)
        self._score_threshold = score_threshold

    @property
    def max_side_px(self) -> int:
        return self._input.largest_side_px

    def detect(self, images_bgr: Sequence[np.ndarray]) -> list[Boxes]:
        """See `Detector.detect`."""
        fits = [self._input.fit(image) for image in images_bgr]
        found: dict[int, Boxes] = {}
        for group in self._input.batches(fits):
            out = self._input.run([images_bgr[i] for i in group], [fits[i] for i in group])
            for row, number in enumerate(group):
                found[number] = decode_dets(
                    out["dets"][row], out["labels"][row] == PERSON, fits[number], self._score_threshold
                )
        return [found[i] for i in range(len(fits))]


class RtmDetDetector(EndToEndDetector):
    """RTMDet with its own pixel scaling."""

    def __init__(
        self, backend: InferenceBackend, max_side_px: int = 960, score_threshold: float = 0.1
    ) -> None:
        super().__init__(backend, max_side_px, score_threshold, RTMDET_PIXELS)


def decode_dets(
    dets: Float[np.ndarray, "N 5"], people: Bool[np.ndarray, "N"], box: Letterbox, score_threshold: float
) -> Boxes:
    """Rows that are `people`, by falling score, in image pixels; boxes that clip to nothing are left out."""
    keep = np.flatnonzero(people & (dets[:, 4] >= score_threshold))
    keep = keep[np.argsort(-dets[keep, 4], kind="stable")]
    boxes = box.boxes_to_image(dets[keep, :4])
    whole = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return boxes[whole], np.clip(dets[keep, 4][whole].astype(np.float32), 0.0, 1.0)
