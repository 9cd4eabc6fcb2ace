"""The identity benchmark's own parts: its files, its pairing of boxes, and what it says without its package."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.hvip import foot_point_of_boxes
from crowdstream.lab.bench.identity import ground_error, read_mot, run_identity, write_mot
from crowdstream.lab.bench.metric import Direction

K = np.array([[1000.0, 0, 640], [0, 1000.0, 360], [0, 0, 1]])
DOWN = np.array([[1.0, 0, 0], [0, -0.5, -0.8660254], [0, 0.8660254, -0.5]])
GEOMETRY = (CameraModel(K, DOWN, -DOWN @ np.array([0, 0, 8.0]), (1280, 720)), Ground())


def _truth() -> np.ndarray:
    rows = np.full((6, 10), -1.0)
    for i in range(6):
        rows[i, :6] = [i // 2 + 1, i % 2 + 1, 300 + 400 * (i % 2), 200, 40, 100]
    return rows


def _result(off_m: float) -> np.ndarray:
    rows = _truth()
    boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
    rows[:, 7:] = foot_point_of_boxes(*GEOMETRY, boxes) + np.array([off_m, 0.0, 0.0])
    return rows


def test_the_ground_error_is_the_distance_to_the_matched_box_only() -> None:
    result = _result(0.3)
    result[0, 2] += 500  # matches nobody
    result[1, 7:] = -1  # no ground yet
    median, p90, count = ground_error("x", result, _truth(), GEOMETRY)
    assert (median.value, p90.value, count.value) == pytest.approx((0.3, 0.3, 4))
    assert median.direction is Direction.LOWER and median.key == "identity.x.ground_error_median"
    assert ground_error("x", _truth(), _truth(), GEOMETRY) == []


def test_mot_text_comes_back_and_nowhere_is_minus_one(tmp_path: Path) -> None:
    rows = _result(0.0)
    rows[2, 7:] = np.nan
    back = read_mot(write_mot(tmp_path / "a.txt", rows))
    np.testing.assert_allclose(back, np.where(np.isnan(rows), -1.0, rows), atol=1e-3)


@pytest.mark.parametrize("text", ["", "1,2,3\n", "frame,id\n"])
def test_a_file_that_is_no_mot_text_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(CrowdstreamError, match="expected"):
        read_mot(tmp_path / "a.txt")


def test_without_the_public_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.raises(CrowdstreamError, match="pip install"):
        run_identity(Path("a"), Path("b"))
