"""Exported files against the walkers whose places are known."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from crowdstream.kernels.solve.problem import Provenance, WindowSolution
from crowdstream.lab.bench.wire_cases import (
    FRAME_NS,
    place_m,
    walkers_frame,
    walkers_late,
    walkers_schema,
    walkers_window,
)
from crowdstream.stream.errors import ExportError, LogError
from crowdstream.stream.export.amass import export_amass
from crowdstream.stream.export.csv_tables import export_csv
from crowdstream.stream.export.merge import blend_weights, merge_windows, unwrap_rotvec
from crowdstream.stream.export.mot import export_mot
from crowdstream.stream.export.recording import Exported, Recording
from crowdstream.stream.wire.log import LogWriter
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage

PELVIS = np.array([0, 0, 0.95])


def record(path: Path, fill: Callable[[PublisherStage], None]) -> Recording:
    publisher = PublisherStage(
        PublishConfig(listen="", session="s", append=True), "hall", walkers_schema(), path
    )
    publisher.start()
    fill(publisher)
    publisher.stop()
    return Recording(path)


def walk(publisher: PublisherStage) -> None:
    """Four seconds: 100 frames at 25 Hz, four windows that end at slot 112."""
    for i in range(100):
        publisher.push_live(walkers_frame(3, i))
    for window in range(4):
        publisher.push_window(walkers_window(3, window))


def box_foot(places_m: np.ndarray) -> np.ndarray:
    """Foot points of the boxes of people who stand there, as MOT has them: 0.2 m towards cam0 at (0, -8)."""
    away = places_m[:, :2] - [0.0, -8.0]
    moved = places_m.copy()
    moved[:, :2] -= 0.2 * away / np.linalg.norm(away, axis=1, keepdims=True)
    return moved


def mot_rows(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", ndmin=2)


# --- mot --------------------------------------------------------------------------------------------------


def test_mot_has_a_row_per_frame_and_person_with_box_and_place(tmp_path: Path) -> None:
    done = export_mot(record(tmp_path / "a.cslog", walk), tmp_path / "out")
    assert done.files == (tmp_path / "out" / "cam0.txt",) and done.rows == 300
    rows = mot_rows(done.files[0])
    assert rows.shape == (300, 10)
    assert sorted(set(rows[:, 0])) == [*range(1, 101)]
    frame = walkers_frame(3, 41)
    mine = rows[rows[:, 0] == 42]
    box = frame.boxes_px[:3]
    np.testing.assert_allclose(mine[:, 1], [1, 2, 3])
    np.testing.assert_allclose(mine[:, 2:6], np.hstack([box[:, :2], box[:, 2:] - box[:, :2]]), atol=0.01)
    np.testing.assert_allclose(mine[:, 6], 0.75)
    places = np.stack(
        [place_m(int(p), int(t)) for t, p in zip((rows[:, 0] - 1) * FRAME_NS, rows[:, 1], strict=True)]
    )
    np.testing.assert_allclose(
        rows[:, 7:9], box_foot(places)[:, :2], atol=1e-3
    )  # between 30 Hz slots and beyond the last window


def test_mot_says_minus_one_without_a_ground(tmp_path: Path) -> None:
    def fill(publisher: PublisherStage) -> None:
        publisher.push_live(walkers_frame(2, 0, ground=False))

    assert (mot_rows(export_mot(record(tmp_path / "a", fill), tmp_path).files[0])[:, 7:] == -1).all()


@pytest.mark.parametrize(
    ("coasting", "rows_of_3"),
    [("all", [0, 1, 2, 3, 4, 5, 6]), ("inside", [0, 1, 2, 3, 4]), ("none", [0, 1, 4])],
)
def test_mot_drops_the_vain_end_of_a_track(tmp_path: Path, coasting: str, rows_of_3: list[int]) -> None:
    def fill(publisher: PublisherStage) -> None:
        for i, unseen in enumerate([0, 0, 1, 1, 0, 1, 1]):  # person 3 is hidden, comes back, is lost for good
            publisher.push_live(walkers_frame(3, i, unseen=unseen))

    rows = mot_rows(export_mot(record(tmp_path / "a", fill), tmp_path, coasting).files[0])  # type: ignore[arg-type]
    third = rows[rows[:, 1] == 3]
    assert (third[:, 0] - 1).tolist() == rows_of_3
    assert all(row[6] == (0.75 if row[0] - 1 in (0, 1, 4) else 0.0) for row in third)


def test_mot_writes_a_file_per_camera_whatever_their_names(tmp_path: Path) -> None:
    def fill(publisher: PublisherStage) -> None:
        for camera in ("rtsp://a/1", "rtsp:--a-1", "../../etc/passwd", "..."):
            publisher.push_live(walkers_frame(1, 0, camera))

    done = export_mot(record(tmp_path / "a", fill), tmp_path / "out")
    assert len({file.resolve() for file in done.files}) == 4
    assert all(file.resolve().parent == (tmp_path / "out").resolve() for file in done.files)


def test_late_rows_take_their_place_in_every_table_of_frames(tmp_path: Path) -> None:
    def fill(publisher: PublisherStage) -> None:
        for i in range(10):
            publisher.push_live(walkers_frame(3 if i in (3, 4) else 2, i, unseen=i in (3, 4)))
        for index in (4, 3):  # person 3 was a prediction there, is known now; in frame 7 nobody knew of them
            publisher.push_late(walkers_late(3, index))
        publisher.push_late(walkers_late(3, 7))
        publisher.push_late(walkers_late(3, 5))
        publisher.push_late(walkers_frame(2, 5))  # the last row of a person counts: here nothing new

    recording = record(tmp_path / "a", fill)
    frames = list(recording.frames())
    assert [f.index for f in frames] == [*range(10)] and recording.num_frames == {"s": 10}
    assert [3 in f.person_ids for f in frames] == [i in (3, 4, 5, 7) for i in range(10)]
    late = walkers_late(3, 4)
    row = frames[4].person_ids.tolist().index(3)
    np.testing.assert_array_equal(frames[4].position_m[row], late.position_m[0])
    assert frames[4].drops == walkers_frame(3, 4).drops  # of the frame, not of what came late
    for i, frame in enumerate(frames):  # the others stand as they were
        np.testing.assert_array_equal(frame.boxes_px[:2], walkers_frame(2, i).boxes_px[:2])
    rows = mot_rows(export_mot(recording, tmp_path / "out", "all").files[0])
    assert rows[rows[:, 1] == 3][:, 0].tolist() == [4, 5, 6, 8]
    with (export_csv(recording, tmp_path / "out").files[0]).open() as file:
        assert sum(line["person"] == "3" for line in csv.DictReader(file)) == 4


# --- merging ----------------------------------------------------------------------------------------------


def merged(windows: list[WindowSolution]) -> dict[str, np.ndarray]:
    chunks = list(merge_windows(windows))
    assert [c.slot0 for c in chunks[1:]] == [c.slot0 + len(c.t_ns) for c in chunks[:-1]]  # each slot once
    names = ("t_ns", "ground_m", "pose_rotvec", "joints_m", "confidence", "provenance", "rev")
    axis = {"t_ns": 0}
    return {n: np.concatenate([getattr(c, n) for c in chunks], axis=axis.get(n, 1)) for n in names}


def test_windows_that_agree_merge_to_themselves() -> None:
    out = merged([walkers_window(2, w) for w in range(5)])
    slots = np.arange(4 * 16 + 64)
    want = np.concatenate([walkers_window(2, w, frames=16).pose_rotvec for w in range(8)], axis=1)
    np.testing.assert_allclose(out["t_ns"], slots * 1e9 / 30, atol=2)
    angle = (
        Rotation.from_rotvec(out["pose_rotvec"].reshape(-1, 3))
        * Rotation.from_rotvec(want.reshape(-1, 3)).inv()
    )
    assert angle.magnitude().max() < 1e-5
    places = np.stack([place_m(p, out["t_ns"]) for p in (1, 2)])
    np.testing.assert_allclose(out["ground_m"], places, atol=1e-5)
    assert (out["provenance"] == Provenance.OBSERVED).all()


def test_windows_that_disagree_are_faded_without_a_seam() -> None:
    rng = np.random.default_rng(3)
    shifts, turns = rng.normal(0, 0.1, 8), rng.normal(0, 0.2, 8)
    windows = [
        walkers_window(1, w, shift_m=s, turn_rad=t)
        for w, (s, t) in enumerate(zip(shifts, turns, strict=True))
    ]
    out = merged(windows)
    y = out["ground_m"][0, :, 1]
    root = Rotation.from_rotvec(out["pose_rotvec"][0, :, 0])
    turn = (root[1:] * root[:-1].inv()).magnitude()
    assert (
        np.abs(np.diff(y)).max() < np.ptp(shifts) / 12
    )  # a cut between two windows would step by up to the range
    assert turn.max() < np.ptp(turns) / 12
    assert shifts.min() + 1.5 <= y.min() and y.max() <= shifts.max() + 1.5
    hard = np.concatenate([np.full(16, s) for s in shifts])
    assert np.abs(np.diff(hard)).max() > np.ptp(shifts) / 3  # the bar above means something


def test_highest_revision_replaces_and_absent_slots_are_ignored() -> None:
    first, refined = walkers_window(2, 0), walkers_window(1, 0, rev=2, shift_m=1.0)
    first.provenance[1, :10] = Provenance.ABSENT
    first.joints_m[1, :10] = np.nan
    out = merged([first, refined])
    assert (out["rev"][0] == 2).all() and (out["rev"][1, 10:] == 0).all() and (out["rev"][1, :10] == -1).all()
    np.testing.assert_allclose(out["ground_m"][0, :, 1], 2.5, atol=1e-6)
    assert np.isnan(out["joints_m"][1, :10]).all() and np.isfinite(out["joints_m"][1, 10:]).all()


def test_body_that_faces_the_other_way_is_left_out_not_averaged() -> None:
    wrong = walkers_window(1, 1, turn_rad=np.pi)
    out = merged([walkers_window(1, 0), wrong, walkers_window(1, 2)])
    root = Rotation.from_rotvec(out["pose_rotvec"][0, :, 0])
    off = (root * Rotation.from_rotvec([np.pi / 2, 0, 0]).inv()).magnitude()
    assert set(np.round(off, 4)) <= {0.0, np.round(np.pi, 4)}  # one of the two, never something between


def test_weights_fade_to_the_ends_and_windows_with_a_hole_between_stay_apart() -> None:
    w = blend_weights(64)
    assert w.argmax() in (31, 32) and w[0] < 0.05 and np.allclose(w, w[::-1])
    chunks = list(merge_windows([walkers_window(1, 0), walkers_window(1, 10)]))
    assert [(c.slot0, len(c.t_ns)) for c in chunks] == [(0, 64), (160, 64)]


def test_unwrapped_rotations_are_the_same_and_do_not_jump() -> None:
    turns = Rotation.from_rotvec(np.outer(np.linspace(0, 12, 100), [0, 0.6, 0.8]))
    raw = turns.as_rotvec()
    out = unwrap_rotvec(raw)
    assert np.abs(np.diff(raw, axis=0)).max() > 3 and np.abs(np.diff(out, axis=0)).max() < 0.2
    assert (Rotation.from_rotvec(out) * turns.inv()).magnitude().max() < 1e-6


# --- amass and csv ----------------------------------------------------------------------------------------


def test_amass_holds_one_continuous_motion_a_person(tmp_path: Path) -> None:
    done = export_amass(record(tmp_path / "a", walk), tmp_path / "out")
    assert [file.name for file in done.files] == [
        f"person_{p:05d}.npz" for p in (1, 2, 3)
    ] and done.rows == 3 * 112
    with np.load(done.files[1]) as motion:
        assert motion["poses"].shape == (112, 72) and motion["trans"].shape == (112, 3)
        assert motion["betas"].shape == (10,) and float(motion["mocap_framerate"]) == 30.0
        np.testing.assert_allclose(motion["trans"], place_m(2, motion["t_ns"]) + PELVIS, atol=1e-4)
        assert np.abs(np.diff(motion["poses"], axis=0)).max() < 0.1
        assert (motion["provenance"] == Provenance.OBSERVED).all()


def test_amass_bridges_an_absence_and_marks_it(tmp_path: Path) -> None:
    def fill(publisher: PublisherStage) -> None:
        publisher.push_window(walkers_window(1, 0))
        publisher.push_window(walkers_window(1, 5))  # slots 80..143; 64..79 are missing

    (file,) = export_amass(record(tmp_path / "a", fill), tmp_path).files
    with np.load(file) as motion:
        assert len(motion["poses"]) == 144
        away = motion["provenance"] == Provenance.ABSENT
        assert away.nonzero()[0].tolist() == [*range(64, 80)] and (motion["confidence"][away] == 0).all()
        np.testing.assert_allclose(motion["trans"], place_m(1, motion["t_ns"]) + PELVIS, atol=1e-4)


def test_csv_tables_agree_with_what_was_published(tmp_path: Path) -> None:
    done = export_csv(record(tmp_path / "a", walk), tmp_path / "out")
    with done.files[0].open() as file:
        tracks = list(csv.DictReader(file))
    with done.files[1].open() as file:
        joints = list(csv.DictReader(file))
    assert len(tracks) == 300 and len(joints) == 112 * 3 * 24 and done.rows == 300 + 112 * 3 * 24
    row = tracks[100]
    assert (row["camera"], row["frame"], row["person"], row["seen"]) == ("cam0", "34", "2", "1")
    np.testing.assert_allclose(float(row["x_m"]), place_m(2, int(row["t_capture_ns"]))[0], atol=1e-3)
    row = joints[24 * 3 * 50 + 24 + 15]
    assert (row["slot"], row["person"], row["joint"], row["provenance"]) == ("50", "2", "head", "observed")
    np.testing.assert_allclose(float(row["y_m"]), 3.0, atol=1e-3)


# --- what cannot be exported ------------------------------------------------------------------------------

EXPORTS: list[Callable[[Recording, Path], Exported]] = [export_mot, export_csv, export_amass]


@pytest.mark.parametrize("export", EXPORTS, ids=lambda f: f.__name__)
def test_log_without_people_gives_one_clear_line(
    tmp_path: Path, export: Callable[[Recording, Path], Exported]
) -> None:
    recording = record(tmp_path / "a", lambda publisher: None)
    with pytest.raises(ExportError, match="holds n") as caught:
        export(recording, tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize("export", EXPORTS, ids=lambda f: f.__name__)
def test_unwritable_target_gives_one_clear_line(
    tmp_path: Path, export: Callable[[Recording, Path], Exported]
) -> None:
    recording = record(tmp_path / "a", walk)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportError, match="cannot write"):
        export(recording, tmp_path / "file" / "out")


def test_empty_and_foreign_logs(tmp_path: Path) -> None:
    LogWriter(tmp_path / "empty").close()
    with pytest.raises(ExportError, match="no published message"):
        Recording(tmp_path / "empty")
    (tmp_path / "text").write_text("hello there, this is no log")
    with pytest.raises(LogError, match="not a crowdstream log"):
        Recording(tmp_path / "text")


def test_damaged_log_exports_the_rest_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a"
    record(path, walk)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data[:-5])
    recording = Recording(path)
    assert "damaged" in recording.notes[0] and "unfinished" in recording.notes[0]
    assert export_mot(recording, tmp_path / "out").rows >= 297


def test_sessions_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for sid, people in (("one", 1), ("two", 2)):
        publisher = PublisherStage(
            PublishConfig(listen="", session=sid, append=True), "hall", walkers_schema(), path
        )
        publisher.start()
        publisher.push_live(walkers_frame(people, 0))
        publisher.stop()
    assert export_mot(Recording(path), tmp_path).rows == 2
    assert export_mot(Recording(path, "one"), tmp_path).rows == 1
    with pytest.raises(ExportError, match="no session 'three'; it has one, two"):
        Recording(path, "three")
