"""What every top-down pose network promises, and the road they share: crop, batch, run, decode, bring back.

Crops are cut into sub-batches of a few fixed sizes. On a CPU these are small (a batch of four 128x96 crops stays
in the cache; 48 at once cost 1.4 times more each) and run side by side on `workers` threads; on a GPU they are
large, so that static shapes can be captured. How crops are grouped depends on their number alone, and results
are put back by position: the answer does not depend on which thread was faster.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from ..errors import InferenceError
from ..inference.backend import InferenceBackend
from .crop import CropMaps, crop_maps, cut, to_tensor

NUM_KEYPOINTS = 17
CPU_BUCKETS = (1, 2, 4)
GPU_BUCKETS = (8, 32, 64, 128)
BOX_PADDING = 1.25
IMAGENET_MEAN_RGB = (123.675, 116.28, 103.53)
IMAGENET_STD_RGB = (58.395, 57.12, 57.375)

Poses = tuple[np.ndarray, np.ndarray]
"""Keypoints (N,17,2) float32, pixel centres of the image, COCO order; confidence (N,17) float32, 0..1."""


@runtime_checkable
class PoseEstimator(Protocol):
    """Finds the keypoints of people whose boxes are known."""

    def estimate(self, image_bgr: np.ndarray, boxes_px: np.ndarray) -> Poses:
        """One row a box, in order; `image_bgr` (H,W,3) uint8, `boxes_px` (N,4) x1 y1 x2 y2."""
        ...

    def estimate_many(self, images_bgr: Sequence[np.ndarray], boxes_px: Sequence[np.ndarray]) -> list[Poses]:
        """The same for several images at once (cameras of a node, frames of a replay), sharing the batches."""
        ...

    def close(self) -> None:
        """Stop the worker threads."""
        ...


@dataclass(frozen=True)
class _Job:
    """One sub-batch: some boxes of one image."""

    image: int
    rows: slice
    batch: int


class TopDownPose(ABC):
    """The shared road; a network adds only its decoder. Implements `PoseEstimator`."""

    def __init__(
        self, backend: InferenceBackend, workers: int = 1, buckets: tuple[int, ...] | None = None
    ) -> None:
        """Set up for one network.

        Args:
            backend: [batch, 3, height, width] in; thread-safe where `workers` > 1.
            workers: sub-batches that run side by side.
            buckets: allowed batch sizes; None: by the backend's rung.

        Raises:
            InferenceError: the input has no fixed height and width.
        """
        spec = backend.inputs[0]
        batch, _, height, width = spec.shape
        if height is None or width is None:
            raise InferenceError(
                f"pose input {spec.name!r} has shape {list(spec.shape)}; expected a fixed height and width"
            )
        if batch is not None:
            buckets = (batch,)
        elif buckets is None:
            buckets = CPU_BUCKETS if backend.rung.endswith("cpu") else GPU_BUCKETS
        self._backend = backend
        self._crop_wh = (width, height)
        self._buckets = tuple(sorted(buckets))
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pose") if workers > 1 else None

    def estimate(self, image_bgr: np.ndarray, boxes_px: np.ndarray) -> Poses:
        """See `PoseEstimator.estimate`."""
        return self.estimate_many([image_bgr], [boxes_px])[0]

    def estimate_many(self, images_bgr: Sequence[np.ndarray], boxes_px: Sequence[np.ndarray]) -> list[Poses]:
        """See `PoseEstimator.estimate_many`."""
        maps = [crop_maps(np.asarray(boxes), self._crop_wh, BOX_PADDING) for boxes in boxes_px]
        results = [_empty(len(m)) for m in maps]
        jobs = [
            _Job(image, rows, batch)
            for image, m in enumerate(maps)
            for rows, batch in sub_batches(len(m), self._buckets)
        ]

        def work(job: _Job) -> None:
            part = _rows(maps[job.image], job.rows)
            keypoints, confidence = results[job.image]
            keypoints[job.rows], confidence[job.rows] = self._run(images_bgr[job.image], part, job.batch)

        if self._pool is None:
            for job in jobs:
                work(job)
        else:
            list(self._pool.map(work, jobs))  # list(): raises what a worker raised
        return results

    def close(self) -> None:
        """Stop the worker threads; the backend stays the caller's."""
        if self._pool is not None:
            self._pool.shutdown()

    def _run(self, image_bgr: np.ndarray, maps: CropMaps, batch: int) -> Poses:
        tensor = to_tensor(cut(image_bgr, maps), IMAGENET_MEAN_RGB, IMAGENET_STD_RGB, batch)
        outputs = self._backend.run({self._backend.inputs[0].name: tensor})
        points, confidence = self.decode({key: value[: len(maps)] for key, value in outputs.items()})
        return maps.to_image(points[:, :NUM_KEYPOINTS]).astype(np.float32), confidence[:, :NUM_KEYPOINTS]

    @abstractmethod
    def decode(
        self, outputs: dict[str, np.ndarray]
    ) -> tuple[Float[np.ndarray, "N K 2"], Float[np.ndarray, "N K"]]:
        """Keypoints in crop pixels (centres) and confidence 0..1 of the network's outputs."""


def sub_batches(count: int, buckets: tuple[int, ...]) -> list[tuple[slice, int]]:
    """How `count` crops are split: (rows, batch size); only the last is padded.

    The largest bucket that is full is taken first; what remains under the smallest is padded up to it.
    """
    parts, start = [], 0
    while start < count:
        left = count - start
        batch = max((b for b in buckets if b <= left), default=buckets[0])
        parts.append((slice(start, start + min(batch, left)), batch))
        start += batch
    return parts


def _rows(maps: CropMaps, rows: slice) -> CropMaps:
    return CropMaps(maps.gain[rows], maps.shift_px[rows], maps.crop_wh)


def _empty(count: int) -> Poses:
    return np.zeros((count, NUM_KEYPOINTS, 2), np.float32), np.zeros((count, NUM_KEYPOINTS), np.float32)
