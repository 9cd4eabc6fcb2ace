"""Ended between any two steps of a commit, whoever comes after goes on: the log is that of a run without an end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crowdstream.stream.checkpoint import faults
from crowdstream.stream.wire.codec import decode
from crowdstream.stream.wire.ledger import before_of
from crowdstream.stream.wire.log import LogReader
from crowdstream.stream.wire.log_file import laid_aside

SCRIPT = Path(__file__).parent / "committing.py"
COUNT = 4
LOG_POINTS = [point for point in faults.POINTS if "log_rename" in point]
FILE_MB = 0.006
"""Less than two windows."""


def run(log: Path, fault: str = "", file_mb: float = 0.0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CROWDSTREAM_TEST_FAULTS": "1", "CROWDSTREAM_FAULT": fault}
    command = [sys.executable, "-P", str(SCRIPT), str(log), str(COUNT), str(file_mb)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    log = tmp_path_factory.mktemp("undisturbed") / "a.cslog"
    done = run(log)
    assert done.returncode == 0, done.stderr
    assert len(list(LogReader(log).records())) == 1 + 2 * COUNT + COUNT // 2
    yield log.read_bytes()


@pytest.mark.parametrize("point", [point for point in faults.POINTS if point not in LOG_POINTS])
def test_ended_at_every_point_in_turn_the_log_is_the_same(
    tmp_path: Path, undisturbed: bytes, point: str
) -> None:
    log = tmp_path / "a.cslog"
    for count in (2, 3) if point == "after_append" else (2,):  # of one the second try is ended too
        gone = run(log, f"{point}:{count}")
        assert gone.returncode == 137, gone.stderr
        records = list(LogReader(log).records())  # readable at any time, and a part of what there will be
        assert records and undisturbed.startswith(log.read_bytes()[: records[-1].end])
    done = run(log)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("from ")
    assert log.read_bytes() == undisturbed


def results_in(log: Path) -> list[bytes]:
    """Results of all files of a log, each as often as it is there, in order; what is told of the files is left out."""
    return [
        data
        for file in [*laid_aside(log), log]
        for record in LogReader(file).records()
        if before_of(record) is None
        for data in record.messages
        if decode(data).topic != "status"
    ]


@pytest.mark.parametrize("point", LOG_POINTS)
def test_ended_while_a_log_is_laid_aside_every_result_is_in_one_file(
    tmp_path: Path, undisturbed: bytes, point: str
) -> None:
    (tmp_path / "one.cslog").write_bytes(undisturbed)
    log = tmp_path / "a.cslog"
    for _ in range(2):  # and so is whoever comes after
        gone = run(log, f"{point}:1", FILE_MB)
        assert gone.returncode == 137, gone.stderr
    done = run(log, file_mb=FILE_MB)
    assert done.returncode == 0, done.stderr
    assert results_in(log) == results_in(tmp_path / "one.cslog")
    assert len(laid_aside(log)) >= 2


def test_a_disk_that_fills_up_stops_no_run_and_whoever_comes_after_records_the_rest(
    tmp_path: Path, undisturbed: bytes
) -> None:
    log = tmp_path / "a.cslog"
    full = run(log, "before_append:5:full")
    assert full.returncode == 0, full.stderr
    missing = 2 * COUNT + COUNT // 2 + 1 - 4
    assert f"not recorded {missing}, checkpoints refused 0" in full.stdout
    kept = log.read_bytes()
    assert undisturbed.startswith(kept) and len(list(LogReader(log).records())) == 4
    refused = run(tmp_path / "b.cslog", "before_checkpoint_sync:2:full")
    assert refused.returncode == 0 and f"checkpoints refused {COUNT - 1}" in refused.stdout
    assert (tmp_path / "b.cslog").read_bytes() == undisturbed
