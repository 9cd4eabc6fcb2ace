"""The real clips of a data folder: `video/` beside `models/`; pictures one by one, and the annotated truth.

Only every n-th frame is looked at: neighbours are nearly the same picture. Frames come as the engine decodes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....stream.pixels import frame_bgr
from ....stream.sources.base import SourceConfig
from ....stream.sources.open import open_source
from ...bench.identity import read_mot
from .errors import ScoreError
from .matching import ClipBoxes

Array = np.ndarray


@dataclass(frozen=True)
class Clip:
    """One clip of the data folder."""

    name: str
    video: str
    """File under video/."""
    truth: str | None = None
    """MOT text under video/."""


PETS = Clip("pets", "pets09_s2l1_a_480x360.mp4", "pets09_s2l1_a_gt.txt")
"""A plaza from a raised camera, 480x360, 3-8 people of 40-60 px; every box annotated, hidden people too."""
HALL = Clip("hall", "hall_overhead_1280x720.mp4")
"""A pale hall from above, 1280x720, 35-45 people of 30-135 px; no annotation."""
VIEWS = "multicam_4view"
"""Folder of four calibrated views of two people."""


def check_folder(data: Path) -> None:
    """The data folder must have clips.

    Raises:
        ScoreError: no such folder, or without video/.
    """
    if not (data / "video").is_dir():
        what = "has no video/ in it" if data.is_dir() else "is no folder"
        raise ScoreError(
            f"{data} {what}; --data expects a folder with video/ and models/ (development clips, networks)"
        )


def absent(data: Path, clip: Clip) -> str | None:
    """Why a clip cannot be scored; None where all of it is there."""
    for name in (clip.video, clip.truth):
        if name is not None and not (data / "video" / name).is_file():
            return f"no video/{name} in {data}"
    return None


def pictures(path: Path, every: int) -> Iterator[tuple[int, Array]]:
    """Index and BGR picture (H,W,3) uint8 of every n-th frame."""
    with open_source(str(path), SourceConfig(decode_threads=1)) as source:
        for frame in source:
            if frame.index % every == 0:
                yield frame.index, frame_bgr(frame)


def chosen_pictures(path: Path, frames: Sequence[int]) -> dict[int, Array]:
    """The pictures of these frames alone."""
    wanted, last = set(frames), max(frames, default=-1)
    out: dict[int, Array] = {}
    if wanted:
        for index, image in pictures(path, 1):
            if index in wanted:
                out[index] = image
            if index >= last:
                break
    return out


def num_pictures(path: Path, every: int) -> int:
    """How many pictures `pictures` is going to give, as the file announces."""
    with open_source(str(path), SourceConfig(decode_threads=1)) as source:
        return -(-(source.num_frames or 0) // every)


def true_boxes(path: Path, frames: Sequence[int], size_px: tuple[int, int]) -> ClipBoxes:
    """Annotated boxes of some frames; the file counts frames from 1."""
    table = read_mot(path)
    sets = [table[table[:, 0] == frame + 1][:, 2:6] for frame in frames]
    boxes = tuple(np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:]], axis=1) for rows in sets)
    return ClipBoxes(size_px, tuple(frames), boxes, tuple(np.ones(len(rows)) for rows in sets))
