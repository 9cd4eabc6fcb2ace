"""Folders of images: one file a frame, in natural order, at a given rate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..errors import SourceError
from ..records import ClockOrigin, Frame, PixelFormat
from .base import ReadAhead, SourceConfig, SourceStats

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts img2 before img10, whatever the case of the letters."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p.casefold()) for p in parts)


class FolderSource(ReadAhead):
    """The images of one folder, as BGR. The first readable one is decoded on opening.

    An image that cannot be read keeps its place in time and is counted.

    Raises:
        SourceError: no such folder, no image in it, none readable; on reading on: an image of another size.
    """

    def __init__(self, path: Path, config: SourceConfig | None = None) -> None:
        self._config = config or SourceConfig()
        self._path = path
        self._stats = SourceStats()
        if not path.is_dir():
            raise SourceError(f"no folder '{path}'; expected a folder of images or a video file")
        self._files = sorted(
            (f for f in path.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")),
            key=lambda f: natural_key(f.name),
        )
        if not self._files:
            raise SourceError(f"no images in '{path}'; expected files ending in {_suffixes()}")
        self._size_px: tuple[int, int] | None = None
        self._frames = self._decode()
        self._first = next(self._frames, None)
        if self._first is None:
            raise SourceError(
                f"none of the {len(self._files)} images in '{path}' can be read; expected {_suffixes()}"
            )

    @property
    def camera(self) -> str:
        return self._config.camera or self._path.resolve().name

    @property
    def fps(self) -> float:
        return self._config.fps

    @property
    def start_ns(self) -> int:
        return self._config.start_ns

    @property
    def num_frames(self) -> int | None:
        return len(self._files)

    def _decode(self) -> Iterator[Frame]:
        for index, file in enumerate(self._files):
            image = _read(file)
            if image is None:
                self._stats.broken += 1
                self._stats.blame(f"cannot read {file.name}")
                continue
            size = (int(image.shape[1]), int(image.shape[0]))
            if self._size_px is None:
                self._size_px = size
            if size != self._size_px:
                raise SourceError(
                    f"'{file}' is {size[0]}x{size[1]}, the images before it are "
                    f"{self._size_px[0]}x{self._size_px[1]}; expected one size in a folder (one camera)"
                )
            self._stats.decoded += 1
            t_ns = self._config.start_ns + round(index * 1e9 / self._config.fps)
            yield Frame(self.camera, index, t_ns, ClockOrigin.FILE_PTS, image, PixelFormat.BGR, size)


def _read(file: Path) -> np.ndarray | None:
    """(H, W, 3) uint8 BGR, or None; through bytes, since OpenCV's own reader prints on missing files."""
    try:
        data = np.frombuffer(file.read_bytes(), np.uint8)
        if data.size == 0:
            return None
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _suffixes() -> str:
    return " ".join(sorted(IMAGE_SUFFIXES))
