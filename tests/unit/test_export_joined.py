"""Exports of somebody who was lost and came back as another track: one person, one path, one motion.

Person 2 of the walkers is lost after frame 20 and found as track 9 in frame 40; between, the tracker first follows
on as track 2, and later the stitcher says where they were.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdstream.kernels.solve.problem import Provenance
from crowdstream.lab.bench.wire_cases import (
    walkers_frame,
    walkers_late,
    walkers_return,
    walkers_schema,
    walkers_window,
)
from crowdstream.stream.export.amass import export_amass
from crowdstream.stream.export.csv_tables import export_csv
from crowdstream.stream.export.mot import Coasting, export_mot
from crowdstream.stream.export.recording import Recording
from crowdstream.stream.identity import IdentityChange
from crowdstream.stream.overlay.moments import BodyCursor
from crowdstream.stream.records import TrackedFrame
from crowdstream.stream.refine.records import Revision
from crowdstream.stream.track_backfill import take_rows
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage

LOST, COASTED, FOUND, END = 20, 30, 40, 60
TRACK = 9
MERGE = walkers_return(TRACK, 2, found_index=FOUND, gap_frames=FOUND - LOST)
SPLIT = replace(MERGE, change=IdentityChange.SPLIT, person=TRACK)


def tracked(index: int) -> TrackedFrame:
    """Person 1 throughout; person 2 as the tracker has them."""
    coasts = LOST < index <= COASTED
    frame = walkers_frame(2, index, unseen=int(coasts))
    if index < FOUND:
        return frame if index <= COASTED else take_rows(frame, np.array([0]))
    return replace(frame, person_ids=np.where(frame.person_ids == 2, TRACK, frame.person_ids))


def bodies(window: int, rev: int = 0) -> list[tuple[int, np.ndarray]]:
    """(id, present slots) of a window of slots 16 w .. 16 w + 63: frames are 1.2 slots."""
    slots = 16 * window + np.arange(64)
    return [(2, slots <= 1.2 * LOST), (TRACK, slots >= 1.2 * FOUND)] if not rev else [(2, slots >= 0)]


def fill(publisher: PublisherStage, *, revise: bool, split: bool) -> None:
    for i in range(END):
        publisher.push_live(tracked(i))
        if i == FOUND + 10:
            publisher.push_identity(MERGE)
            for gap in range(LOST + 1, FOUND):  # under the id of the earlier track
                publisher.push_late(replace(walkers_late(2, gap), seen=np.zeros(1, bool)))
    (solved, *_) = [walkers_window(2, 0)]
    ids, present = zip(*bodies(0), strict=True)
    state = np.where(np.stack(present), Provenance.OBSERVED, Provenance.ABSENT).astype(np.uint8)
    lane = walkers_window(3, 0)
    pick = np.array([1, 1])
    rows = {
        name: getattr(lane, name)[pick]
        for name in ("pose_rotvec", "betas", "transl_m", "joints_m", "ground_m", "confidence", "reprojection_px",
                     "status")
    }  # fmt: skip
    solved = replace(solved, person_ids=np.array(ids), provenance=state, **rows)
    publisher.push_window(solved)
    if revise:
        whole = np.where(state.any(axis=0), Provenance.OBSERVED, Provenance.INFILLED).astype(np.uint8)[None]
        one = {name: value[:1] for name, value in rows.items()}
        better = replace(solved, rev=1, person_ids=np.array([2]), provenance=whole, **one)
        publisher.push_revision(
            Revision(better, np.zeros(1, np.uint8), np.array([1]), np.array([0]), np.zeros(1))
        )
    if split:
        publisher.push_identity(SPLIT)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Recording]:
    def made(*, revise: bool = False, split: bool = False, tracks: bool = False) -> Recording:
        path = tmp_path / f"{revise}{split}"
        if not path.exists():
            schema = replace(walkers_schema(), ground=None)  # places are the tracker's
            publisher = PublisherStage(PublishConfig(listen="", session="s"), "hall", schema, path)
            publisher.start()
            fill(publisher, revise=revise, split=split)
            publisher.stop()
        return Recording(path, tracks=tracks)

    return made


def mot(recording: Recording, folder: Path, coasting: Coasting = "inside") -> np.ndarray:
    (file,) = export_mot(recording, folder, coasting).files
    return np.loadtxt(file, delimiter=",", ndmin=2)


def of(rows: np.ndarray, person: int) -> list[int]:
    """Frames of a person, from 0."""
    return (rows[rows[:, 1] == person][:, 0].astype(int) - 1).tolist()


def test_the_person_is_one_from_first_to_last_sighting(
    make: Callable[..., Recording], tmp_path: Path
) -> None:
    rows = mot(make(), tmp_path / "out")
    assert of(rows, 2) == [*range(END)] and {*rows[:, 1]} == {1, 2}
    hidden = rows[(rows[:, 1] == 2) & (rows[:, 6] == 0)]
    assert (hidden[:, 0].astype(int) - 1).tolist() == [*range(LOST + 1, FOUND)]
    assert (np.diff(rows[rows[:, 1] == 2][:, 7]) > 0).all()  # one path


@pytest.mark.parametrize("coasting", ["all", "inside", "none"])
def test_undone_the_gap_is_nobodys(
    make: Callable[..., Recording], tmp_path: Path, coasting: Coasting
) -> None:
    """After a split, or for who asks for the tracker's ids: what was put into the gap goes; what was tracked stays."""
    followed = {"all": COASTED, "inside": LOST, "none": LOST}[coasting]
    for how in (
        {"split": True},
        {"tracks": True},
        {"tracks": True, "split": True},
        {"revise": True, "split": True},
    ):
        rows = mot(make(**how), tmp_path / "out", coasting)
        assert of(rows, 2) == [*range(followed + 1)], how
        assert of(rows, TRACK) == [*range(FOUND, END)], how


def test_tables_name_the_person(make: Callable[..., Recording], tmp_path: Path) -> None:
    def column(recording: Recording, name: str) -> tuple[set[str], int]:
        tracks, joints = export_csv(recording, tmp_path / "out").files
        with (tracks if name == "tracks" else joints).open() as file:
            rows = list(csv.DictReader(file))
        keys = [
            (row["frame"], row["person"]) if name == "tracks" else tuple(row.values())[:4] for row in rows
        ]
        assert len(keys) == len(set(keys))  # nobody twice in a frame or slot
        return {row["person"] for row in rows}, len(rows)

    assert column(make(), "tracks") == ({"1", "2"}, 2 * END)
    assert column(make(tracks=True), "tracks") == ({"1", "2", "9"}, END + COASTED + 1 + END - FOUND)
    assert column(make(), "joints")[0] == {"2"} and column(make(tracks=True), "joints")[0] == {"2", "9"}


def test_motion_is_one_file_with_the_gap_bridged_or_filled(
    make: Callable[..., Recording], tmp_path: Path
) -> None:
    for revise in (False, True):
        (file,) = export_amass(make(revise=revise), tmp_path / str(revise)).files
        with np.load(file) as motion:
            assert int(motion["person_id"]) == 2 and len(motion["poses"]) == 64
            gap = motion["provenance"] == (Provenance.INFILLED if revise else Provenance.ABSENT)
            assert gap.nonzero()[0].tolist() == [*range(25, 48)]
            assert (motion["guided_by"] == (1 if revise else -1)).all()
            np.testing.assert_allclose(motion["trans"][:, 1], 3.0, atol=1e-4)
    for how in ({"split": True}, {"revise": True, "split": True}, {"revise": True, "tracks": True}):
        done = export_amass(make(**how), tmp_path / "apart")
        assert [file.name for file in done.files] == ["person_00002.npz", "person_00009.npz"], how
        assert done.rows == 25 + 16, how
        with np.load(done.files[0]) as motion:
            assert (motion["guided_by"] == -1).all() and (motion["rev"] == 0).all()


def test_the_overlay_draws_the_person_throughout_and_what_is_taken_back_no_more(
    make: Callable[..., Recording],
) -> None:
    slot_ns = 1e9 / 30
    for how, in_gap in (({"revise": True}, [2]), ({}, []), ({"revise": True, "split": True}, [])):
        cursor = BodyCursor(make(**how))
        before, gap, after = (cursor.at(round(slot * slot_ns)).person_ids.tolist() for slot in (10, 36, 60))
        assert (before, gap) == ([2], in_gap) and after == ([9] if "split" in how else [2])


def test_a_recording_tells_that_somebody_came_back(make: Callable[..., Recording]) -> None:
    assert make().notes == ("1 track is somebody who came back",)
    assert make().identity == (MERGE,) and make().persons.person_of(TRACK) == 2
    for quiet in (make(split=True), make(tracks=True)):
        assert quiet.notes == () and quiet.persons.person_of(TRACK) == TRACK
