"""Records for the wire's tests and benchmarks: people who walk on straight lines, as plain arithmetic.

No random numbers and no engine, so the same call gives the same bits on every machine.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from ...kernels.camera import CameraModel
from ...kernels.ground import Ground, GroundPlane
from ...kernels.solve.problem import MODEL_RATE_HZ, Provenance, WindowSolution
from ...stream.identity import IdentityChange, IdentityEvent
from ...stream.records import ClockOrigin, TrackedFrame
from ...stream.refine.records import Revision, RevisionCause
from ...stream.track_backfill import take_rows
from ...stream.wire.schema import CameraInfo, SiteSchema

Array = np.ndarray
FRAME_NS = 40_000_000
"""25 Hz: on purpose another rate than the model's."""
SPEED_MPS = 1.25


def place_m(person: int, t_ns: int | Array) -> Float[Array, "... 3"]:
    """Where a person stands, metres: lanes along x, a metre and a half apart."""
    t_s = np.asarray(t_ns, np.float64) / 1e9
    y = np.full_like(t_s, 1.5 * person)
    return np.stack([SPEED_MPS * t_s - 4.0, y, np.zeros_like(t_s)], axis=-1)


def walkers_frame(
    people: int, index: int, camera: str = "cam0", ground: bool = True, unseen: int = 0
) -> TrackedFrame:
    """One frame: `people` confirmed tracks, of which the last `unseen` are predictions, and one not confirmed."""
    m = people + 1
    ids = np.arange(1, m + 1)
    t_ns = index * FRAME_NS
    feet = np.stack([place_m(int(p), t_ns) for p in ids])
    seen = np.arange(m) < people - unseen
    left = (100 + 40 * ids + index).astype(np.float32)
    boxes = np.stack([left, left / 2, left + 24, left / 2 + 64], axis=1)
    grid = np.arange(17 * 2, dtype=np.float32).reshape(17, 2)
    keypoints = boxes[:, None, :2] + grid / 2
    confidence = np.where(seen[:, None], np.linspace(0.25, 1.0, 17)[None], 0.0).astype(np.float32)
    nowhere = np.float32(1.0 if ground else np.nan)
    return TrackedFrame(
        camera=camera,
        index=index,
        t_capture_ns=t_ns,
        clock=ClockOrigin.FILE_PTS,
        size_px=(1280, 720),
        person_ids=ids.astype(np.int64),
        confirmed=np.arange(m) < people,
        seen=seen,
        boxes_px=boxes.astype(np.float32),
        scores=np.where(seen, 0.75, 0.0).astype(np.float32),
        keypoints_px=keypoints.astype(np.float32),
        confidence=confidence,
        position_m=feet.astype(np.float32) * nowhere,
        covariance_m2=np.tile(np.eye(2, dtype=np.float32) / 64, (m, 1, 1)) * nowhere,
        velocity_mps=np.tile(np.array([SPEED_MPS, 0], np.float32), (m, 1)) * nowhere,
        drops={"pose_budget": index % 3},
    )


def walkers_late(person: int, index: int, camera: str = "cam0") -> TrackedFrame:
    """The row of one person who was hidden in a frame of `walkers_frame`, as it is known later."""
    rows = take_rows(walkers_frame(person, index, camera, unseen=1), np.array([person - 1]))
    return replace(rows, position_m=rows.position_m + np.array([0.0, 0.25, 0.0], np.float32))


def walkers_window(
    people: int,
    window: int,
    hop: int = 16,
    frames: int = 64,
    rev: int = 0,
    shift_m: float = 0.0,
    turn_rad: float = 0.0,
) -> WindowSolution:
    """One window of the same people.

    Args:
        shift_m: error along y of this window's places, so that windows disagree.
        turn_rad: error of its root rotations.
    """
    slot0 = window * hop
    slots = slot0 + np.arange(frames)
    t_ns = np.round(slots * 1e9 / MODEL_RATE_HZ).astype(np.int64)
    ids = np.arange(1, people + 1)
    ground = np.stack([place_m(int(p), t_ns) for p in ids]) if people else np.zeros((0, frames, 3))
    ground = ground + np.array([0.0, shift_m, 0.0])
    u = (slots * 0.04) % 2.0 - 1.0
    wave = (4.0 * u * (1.0 - np.abs(u)))[
        None, :, None, None
    ]  # parabolas for a sine: no libm, the same bits everywhere
    swing = 0.25 * wave * np.ones((people, 1, 24, 3)) / (1 + np.arange(24)[:, None])
    pose = swing.copy()
    pose[:, :, 0] = [np.pi / 2 + turn_rad, 0.0, 0.0]  # the y-up body stands up in the z-up world
    bones = np.stack([np.zeros(24), np.zeros(24), np.linspace(0.05, 1.7, 24)], axis=1)
    f32 = np.float32
    return WindowSolution(
        window=window,
        slot0=slot0,
        t0_ns=int(t_ns[0]),
        rev=rev,
        person_ids=ids.astype(np.int64),
        pose_rotvec=pose.astype(f32),
        betas=(np.arange(10) / 8 * np.ones((people, 1))).astype(f32),
        transl_m=(ground + np.array([0.0, 0.0, 0.95])).astype(f32),
        joints_m=(ground[:, :, None] + bones).astype(f32),
        ground_m=ground.astype(f32),
        confidence=np.full((people, frames), 0.875, f32),
        provenance=np.full((people, frames), Provenance.OBSERVED, np.uint8),
        reprojection_px=np.full(people, 2.5, f32),
        status=np.zeros(people, np.uint8),
    )


def walkers_revision(
    people: int, window: int, rev: int = 1, frames: int = 64, shift_m: float = 0.0, guide: int = -1
) -> Revision:
    """Those bodies known better: person 1 with a filled gap and nothing to compare with, the others guided.

    Args:
        guide: who helped, with the first segment.
    """
    causes = [RevisionCause.GAP_FILLED] + [RevisionCause.GUIDED] * people
    guides = np.where(np.arange(people) > 0, guide, -1)
    return Revision(
        walkers_window(people, window, frames=frames, rev=rev, shift_m=shift_m),
        cause=np.array(causes[:people], np.uint8),
        guide_person=guides,
        guide_slot0=np.where(guides >= 0, 0, -1),
        changed_m=np.where(np.arange(people) > 0, 0.125, np.nan),
    )


def walkers_return(
    track: int,
    previous: int,
    person: int = 0,
    found_index: int = 100,
    gap_frames: int = 80,
    split: bool = False,
) -> IdentityEvent:
    """A track is somebody who was lost 3.2 s before it was first seen; or is not, after all.

    Args:
        person: the earliest tracklet; by default the one that was lost.
        found_index: frame of `walkers_frame` in which the track was first seen.
    """
    return IdentityEvent(
        change=IdentityChange.SPLIT if split else IdentityChange.MERGE,
        track=track,
        person=track if split else person or previous,
        previous=previous,
        t_capture_ns=(found_index + (20 if split else 10)) * FRAME_NS,
        lost_ns=(found_index - gap_frames) * FRAME_NS,
        found_ns=found_index * FRAME_NS,
        probability=0.0625 if split else 0.9375,
        evidence={"motion": -3.5 if split else 2.125, "appearance": 1.25},
        reason="goes the other way" if split else "came out where they went in",
    )


def walkers_schema(site: str = "hall") -> SiteSchema:
    """A site of two cameras, one of them calibrated, with a bounded second piece of ground."""
    model = CameraModel(
        K=np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]]),
        R_cam_world=np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
        t_cam_world_m=np.array([0.0, 3.0, 8.0]),
        size_px=(1280, 720),
        dist=np.array([-0.25, 0.0625, 0.0, 0.0, 0.0]),
    )
    stage = GroundPlane(offset_m=0.5, outline_m=np.array([[0.0, 0], [4, 0], [4, 2], [0, 2]]))
    cameras = (CameraInfo("cam0", (1280, 720), 25.0, model), CameraInfo("cam1", (640, 480)))
    return SiteSchema(site, cameras, Ground((GroundPlane(), stage)))
