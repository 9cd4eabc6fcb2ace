"""What was committed is read back, wherever the file is cut and whichever byte is flipped."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from crowdstream.lab.bench.wire_cases import walkers_frame, walkers_window
from crowdstream.stream.errors import LogError
from crowdstream.stream.wire import log as log_module
from crowdstream.stream.wire.codec import encode
from crowdstream.stream.wire.log import LogHistory, LogReader, LogWriter
from crowdstream.stream.wire.log_format import FILE_HEAD, LogRecord, pack_state
from crowdstream.stream.wire.messages import Message
from crowdstream.stream.wire.tiers import Stamp, live_message, window_messages


def commit(log: LogWriter, messages: list[Message], state: bytes = b"") -> None:
    log.append(messages, [encode(message) for message in messages], state)


def window_commit(window: int, seq: int, rev: int = 0) -> list[Message]:
    return window_messages(walkers_window(1, window, frames=1, rev=rev), "hall", Stamp("s", seq, 0, True))


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    """Two frames and three windows, the last two with state."""
    path = tmp_path / "a.cslog"
    with LogWriter(path) as log:
        for i in (1, 2):
            commit(log, [live_message(walkers_frame(1, i), "hall", Stamp("s", i, 0, True))])
        commit(log, window_commit(0, 1))
        commit(log, window_commit(1, 2), pack_state({"n": 1}))
        commit(log, window_commit(2, 3), pack_state({"n": 2}))
    return path


def read(path: Path) -> tuple[list[LogRecord], LogReader]:
    reader = LogReader(path)
    return list(reader.records()), reader


def test_every_cut_of_the_last_two_records_keeps_all_earlier_ones(log_path: Path, tmp_path: Path) -> None:
    records, _ = read(log_path)
    data = log_path.read_bytes()
    for length in range(len(data) - 1, records[-2].offset - 1, -1):
        os.truncate(log_path, length)
        whole = [r for r in records if r.end <= length]
        got, reader = read(log_path)
        assert got == whole
        assert reader.health.tail_bytes == length - whole[-1].end
        if length % 61:  # the reader at every offset; the writer, which waits for the disk, at some
            continue
        cut = tmp_path / "cut.cslog"
        cut.write_bytes(data[:length])
        with LogWriter(cut, append=True) as log:  # going on cuts the tail and keeps the rest
            assert log.num_bytes == whole[-1].end
            assert log.last_seq["s", "window.hall"] == len(whole) - 2
        assert cut.read_bytes() == data[: whole[-1].end]


def test_a_flipped_byte_costs_its_record_only(log_path: Path) -> None:
    records, _ = read(log_path)
    data = log_path.read_bytes()
    heads = {r.offset + i for r in records for i in range(24)}  # every byte of sync, length, crc and count
    with log_path.open("r+b", buffering=0) as file:
        for at in sorted(heads | set(range(FILE_HEAD.size, len(data), 13))):
            os.pwrite(file.fileno(), bytes([data[at] ^ 0x40]), at)
            got, reader = read(log_path)
            assert got == [r for r in records if not r.offset <= at < r.end]
            assert reader.health.describe()  # and it says so
            assert sum(1 for _ in reader.messages()) == len(records) - 1
            os.pwrite(file.fileno(), data[at : at + 1], at)


@pytest.mark.parametrize("at", range(FILE_HEAD.size))
def test_a_flipped_byte_in_the_head_of_the_file_loses_nothing(log_path: Path, at: int) -> None:
    records, _ = read(log_path)
    data = bytearray(log_path.read_bytes())
    data[at] ^= 0x10
    log_path.write_bytes(data)
    assert read(log_path)[0] == records


def test_parts_of_a_window_and_its_state_stand_or_fall_together(tmp_path: Path) -> None:
    path = tmp_path / "a.cslog"
    parts = window_messages(walkers_window(40, 0), "hall", Stamp("s", 1, 0, True))
    assert len(parts) == 2
    with LogWriter(path) as log:
        commit(log, parts, pack_state({"n": 1}))
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    got, reader = read(path)
    assert got == [] and reader.last_state() is None


def test_last_state_and_index(log_path: Path) -> None:
    with LogWriter(log_path, append=True) as log:
        commit(log, window_messages(walkers_window(1, 1, frames=2, rev=2), "hall", Stamp("s", 1, 0, True)))
        commit(log, window_commit(3, 4))
    reader = LogReader(log_path)
    assert reader.last_state() == {"n": 2}
    index = reader.index()
    assert index.first_seq == {("s", "live.hall"): 1, ("s", "window.hall"): 1, ("s", "refined.hall"): 1}
    assert index.last_seq == {("s", "live.hall"): 2, ("s", "window.hall"): 4, ("s", "refined.hall"): 1}
    assert index.highest_rev == {("s", 0, 1): 0, ("s", 1, 1): 2, ("s", 2, 1): 0, ("s", 3, 1): 0}
    assert index.sessions == ("s",)


def test_committed_messages_are_found_by_number(log_path: Path) -> None:
    want = {seq: encode(window_commit(seq - 1, seq)[0]) for seq in (1, 2, 3, 4)}
    with LogWriter(log_path, append=True) as log:
        commit(log, window_commit(3, 4))
        assert log.first("s", "window.hall") == 1
        assert {seq: log.read("s", "window.hall", seq) for seq in want} == want
        assert log.read("s", "window.hall", 5) is None
        assert log.read("other", "window.hall", 1) is None
    history = LogHistory(LogReader(log_path))
    assert {seq: history.read("s", "window.hall", seq) for seq in want} == want
    assert history.first("s", "live.hall") == 1
    history.close()


def test_disk_full_leaves_a_sound_log_and_the_next_commit_goes_on(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, _ = read(log_path)
    real = os.pwrite
    room = 100

    def full(fd: int, data: bytes, offset: int) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(fd, bytes(data)[:room], offset)
        room -= written
        return written

    with LogWriter(log_path, append=True) as log:
        monkeypatch.setattr(log_module.os, "pwrite", full)
        with pytest.raises(LogError, match="No space left"):
            commit(log, window_commit(3, 4))
        monkeypatch.setattr(log_module.os, "pwrite", real)
        assert read(log_path)[0] == records
        commit(log, window_commit(4, 5))
    got, reader = read(log_path)
    assert got[:-1] == records and len(got) == len(records) + 1
    assert reader.health.describe() == ""


def test_a_new_log_replaces_a_log_but_nothing_else(log_path: Path, tmp_path: Path) -> None:
    with LogWriter(log_path) as log:
        assert log.num_bytes == FILE_HEAD.size
    precious = tmp_path / "thesis.txt"
    precious.write_text("years of work\n" * 3)
    for append in (False, True):
        with pytest.raises(LogError, match="not a crowdstream log"):
            LogWriter(precious, append=append)
    assert precious.read_text().startswith("years")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\x89CSLOG\r\n\x00", "ends inside its header"),
        (b"\x89CSLOG\r\n\x00\x07\x00\x01\x00\x00\x00\x00", r"version 7\.1, expected 1\.x"),
        (b"PK\x03\x04 some zip archive, not a log", "not a crowdstream log"),
    ],
)
def test_what_is_no_log_is_said_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.cslog"
    path.write_bytes(content)
    with pytest.raises(LogError, match=says) as caught:
        LogReader(path)
    assert "\n" not in str(caught.value)


def test_missing_log_and_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no log at"):
        LogReader(tmp_path / "none.cslog")
    (tmp_path / "file").write_text("x")
    with pytest.raises(LogError, match="cannot write"):
        LogWriter(tmp_path / "file" / "a.cslog")
