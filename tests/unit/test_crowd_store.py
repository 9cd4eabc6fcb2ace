"""A crowd's folder: bit for bit there and back, the same bytes twice, and one line for each kind of damage."""

from __future__ import annotations

import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from crowdstream.kernels.ground import Ground, GroundPlane
from crowdstream.lab.bench.identity import read_mot
from crowdstream.lab.virtualcrowd.arrays_file import CrowdFolderError
from crowdstream.lab.virtualcrowd.scene import Gate, Obstacle
from crowdstream.lab.virtualcrowd.sightings import Sightings
from crowdstream.lab.virtualcrowd.store import load_crowd, save_crowd, save_sightings, save_view
from crowdstream.lab.virtualcrowd.truth import CrowdMotion, View
from crowdstream.stream.calibration_file import load_calibration

sys.path.insert(0, str(Path(__file__).parents[1]))
from crowd_scenes import camera_at, crowd_of, standing

sys.path.pop(0)

CAMERA = camera_at((0.1, -10.0, 3.0), (0.0, 0.0, 0.9), dist=(-0.1, 0.01, 1e-3, 0.0))


@pytest.fixture
def motion() -> CrowdMotion:
    rng = np.random.default_rng(2)
    plain = crowd_of(standing((0.0, 0.0), yaw=0.3), standing((1.0, 2.0)), standing((30.0, 2.0)))
    ground = Ground((GroundPlane(), GroundPlane(np.array([0.0, 0.6, 0.8]), 0.1, rng.normal(size=(4, 2)))))
    scene = replace(
        plain.scene,
        ground=ground,
        obstacles=(Obstacle("hut", "kiosk", rng.normal(size=(5, 2)), 0.1, 2.3),),
        gates=(Gate("north", rng.normal(size=(2, 2))),),
    )
    return replace(
        plain, scene=scene, betas=rng.normal(size=(3, 10)).astype(np.float32), group=np.array([0, 0, -1])
    )


def made_up_view(motion: CrowdMotion, name: str = "low") -> View:
    rng = np.random.default_rng(3)
    n, f = len(motion.person_ids), 2
    corner = np.array(
        [[[100.0, 50.0], [-30.0, 10.0]], [[955.0, 600.0], [300.0, 20.0]], [[1200.0, 3.0], [0.0, 0.0]]]
    )
    size = np.array([[[40.0, 110.0]] * 2] * n)
    size[2, 1] = 0.0
    return View(
        name=name, camera=CAMERA, ground=motion.scene.ground, t_ns=np.array([0, 33_333_333]),
        person_ids=motion.person_ids, present=np.array([[True, True], [True, True], [True, False]]),
        keypoints_px=rng.normal(size=(n, f, 17, 2)).astype(np.float32),
        visibility=rng.integers(0, 4, (n, f, 17)).astype(np.uint8),
        joint_visibility=rng.integers(0, 4, (n, f, 24)).astype(np.uint8),
        box_px=np.concatenate([corner, corner + size], -1).astype(np.float32),
        seen_share=rng.random((n, f)).astype(np.float32),
    )  # fmt: skip


def made_up_sightings() -> Sightings:
    rng = np.random.default_rng(4)
    return Sightings(
        (960, 640), np.array([0, 33_333_333]), np.array([0, 0, 1]), rng.random((3, 4)), rng.random(3),
        rng.random((3, 17, 2)), rng.random((3, 17)), np.array([1, 0, 2]),
    )  # fmt: skip


def same(a: object, b: object) -> bool:
    """Deep equality of records, with types of arrays."""
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        )
    if isinstance(a, tuple):
        return (
            isinstance(b, tuple) and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
        )
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))  # type: ignore[arg-type]
    return a == b


def saved(folder: Path, motion: CrowdMotion) -> Path:
    save_crowd(folder, motion, {"people": 3, "scene": "made up"}, {"a clip": "CC0-1.0"})
    save_view(folder, made_up_view(motion))
    save_sightings(folder, "low", made_up_sightings())
    return folder


def test_there_and_back_bit_for_bit(tmp_path: Path, motion: CrowdMotion) -> None:
    crowd = load_crowd(saved(tmp_path / "crowd", motion))
    assert same(crowd.motion, motion)
    assert same(crowd.view("low"), made_up_view(motion))
    assert same(crowd.sightings("low"), made_up_sightings())
    assert crowd.config == {"people": 3, "scene": "made up"} and crowd.licences == {"a clip": "CC0-1.0"}
    assert crowd.camera_names == ("low",) and crowd.video("low") is None


def test_same_crowd_same_bytes(tmp_path: Path, motion: CrowdMotion) -> None:
    first, second = (saved(tmp_path / name, motion) for name in ("a", "b"))
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(files) == 6
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes(), file
    assert not list(tmp_path.rglob("*.part"))


def test_calibration_is_the_engines_own(tmp_path: Path, motion: CrowdMotion) -> None:
    crowd = load_crowd(saved(tmp_path / "crowd", motion))
    held = load_calibration(crowd.calibration("low"))
    points = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_allclose(held.camera.project(points), CAMERA.project(points), atol=1e-6)
    assert len(held.ground.planes) == 2


def test_mot_text_is_read_by_the_identity_benchmark(tmp_path: Path, motion: CrowdMotion) -> None:
    folder = saved(tmp_path / "crowd", motion)
    view = made_up_view(motion)
    rows = read_mot(folder / "cameras" / "low" / "gt.txt")
    assert rows[:, :2].tolist() == [
        [1, 1],
        [1, 2],
        [2, 1],
        [2, 2],
    ]  # person 3 is beyond the border, then absent
    np.testing.assert_allclose(rows[0, 2:6], [100, 50, 40, 110], atol=0.006)
    assert (rows[:, 6:8] == 1).all()
    np.testing.assert_allclose(rows[:, 8], view.seen_share[[0, 1, 0, 1], [0, 0, 1, 1]], atol=6e-4)


def test_a_new_crowd_replaces_the_old_one_with_its_cameras(tmp_path: Path, motion: CrowdMotion) -> None:
    folder = saved(tmp_path / "crowd", motion)
    (folder / "cameras" / "low" / "notes.txt").write_text("mine")
    save_crowd(folder, replace(motion, seed=8), {})
    crowd = load_crowd(folder)
    assert crowd.seed == 8 and crowd.camera_names == ()
    assert (folder / "cameras" / "low" / "notes.txt").read_text() == "mine"


def test_a_foreign_folder_is_left_alone(tmp_path: Path, motion: CrowdMotion) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CrowdFolderError, match="no virtual crowd"):
        save_crowd(tmp_path, motion, {})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def manifest(folder: Path, **changes: object) -> None:
    path = folder / "crowd.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_each_kind_of_damage_has_its_line(tmp_path: Path, motion: CrowdMotion) -> None:
    folder = saved(tmp_path / "crowd", motion)
    place = folder / "cameras" / "low"
    for break_it, use, words in (
        (lambda: None, lambda: load_crowd(tmp_path / "none"), "is not there"),
        (lambda: None, lambda: load_crowd(tmp_path), "has no crowd.json"),
        (lambda: None, lambda: load_crowd(folder).view("high"), "no camera 'high'; it has low"),
        (lambda: (place / "sightings.npz").unlink(), lambda: load_crowd(folder).sightings("low"), "no simulated"),
        (lambda: _cut(place / "view.npz"), lambda: load_crowd(folder).view("low"), "damaged"),
        (lambda: np.savez(place / "view.npz", a=1), lambda: load_crowd(folder).view("low"), "lacks t_ns"),
        (lambda: _flip(folder / "motion.npz"), lambda: load_crowd(folder).motion, "damaged"),
        (lambda: (folder / "motion.npz").unlink(), lambda: load_crowd(folder).motion, "missing"),
        (lambda: manifest(folder, people=[]), lambda: load_crowd(folder), "damaged|other people"),
        (lambda: manifest(folder, scene={}), lambda: load_crowd(folder), "damaged"),
        (lambda: manifest(folder, version=2), lambda: load_crowd(folder), "update crowdstream"),
        (lambda: manifest(folder, format="x"), lambda: load_crowd(folder), "not a crowd"),
        (lambda: (folder / "crowd.json").write_text("{"), lambda: load_crowd(folder), "not JSON"),
    ):  # fmt: skip
        break_it()
        if words.endswith("other people"):
            use()
            continue
        with pytest.raises(CrowdFolderError, match=words) as caught:
            use()
        assert "\n" not in str(caught.value)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:400])


def _flip(path: Path) -> None:
    """Spoils the middle of the first array's compressed data."""
    data = bytearray(path.read_bytes())
    for index in range(len(data) // 2, len(data) // 2 + 60):
        data[index] ^= 0x5A
    path.write_bytes(bytes(data))


def test_views_of_another_crowd_and_odd_names_are_refused(tmp_path: Path, motion: CrowdMotion) -> None:
    folder = saved(tmp_path / "crowd", motion)
    with pytest.raises(CrowdFolderError, match="other people"):
        save_view(folder, replace(made_up_view(motion), person_ids=np.array([4, 5, 6])))
    for name in ("../up", "", "a/b", ".hidden"):
        with pytest.raises(CrowdFolderError, match="camera name"):
            save_view(folder, made_up_view(motion, name))


def test_nothing_is_unpickled_or_pickled(tmp_path: Path, motion: CrowdMotion) -> None:
    folder = saved(tmp_path / "crowd", motion)
    np.savez(
        folder / "motion.npz",
        **{name: np.array([None]) for name in ("person_ids", "group")},
        allow_pickle=True,
    )
    with pytest.raises(CrowdFolderError):
        _ = load_crowd(folder).motion
    with pytest.raises(CrowdFolderError, match="plain numbers"):
        save_crowd(tmp_path / "other", replace(motion, group=np.array([None, None, 1], object)), {})
