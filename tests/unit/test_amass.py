"""AMASS files come out as clips of the recordings' conventions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from crowdstream.lab.amass import PELVIS_REST_M, category_of, is_amass, read_amass, read_amass_file
from crowdstream.lab.mocap import MocapError


def written(path: Path, rate: float = 120.0, **without: bool) -> Path:
    """Two seconds of a body that glides at 1.2 m/s along world +x, z up, facing that way."""
    count = int(2 * rate)
    poses = np.zeros((count, 156))
    # AMASS bodies are y up inside; (2 pi / 3 about 1, 1, 1) stands them up, facing +x
    poses[:, :3] = 2 * np.pi / 3 / np.sqrt(3)
    trans = np.zeros((count, 3))
    trans[:, 0] = 1.2 * np.arange(count) / rate
    trans[:, 2] = 0.95 - PELVIS_REST_M[1]
    fields = {"poses": poses, "trans": trans, "mocap_framerate": np.array(rate), "betas": np.zeros(16)}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{key: value for key, value in fields.items() if key not in without})
    return path


def test_rate_axes_and_travel(tmp_path: Path) -> None:
    clip = read_amass_file(written(tmp_path / "walk_01_poses.npz"))
    assert clip.num_frames == 60 and clip.category == "walk" and clip.flat_ground
    step = np.diff(clip.pelvis_m, axis=0)
    np.testing.assert_allclose(step[:, 1], 0.0, atol=1e-6)  # y is up
    assert step[:, 0].min() > 0.01 and np.abs(step[:, 2]).max() < 1e-6
    forward = np.cross([0, 1, 0], [0, 0, 1])  # +x of y-up: where a body turned by 90 degrees about y looks
    looks = Rotation.from_rotvec(clip.pose_rotvec[0, 0]).apply([0.0, 0.0, 1.0])
    np.testing.assert_allclose(looks, forward, atol=1e-6)


def test_soles_stand_on_the_floor(tmp_path: Path) -> None:
    clip = read_amass_file(written(tmp_path / "x.npz"))
    # straight legs of the reference skeleton: pelvis 0.946 m over the soles
    np.testing.assert_allclose(clip.pelvis_m[:, 1], 0.946, atol=0.01)


def test_folders_are_read_in_order(tmp_path: Path) -> None:
    written(tmp_path / "b" / "run_poses.npz")
    written(tmp_path / "a" / "stand_poses.npz")
    np.savez(tmp_path / "a" / "shape.npz", betas=np.zeros(10))
    assert is_amass(tmp_path)
    clips = read_amass(tmp_path)
    assert [clip.name for clip in clips] == ["a/stand_poses", "b/run_poses"]
    assert [clip.subject for clip in clips] == ["a", "b"]
    assert [clip.category for clip in clips] == ["idle_stand", "run"]


@pytest.mark.parametrize("missing", ["poses", "trans", "mocap_framerate"])
def test_missing_fields_are_named(tmp_path: Path, missing: str) -> None:
    path = written(tmp_path / "x.npz", **{missing: True})
    with pytest.raises(MocapError, match=r"x\.npz"):
        read_amass_file(path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"not a zip")
    with pytest.raises(MocapError, match=r"x\.npz"):
        read_amass_file(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("title", "category"),
    [
        ("Walk_Turn", "turn"),
        ("jog_02", "run"),
        ("danceLoop", "dance"),
        ("sit_down", "sit_getup"),
        ("lying", "floor"),
    ],
)
def test_titles_name_categories(title: str, category: str) -> None:
    assert category_of(title, np.ones((5, 3))) == category


def test_pace_decides_where_the_title_is_silent() -> None:
    pelvis = np.zeros((60, 3))
    pelvis[:, 1] = 0.9
    for pace, category in ((0.0, "idle_stand"), (1.3, "walk"), (2.8, "run")):
        pelvis[:, 2] = pace * np.arange(60) / 30.0
        assert category_of("take_7", pelvis) == category
