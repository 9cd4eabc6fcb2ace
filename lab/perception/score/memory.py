"""What the yardsticks said, kept in a folder: they say the same each time, and a training is scored again and again.

An answer is filed under the bytes of the picture, the boxes and the network, so nothing stale can be taken for new.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ....kernels.perception.detector import Boxes, Detector
from ....kernels.perception.pose import PoseEstimator, Poses
from .errors import ScoreError

Array = np.ndarray


class Answers:
    """Pairs of arrays by key, in one file of a folder."""

    def __init__(self, folder: Path, network: str) -> None:
        """Args: `network` says which network and adapter answered, e.g. the sum of its file."""
        self._path = folder / f"answers_{hashlib.sha256(network.encode()).hexdigest()[:16]}.npz"
        self._known: dict[str, tuple[Array, Array]] = {}
        self._fresh = False
        if self._path.is_file():
            self._read()

    def find(self, key: str) -> tuple[Array, Array] | None:
        """What was kept under a key."""
        return self._known.get(key)

    def keep(self, key: str, answer: tuple[Array, Array]) -> None:
        """File an answer; it is on disk after `save`."""
        self._known[key] = answer
        self._fresh = True

    def save(self) -> None:
        """Write what is new; the whole file or what was there before.

        Raises:
            ScoreError: the disk refuses.
        """
        if not self._fresh:
            return
        parts: dict[str, Any] = {
            f"{key}.{k}": part for key, pair in self._known.items() for k, part in enumerate(pair)
        }
        part = self._path.with_name(self._path.stem + f".{os.getpid()}.part.npz")
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            np.savez(part, **parts)
            os.replace(part, self._path)
        except OSError as exc:
            with suppress(OSError):  # there may not even be a folder
                part.unlink()
            raise ScoreError(
                f"cannot keep answers in {self._path}: {exc.strerror or exc}; name another folder"
            ) from exc
        self._fresh = False

    def _read(self) -> None:
        try:
            with np.load(self._path, allow_pickle=False) as data:
                keys = sorted({name.rpartition(".")[0] for name in data.files})
                self._known = {key: (data[f"{key}.0"], data[f"{key}.1"]) for key in keys}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            self._known = {}  # a damaged file is no loss: everything is asked again


class RememberingDetector:
    """Asks the detector only about pictures it has not seen; implements `Detector`."""

    def __init__(self, detector: Detector, answers: Answers) -> None:
        self._detector, self._answers = detector, answers

    @property
    def max_side_px(self) -> int:
        return self._detector.max_side_px

    def detect(self, images_bgr: Sequence[np.ndarray]) -> list[Boxes]:
        """See `Detector.detect`."""
        return [self._one(image) for image in images_bgr]

    def _one(self, image_bgr: Array) -> Boxes:
        key = fingerprint(image_bgr, np.array([self.max_side_px]))
        known = self._answers.find(key)
        if known is None:
            known = self._detector.detect([image_bgr])[0]
            self._answers.keep(key, known)
        return known


class RememberingPose:
    """The same for keypoints of known boxes; implements `PoseEstimator`."""

    def __init__(self, pose: PoseEstimator, answers: Answers) -> None:
        self._pose, self._answers = pose, answers

    def estimate(self, image_bgr: np.ndarray, boxes_px: np.ndarray) -> Poses:
        """See `PoseEstimator.estimate`."""
        key = fingerprint(image_bgr, boxes_px)
        known = self._answers.find(key)
        if known is None:
            known = self._pose.estimate(image_bgr, boxes_px)
            self._answers.keep(key, known)
        return known

    def estimate_many(self, images_bgr: Sequence[np.ndarray], boxes_px: Sequence[np.ndarray]) -> list[Poses]:
        """See `PoseEstimator.estimate_many`."""
        return [self.estimate(image, boxes) for image, boxes in zip(images_bgr, boxes_px, strict=True)]

    def close(self) -> None:
        """Stop the network's worker threads."""
        self._pose.close()


def fingerprint(*arrays: Array) -> str:
    """Of the bytes, shapes and types of arrays."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
