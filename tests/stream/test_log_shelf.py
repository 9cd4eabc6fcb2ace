"""A log that is laid aside and gone on with, anywhere and however it is disturbed, is the log it would have been."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crowdstream.lab.bench.wire_cases import walkers_frame, walkers_window
from crowdstream.stream.checkpoint import faults
from crowdstream.stream.errors import LogError
from crowdstream.stream.identity import IdentityChange, IdentityEvent
from crowdstream.stream.wire.codec import decode, encode
from crowdstream.stream.wire.identity import identity_message
from crowdstream.stream.wire.ledger import before_of
from crowdstream.stream.wire.log import LogReader, LogWriter
from crowdstream.stream.wire.log_file import laid_aside, next_aside, successor
from crowdstream.stream.wire.log_format import FILE_HEAD, pack_state
from crowdstream.stream.wire.log_shelf import LogCounts, LogShelf, ShelfLimits
from crowdstream.stream.wire.messages import Kind, Message
from crowdstream.stream.wire.outlet import Outlet
from crowdstream.stream.wire.publish_config import PublishConfig
from crowdstream.stream.wire.replay import Replay
from crowdstream.stream.wire.resume import ResumePoint, read_resume_point
from crowdstream.stream.wire.server_settings import server_settings
from crowdstream.stream.wire.tiers import Stamp, live_message, window_messages

Commit = tuple[list[Message], bytes]
HOUR_NS = 3_600_000_000_000


class Died(BaseException):
    """As by kill -9."""


def stamp(seq: int) -> Stamp:
    return Stamp("s", seq, 1000 + seq, True)


def join(track: int, person: int) -> IdentityEvent:
    return IdentityEvent(IdentityChange.MERGE, track, person, track, 5, 1, 2, 0.9)


def commits() -> list[Commit]:
    """What an engine commits: a schema, frames, windows with state, a revision, joins that change their mind."""
    rows: list[Commit] = [([Message("s", "schema.hall", 1, Kind.SCHEMA, 0, "file_pts", 1, {}, {})], b"")]
    for i in range(1, 7):
        rows.append(([live_message(walkers_frame(2, i), "hall", stamp(i))], b""))
        rows.append((window_messages(walkers_window(2, i, frames=1), "hall", stamp(i)), pack_state({"n": i})))
        rows.append(([identity_message(join(i % 3 + 50, i), "hall", stamp(i), "file_pts")], b""))
    rows.append((window_messages(walkers_window(2, 1, frames=1, rev=4), "hall", stamp(1)), b""))
    rows.append(([Message("s", "status", 1, Kind.DATA, 0, "file_pts", 9, {}, {"event": "x"})], b""))
    return rows


COMMITS = commits()


def write(log: LogWriter, rows: list[Commit]) -> None:
    for messages, state in rows:
        log.append(messages, [encode(message) for message in messages], state)


def committed(path: Path) -> list[bytes]:
    """What was committed, in order, over all files of a log."""
    return [
        data
        for file in [*laid_aside(path), path]
        for record in LogReader(file).records()
        if before_of(record) is None
        for data in record.messages
    ]


def whole(path: Path) -> list[bytes]:
    with LogWriter(path) as log:
        write(log, COMMITS)
    return committed(path)


def numbers(point: ResumePoint) -> ResumePoint:
    """What must be the same however many files a log is: all but what is counted in one of them."""
    sites = {}
    for name, site in point.sites.items():
        newest = {event.track: event for event in site.identity}
        identity = tuple(newest[track] for track in sorted(newest))
        sites[name] = replace(site, windows=0, solver={}, identity=identity)
    return replace(point, sites=sites, log_bytes=0, health=type(point.health)())


@pytest.mark.parametrize("parts", [1, 2, 5])
@pytest.mark.parametrize("reopened", [False, True])
def test_in_however_many_files_it_says_the_same(tmp_path: Path, parts: int, reopened: bool) -> None:
    alone = tmp_path / "alone.cslog"
    expected = whole(alone)
    for offset in range(0, len(COMMITS), 3):
        path = tmp_path / f"{offset}.cslog"
        log = LogWriter(path)
        total = 0
        for i, row in enumerate(COMMITS):
            if i % parts == offset % parts:
                log.lay_aside(next_aside(path))
            if reopened:
                log.close()
                log = LogWriter(path, append=True)
            write(log, [row])
        total = log.num_bytes
        log.close()
        assert committed(path) == expected
        assert numbers(read_resume_point(path)) == numbers(read_resume_point(alone))
        sizes = [file.stat().st_size for file in [*laid_aside(path), path]]
        assert total == sum(sizes) == read_resume_point(path).log_bytes


def test_each_file_is_read_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.cslog"
    with LogWriter(path) as log:
        write(log, COMMITS[:10])
        log.lay_aside(next_aside(path))
        write(log, COMMITS[10:11])
    schema = next(iter(LogReader(path).schemas()))
    assert (schema.topic, schema.seq) == ("schema.hall", 1)
    events = [m for m in LogReader(path).messages() if m.topic == "identity.hall"]
    assert sorted((m.body["track"], m.body["person"]) for m in events) == [(50, 3), (51, 1), (52, 2)]
    assert LogReader(path).last_state() is None  # what came before is no warm-start state


def test_the_newest_two_files_are_found_by_number(tmp_path: Path) -> None:
    path = tmp_path / "a.cslog"
    windows = [row for row in COMMITS if row[0][0].topic == "window.hall"]
    with LogWriter(path) as log:
        for row in windows[:4]:
            log.lay_aside(next_aside(path))
            write(log, [row])
        found = [log.read("s", "window.hall", seq) is not None for seq in range(1, 6)]
        assert found == [False, False, True, True, False]
        assert log.first("s", "window.hall") == 3
        assert log.read("s", "window.hall", 4) == encode(windows[3][0][0])


@pytest.mark.parametrize("point", ["before_log_rename", "between_log_renames", "after_log_rename"])
def test_killed_between_two_names_nothing_is_lost_and_nothing_twice(
    tmp_path: Path, armed: Callable[[str, BaseException], None], point: str
) -> None:
    expected = whole(tmp_path / "alone.cslog")
    path = tmp_path / "a.cslog"
    log = LogWriter(path)
    write(log, COMMITS[:9])
    armed(point, Died())
    with pytest.raises(Died):
        log.lay_aside(next_aside(path))
    faults.disarm()
    assert numbers(read_resume_point(path)).seqs["live.hall"] == 3
    with LogWriter(path, append=True) as after:
        write(after, COMMITS[9:])
    assert committed(path) == expected
    assert not successor(path).exists() or point == "before_log_rename"
    with LogWriter(path, append=True) as again:  # what was left over is in nobody's way
        again.lay_aside(next_aside(path))
    assert committed(path) == expected


@pytest.mark.parametrize("point", ["before_log_rename", "between_log_renames"])
def test_refused_by_the_disk_it_stays_as_it_was_and_is_told_once(
    tmp_path: Path, armed: Callable[[str, BaseException], None], point: str
) -> None:
    expected = whole(tmp_path / "alone.cslog")
    path, now_ns = tmp_path / "a.cslog", HOUR_NS
    shelf = LogShelf(path, ShelfLimits(file_bytes=1), lambda: now_ns)
    with LogWriter(path) as log:
        write(log, COMMITS[:9])
        armed(point, OSError(errno.ENOSPC, "No space left on device"))
        told = shelf.tend(log)
        assert len(told) == 1 and "No space left" in told[0] and shelf.counts.refused == 1
        assert shelf.tend(log) == [] and laid_aside(path) == [] and not successor(path).exists()
        write(log, COMMITS[9:12])
        now_ns += 61 * 10**9
        assert shelf.tend(log) == [] and shelf.counts.refused == 2  # tried again, and not told again
        faults.disarm()
        now_ns += 61 * 10**9
        assert "a-000001.cslog is laid aside" in shelf.tend(log)[0] and shelf.counts == LogCounts(1, 0, 2)
        write(log, COMMITS[12:])
    assert committed(path) == expected


@pytest.fixture
def armed() -> Iterator[Callable[[str, BaseException], None]]:
    def arm(point: str, what: BaseException) -> None:
        def act() -> None:
            raise what

        faults.arm(point, act)

    yield arm
    faults.disarm()


def test_what_is_no_longer_kept_is_removed_and_nothing_else(tmp_path: Path) -> None:
    path, now_ns = tmp_path / "a.cslog", 1000 * HOUR_NS
    bystanders = ["a-1.cslog", "b-000001.cslog", "a-000001.cslog.checkpoint", "a-x-000001.cslog"]
    for name in bystanders:
        (tmp_path / name).write_bytes(b"not of this log")
    with LogWriter(path) as log:
        for _ in range(6):
            write(log, COMMITS[:1])
            log.lay_aside(next_aside(path))
        files = laid_aside(path)
        assert [file.name for file in files] == [f"a-{n:06d}.cslog" for n in range(1, 7)]
        for age_h, file in zip((9, 8, 3, 2, 1, 0), files, strict=True):
            os.utime(file, ns=(now_ns - age_h * HOUR_NS,) * 2)
        shelf = LogShelf(path, ShelfLimits(keep_s=7.5 * 3600), lambda: now_ns)
        assert len(shelf.tend(log)) == 2 and laid_aside(path) == files[2:]
        size = files[-1].stat().st_size
        shelf = LogShelf(path, ShelfLimits(keep_bytes=size + files[-2].stat().st_size), lambda: now_ns)
        assert len(shelf.tend(log)) == 2 and laid_aside(path) == files[4:]
        assert shelf.counts.removed == 2 and next_aside(path).name == "a-000007.cslog"
    assert all((tmp_path / name).exists() for name in bystanders) and path.exists()


def test_without_limits_it_is_one_file_for_ever(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "a.cslog") as log:
        write(log, COMMITS)
        assert LogShelf(log.path, ShelfLimits(), lambda: 10**30).tend(log) == []
    assert [p.name for p in tmp_path.iterdir()] == ["a.cslog"]


def test_by_age_it_is_laid_aside_however_short(tmp_path: Path) -> None:
    now_ns = 0
    shelf = LogShelf(tmp_path / "a.cslog", ShelfLimits(file_s=3600.0), lambda: now_ns)
    with LogWriter(tmp_path / "a.cslog") as log:
        assert shelf.tend(log) == []
        now_ns = HOUR_NS - 1
        assert shelf.tend(log) == []
        now_ns = HOUR_NS
        assert len(shelf.tend(log)) == 1 and shelf.tend(log) == []


def outlet(log: Path, **more: object) -> Outlet:
    config = {"listen": "", "session": "s", "fsync": "never", "append": True, **more}
    found = Outlet(PublishConfig.model_validate(config), log, lambda: 5)
    found.start(["hall"])
    return found


def test_an_outlet_goes_on_over_files_and_restarts(tmp_path: Path) -> None:
    path = tmp_path / "a.cslog"
    newest: dict[str, int] = {}
    for part in (COMMITS[:8], COMMITS[8:15], COMMITS[15:-1]):
        out = outlet(path, log_file_mb=0.002)
        assert {topic: seq for topic, seq in out.seq.items() if topic != "status"} == newest
        for messages, state in part:
            out.commit(messages, True, state)
            newest[messages[0].topic] = messages[0].seq
        out.stop()
    told = [m.body["text"] for m in map(decode, committed(path)) if m.topic == "status"]
    files = laid_aside(path)
    assert [data for data in committed(path) if decode(data).topic != "status"] == [
        encode(message) for messages, _ in COMMITS[:-1] for message in messages
    ]
    assert out.logs.laid_aside > 0 and out.log_bytes == sum(f.stat().st_size for f in [*files, path])
    assert len(files) > 2 and [text.split(" ")[0] for text in told] == [file.name for file in files]
    last = outlet(path)
    assert last.hub is not None
    kept = last.hub.topics["identity.hall"].latest
    assert {track: seq for track, (seq, _) in kept.items()} == {50: 6, 51: 4, 52: 5}
    assert last.hub.topics["schema.hall"].head == 1
    last.stop()


def test_a_later_file_is_replayed_at_once_though_its_schema_is_hours_old(tmp_path: Path) -> None:
    path = tmp_path / "a.cslog"
    with LogWriter(path) as log:
        write(log, COMMITS[:1])
        log.lay_aside(next_aside(path))
        late = replace(COMMITS[1][0][0], t_publish_ns=9 * HOUR_NS)
        write(log, [([late], b"")])
    replay = Replay(path, server_settings(PublishConfig(listen="tcp://127.0.0.1:0")))
    replay.start()
    try:
        done = replay.run()
    finally:
        replay.stop(0.0)
    assert done.messages == 2 and done.elapsed_s < 5.0 and done.recorded_s == 0.0


def test_a_damaged_head_costs_what_came_before_and_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "a.cslog"
    with LogWriter(path) as log:
        write(log, COMMITS[:10])
        log.lay_aside(next_aside(path))
        write(log, COMMITS[10:])
    data = bytearray(path.read_bytes())
    data[FILE_HEAD.size + 40] ^= 1
    path.write_bytes(data)
    point = read_resume_point(path)
    assert point.health.damaged_records == 1 and point.seqs["live.hall"] == 6
    with LogWriter(path, append=True) as log:
        assert log.last_seq["s", "live.hall"] == 6


def test_a_folder_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LogError, match="cannot read"):
        laid_aside(tmp_path / "file" / "a.cslog")


def test_what_was_removed_before_a_refusal_is_told_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "a.cslog", os.unlink

    def unlink(name: Path) -> None:
        if Path(name).name == "a-000001.cslog":
            raise PermissionError(errno.EACCES, "Permission denied")
        real(name)

    with LogWriter(path) as log:
        for _ in range(2):
            write(log, COMMITS[:1])
            log.lay_aside(next_aside(path))
        monkeypatch.setattr(os, "unlink", unlink)
        shelf = LogShelf(path, ShelfLimits(keep_bytes=1), lambda: HOUR_NS)
        told = shelf.tend(log)
    assert shelf.counts == LogCounts(0, 1, 1) and len(told) == 2
    assert "a-000002.cslog is removed" in told[0] and "Permission denied" in told[1]
