"""The calibration stage: bounded, deterministic, patient; and it finds the real hall within four seconds."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.calibration import Refusal, rod_length_m
from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.errors import CalibrationError
from crowdstream.kernels.hvip import ANKLE_HEIGHT_M
from crowdstream.stream.calibrate import CalibrateConfig, CalibrationStage
from crowdstream.stream.calibration_file import Calibration
from crowdstream.stream.records import ClockOrigin, Observation

SIZE = (1280, 720)
PITCH = np.radians(28.0)
R = np.array([[1, 0, 0], [0, -np.sin(PITCH), -np.cos(PITCH)], [0, np.cos(PITCH), -np.sin(PITCH)]])
CAMERA = CameraModel(
    np.array([[1100.0, 0, 639.5], [0, 1100.0, 359.5], [0, 0, 1]]), R, -R @ np.array([0, 0, 7.0]), SIZE
)


def walkers(count: int, frames: int, seed: int = 0) -> list[Observation]:
    """People who walk on straight lines under a camera 7 m up, one picture every tenth of a second."""
    rng = np.random.default_rng(seed)
    start = rng.uniform([-6.0, 9.0], [6.0, 24.0], (count, 2))
    pace = rng.normal(0.0, 0.9, (count, 2))
    stature = 1.0 + 0.04 * rng.normal(size=count)
    out = []
    for index in range(frames):
        foot = np.concatenate([start + 0.1 * index * pace, np.full((count, 1), ANKLE_HEIGHT_M)], axis=1)
        lean = np.radians(2.0) * rng.normal(size=(count, 2))
        up = np.concatenate([lean, np.ones((count, 1))], axis=1) * (rod_length_m() * stature)[:, None]
        keypoints = np.zeros((count, 17, 2))
        for pair, share in (((15, 16), 0.0), ((13, 14), 0.3), ((11, 12), 0.6), ((5, 6), 1.0)):
            keypoints[:, list(pair)] = CAMERA.project(foot + share * up)[:, None] + [[3.0, 0.0], [-3.0, 0.0]]
        head, sole = CAMERA.project(foot + 1.25 * up), CAMERA.project(foot - 0.05 * up)
        half = 0.2 * (sole[:, 1] - head[:, 1])
        boxes = np.stack([head[:, 0] - half, head[:, 1], head[:, 0] + half, sole[:, 1]], axis=1)
        out.append(
            Observation(
                "hall", index, index * 100_000_000, ClockOrigin.FILE_PTS, SIZE, boxes.astype(np.float32),
                np.ones(count, np.float32), True, keypoints.astype(np.float32),
                np.ones((count, 17), np.float32), np.ones(count, bool),
            )
        )  # fmt: skip
    return out


def test_finds_the_camera_once_it_has_seen_enough() -> None:
    stage, first = CalibrationStage(CalibrateConfig(), SIZE), None
    for observation in walkers(30, 40):
        stage.push(observation)
        if first is None and stage.ready():
            first = observation.index
    assert first is not None and first < 20
    found = stage.estimate()
    assert isinstance(found, Calibration) and found.origin == "self" and found.confidence is not None
    assert found.camera.K[0, 0] == pytest.approx(1100.0, rel=0.06)
    assert found.camera_height_m == pytest.approx(7.0, rel=0.05)
    assert found.camera.R_cam_world[:, 2] @ R[:, 2] > np.cos(np.radians(1.0))


def test_too_few_people_are_refused_in_words_and_not_asked_about_again_at_once() -> None:
    stage = CalibrationStage(CalibrateConfig(), SIZE)
    assert not stage.ready()
    for observation in walkers(3, 6):
        stage.push(observation)
    found = stage.estimate()
    assert isinstance(found, Refusal) and "uprights of 60" in str(found)
    assert found.needed == 60 and found.uprights == stage.uprights
    full = CalibrationStage(CalibrateConfig(min_uprights=8, min_people=9), SIZE)
    for observation in walkers(5, 30):
        full.push(observation)
    assert full.ready()
    full.estimate()
    assert not full.ready()


def test_the_same_frames_give_the_same_calibration() -> None:
    def run() -> np.ndarray:
        stage = CalibrationStage(CalibrateConfig(uprights_per_cell=4, bootstrap_samples=12), SIZE)
        for observation in walkers(25, 60):
            stage.push(observation)
        found = stage.estimate()
        assert isinstance(found, Calibration)
        return found.camera.K

    np.testing.assert_array_equal(run(), run())


def test_memory_is_bounded_and_spread() -> None:
    stage = CalibrationStage(CalibrateConfig(uprights_per_cell=3, person_gap_s=0.0), SIZE)
    counts = []
    for observation in walkers(20, 120):
        stage.push(observation)
        counts.append(stage.uprights)
    assert counts[-1] <= 3 * 16 * 16
    assert counts[-1] - counts[-20] < counts[20] - counts[0]


def test_one_person_is_one_person() -> None:
    stage = CalibrationStage(CalibrateConfig(person_gap_s=0.0), SIZE)
    for observation in walkers(12, 20):
        stage.push(observation)
    assert len(np.unique(stage.collected().person)) <= 15  # two may pass so close that boxes swap


def test_wrong_use_is_named() -> None:
    with pytest.raises(CalibrationError, match="give one of them"):
        CalibrationStage(CalibrateConfig(focal_px=900.0, fov_deg=60.0), SIZE)
    with pytest.raises(CalibrationError, match="one stage serves one camera"):
        CalibrationStage(CalibrateConfig(), (640, 480)).push(walkers(3, 1)[0])


def test_a_field_of_view_is_a_focal_length() -> None:
    fov = float(np.degrees(2 * np.arctan(640.0 / 1100.0)))
    stage = CalibrationStage(CalibrateConfig(fov_deg=fov), SIZE)
    for observation in walkers(30, 30):
        stage.push(observation)
    found = stage.estimate()
    assert isinstance(found, Calibration)
    assert found.camera.K[0, 0] == pytest.approx(1100.0)
