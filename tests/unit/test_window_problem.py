"""The arrays of a window problem: undistorted, masked, grounded under the torso."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground, GroundPlane
from crowdstream.stream.records import ClockOrigin, TrackedFrame
from crowdstream.stream.window_problem import ProblemOptions, WindowRows, build_problem

TILT = np.deg2rad(30)
CAMERA = CameraModel(
    K=np.array([[800.0, 0, 320], [0, 800.0, 240], [0, 0, 1]]),
    R_cam_world=np.array([[1.0, 0, 0], [0, -np.sin(TILT), -np.cos(TILT)], [0, np.cos(TILT), -np.sin(TILT)]]),
    t_cam_world_m=np.array([0.0, 2.0, 12.0]),
    size_px=(640, 480),
    dist=np.array([-0.15, 0.0, 0.0, 0.0]),
)
OTHER = replace(CAMERA, t_cam_world_m=np.array([2.0, 2.0, 9.0]))
OPTIONS = ProblemOptions(num_slots=16)

# heights over the ground of COCO's keypoints on a standing adult, metres
HEIGHTS = np.array(
    [1.58, 1.6, 1.6, 1.58, 1.58, 1.35, 1.35, 1.1, 1.1, 0.85, 0.85, 0.85, 0.85, 0.48, 0.48, 0.14, 0.14]
)


def standing(camera: CameraModel, foot_m: np.ndarray, name: str = "a", **changes: object) -> TrackedFrame:
    """One frame with one person (id 7) whose keypoints are stacked over a point of the ground."""
    body = foot_m + HEIGHTS[:, None] * np.array([0.0, 0.0, 1.0])
    keypoints = camera.project(body)
    low, high = keypoints.max(axis=0) + np.array([12, 4]), keypoints.min(axis=0) - np.array([12, 8])
    frame = TrackedFrame(
        camera=name,
        index=0,
        t_capture_ns=0,
        clock=ClockOrigin.FILE_PTS,
        size_px=camera.size_px,
        person_ids=np.array([7]),
        confirmed=np.ones(1, bool),
        seen=np.ones(1, bool),
        boxes_px=np.concatenate([high, low])[None].astype(np.float32),
        scores=np.ones(1, np.float32),
        keypoints_px=keypoints[None].astype(np.float32),
        confidence=np.full((1, 17), 0.9, np.float32),
        position_m=np.full((1, 3), np.nan),
        covariance_m2=np.full((1, 2, 2), np.nan),
        velocity_mps=np.full((1, 2), np.nan),
    )
    return replace(frame, **changes)


def rows_of(*cameras: dict[int, TrackedFrame], ids: tuple[int, ...] = (7,)) -> WindowRows:
    frames = tuple(tuple((160 + t, frame) for t, frame in sorted(camera.items())) for camera in cameras)
    return WindowRows(window=10, slot0=160, t0_ns=99, frames=frames, person_ids=np.array(ids, np.int64))


def walk(t: int) -> np.ndarray:
    return np.array([-0.5 + 0.04 * t, 0.5, 0.0])


def test_keypoints_are_what_an_ideal_camera_would_see() -> None:
    rows = rows_of({t: standing(CAMERA, walk(t)) for t in range(16)})
    problem = build_problem(rows, (CAMERA,), Ground(), OPTIONS)
    ideal = replace(CAMERA, dist=np.zeros(4))
    body = walk(3) + HEIGHTS[:, None] * np.array([0.0, 0.0, 1.0])
    np.testing.assert_allclose(problem.keypoints_px[0, 0, 3], ideal.project(body), atol=0.01)
    assert np.abs(CAMERA.project(body) - ideal.project(body)).max() > 0.05  # the distortion is felt
    assert (problem.window, problem.slot0, problem.t0_ns) == (10, 160, 99)
    assert problem.present.all() and problem.observed.all()
    for name in ("keypoints_px", "confidence", "box_px", "hvip_px", "hvip_sigma_px", "track_m"):
        array = getattr(problem, name)
        assert array.dtype == np.float32 and array.flags.c_contiguous, name


def test_the_track_stands_under_the_torso_and_its_pixel_agrees() -> None:
    rows = rows_of({t: standing(CAMERA, walk(t)) for t in range(16)})
    problem = build_problem(rows, (CAMERA,), Ground(), OPTIONS)
    truth = np.array([walk(t) for t in range(16)])
    assert np.linalg.norm(problem.track_m[0] - truth, axis=1).max() < 0.15
    ideal = replace(CAMERA, dist=np.zeros(4))
    away = np.linalg.norm(problem.hvip_px[0, 0] - ideal.project(truth), axis=1)
    assert (away < 3 * problem.hvip_sigma_px[0, 0]).all() and (problem.hvip_sigma_px > 0).all()


def test_gaps_are_bridged_on_the_surface() -> None:
    slope = Ground((GroundPlane(normal=np.array([-0.1, 0.0, 1.0]) / np.sqrt(1.01)),))
    frames = {t: standing(CAMERA, np.array([*walk(t)[:2], 0.1 * walk(t)[0]])) for t in (0, 1, 2, 12, 13, 14)}
    problem = build_problem(rows_of(frames), (CAMERA,), slope, OPTIONS)
    assert problem.present[0].tolist() == [True] * 15 + [False]
    assert problem.observed[0].sum() == 6
    np.testing.assert_allclose(slope.planes[0].height_m(problem.track_m[0, :15]), 0.0, atol=1e-5)
    truth = np.array([walk(t)[:2] for t in range(15)])
    assert np.linalg.norm(problem.track_m[0, :15, :2] - truth, axis=1).max() < 0.2
    assert not problem.track_m[0, 15].any()


def test_doubtful_keypoints_and_unseen_rows_are_masked() -> None:
    doubt = np.full((1, 17), 0.9, np.float32)
    doubt[0, :5] = 0.19
    doubt[0, 5] = np.nan
    frames = {t: standing(CAMERA, walk(t), confidence=doubt) for t in range(4)}
    frames[4] = standing(CAMERA, walk(4), seen=np.zeros(1, bool))
    frames[5] = standing(CAMERA, walk(5))
    problem = build_problem(rows_of(frames), (CAMERA,), Ground(), OPTIONS)
    assert not problem.confidence[0, 0, :4, :6].any() and (problem.confidence[0, 0, :4, 6:] > 0).all()
    assert problem.present[0, 4] and not problem.observed[0, 4]
    for name in ("confidence", "box_px", "hvip_px", "hvip_sigma_px", "keypoints_px"):
        assert not getattr(problem, name)[0, 0, 4].any(), name
    assert np.isfinite(problem.keypoints_px).all()


def test_people_with_hardly_a_sighting_are_left_to_the_next_window() -> None:
    few = {t: standing(CAMERA, walk(t)) for t in range(2)}
    assert build_problem(rows_of(few), (CAMERA,), Ground(), OPTIONS).num_people == 0
    assert build_problem(rows_of({}), (CAMERA,), Ground(), OPTIONS).num_people == 0
    enough = {t: standing(CAMERA, walk(t)) for t in range(3)}
    problem = build_problem(rows_of(enough, ids=(3, 7, 9)), (CAMERA,), Ground(), OPTIONS)
    assert problem.person_ids.tolist() == [7]


def test_two_views_are_joined_by_their_certainty() -> None:
    truth = np.array([walk(t) for t in range(16)])
    one = {t: standing(CAMERA, walk(t)) for t in range(16)}
    two = {t: standing(OTHER, walk(t), "b") for t in range(0, 16, 2)}
    problem = build_problem(rows_of(one, two), (CAMERA, OTHER), Ground(), OPTIONS)
    assert problem.keypoints_px.shape == (2, 1, 16, 17, 2)
    assert problem.confidence[1, 0].any(axis=1).tolist() == [True, False] * 8
    assert np.linalg.norm(problem.track_m[0] - truth, axis=1).max() < 0.15
