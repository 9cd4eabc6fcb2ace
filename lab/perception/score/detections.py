"""Detectors over a clip as the engine runs them: the whole picture in one pass, at a given input size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....kernels.perception.detector import Boxes, Detector
from ....kernels.perception.merge import merge_tiles
from ....kernels.perception.tiling import cut_tile, whole_frame
from ....stream.observe_config import PerceptionConfig
from .clips import num_pictures, pictures
from .matching import ClipBoxes

Array = np.ndarray

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pass:
    """One detector at one size."""

    who: str
    """Name of a contender."""
    detector: Detector
    side_px: int
    """Longer side of the picture as the detector sees it."""


def engine_side_px(detector: Detector, size_px: tuple[int, int], config: PerceptionConfig) -> int:
    """Longer side of the input that the engine would use for pictures of this size (`stream.observe`)."""
    limit = min(detector.max_side_px, config.detector_long_side_px)
    return min(limit, round(config.max_upscale * max(size_px)))


def input_wh(size_px: tuple[int, int], side_px: int) -> tuple[int, int]:
    """The picture as shown, before it is padded."""
    return whole_frame(size_px, side_px).input_wh


def detect_picture(detector: Detector, image_bgr: Array, side_px: int) -> Boxes:
    """Boxes in the pixels of a picture shown at this size; larger ones than the detector takes it shrinks itself."""
    size = (image_bgr.shape[1], image_bgr.shape[0])
    tile = whole_frame(size, side_px)
    found = detector.detect([cut_tile(image_bgr, tile)])
    return merge_tiles(found, (tile,), size)


def detect_clip(
    path: Path, every: int, passes: Sequence[Pass], progress: Progress | None = None
) -> list[ClipBoxes]:
    """Boxes of every pass over every n-th frame; each frame is decoded once."""
    total = num_pictures(path, every) if progress else 0
    frames: list[int] = []
    found: list[list[Boxes]] = [[] for _ in passes]
    size = (0, 0)
    for index, image in pictures(path, every):
        size = (image.shape[1], image.shape[0])
        frames.append(index)
        for rows, one in zip(found, passes, strict=True):
            rows.append(detect_picture(one.detector, image, one.side_px))
        if progress:
            progress(len(frames), max(total, len(frames)))
    return [
        ClipBoxes(
            size,
            tuple(frames),
            tuple(np.asarray(boxes, np.float64) for boxes, _ in rows),
            tuple(np.asarray(scores, np.float64) for _, scores in rows),
        )
        for rows in found
    ]
