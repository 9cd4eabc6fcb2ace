"""What looking costs: processor time of networks side by side, one thread, in turns within one run.

Machines are shared and differ, so the ratio is the figure: each round runs everybody once, so that what slows one
down slows the others as well. Medians of the rounds, after one that is thrown away. Processor time counts work and
not waiting; everything is included that the engine does (letterbox, crops, suppression, decoding).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ....kernels.perception.detector import Detector
from ....kernels.perception.pose import PoseEstimator

Array = np.ndarray

FRAME_SIZES_PX = ((640, 384), (960, 544))
"""Inputs of the detectors; multiples of 32, so that nothing is padded."""
CROPS = 8
"""People of a call of the pose networks."""
ROUNDS = 7


@dataclass(frozen=True)
class Cost:
    """One network's price."""

    who: str
    what: str
    """`frame_960x544`, `crop`."""
    ms: float
    """Processor milliseconds of one frame, or one crop."""
    ratio: float | None
    """Over the yardstick's in the same rounds; None without one."""

    def as_dict(self) -> dict[str, str | float | None]:
        """For reports."""
        return {"who": self.who, "what": self.what, "ms": self.ms, "ratio": self.ratio}


def detector_costs(
    detectors: Mapping[str, Detector], picture_bgr: UInt8[Array, "H W 3"], rounds: int = ROUNDS
) -> list[Cost]:
    """Milliseconds a frame at each size; `detectors` by who, one of them perhaps `yardstick`."""
    costs = []
    for size in FRAME_SIZES_PX:
        image = np.asarray(cv2.resize(picture_bgr, size, interpolation=cv2.INTER_AREA))
        work = {who: partial(detector.detect, [image]) for who, detector in detectors.items()}
        costs += _priced(work, f"frame_{size[0]}x{size[1]}", rounds, 1)
    return costs


def pose_costs(
    poses: Mapping[str, PoseEstimator],
    picture_bgr: UInt8[Array, "H W 3"],
    boxes_px: Float[Array, "N 4"] | None = None,
    rounds: int = ROUNDS,
) -> list[Cost]:
    """Milliseconds a crop, eight in a call; the first boxes are taken, drawn ones where there are too few."""
    boxes = np.asarray(boxes_px if boxes_px is not None else np.zeros((0, 4)), np.float32)[:CROPS]
    height, width = picture_bgr.shape[:2]
    spare = np.linspace(0.05, 0.85, CROPS)[len(boxes) :, None]
    drawn = np.array([[width, 0.1 * height, width, 0.1 * height]]) * np.hstack(
        [spare, spare * 0 + 1, spare + 0.1, spare * 0 + 7]
    )
    people = np.concatenate([boxes, drawn]).astype(np.float32)
    work = {who: partial(pose.estimate, picture_bgr, people) for who, pose in poses.items()}
    return _priced(work, "crop", rounds, CROPS)


def made_up_picture(size_px: tuple[int, int] = (1280, 720)) -> UInt8[Array, "H W 3"]:
    """Soft stripes, where no clip is at hand: networks cost the same on anything."""
    x, y = np.meshgrid(np.arange(size_px[0]), np.arange(size_px[1]))
    grey = 128.0 + 60.0 * np.sin(x / 37.0) + 40.0 * np.sin(y / 23.0)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def in_turns(
    work: Sequence[Callable[[], object]], rounds: int, clock: Callable[[], float] = time.process_time
) -> Float[Array, "rounds K"]:
    """Seconds of every call in every round, everybody once a round; a first round is thrown away."""
    seconds = np.zeros((rounds + 1, len(work)))
    for row in seconds:
        for k, call in enumerate(work):
            began = clock()
            call()
            row[k] = clock() - began
    return seconds[1:]


def _priced(work: Mapping[str, Callable[[], object]], what: str, rounds: int, units: int) -> list[Cost]:
    seconds = in_turns(list(work.values()), rounds)
    names = list(work)
    base = names.index("yardstick") if "yardstick" in names else None
    out = []
    for k, who in enumerate(names):
        ratio = None if base is None else float(np.median(seconds[:, k] / seconds[:, base]))
        out.append(Cost(who, what, float(np.median(seconds[:, k])) * 1e3 / units, ratio))
    return out
