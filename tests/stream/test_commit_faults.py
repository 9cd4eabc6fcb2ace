"""Ended between any two steps of a commit, whoever comes after goes on: the log is that of a run without an end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crowdstream.stream.checkpoint import faults
from crowdstream.stream.wire.log import LogReader

SCRIPT = Path(__file__).parent / "committing.py"
COUNT = 4


def run(log: Path, fault: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CROWDSTREAM_TEST_FAULTS": "1", "CROWDSTREAM_FAULT": fault}
    command = [sys.executable, "-P", str(SCRIPT), str(log), str(COUNT)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    log = tmp_path_factory.mktemp("undisturbed") / "a.cslog"
    done = run(log)
    assert done.returncode == 0, done.stderr
    assert len(list(LogReader(log).records())) == 1 + 2 * COUNT + COUNT // 2
    yield log.read_bytes()


@pytest.mark.parametrize("point", faults.POINTS)
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
