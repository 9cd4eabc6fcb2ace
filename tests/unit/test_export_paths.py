"""Smoothed ground paths of a recording: nearer to the truth than the sightings, the same whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.hvip import BOX_LEAD_M, foot_point_of_boxes, shift_from_camera
from crowdstream.stream.export.paths import smoothed_places
from crowdstream.stream.records import ClockOrigin, TrackedFrame

FPS, SIZE = 20, (1280, 720)


def _camera() -> CameraModel:
    c, s = np.cos(np.deg2rad(20.0)), np.sin(np.deg2rad(20.0))
    R = np.array([[1.0, 0, 0], [0, -s, -c], [0, c, -s]])
    K = np.array([[1000.0, 0, 640], [0, 1000.0, 360], [0, 0, 1]])
    return CameraModel(K, R, -R @ np.array([0.0, 0.0, 5.0]), SIZE)


CAMERA, GROUND = _camera(), Ground()


def _truth(index: int) -> np.ndarray:
    """Two people who cross the view, metres."""
    t = index / FPS
    return np.array([[-3.0 + 1.2 * (t % 5), 12.0, 0.0], [2.0, 10.0 + 0.8 * (t % 5), 0.0]])


def _frame(index: int, noise: np.ndarray | float = 0.0, hidden: tuple[int, ...] = ()) -> TrackedFrame:
    """Boxes only: their bottom meets the ground where the nearer toes are."""
    foot = CAMERA.project(shift_from_camera(CAMERA, GROUND, _truth(index), -BOX_LEAD_M)) + noise
    boxes = np.concatenate([foot - np.array([15.0, 120.0]), foot + np.array([15.0, 0.0])], axis=1)
    seen = np.array([row not in hidden for row in range(2)])
    boxes[~seen] += 200.0  # a prediction that went astray must not matter
    return TrackedFrame(
        "cam", index, index * 10**9 // FPS, ClockOrigin.FILE_PTS, SIZE, np.array([4, 9]), np.ones(2, bool), seen,
        boxes.astype(np.float32), np.where(seen, 0.9, 0.0), np.zeros((2, 17, 2), np.float32),
        np.zeros((2, 17), np.float32), np.full((2, 3), np.nan), np.full((2, 2, 2), np.nan), np.full((2, 2), np.nan),
    )  # fmt: skip


def _errors(frames: list[TrackedFrame], block: int = 512) -> np.ndarray:
    placed = list(smoothed_places(frames, CAMERA, GROUND, block))
    assert [f.index for f, _ in placed] == [f.index for f in frames]
    return np.array([np.linalg.norm(p - _truth(f.index), axis=1) for f, p in placed])


def test_past_and_future_together_beat_every_sighting_alone() -> None:
    rng = np.random.default_rng(0)
    frames = [_frame(i, rng.normal(0, 4.0, (2, 2))) for i in range(100)]
    alone = np.array([
        np.linalg.norm(
            shift_from_camera(CAMERA, GROUND, foot_point_of_boxes(CAMERA, GROUND, f.boxes_px), BOX_LEAD_M)
            - _truth(f.index), axis=1,
        )
        for f in frames
    ])  # fmt: skip
    assert _errors(frames).mean() < 0.6 * alone.mean()


def test_a_gap_is_bridged_by_what_was_seen_before_and_after_not_by_predictions() -> None:
    frames = [_frame(i, hidden=(0,) if 30 <= i < 60 else ()) for i in range(100)]
    assert _errors(frames).max() < 0.05


def test_blocks_leave_no_seam() -> None:
    rng = np.random.default_rng(1)
    frames = [_frame(i, rng.normal(0, 3.0, (2, 2))) for i in range(700)]
    whole = [p for _, p in smoothed_places(frames, CAMERA, GROUND, 1000)]
    parts = [p for _, p in smoothed_places(frames, CAMERA, GROUND, 50)]
    np.testing.assert_allclose(parts, whole, atol=0.01)


@pytest.mark.parametrize("jump_frames", [500, 10**9])
def test_numbers_that_jump_cost_no_memory_and_no_frame(jump_frames: int) -> None:
    frames = [_frame(i) for i in [*range(20), *range(jump_frames, jump_frames + 20)]]
    assert _errors(frames).max() < 0.05


def test_a_frame_from_the_past_is_handed_on_without_places() -> None:
    frames = [_frame(0), _frame(5), _frame(3), _frame(6)]
    placed = dict((f.index, p) for f, p in smoothed_places(frames, CAMERA, GROUND))
    assert np.isnan(placed[3]).all() and np.isfinite(placed[5]).all()
