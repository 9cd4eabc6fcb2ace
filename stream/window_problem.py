"""Tracked rows of one window -> the arrays the solver takes. Pure: same rows, same bytes.

Ground positions are measured anew from the keypoints and boxes (HVIP proper: under the torso), and smoothed
over the window; the tracker's own causal filter serves the live tier only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ..kernels.camera import CameraModel
from ..kernels.ground import Ground
from ..kernels.hvip import Hvip, hvip_from_keypoints, shift_from_camera
from ..kernels.solve.problem import MODEL_RATE_HZ, WINDOW_FRAMES, WindowProblem
from ..kernels.tracking.smooth_path import smooth_paths
from .records import TrackedFrame

Array = np.ndarray


@dataclass(frozen=True)
class ProblemOptions:
    """What may be chosen about the arrays of a problem."""

    num_slots: int = WINDOW_FRAMES
    rate_hz: float = MODEL_RATE_HZ
    min_confidence: float = 0.2
    """Keypoints below count as not seen."""
    min_seen_slots: int = 3
    """People with fewer sightings in the window are left to the next one."""
    accel_sigma_mps2: float = 1.0
    """How hard people accelerate, per slot: the stiffness of the smoothed path."""


@dataclass(frozen=True)
class WindowRows:
    """What is known of one window before it becomes a problem."""

    window: int
    slot0: int
    t0_ns: int
    frames: tuple[tuple[tuple[int, TrackedFrame], ...], ...]
    """Per camera: (slot, frame), slots ascending, one frame a slot."""
    person_ids: Int[Array, "N"]
    """Ascending; everyone who is confirmed before the end of the window."""


@dataclass(frozen=True)
class _Rows:
    """All rows of one camera that belong to the people of the window, flat."""

    person: Int[Array, "R"]
    slot: Int[Array, "R"]
    """Relative to the window's first slot."""
    seen: Bool[Array, "R"]
    boxes_px: Float[Array, "R 4"]
    keypoints_px: Float[Array, "R 17 2"]
    confidence: Float[Array, "R 17"]


def build_problem(
    rows: WindowRows,
    cameras: tuple[CameraModel, ...],
    ground: Ground,
    options: ProblemOptions,
    site: str = "",
) -> WindowProblem:
    """The window's problem; people without enough sightings or without any ground point are left out."""
    tables = [_table(frames, rows) for frames in rows.frames]
    present, sightings = _presence(rows, tables, options.num_slots)
    points = [_ground_points(camera, ground, table) for camera, table in zip(cameras, tables, strict=True)]
    keep = sightings >= max(options.min_seen_slots, 1)
    measured = np.zeros(len(rows.person_ids), bool)
    for table, point in zip(tables, points, strict=True):
        measured[table.person[np.isfinite(point.sigma_px)]] = True
    keep &= measured
    track = _paths(rows, tables, points, cameras, ground, options)

    index = np.flatnonzero(keep)
    place = np.full(len(rows.person_ids), -1)
    place[index] = np.arange(len(index))
    dense = [
        _dense(camera, table, point, place, len(index), options)
        for camera, table, point in zip(cameras, tables, points, strict=True)
    ]
    return WindowProblem(
        window=rows.window,
        slot0=rows.slot0,
        t0_ns=rows.t0_ns,
        person_ids=rows.person_ids[index].astype(np.int64),
        cameras=cameras,
        ground=ground,
        present=np.ascontiguousarray(present[index]),
        keypoints_px=np.stack([d[0] for d in dense]),
        confidence=np.stack([d[1] for d in dense]),
        box_px=np.stack([d[2] for d in dense]),
        hvip_px=np.stack([d[3] for d in dense]),
        hvip_sigma_px=np.stack([d[4] for d in dense]),
        track_m=np.where(present[index, :, None], track[index], 0.0).astype(np.float32),
        site=site,
    )


def _table(frames: Sequence[tuple[int, TrackedFrame]], rows: WindowRows) -> _Rows:
    """Flat rows of one camera, in order of slot and of the tracker."""
    person, slot, parts = [], [], []
    for at, frame in frames if len(rows.person_ids) else ():
        place = np.minimum(np.searchsorted(rows.person_ids, frame.person_ids), len(rows.person_ids) - 1)
        mine = np.flatnonzero(rows.person_ids[place] == frame.person_ids)
        if len(mine):
            person.append(place[mine])
            slot.append(np.full(len(mine), at - rows.slot0))
            parts.append((frame, mine))
    if not parts:
        none = np.zeros(0, np.int64)
        empty = np.zeros((0, 17, 2), np.float32)
        return _Rows(none, none, none.astype(bool), empty[:, 0, :].repeat(2, -1), empty, empty[..., 0])
    return _Rows(
        person=np.concatenate(person),
        slot=np.concatenate(slot),
        seen=np.concatenate([f.seen[i] for f, i in parts]),
        boxes_px=np.concatenate([f.boxes_px[i] for f, i in parts]),
        keypoints_px=np.concatenate([f.keypoints_px[i] for f, i in parts]),
        confidence=np.concatenate([f.confidence[i] for f, i in parts]),
    )


def _presence(
    rows: WindowRows, tables: Sequence[_Rows], num_slots: int
) -> tuple[Bool[Array, "N T"], Int[Array, "N"]]:
    """Slots in which each person exists, and in how many of them they are seen.

    From the first row to the last sighting; on to the last row if the tracker still holds the track in the
    window's last frame (else it has given the person up, and the tail was nobody).
    """
    n = len(rows.person_ids)
    any_row, seen = np.zeros((n, num_slots), bool), np.zeros((n, num_slots), bool)
    for table in tables:
        any_row[table.person, table.slot] = True
        seen[table.person[table.seen], table.slot[table.seen]] = True
    held = np.zeros(n, bool)
    for frames, table in zip(rows.frames, tables, strict=True):
        if frames:
            held[table.person[table.slot == frames[-1][0] - rows.slot0]] = True
    slots = np.arange(num_slots)
    end = np.where(held[:, None], any_row, seen)
    first = np.where(any_row.any(axis=1), any_row.argmax(axis=1), num_slots)
    last = np.where(end.any(axis=1), num_slots - 1 - end[:, ::-1].argmax(axis=1), -1)
    return (slots >= first[:, None]) & (slots <= last[:, None]), seen.sum(axis=1)


def _ground_points(camera: CameraModel, ground: Ground, table: _Rows) -> Hvip:
    """HVIP of every row. A torso height learnt from a person's window was tried: no gain (PETS09, < 1 mm)."""
    confidence = np.where(table.seen[:, None], table.confidence, 0.0)
    return hvip_from_keypoints(camera, ground, table.keypoints_px, confidence, table.boxes_px, lead_m=0.0)


def _paths(
    rows: WindowRows,
    tables: Sequence[_Rows],
    points: Sequence[Hvip],
    cameras: Sequence[CameraModel],
    ground: Ground,
    options: ProblemOptions,
) -> Float[Array, "N T 3"]:
    """Smoothed ground positions of everybody in every slot of the window."""
    n, t = len(rows.person_ids), options.num_slots
    information, pull = np.zeros((n, t, 2, 2)), np.zeros((n, t, 2))
    for table, point in zip(tables, points, strict=True):
        good = table.seen & np.isfinite(point.sigma_px)
        at = (table.person[good], table.slot[good])
        inverse = np.linalg.inv(point.covariance_m2[good])
        information[at] += inverse
        pull[at] += np.einsum("rij,rj->ri", inverse, point.position_m[good, :2])
    seen = np.trace(information, axis1=2, axis2=3) > 0
    filled = np.where(seen[..., None, None], information, np.eye(2))
    mean = np.linalg.solve(filled, pull[..., None])[..., 0]
    path = smooth_paths(mean, information, 1.0 / options.rate_hz, options.accel_sigma_mps2)
    flat = np.concatenate([path.reshape(-1, 2), np.zeros((n * t, 1))], axis=1)
    return shift_from_camera(cameras[0], ground, flat, 0.0).reshape(n, t, 3)


def _dense(
    camera: CameraModel,
    table: _Rows,
    point: Hvip,
    place: Int[Array, "N"],
    num_people: int,
    options: ProblemOptions,
) -> tuple[Array, Array, Array, Array, Array]:
    """One camera's observations as dense arrays over people and slots, float32."""
    shape = (num_people, options.num_slots)
    keypoints, confidence = np.zeros((*shape, 17, 2), np.float32), np.zeros((*shape, 17), np.float32)
    box, hvip_px = np.zeros((*shape, 4), np.float32), np.zeros((*shape, 2), np.float32)
    sigma = np.zeros(shape, np.float32)
    use = table.seen & (place[table.person] >= 0)
    at = (place[table.person[use]], table.slot[use])
    known = table.confidence[use]
    known = np.where(np.isfinite(known) & (known >= options.min_confidence), known, 0.0)
    pixels = camera.undistort_px(np.where(known[..., None] > 0, table.keypoints_px[use], 0.0))
    keypoints[at] = np.where(known[..., None] > 0, pixels, 0.0)
    confidence[at], box[at] = known, table.boxes_px[use]
    grounded = np.isfinite(point.sigma_px[use])
    hvip_px[at] = np.where(grounded[:, None], point.px[use], 0.0)
    sigma[at] = np.where(grounded, point.sigma_px[use], 0.0)
    return keypoints, confidence, box, hvip_px, sigma
