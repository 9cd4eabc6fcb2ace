"""The checkpoint file: at every moment one whole checkpoint stands, whatever the disk or a crash does."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crowdstream.kernels.grouping.bank_config import GroupConfig
from crowdstream.stream.checkpoint import faults
from crowdstream.stream.checkpoint.file import CheckpointFile, config_hash
from crowdstream.stream.checkpoint.records import CameraCheckpoint, Checkpoint
from crowdstream.stream.errors import CheckpointError
from crowdstream.stream.stitch.config import StitchConfig

GATE = CameraCheckpoint(17, 560, {"gate": {"detected": 16}}, b"site", b"solver", more={"own": b"x"})


def checkpoint(log_bytes: int = 100, session: str = "s1") -> Checkpoint:
    return Checkpoint(
        "0.7", "abc", session, log_bytes, {"live.gate": 17}, {"gate": GATE}, {"source": "rtsp://…"}, 5
    )


@pytest.fixture
def file(tmp_path: Path) -> Iterator[CheckpointFile]:
    yield CheckpointFile(tmp_path / "run.cslog")
    faults.disarm()


def test_what_was_written_is_read(file: CheckpointFile) -> None:
    assert file.read() is None and file.skipped == []
    assert file.write(checkpoint())
    assert file.read() == checkpoint()
    assert file.path.name == "run.cslog.checkpoint"
    assert not file.unfinished.exists()
    assert (file.stats.written, file.stats.bytes) == (1, file.path.stat().st_size)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600  # it may hold what people look like


def test_a_bad_newest_one_is_survived_by_the_one_before(file: CheckpointFile) -> None:
    file.write(checkpoint(1))
    file.write(checkpoint(2))
    whole = file.path.read_bytes()
    for bad in (b"", whole[:40], whole[:-1], whole[:50] + b"\x00" + whole[51:], b"x" * 300):
        file.path.write_bytes(bad)
        assert file.read() == checkpoint(1)
        assert len(file.skipped) == 1 and file.skipped[0].startswith("run.cslog.checkpoint: ")
    file.previous.write_bytes(b"gone too")
    assert file.read() is None and len(file.skipped) == 2


@pytest.mark.parametrize("point", [name for name in faults.POINTS if "checkpoint" in name])
def test_ended_anywhere_on_the_way_one_whole_checkpoint_stands(file: CheckpointFile, point: str) -> None:
    class Gone(BaseException):
        pass

    def end() -> None:
        raise Gone

    for count in (1, 2):
        assert file.write(checkpoint(count))
    faults.arm(point, end)
    with pytest.raises(Gone):
        file.write(checkpoint(3))
    faults.disarm()
    found = CheckpointFile(file.path.with_name("run.cslog")).read()
    assert found in (checkpoint(2), checkpoint(3))
    assert file.write(checkpoint(4)) and file.read() == checkpoint(4)


def test_a_full_disk_is_counted_and_the_old_one_stays(file: CheckpointFile) -> None:
    file.write(checkpoint(1))

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    faults.arm("before_checkpoint_sync", full)
    assert not file.write(checkpoint(2)) and not file.write(checkpoint(2))
    assert (file.stats.written, file.stats.failed) == (1, 2) and "No space left" in file.stats.error
    assert file.read() == checkpoint(1) and not file.unfinished.exists()
    faults.disarm()
    assert file.write(checkpoint(3)) and file.stats.error == "" and file.read() == checkpoint(3)


def test_a_folder_that_is_gone_is_counted(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path / "nowhere" / "run.cslog")
    assert not file.write(checkpoint()) and file.stats.failed == 1


def test_a_checkpoint_that_does_not_go_with_the_log_is_passed_over(file: CheckpointFile) -> None:
    file.write(checkpoint(100))
    file.write(checkpoint(900))
    assert file.read("s1", 900) == checkpoint(900)
    assert file.read("s1", 899) == checkpoint(100)
    assert "900 bytes of a log that has 899" in file.skipped[0]
    assert file.read("s2", 900) is None
    file.remove()
    assert file.read() is None and not file.previous.exists()


def test_something_else_in_its_place_is_passed_over(file: CheckpointFile) -> None:
    from crowdstream.stream.checkpoint.frozen import freeze

    file.path.write_bytes(freeze({"not": "one"}))
    assert file.read() is None and "a dict" in file.skipped[0]
    file.path.unlink()
    file.path.mkdir()
    assert file.read() is None and len(file.skipped) == 1


def test_what_is_no_state_is_refused_before_the_disk_is_touched(file: CheckpointFile) -> None:
    file.write(checkpoint(1))
    bad = replace(checkpoint(2), plan={"x": open})
    with pytest.raises(CheckpointError, match=r"Checkpoint\.plan\['x'\]"):
        file.write(bad)
    assert file.read() == checkpoint(1)


def test_the_hash_of_settings_follows_their_values() -> None:
    one = config_hash(StitchConfig(), GroupConfig())
    assert one == config_hash(StitchConfig(), GroupConfig()) and len(one) == 16
    assert (
        one
        != config_hash(StitchConfig(accept=0.8), GroupConfig())
        != config_hash(GroupConfig(), StitchConfig())
    )


# --- fault points -----------------------------------------------------------------------------------------


def test_without_the_switch_of_tests_nothing_is_armed() -> None:
    faults.arm_from_environment({"CROWDSTREAM_FAULT": "before_append:1:full"})
    faults.reached("before_append")
    faults.arm_from_environment({"CROWDSTREAM_TEST_FAULTS": "1"})
    faults.reached("before_append")


def test_a_fault_begins_at_its_count_and_stays() -> None:
    try:
        faults.arm_from_environment(
            {"CROWDSTREAM_TEST_FAULTS": "1", "CROWDSTREAM_FAULT": "before_append:3:full"}
        )
        faults.reached("before_append")
        faults.reached("after_append")
        faults.reached("before_append")
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                faults.reached("before_append")
    finally:
        faults.disarm()
    faults.reached("before_append")


@pytest.mark.parametrize("wanted", ["before_append", "before_append:x", "nowhere:1", "before_append:1:later"])
def test_a_fault_that_makes_no_sense_is_said(wanted: str) -> None:
    with pytest.raises(ValueError, match="point"):
        faults.arm_from_environment({"CROWDSTREAM_TEST_FAULTS": "1", "CROWDSTREAM_FAULT": wanted})
    faults.disarm()
