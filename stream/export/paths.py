"""Where the boxes of a recording stand: ground paths smoothed with past and future, frame by frame.

The live tier filters with the past alone and a window sees two seconds; a finished recording knows more. Ground
points are measured anew from the keypoints and boxes of all sightings (late ones too) and smoothed as in the
windows, over blocks of frames that see `CONTEXT_S` beyond both of their ends: a gap that the tracker bridges
lies wholly inside. PETS09, distance to annotated foot points, median and 90th percentile: tracker 0.132 and
0.264 m, solved bodies 0.120 and 0.235, this 0.115 and 0.229.

A frame's time is its number times the camera's frame interval: what jitters is the stamp. O(frames), in memory
one block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ...kernels.camera import CameraModel
from ...kernels.ground import Ground
from ...kernels.hvip import hvip_from_keypoints, shift_from_camera
from ...kernels.tracking.smooth_path import smooth_paths
from ..records import TrackedFrame

Array = np.ndarray

CONTEXT_S = 10.0
"""As long as the tracker bridges by default."""
BLOCK_FRAMES = 512
"""Frames placed at a time; more saves little."""
ACCEL_DENSITY = 1.0 / 30.0
"""How hard people accelerate: (1 m/s^2)^2 at 30 Hz, as power density, m^2/s^3. Of the windows' smoother."""


@dataclass(frozen=True)
class _Measured:
    """A frame and what its sightings say of the ground."""

    frame: TrackedFrame
    position_m: Float[Array, "M 2"]
    information: Float[Array, "M 2 2"]
    """Inverse covariance, 1/m^2; zero for rows that are predictions or see no ground."""


def smoothed_places(
    frames: Iterable[TrackedFrame], camera: CameraModel, ground: Ground, block: int = BLOCK_FRAMES
) -> Iterator[tuple[TrackedFrame, Float[Array, "M 3"]]]:
    """Every frame of one camera, in order, with the ground points under its people's torsos.

    Args:
        frames: rows of confirmed people. Places are NaN of people never seen on the ground, and of a frame
            whose index does not rise.
        block: frames placed at a time.
    """
    held: list[_Measured] = []
    placed = 0  # of those held
    for frame in frames:
        gap = frame.index - held[-1].frame.index if held else 1
        if gap <= 0:  # came too late to be tracked: nobody is in it
            yield frame, np.full((len(frame.person_ids), 3), np.nan)
            continue
        if gap > _context(held):  # nobody is followed across it
            yield from _place(held, placed, len(held), camera, ground)
            held, placed = [], 0
        held.append(_measure(frame, camera, ground))
        context = _context(held)
        if len(held) - placed >= block + context:
            yield from _place(held, placed, placed + block, camera, ground)
            placed += block
            surplus = max(0, placed - context)
            held, placed = held[surplus:], placed - surplus
    yield from _place(held, placed, len(held), camera, ground)


def _measure(frame: TrackedFrame, camera: CameraModel, ground: Ground) -> _Measured:
    confidence = np.where(frame.seen[:, None], frame.confidence, 0.0)
    points = hvip_from_keypoints(camera, ground, frame.keypoints_px, confidence, frame.boxes_px)
    good = frame.seen & np.isfinite(points.sigma_px)
    information = np.zeros((len(good), 2, 2))
    information[good] = np.linalg.inv(points.covariance_m2[good])
    return _Measured(frame, np.where(good[:, None], points.position_m[:, :2], 0.0), information)


def _interval_s(held: list[_Measured]) -> float:
    """Seconds a frame, by the median: stamps may jitter, and frames may be missing."""
    if len(held) < 2:
        return 1.0 / 30.0
    index = np.array([m.frame.index for m in held])
    stamp = np.array([m.frame.t_capture_ns - held[0].frame.t_capture_ns for m in held])
    steps = np.diff(stamp) / np.maximum(np.diff(index), 1)
    return float(max(np.median(steps) / 1e9, 1e-3))


def _context(held: list[_Measured]) -> int:
    """Frames of `CONTEXT_S`."""
    return int(np.ceil(CONTEXT_S / _interval_s(held[-64:]))) if held else 1


def _place(
    held: list[_Measured], start: int, stop: int, camera: CameraModel, ground: Ground
) -> Iterator[tuple[TrackedFrame, Float[Array, "M 3"]]]:
    """Places of the frames `start` to `stop` of those held."""
    if start >= stop:
        return
    ids = np.unique(np.concatenate([m.frame.person_ids for m in held]))
    first = held[0].frame.index
    slots = np.array([m.frame.index - first for m in held])
    position = np.zeros((len(ids), int(slots[-1]) + 1, 2))
    information = np.zeros((*position.shape, 2))
    for slot, m in zip(slots, held, strict=True):
        rows = np.searchsorted(ids, m.frame.person_ids)
        position[rows, slot], information[rows, slot] = m.position_m, m.information
    dt_s = _interval_s(held)
    known: Bool[Array, "N"] = np.trace(information, axis1=2, axis2=3).any(axis=1)
    path = smooth_paths(position, information, dt_s, float(np.sqrt(ACCEL_DENSITY / dt_s)))
    path[~known] = np.nan
    for slot, m in zip(slots[start:stop], held[start:stop], strict=True):
        rows = np.searchsorted(ids, m.frame.person_ids)
        flat = np.concatenate([path[rows, slot], np.zeros((len(rows), 1))], axis=1)
        flat[~known[rows], 2] = np.nan
        yield m.frame, shift_from_camera(camera, ground, flat, 0.0)
