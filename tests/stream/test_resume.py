"""Where a log ends: on logs that are whole, cut anywhere and damaged all that stands before is found."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.solve.problem import WindowSolution
from crowdstream.stream.errors import LogError
from crowdstream.stream.identity import IdentityChange, IdentityEvent
from crowdstream.stream.records import ClockOrigin, TrackedFrame
from crowdstream.stream.wire.log import LogReader, LogWriter
from crowdstream.stream.wire.log_format import FILE_HEAD
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage
from crowdstream.stream.wire.resume import read_resume_point
from crowdstream.stream.wire.schema import CameraInfo, SiteSchema

CAMERA = CameraModel(np.diag([500.0, 500.0, 1.0]), np.eye(3), np.array([0.0, 0.0, 5.0]), (640, 480))
PEOPLE, SLOTS = 2, 1
f = np.float32


def frame(index: int) -> TrackedFrame:
    n = PEOPLE
    return TrackedFrame(
        "hall", index, 1000 + index, ClockOrigin.FILE_PTS, (640, 480), np.arange(n) + index, np.ones(n, bool),
        np.ones(n, bool), np.ones((n, 4), f), np.ones(n, f), np.ones((n, 17, 2), f), np.ones((n, 17), f),
        np.zeros((n, 3)), np.zeros((n, 2, 2)), np.zeros((n, 2)),
    )  # fmt: skip


def window(number: int, rev: int = 0, people: int = PEOPLE) -> WindowSolution:
    n, t = people, SLOTS
    rng = np.random.default_rng(number)
    return WindowSolution(
        number, 16 * number, 0, rev, np.arange(n) + 50, rng.normal(size=(n, t, 24, 3)).astype(f), np.zeros((n, 10), f),
        np.zeros((n, t, 3), f), np.zeros((n, t, 24, 3), f), np.zeros((n, t, 3), f), np.ones((n, t), f),
        np.ones((n, t), np.uint8), np.zeros(n, f), np.zeros(n, np.uint8),
    )  # fmt: skip


def state(number: int) -> dict[str, np.ndarray]:
    ids = np.arange(PEOPLE) + 50
    return {
        "person_ids": ids,
        "windows": np.full(PEOPLE, number),
        "betas_weight": np.full(PEOPLE, 3.0 + number, f),
    }


def join(track: int) -> IdentityEvent:
    return IdentityEvent(IdentityChange.MERGE, track, 3, 3, 5, 1, 2, 0.9)


def publisher(log: Path, session: str = "s1", **more: object) -> PublisherStage:
    config = PublishConfig(listen="", session=session, clock="capture", fsync="never", **more)  # type: ignore[arg-type]
    schema = SiteSchema("hall", (CameraInfo("hall", (640, 480), 30.0, CAMERA),), Ground())
    stage = PublisherStage(config, "hall", schema, log)
    stage.start()
    return stage


def write(log: Path, windows: int = 5, session: str = "s1", **more: object) -> Path:
    stage = publisher(log, session, **more)
    for k in range(windows):
        stage.push_live(frame(k))
        stage.push_window(window(k), state(k))
        if k == 1:
            stage.push_identity(join(90))
        if k == 2:
            stage.push_window(window(0, rev=3))
            stage.push_status({"event": "note"})
    stage.stop()
    return log


def test_a_whole_log_says_all(tmp_path: Path) -> None:
    log = write(tmp_path / "a.cslog")
    point = read_resume_point(log)
    hall = point.sites["hall"]
    assert (point.session, point.sessions, list(point.sites)) == ("s1", ("s1",), ["hall"])
    assert point.seqs == {
        "schema.hall": 1,
        "live.hall": 5,
        "window.hall": 5,
        "identity.hall": 1,
        "refined.hall": 1,
        "status": 1,
    }
    assert (hall.next_index, hall.t_capture_ns, hall.next_window, hall.windows, hall.max_rev) == (
        5,
        1004,
        5,
        5,
        3,
    )
    assert hall.next_person == 91  # the join's track is the highest
    assert hall.identity == (join(90),)
    assert {p: (s.window, s.betas_weight) for p, s in hall.solver.items()} == {50: (4, 7.0), 51: (4, 7.0)}
    np.testing.assert_array_equal(hall.solver[51].pose_rotvec, window(4).pose_rotvec[1])
    assert hall.calibration is not None and hall.calibration.camera.size_px == (640, 480)
    assert point.log_bytes == log.stat().st_size and point.health.describe() == ""


def test_numbers_are_above_all_sessions_but_people_are_of_the_last(tmp_path: Path) -> None:
    log = write(tmp_path / "a.cslog", windows=6)
    point = read_resume_point(write(log, windows=1, session="s2", append=True))
    hall = point.sites["hall"]
    assert (point.session, point.sessions) == ("s2", ("s1", "s2"))
    assert point.seqs == {"schema.hall": 1, "live.hall": 1, "window.hall": 1}
    assert (hall.next_window, hall.next_person) == (6, 91)
    assert hall.identity == () and {s.window for s in hall.solver.values()} == {0}


def records_of(log: Path) -> list[tuple[int, int]]:
    return [(record.offset, record.end) for record in LogReader(log).records()]


def test_a_log_cut_at_any_byte_of_its_last_two_records_gives_all_before(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.cslog")
    data, places = whole.read_bytes(), records_of(whole)
    cut = tmp_path / "cut.cslog"
    windows_before = {
        end: read_resume_point(_with(cut, data[:end])).sites["hall"].windows for _, end in places[-3:]
    }
    _with(cut, data)
    for end in range(len(data) - 1, places[-3][1] - 1, -1):
        os.truncate(cut, end)
        last = max(stop for _, stop in places if stop <= end)
        reader = LogReader(cut)
        assert [record.end for record in reader.records()] == [stop for _, stop in places if stop <= end]
        assert reader.health.tail_bytes == end - last and reader.health.damaged_records == 0
        if end % 61 == 0:
            point = read_resume_point(cut)
            assert point.log_bytes == last and point.sites["hall"].windows == windows_before[last]
    for end in range(places[-3][1], len(data), 397):  # and a writer goes on from there
        stage = publisher(_with(cut, data[:end]), append=True)
        number = read_resume_point(cut).seqs.get("window.hall", 0) + 1
        stage.push_window(window(number))
        stage.stop()
        point = read_resume_point(cut)
        assert point.seqs["window.hall"] == number and point.health.describe() == ""


def _with(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_one_changed_byte_in_any_record_costs_that_record_alone(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.cslog")
    data, places = whole.read_bytes(), records_of(whole)
    kinds = [record.messages for record in LogReader(whole).records()]
    rng = np.random.default_rng(0)
    for place, (start, end) in enumerate(places):
        for at in (start, start + 9, start + 14, int(rng.integers(start + 16, end))):
            damaged = bytearray(data)
            damaged[at] ^= 1 << int(rng.integers(8))
            log = _with(tmp_path / "damaged.cslog", bytes(damaged))
            kept = [record.messages for record in LogReader(log).records()]
            assert kept == kinds[:place] + kinds[place + 1 :], (place, at)
            read_resume_point(log)
            with LogWriter(log, append=True) as writer:
                assert writer.health.records == len(places) - 1


def test_a_log_cut_inside_its_head_is_as_good_as_new(tmp_path: Path) -> None:
    data = write(tmp_path / "whole.cslog").read_bytes()
    for end in (0, 1, 8, 9, 15, FILE_HEAD.size):
        log = _with(tmp_path / "cut.cslog", data[:end])
        assert read_resume_point(log).session == ""
        write(log, windows=1, append=True)
        assert read_resume_point(log).sites["hall"].windows == 1


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no log at"):
        read_resume_point(tmp_path / "nothing")
    for data in (b"short", b"#!/bin/sh\necho not a log at all\n"):
        with pytest.raises(LogError):
            read_resume_point(_with(tmp_path / "other", data))


def test_damage_that_the_checksum_does_not_see_is_counted(tmp_path: Path) -> None:
    log = write(tmp_path / "a.cslog", windows=2)
    from crowdstream.stream.wire.log_format import pack_record

    good = next(iter(LogReader(log).records())).messages[0]
    with log.open("ab") as file:
        file.write(pack_record([b"\xc1nonsense", good], b"\xc1"))
        file.write(pack_record([], b""))
    point = read_resume_point(log)
    assert point.health.damaged_records == 1 and point.sites["hall"].windows == 2


def test_a_window_in_parts_is_one_window(tmp_path: Path) -> None:
    stage = publisher(tmp_path / "a.cslog")
    many = 3000  # more than a message of 1 MiB holds
    stage.push_window(replace(window(3, people=many), person_ids=np.arange(many)), None)
    stage.stop()
    point = read_resume_point(tmp_path / "a.cslog")
    assert point.seqs["window.hall"] > 1
    assert (point.sites["hall"].windows, point.sites["hall"].next_person) == (1, many)
