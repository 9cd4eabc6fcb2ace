"""Calibration files: what is written reads back the same, and each kind of nonsense is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdstream.kernels.calibration import CalibrationConfidence
from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.errors import CalibrationError
from crowdstream.kernels.ground import Ground, GroundPlane
from crowdstream.stream.calibration_file import Calibration, load_calibration, save_calibration, scale_to

R = np.array([[1.0, 0, 0], [0, -0.5, -np.sqrt(0.75)], [0, np.sqrt(0.75), -0.5]])  # 30 degrees down, +y ahead


def document(**changes: Any) -> dict[str, Any]:
    good: dict[str, Any] = {
        "image_size": [640, 480],
        "K": [[500.0, 0, 320], [0, 500.0, 240], [0, 0, 1]],
        "R": R.tolist(),
        "t": (-R @ np.array([0, 0, 5.0])).tolist(),
        "dist_k1k2p1p2": [-0.1, 0.0, 0.0, 0.0],
    }
    return {key: value for key, value in (good | changes).items() if value is not None}


def written(folder: Path, content: object) -> Path:
    path = folder / "calibration.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_round_trip_keeps_every_digit(tmp_path: Path) -> None:
    ground = Ground(
        (
            GroundPlane(covariance=np.diag([1e-4, 2e-4, 3e-3])),
            GroundPlane(np.array([0.0, 0.6, 0.8]), 0.7, np.array([[0.0, 0], [1, 0], [1, 2]])),
        )
    )
    camera = CameraModel(
        np.array([[500.1, 0, 319.5], [0, 501.7, 239.5], [0, 0, 1]]), R, -R @ np.array([1.0, 2, 5]), (640, 480),
        np.array([-0.1, 0.02, 1e-3, 2e-3, 1e-4]),
    )  # fmt: skip
    before = Calibration(camera, ground, "self", CalibrationConfidence(300, 40, 0.02, 0.5, 0.03, 50))
    save_calibration(before, tmp_path / "c.json")
    after = load_calibration(tmp_path / "c.json")
    np.testing.assert_array_equal(after.camera.K, camera.K)
    np.testing.assert_allclose(after.camera.R_cam_world, R, atol=1e-15)
    np.testing.assert_array_equal(after.camera.dist, camera.dist)
    assert after.camera.size_px == (640, 480)
    assert after.origin == "self" and after.confidence == before.confidence
    assert len(after.ground.planes) == 2
    np.testing.assert_array_equal(after.ground.planes[0].covariance, ground.planes[0].covariance)
    np.testing.assert_array_equal(after.ground.planes[1].outline_m, ground.planes[1].outline_m)
    assert after.ground.planes[1].offset_m == 0.7


def test_scaled_intrinsics_see_the_same_picture(tmp_path: Path) -> None:
    path = written(tmp_path, document())
    small, large = load_calibration(path), load_calibration(path, size_px=(1280, 960))
    points = np.array([[0.0, 8.0, 0.0], [2.0, 12.0, 1.7], [-1.0, 6.0, 0.5]])
    # relative place in the picture, corner to corner
    np.testing.assert_allclose(
        (large.camera.project(points) + 0.5) / [1280, 960], (small.camera.project(points) + 0.5) / [640, 480]
    )
    np.testing.assert_allclose(scale_to(large.camera, (640, 480)).K, small.camera.K)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ([1, 2], "holds a list"),
        (document(R=None), "lacks R"),
        ({"intrinsics": 1}, "lacks K, R, t, image_size"),
        (document(R=(2 * R).tolist()), "not a rotation"),
        (document(R=(-R).tolist()), "not a rotation"),
        (document(R=[[1, 0], [0, 1]]), "shape"),
        (document(K=[[500.0, 0, float("nan")], [0, 500, 240], [0, 0, 1]]), "not finite"),
        (document(K=[["a", 0, 1], [0, 500, 240], [0, 0, 1]]), "not numbers"),
        (document(K=[[-500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), "positive"),
        (document(t=(-R @ np.array([0, 0, -5.0])).tolist()), "under the ground"),
        (
            document(R=(np.diag([-1.0, -1, 1]) @ R @ np.diag([1.0, -1, -1])).tolist(), t=[0, 0, -5.0]),
            "ground",
        ),
        (document(image_size=[640.5, 480]), "whole"),
        (document(unit="millimetre"), "metres"),
        (document(dist_k1k2p1p2=[0.1]), "expected k1 k2 p1 p2"),
        (document(ground={"planes": []}), "planes"),
        (document(ground={"planes": [{"normal": [0, 0, 2], "offset_m": 0}]}), "length 2"),
        (document(format="crowdstream-calibration", version=99), "version 99"),
        (document(confidence={"luck": 1}), "confidence"),
        ({"cameras": []}, "'cameras' must be"),
        ({"cameras": [document(name="a"), document(name="b")]}, "cameras a, b"),
    ],
)
def test_nonsense_is_named(tmp_path: Path, content: object, words: str) -> None:
    with pytest.raises(CalibrationError, match=words) as caught:
        load_calibration(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_camera_that_looks_up_is_refused(tmp_path: Path) -> None:
    up = np.array([[1.0, 0, 0], [0, 0.5, -np.sqrt(0.75)], [0, np.sqrt(0.75), 0.5]])
    with pytest.raises(CalibrationError, match="does not look at the ground"):
        load_calibration(written(tmp_path, document(R=up.tolist(), t=(-up @ np.array([0, 0, 5.0])).tolist())))


def test_missing_file_and_other_aspect(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="there is no calibration file"):
        load_calibration(tmp_path / "nowhere.json")
    with pytest.raises(CalibrationError, match="another aspect"):
        load_calibration(written(tmp_path, document()), size_px=(1280, 720))


def test_one_camera_of_several_by_name(tmp_path: Path) -> None:
    other = document(name="b", t=(-R @ np.array([3.0, 0, 4.0])).tolist())
    path = written(tmp_path, {"cameras": [document(name="a"), other]})
    np.testing.assert_allclose(load_calibration(path, "b").camera.centre_world_m, [3.0, 0.0, 4.0])
    assert load_calibration(path, "a").camera_height_m == pytest.approx(5.0)


@pytest.mark.data
def test_the_real_files_load(data_dir: Path) -> None:
    pets = load_calibration(data_dir / "video" / "pets09_calibration.json", size_px=(480, 360))
    assert pets.camera_height_m == pytest.approx(7.07, abs=0.05)
    four = data_dir / "video" / "multicam_4view" / "calibration.json"
    heights = [load_calibration(four, f"cam0{i}").camera_height_m for i in (1, 2, 3, 4)]
    assert all(1.0 < height < 3.0 for height in heights)
